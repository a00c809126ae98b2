"""From a name or a path to a clip that can be used, and back into a file."""

import math
import os
from pathlib import Path

from mimicgym.assets import embedded_motions
from mimicgym.errors import MotionError, unknown_message
from mimicgym.motion.clip import Motion, validate
from mimicgym.motion.formats import READERS, WRITERS
from mimicgym.motion.quat_order import judge_order
from mimicgym.motion.reader import (
    QUAT_ORDERS,
    Options,
    Probe,
    Reader,
    Writer,
    probe,
)
from mimicgym.motion.scenes import on_its_ground

ALL_ENTRIES = "*"


def load_motion(
    spec: str | os.PathLike[str],
    *,
    fps: float | None = None,
    quat_order: str | None = None,
) -> Motion:
    """Load one clip and check it. Its ground may be a file beside it, see
    `motion.scenes`.

    Args:
      spec: the name of an embedded clip, such as "wave", or the path of a file, whose
        format is found by its content. Of a file with several clips: "file.pkl#name".
      fps: frames per second; needed for files that do not say, and for those that do
        it takes the place of what they say.
      quat_order: "xyzw" or "wxyz" of the root quaternion; needed for CSV files, and in
        place of a format's own order for files that were written in the other. A
        format's own order is not believed if it is clearly wrong, see `judge_order`.

    Raises:
      MotionError: no such clip or file, a file that no reader knows, is damaged or
        incomplete, or holds a clip that can not be used (see `validate`).
    """
    motion = read_motion(spec, fps=fps, quat_order=quat_order)
    return on_its_ground(motion, split_entry(spec)[0])


def read_motion(
    spec: str | os.PathLike[str],
    *,
    fps: float | None = None,
    quat_order: str | None = None,
) -> Motion:
    """`load_motion` without a look at what lies beside the file."""
    _check_options(spec, fps, quat_order)
    path, entry = split_entry(spec)
    found = probe(path)
    reader = reader_of(found)
    if entry is not None and reader.entries is None:
        raise MotionError(
            f"{path}: is {reader.name}, which holds one clip; leave out #{entry}"
        )
    motion = validate(reader.read(found, Options(fps, quat_order, entry)))
    return judge_order(motion, reader.quat_order, quat_order)


def clip_specs(spec: str | os.PathLike[str]) -> tuple[str, ...]:
    """The clips that a spec stands for: "file.pkl#*" is every clip of that file."""
    path, entry = split_entry(spec)
    if entry != ALL_ENTRIES:
        return (str(spec),)
    found = probe(path)
    reader = reader_of(found)
    names = reader.entries(found) if reader.entries else ("",)
    return tuple(f"{path}#{name}" if name else str(path) for name in names)


def save_motion(
    motion: Motion, path: str | os.PathLike[str], *, format: str | None = None
) -> None:
    """Write a clip.

    Args:
      path: where to; its suffix says the format if `format` does not.
      format: "mimicgym" (.npz, without loss), "csv" (Unitree's 36 columns, xyzw) or
        "mjlab" (.npz with links).

    Raises:
      MotionError: the clip is not usable, or the name or format does not fit.
    """
    path = Path(path)
    writer = _writer(path, format)
    motion = validate(motion)
    try:
        writer.write(motion, path)
    except OSError as error:
        reason = error.strerror or error
        raise MotionError(f"{path}: can not be written: {reason}") from error


def reader_of(found: Probe) -> Reader:
    """The reader of a file's format, by its content."""
    for reader in READERS:
        if reader.accepts(found):
            return reader
    formats = ", ".join(reader.name for reader in READERS)
    raise MotionError(f"{found.path}: is in no format that can be read ({formats})")


def split_entry(spec: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """The file and the clip in it that a spec names."""
    embedded = embedded_motions()
    if isinstance(spec, str) and spec in embedded:
        return embedded[spec], None
    text, entry = divided(os.path.expanduser(os.fspath(spec)))
    path = Path(text)
    bare = path.name == text and not path.suffix
    if bare and not os.path.exists(path):
        message = unknown_message("motion", str(spec), embedded)
        raise MotionError(f"{message}, or the path of a file")
    return path, entry


def divided(text: str) -> tuple[str, str | None]:
    """A path as it is, or "file#clip" at the first # that has a file before it.

    Folders, files and clips may have # in their names. Where there is no such file, the
    first # that is in no folder's name divides.
    """
    if "#" not in text or os.path.exists(text):
        return text, None
    places = [i for i, letter in enumerate(text) if letter == "#"]
    after_file = [i for i in places if os.path.isfile(text[:i])]
    free = [i for i in places if not _in_folders_name(text, i)]
    if not after_file + free:
        return text, None
    place = (after_file + free)[0]
    return text[:place], text[place + 1 :]


def _in_folders_name(text: str, place: int) -> bool:
    """Whether the part of a path about a letter of it is a folder that is there."""
    end = text.find(os.sep, place)
    return end >= 0 and os.path.isdir(text[:end])


def require_target(path: Path, format: str | None = None) -> None:
    """Refuse what `save_motion` would, before there is anything to save.

    Raises:
      MotionError: the name or format does not fit, or no file can be there.
    """
    _writer(path, format)
    if os.path.isdir(path):
        raise MotionError(f"{path} is a folder; name a file in it")
    if not os.path.isdir(path.parent):
        raise MotionError(f"{path}: can not be written: there is no {path.parent}")


def _writer(path: Path, format: str | None) -> Writer:
    if format is None:
        fitting = [writer for writer in WRITERS if writer.suffix == path.suffix]
        if not fitting:
            suffixes = ", ".join(dict.fromkeys(writer.suffix for writer in WRITERS))
            raise MotionError(
                f"{path}: a motion is saved under a name that ends in {suffixes}"
            )
        return fitting[0]
    for writer in WRITERS:
        if writer.name == format:
            if writer.suffix != path.suffix:
                raise MotionError(
                    f"{path}: {format} files have names that end in {writer.suffix}"
                )
            return writer
    names = [writer.name for writer in WRITERS]
    raise MotionError(f"{path}: {unknown_message('format', format, names)}")


def _check_options(spec: object, fps: float | None, quat_order: str | None) -> None:
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise MotionError(f"{spec}: fps is {fps:g}; it must be a positive number")
    if quat_order is not None and quat_order not in QUAT_ORDERS:
        message = unknown_message("quat_order", quat_order, QUAT_ORDERS)
        raise MotionError(f"{spec}: {message}")
