"""Arrays by name from archives and other mappings, with errors that name them."""

import lzma
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mimicgym.errors import MotionError

MAX_BYTES = 2**30  # unpacked; 24 hours of our own format at 50 Hz take a quarter of it
_MAX_LISTED = 2**24  # numbers in nested lists, where a pickle can share one list
_MAX_NESTED = 32
_MAX_TEXTS = 10_000
_LAST_CHARACTER = 0x10FFFF
_DAMAGE = (
    OSError,
    ValueError,  # arrays of Python objects, too: pickles are not opened
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    RuntimeError,  # an encrypted archive
    OverflowError,
    SyntaxError,
    TypeError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
)


def read_arrays(path: Path, keys: Sequence[str]) -> dict[str, np.ndarray]:
    """Those of the arrays `keys` that an `.npz` file has; nothing in it is executed.

    Raises:
      MotionError: it is damaged, too large, or an array holds Python objects.
    """
    key = ""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MAX_BYTES:
            raise MotionError(
                f"{path}: unpacks to {size / 2**20:.0f} MiB; at most "
                f"{MAX_BYTES / 2**20:.0f} MiB are read"
            )
        # NumPy warns of headers that Python 2 wrote and of old names of kinds.
        with warnings.catch_warnings(), np.load(path, allow_pickle=False) as file:
            warnings.simplefilter("ignore")
            arrays = {}
            for key in keys:
                if key in file.files:
                    arrays[key] = np.asarray(file[key])
            return arrays
    except MotionError:
        raise
    except _DAMAGE as error:
        what = f"array {key!r}" if key else "the archive"
        raise MotionError(f"{path}: {what} can not be read: {error}") from error


class Fields:
    """The fields of one file, taken out by name, kind and shape.

    Args:
      at: the file (and the clip in it), for messages.
      values: arrays, numbers and texts by name.
    """

    def __init__(self, at: str, values: Mapping[str, Any]):
        self.at = at
        self._values = values

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def need(self, *keys: str) -> None:
        """`MotionError` unless all these are there."""
        missing = [key for key in keys if key not in self]
        if missing:
            found = ", ".join(str(k) for k in list(self._values)[:12]) or "nothing"
            raise MotionError(f"{self.at}: lacks {', '.join(missing)}; found {found}")

    def numbers(self, key: str, *shape: int | None) -> np.ndarray:
        """An array in float64; None in `shape` is any length, no shape is any."""
        value = self._array(key)
        if value.dtype.kind not in "fiub":
            raise MotionError(f"{self.at}: {key} holds {value.dtype}, not numbers")
        fits = len(shape) == value.ndim and all(
            want in (None, have) for want, have in zip(shape, value.shape, strict=False)
        )
        if shape and not fits:
            wanted = ", ".join("any" if n is None else str(n) for n in shape)
            raise MotionError(
                f"{self.at}: {key} has shape {value.shape}; ({wanted}) is needed"
            )
        if value.size * 8 > MAX_BYTES:
            raise MotionError(
                f"{self.at}: {key} has shape {value.shape}; at most "
                f"{MAX_BYTES / 2**20:.0f} MiB are read"
            )
        return as_float64(value)

    def integers(self, key: str, *shape: int | None) -> np.ndarray:
        """An array in int64, see `numbers`."""
        value = self.numbers(key, *shape)
        wrong = ~((np.abs(value) < 2**53) & (value == np.floor(value)))
        if wrong.any():
            raise MotionError(
                f"{self.at}: {key} holds {value[wrong][0]:g}; whole numbers are needed"
            )
        return value.astype(np.int64)

    def flags(self, key: str, *shape: int | None) -> np.ndarray:
        """An array of truth values, see `numbers`; numbers above a half are true."""
        value = self.numbers(key, *shape)
        if np.isnan(value).any():
            raise MotionError(f"{self.at}: {key} holds nan; 0 and 1 are needed")
        return value > 0.5

    def number(self, key: str) -> float:
        value = self.numbers(key)
        if value.size != 1:
            raise MotionError(
                f"{self.at}: {key} has shape {value.shape}; one number is needed"
            )
        return float(value.reshape(()))

    def texts(self, key: str) -> tuple[str, ...]:
        self.need(key)
        value = self._values[key]
        # Lists are not made arrays: those have room for the longest in every place.
        items = value if isinstance(value, list | tuple) else self._characters(key)
        for item in items:
            if not isinstance(item, str | bytes):
                kind = type(item).__name__
                raise MotionError(f"{self.at}: {key} holds {kind}, not text")
        return tuple(_decoded(item) for item in items)

    def _characters(self, key: str) -> list[Any]:
        """The items of an array that should be texts."""
        value = self._array(key).reshape(-1)
        if value.size > _MAX_TEXTS:
            raise MotionError(
                f"{self.at}: {key} holds {value.size} texts; at most {_MAX_TEXTS} "
                f"are read"
            )
        if value.dtype.kind == "U" and value.dtype.itemsize:
            # NumPy does not look at them, and Python fails on characters beyond.
            codes = np.ascontiguousarray(value, value.dtype.newbyteorder("="))
            if np.any(codes.view(np.uint32) > _LAST_CHARACTER):
                raise MotionError(f"{self.at}: {key} holds damaged text")
        elif value.size and value.dtype.kind not in "USO":  # O: HDF5's texts
            raise MotionError(f"{self.at}: {key} holds {value.dtype}, not text")
        return value.tolist()

    def text(self, key: str) -> str:
        """ "" if there is none."""
        return " ".join(self.texts(key)) if key in self else ""

    def _array(self, key: str) -> np.ndarray:
        self.need(key)
        value = self._values[key]
        try:
            if _count(value, {}) > _MAX_LISTED:
                raise ValueError(f"it lists more than {_MAX_LISTED} numbers")
            return np.asarray(value)
        except (ValueError, TypeError, OverflowError) as error:  # such as ragged lists
            raise MotionError(f"{self.at}: {key} is no array: {error}") from error


def as_float64(value: np.ndarray) -> np.ndarray:
    """Numbers of any kind; those that can not be are named by later checks."""
    with np.errstate(invalid="ignore", over="ignore"):
        return value.astype(np.float64)


def _count(value: Any, known: dict[int, int], depth: int = 0) -> int:
    """Lists and items in nested lists, each as often as an array would repeat it.

    Raises:
      ValueError: a list is nested too deeply, or in itself.
    """
    if not isinstance(value, list | tuple):
        return 1
    if depth > _MAX_NESTED:
        raise ValueError(f"lists are nested more than {_MAX_NESTED} deep")
    if id(value) not in known:
        known[id(value)] = 1 + sum(_count(item, known, depth + 1) for item in value)
    return known[id(value)]


def _decoded(item: str | bytes) -> str:
    """Text that can be printed, whatever the bytes."""
    data = item if isinstance(item, bytes) else item.encode("utf-8", errors="replace")
    return data.decode("utf-8", errors="replace")
