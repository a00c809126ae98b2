"""HDF5 files as nested dictionaries: groups, arrays and attributes by name."""

import mmap
from pathlib import Path
from typing import Any

from mimicgym.errors import MotionError, UserError
from mimicgym.motion.formats.arrays import MAX_BYTES

MAGIC = b"\x89HDF\r\n\x1a\n"
_MAX_OBJECTS = 1000
_MAX_PARTS = 10**6  # of all heaps: texts, and gaps between them
# h5py raises whatever the C library's layers map to.
_DAMAGE = (OSError, RuntimeError, ValueError, KeyError, TypeError, MemoryError)
_HEAP = b"GCOL\x01\0\0\0"


def read_hdf5(path: Path) -> dict[str, Any]:
    """What an HDF5 file holds, attributes without a leading slash.

    Raises:
      MotionError: it is damaged or too large.
      UserError: h5py is missing.
    """
    try:
        import h5py
    except ImportError:
        raise UserError(
            f"{path}: HDF5 files need h5py: pip install 'mimicgym[h5]'"
        ) from None
    size, objects = 0, 0

    def content(group: Any) -> dict[str, Any]:
        nonlocal size, objects
        values: dict[str, Any] = {
            name.removeprefix("/"): value for name, value in group.attrs.items()
        }
        for name, item in group.items():
            objects += 1  # a group can hold one more than once, or itself
            if objects > _MAX_OBJECTS:
                raise MotionError(
                    f"{path}: holds more than {_MAX_OBJECTS} groups and arrays"
                )
            if isinstance(item, h5py.Group):
                values[name] = content(item)
            elif isinstance(item, h5py.Dataset):
                size += int(item.nbytes)
                if size > MAX_BYTES:
                    raise MotionError(
                        f"{path}: unpacks to more than {MAX_BYTES / 2**20:.0f} MiB"
                    )
                values[name] = item[()]
        return values

    try:
        _check_heaps(path)
        with h5py.File(path, "r") as file:
            return content(file)
    except MotionError:
        raise
    except _DAMAGE as error:
        raise MotionError(f"{path}: the HDF5 can not be read: {error}") from error


def _check_heaps(path: Path) -> None:
    """Refuse files whose texts would send the C library round in a circle.

    Texts of any length lie in "global heaps", one after the other, each with its size.
    The library (2.0) adds up the sizes without a look at them: at a free part of size 0
    it stays for ever, where no signal of Python's reaches it.

    Raises:
      ValueError: a heap's parts do not fit into it.
    """
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    with data:
        # Bytes of a length, by the superblock's version; 8 in all files of h5py.
        width = data[14:15] if data[8:9] < b"\x02" else data[10:11]
        width = int.from_bytes(width, "little")
        head = -(-(8 + width) // 8) * 8  # of a heap, and of each part of it
        parts = 0
        start = data.find(_HEAP)
        while start >= 0:
            end = start + int.from_bytes(data[start + 8 : start + 8 + width], "little")
            at = start + head
            while at + head <= end:
                size = int.from_bytes(data[at + 8 : at + 8 + width], "little")
                free = data[at : at + 2] == b"\0\0"
                step = size if free else head + -(-size // 8) * 8
                parts += 1
                if end > len(data) or parts > _MAX_PARTS or not 0 < step <= end - at:
                    raise ValueError(f"the heap at byte {start} is damaged")
                at += step
            start = data.find(_HEAP, start + 8)
