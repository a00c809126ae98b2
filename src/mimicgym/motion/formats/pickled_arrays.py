"""Stand-ins for what NumPy's and joblib's pickles of arrays ask for.

joblib writes an array's bytes into the stream, behind the object that describes it.
"""

import io
import math
import re
from typing import Any

import numpy as np

from mimicgym.motion.formats.arrays import MAX_BYTES
from mimicgym.motion.formats.unpickler import Forbidden, StandIn, ordered

# Numbers and texts. No Python objects; dates and records have no place in a motion.
_KIND = re.compile(r"[<>=|]?[biufcSUV][0-9]{1,4}")


class _DType(StandIn):
    """numpy.dtype(text, align, copy)."""

    def __init__(self, text: Any, *flags: Any):
        del flags
        self._text = text.decode() if isinstance(text, bytes) else text
        self._order = "="

    def build(self, state: Any, stream: io.BytesIO) -> Any:
        self._order = state[1]
        if any(part is not None for part in state[2:5]):
            raise Forbidden("an array of records")
        return self

    def resolve(self) -> np.dtype:
        if not isinstance(self._text, str):
            raise Forbidden("an array of no kind")
        if not _KIND.fullmatch(self._text):
            objects = self._text.strip("|") in ("O", "O8")
            what = "objects" if objects else repr(self._text)
            raise Forbidden(f"an array of {what}")
        dtype = np.dtype(self._text)
        return dtype.newbyteorder(">") if self._order == ">" else dtype


class _Array(StandIn):
    """An array between its creation and its content."""

    def __init__(self) -> None:
        self._value: np.ndarray | None = None

    def build(self, state: Any, stream: io.BytesIO) -> Any:
        _, shape, dtype, fortran, content = state
        dtype = _resolved(dtype)
        if isinstance(content, str):  # Python 2
            content = content.encode("latin-1")
        if not isinstance(content, bytes | bytearray):
            raise Forbidden("an array of Python objects")
        self._value = _array(bytes(content), dtype, shape, bool(fortran))
        return self  # and not the array: other places may refer to this already

    def settled(self) -> np.ndarray:
        return super().settled() if self._value is None else self._value


class _JoblibArray(StandIn):
    """joblib's NumpyArrayWrapper."""

    def build(self, state: Any, stream: io.BytesIO) -> np.ndarray:
        dtype = _resolved(state["dtype"])
        shape = tuple(int(n) for n in state["shape"])
        if state.get("numpy_array_alignment_bytes") is not None:
            stream.read(stream.read(1)[0])
        size = math.prod(shape) * dtype.itemsize
        if size < 0 or size > MAX_BYTES:
            raise ValueError(f"an array of shape {shape}")
        return _array(stream.read(size), dtype, shape, state.get("order") == "F")


def _resolved(dtype: Any) -> np.dtype:
    if not isinstance(dtype, _DType):
        raise Forbidden(f"an array of {type(dtype).__name__}")
    return dtype.resolve()


def _array(buffer: bytes, dtype: np.dtype, shape: Any, fortran: bool) -> np.ndarray:
    shape = tuple(int(n) for n in shape)
    if any(n < 0 for n in shape) or math.prod(shape) * dtype.itemsize != len(buffer):
        raise ValueError(f"{len(buffer)} bytes for {dtype} of shape {shape}")
    flat = np.frombuffer(buffer, dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def _reconstruct(cls: Any, shape: Any, dtype: Any) -> _Array:
    del cls, shape, dtype
    return _Array()


def _scalar(dtype: Any, content: Any = None) -> Any:
    dtype = _resolved(dtype)
    if isinstance(content, str):
        content = content.encode("latin-1")
    if not isinstance(content, bytes) or len(content) != dtype.itemsize:
        raise ValueError("a number of the wrong size")
    return np.frombuffer(content, dtype)[0]


def _frombuffer(content: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if not isinstance(content, bytes | bytearray):
        raise Forbidden(f"an array of a {type(content).__name__}")
    return _array(bytes(content), _resolved(dtype), shape, order == "F")


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """How protocols 0 to 2 write bytes."""
    if encoding not in ("latin1", "latin-1", "ascii", "utf-8"):
        raise Forbidden("an unknown encoding")
    return text.encode(encoding)


def _bytes(*arguments: Any) -> bytes:
    if arguments:
        raise Forbidden("builtins.bytes with arguments")
    return b""


_NUMPY = ("numpy.core", "numpy._core")
STAND_INS: dict[tuple[str, str], Any] = {
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): _JoblibArray,
    ("numpy", "ndarray"): "numpy.ndarray",
    ("numpy", "dtype"): _DType,
    ("collections", "OrderedDict"): ordered,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _bytes,
    ("builtins", "bytes"): _bytes,
    **{(f"{n}.multiarray", "_reconstruct"): _reconstruct for n in _NUMPY},
    **{(f"{n}.multiarray", "scalar"): _scalar for n in _NUMPY},
    **{(f"{n}.numeric", "_frombuffer"): _frombuffer for n in _NUMPY},
}
