"""What a reader of a motion format is, and what it may look at to know its files."""

import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mimicgym.errors import MotionError, unknown_message
from mimicgym.motion.clip import Motion

QUAT_ORDERS = ("xyzw", "wxyz")
_HEAD_BYTES = 4096
_ZIP_MAGIC = b"PK\x03\x04"


@dataclass(frozen=True)
class Probe:
    """A file before it is read.

    Attributes:
      path: where it is.
      head: its first bytes.
      members: if it is a zip archive, the names in it.
      kept: what a reader has found in it, for the readers after it.
    """

    path: Path
    head: bytes
    members: tuple[str, ...] = ()
    kept: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def first_line(self) -> str | None:
        """The first line that is not empty, or None if the file is not text."""
        try:
            # A character may be cut in two at the end of the head.
            text = self.head.decode("utf-8-sig", errors="strict")
        except UnicodeDecodeError as error:
            if error.start < len(self.head) - 4 or len(self.head) < _HEAD_BYTES:
                return None
            text = self.head[: error.start].decode("utf-8-sig")
        if "\0" in text:
            return None
        return next((line for line in text.splitlines() if line.strip()), None)


@dataclass(frozen=True)
class Options:
    """What the user said about a file, in place of what it says or does not say.

    Attributes:
      fps: frames per second.
      quat_order: of the root quaternion, "xyzw" or "wxyz".
      entry: which clip of a file that holds several.
    """

    fps: float | None = None
    quat_order: str | None = None
    entry: str | None = None

    def quats_wxyz(self, quats: np.ndarray, stored: str) -> np.ndarray:
        """(T, 4) as wxyz, from the format's own order unless the user named one."""
        order = self.quat_order or stored
        return quats[:, [3, 0, 1, 2]] if order == "xyzw" else quats.copy()

    def pick(self, at: object, names: Sequence[str]) -> str:
        """The entry to read of those that a file holds.

        Raises:
          MotionError: none is named and there are several, or no such entry.
        """
        if not names:
            raise MotionError(f"{at}: holds no clip")
        if self.entry is None and len(names) == 1:
            return names[0]
        if self.entry is None:
            shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
            raise MotionError(
                f"{at}: holds {len(names)} clips; name one as {at}#{names[0]}, or all "
                f"as {at}#* (clips: {shown})"
            )
        if self.entry not in names:
            message = unknown_message("clip", self.entry, names)
            raise MotionError(f"{at}: {message}")
        return self.entry


@dataclass(frozen=True)
class Reader:
    """One format.

    Attributes:
      name: of the format, for messages.
      accepts: whether a file looks like this format, by its content.
      read: the clip in it; `MotionError` if it is damaged or incomplete.
      entries: for formats that can hold several clips, their names.
      quat_order: of the root quaternion, if all files of the format have the same.
    """

    name: str
    accepts: Callable[[Probe], bool]
    read: Callable[[Probe, Options], Motion]
    entries: Callable[[Probe], tuple[str, ...]] | None = None
    quat_order: str | None = None


@dataclass(frozen=True)
class Writer:
    """One format that clips can be saved in.

    Attributes:
      name: how the command line calls it.
      suffix: of its files, such as ".npz".
      write: a clip that has been checked.
    """

    name: str
    suffix: str
    write: Callable[[Motion, Path], None]


def probe(path: Path) -> Probe:
    """Look at the beginning of a file.

    Raises:
      MotionError: there is none, it is a folder, empty, unreadable or a broken archive.
    """
    # os.path answers False where pathlib raises: names too long, or with odd bytes.
    if os.path.isdir(path):
        raise MotionError(f"{path} is a folder; name a motion file in it")
    if os.path.exists(path) and not os.path.isfile(path):
        raise MotionError(f"{path} is no ordinary file; a motion is read from one")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError:
        raise MotionError(f"{path}: there is no such motion file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MotionError(f"{path}: can not be read: {reason}") from error
    if not head:
        raise MotionError(f"{path}: the file is empty")
    if not head.startswith(_ZIP_MAGIC):
        return Probe(path, head)
    try:
        with zipfile.ZipFile(path) as archive:
            return Probe(path, head, tuple(archive.namelist()))
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise MotionError(f"{path}: truncated or damaged archive ({error})") from error
