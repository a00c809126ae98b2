"""From a name or a path to a clip that can be used."""

import math
import os
from pathlib import Path

from mimicgym.assets import embedded_motions
from mimicgym.errors import MotionError, unknown_message
from mimicgym.motion import npz, unitree_csv
from mimicgym.motion.clip import Motion, validate
from mimicgym.motion.reader import QUAT_ORDERS, Options, Reader, probe

# The first that accepts a file reads it, so the more particular come first.
READERS: tuple[Reader, ...] = (npz.READER, unitree_csv.READER)


def load_motion(
    spec: str | os.PathLike[str],
    *,
    fps: float | None = None,
    quat_order: str | None = None,
) -> Motion:
    """Load one clip and check it.

    Args:
      spec: the name of an embedded clip, such as "wave", or the path of a file, whose
        format is found by its content.
      fps: frames per second; needed for files that do not say, and for those that do
        it takes the place of what they say.
      quat_order: "xyzw" or "wxyz"; needed for CSV files, other formats have one order.

    Raises:
      MotionError: no such clip or file, a file that no reader knows, is damaged or
        incomplete, or holds a clip that can not be used (see `validate`).
    """
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise MotionError(f"{spec}: fps is {fps:g}; it must be a positive number")
    if quat_order is not None and quat_order not in QUAT_ORDERS:
        message = unknown_message("quat_order", quat_order, QUAT_ORDERS)
        raise MotionError(f"{spec}: {message}")
    path = _path_of(spec)
    found = probe(path)
    for reader in READERS:
        if reader.accepts(found):
            return validate(reader.read(found, Options(fps, quat_order)))
    formats = ", ".join(reader.name for reader in READERS)
    raise MotionError(f"{path}: is in no format that can be read ({formats})")


def _path_of(spec: str | os.PathLike[str]) -> Path:
    embedded = embedded_motions()
    if isinstance(spec, str) and spec in embedded:
        return embedded[spec]
    path = Path(os.path.expanduser(spec))
    bare = path.name == str(spec) and not path.suffix
    if bare and not os.path.exists(path):
        message = unknown_message("motion", str(spec), embedded)
        raise MotionError(f"{message}, or the path of a file")
    return path
