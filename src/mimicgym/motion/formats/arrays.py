"""Arrays by name from archives and other mappings, with errors that name them."""

import tokenize
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mimicgym.errors import MotionError

MAX_BYTES = 2**30  # unpacked; 24 hours of our own format at 50 Hz take a quarter of it
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
    tokenize.TokenError,
    zipfile.BadZipFile,
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
        with np.load(path, allow_pickle=False) as file:
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
        self.need(key)
        try:
            value = np.asarray(self._values[key])
        except ValueError as error:  # a ragged list
            raise MotionError(f"{self.at}: {key} is no array: {error}") from error
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
        with np.errstate(invalid="ignore"):  # bad numbers are named by later checks
            return value.astype(np.float64)

    def number(self, key: str) -> float:
        value = self.numbers(key)
        if value.size != 1:
            raise MotionError(
                f"{self.at}: {key} has shape {value.shape}; one number is needed"
            )
        return float(value.reshape(()))

    def texts(self, key: str) -> tuple[str, ...]:
        self.need(key)
        try:
            value = np.asarray(self._values[key])
        except ValueError as error:
            raise MotionError(f"{self.at}: {key} is no list: {error}") from error
        if value.dtype.kind == "O":  # how HDF5 gives texts of any length
            items = value.reshape(-1).tolist()
            if all(isinstance(item, str | bytes) for item in items):
                value = np.array([_decoded(item) for item in items], dtype=np.str_)
        if value.dtype.kind == "S":
            value = np.array([_decoded(item) for item in value.reshape(-1).tolist()])
        if value.size and value.dtype.kind != "U":
            raise MotionError(f"{self.at}: {key} holds {value.dtype}, not text")
        return tuple(str(text) for text in value.reshape(-1))

    def text(self, key: str) -> str:
        """ "" if there is none."""
        return " ".join(self.texts(key)) if key in self else ""


def _decoded(item: str | bytes) -> str:
    return item if isinstance(item, str) else item.decode("utf-8", errors="replace")
