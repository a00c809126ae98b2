"""Pickles of arrays and plain containers, and nothing else.

A pickle is a program. This one runs it with an interpreter that knows how to build
dictionaries, lists, tuples, texts, numbers and NumPy arrays; a file that names any
other class or function is refused before anything is called. joblib's way of writing
arrays (their bytes follow the object in the stream) is understood, and so are joblib's
and the user's zlib, gzip, bzip2 and xz compression, up to a size limit.
"""

import bz2
import io
import lzma
import math
import pickle
import struct
import zlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mimicgym.errors import MotionError
from mimicgym.motion.formats.arrays import MAX_BYTES

_CHUNK = 2**20
_PLAIN_KINDS = "biufcSUV"  # no Python objects, dates have no place in a motion
# What broken bytes can lead to in an interpreter of pickles.
DAMAGE = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
    RecursionError,
    UnicodeError,
    AssertionError,
    ImportError,
    NotImplementedError,
    SyntaxError,  # of the text that names a kind of array
    struct.error,
    zlib.error,
    lzma.LZMAError,
    OSError,
)


class Forbidden(pickle.UnpicklingError):
    """A class or function that a pickle of arrays has no need of."""


def looks_pickled(head: bytes) -> bool:
    """Whether a file may be a pickle, compressed or not, by its first bytes."""
    return (head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05") or any(
        head.startswith(magic) for magic in _DECOMPRESSORS
    )


def read_pickle(path: Path) -> Any:
    """What a pickle file holds.

    Raises:
      MotionError: it is damaged, too large, or wants more than arrays and containers.
    """
    try:
        stream = io.BytesIO(_plain_bytes(path))
        return _Unpickler(stream).load()
    except Forbidden as error:
        raise MotionError(
            f"{path}: the pickle asks for {error}; only NumPy arrays and plain "
            f"containers are read"
        ) from None
    except DAMAGE as error:
        raise MotionError(f"{path}: the pickle can not be read: {error}") from error


def _zlib() -> Any:
    return zlib.decompressobj()


def _gzip() -> Any:
    return zlib.decompressobj(31)


_DECOMPRESSORS: dict[bytes, Callable[[], Any]] = {
    b"\x1f\x8b": _gzip,
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ": lzma.LZMADecompressor,
    b"\x78\x01": _zlib,
    b"\x78\x5e": _zlib,
    b"\x78\x9c": _zlib,
    b"\x78\xda": _zlib,
}


def _plain_bytes(path: Path) -> bytes:
    """A file's bytes, decompressed; never more than the limit is held."""
    if path.stat().st_size > MAX_BYTES:
        raise MotionError(f"{path}: is larger than {MAX_BYTES / 2**20:.0f} MiB")
    data = path.read_bytes()
    make = next(
        (m for magic, m in _DECOMPRESSORS.items() if data.startswith(magic)), None
    )
    if make is None:
        return data
    engine, parts, size = make(), [], 0
    for start in range(0, len(data), _CHUNK):
        chunk: bytes = data[start : start + _CHUNK]
        while chunk and not engine.eof:
            part = engine.decompress(chunk, _CHUNK)
            size += len(part)
            if size > MAX_BYTES:
                raise MotionError(
                    f"{path}: unpacks to more than {MAX_BYTES / 2**20:.0f} MiB"
                )
            parts.append(part)
            # zlib keeps what it had no room for; the others ask for no more input.
            chunk = getattr(engine, "unconsumed_tail", b"")
            if not chunk and not getattr(engine, "needs_input", True):
                while not engine.eof and not engine.needs_input:
                    part = engine.decompress(b"", _CHUNK)
                    size += len(part)
                    if size > MAX_BYTES:
                        raise MotionError(
                            f"{path}: unpacks to more than {MAX_BYTES / 2**20:.0f} MiB"
                        )
                    parts.append(part)
    if not engine.eof:
        raise EOFError("the compressed data end too early")
    return b"".join(parts)


def _checked_dtype(dtype: Any) -> np.dtype:
    if isinstance(dtype, _DType):
        dtype = dtype.resolve()
    if not isinstance(dtype, np.dtype) or dtype.kind not in _PLAIN_KINDS:
        raise Forbidden(f"an array of {dtype}")
    if dtype.fields is not None or dtype.subdtype is not None or dtype.itemsize > 4096:
        raise Forbidden(f"an array of {dtype}")
    return dtype


def _array(buffer: bytes, dtype: np.dtype, shape: tuple, fortran: bool) -> np.ndarray:
    shape = tuple(int(n) for n in shape)
    if any(n < 0 for n in shape) or math.prod(shape) * dtype.itemsize != len(buffer):
        raise ValueError(f"{len(buffer)} bytes for {dtype} of shape {shape}")
    flat = np.frombuffer(buffer, dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


class _DType:
    """Stands for numpy.dtype(text, align, copy) while a pickle is read."""

    def __init__(self, text: Any, *flags: Any):
        self._text = text
        self._order = "="

    def __setstate__(self, state: tuple) -> None:
        self._order = state[1]
        if any(part is not None for part in state[2:5]):
            raise Forbidden("an array of records")

    def resolve(self) -> np.dtype:
        text = self._text.decode() if isinstance(self._text, bytes) else self._text
        if not isinstance(text, str):
            raise Forbidden("an unknown kind of array")
        dtype = np.dtype(text)
        return dtype.newbyteorder(">") if self._order == ">" else dtype


class _Array:
    """Stands for an array between its creation and its content."""

    def __init__(self) -> None:
        self.value: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, content = state
        dtype = _checked_dtype(dtype)
        if isinstance(content, str):  # Python 2
            content = content.encode("latin-1")
        if not isinstance(content, bytes | bytearray):
            raise Forbidden("an array of Python objects")
        self.value = _array(bytes(content), dtype, shape, bool(fortran))


class _JoblibArray:
    """Stands for joblib's NumpyArrayWrapper; the array's bytes follow in the stream."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.state = dict(state)

    def read(self, stream: io.BytesIO) -> np.ndarray:
        dtype = _checked_dtype(self.state["dtype"])
        shape = tuple(int(n) for n in self.state["shape"])
        if self.state.get("numpy_array_alignment_bytes") is not None:
            stream.read(stream.read(1)[0])
        size = math.prod(shape) * dtype.itemsize
        if size < 0 or size > MAX_BYTES:
            raise ValueError(f"an array of shape {shape}")
        return _array(stream.read(size), dtype, shape, self.state.get("order") == "F")


def _reconstruct(cls: Any, shape: Any, dtype: Any) -> _Array:
    return _Array()


def _scalar(dtype: Any, content: Any = None) -> Any:
    dtype = _checked_dtype(dtype)
    if isinstance(content, str):
        content = content.encode("latin-1")
    if not isinstance(content, bytes) or len(content) != dtype.itemsize:
        raise ValueError("a number of the wrong size")
    return np.frombuffer(content, dtype)[0]


def _frombuffer(content: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    return _array(bytes(content), _checked_dtype(dtype), shape, order == "F")


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """How protocols 0 to 2 write bytes."""
    if encoding not in ("latin1", "latin-1", "ascii", "utf-8"):
        raise Forbidden(f"the encoding {encoding!r}")
    return str(text).encode(encoding)


def _bytes(*arguments: Any) -> bytes:
    if arguments:
        raise Forbidden("builtins.bytes with arguments")
    return b""


_NDARRAY = "numpy.ndarray"
_NUMPY = ("numpy.core", "numpy._core")
_ALLOWED: dict[tuple[str, str], Any] = {
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): _JoblibArray,
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _DType,
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _bytes,
    ("builtins", "bytes"): _bytes,
    **{(f"{n}.multiarray", "_reconstruct"): _reconstruct for n in _NUMPY},
    **{(f"{n}.multiarray", "scalar"): _scalar for n in _NUMPY},
    **{(f"{n}.numeric", "_frombuffer"): _frombuffer for n in _NUMPY},
}


class _Unpickler(pickle._Unpickler):  # pyright: ignore
    """The pure Python interpreter, which lets joblib's arrays be read in between."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)  # pyright: ignore

    def __init__(self, stream: io.BytesIO):
        super().__init__(stream)
        self._stream = stream

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise Forbidden(f"{module}.{name}") from None

    def get_extension(self, code: int) -> Any:
        raise Forbidden(f"extension {code}")

    def persistent_load(self, pid: Any) -> Any:
        raise Forbidden("objects outside of it")

    def load(self) -> Any:
        return _settled(super().load(), set())

    def load_build(self) -> None:
        """Give an object its state; then what it stands for takes its place."""
        stack: list[Any] = self.stack  # pyright: ignore
        state = stack.pop()
        target = stack[-1]
        if not isinstance(target, _Array | _DType | _JoblibArray):
            raise Forbidden(f"a {type(target).__name__} with a state")
        target.__setstate__(state)
        if isinstance(target, _JoblibArray):
            stack[-1] = target.read(self._stream)

    dispatch[pickle.BUILD[0]] = load_build


def _settled(value: Any, seen: set[int]) -> Any:
    """`value` with arrays in the place of what stood for them."""
    if isinstance(value, _Array):
        if value.value is None:
            raise ValueError("an array without content")
        return value.value
    if isinstance(value, _DType | _JoblibArray):
        raise ValueError("an array without content")
    if isinstance(value, dict | list):
        if id(value) in seen:
            return value
        seen.add(id(value))
        pairs = list(value.items() if isinstance(value, dict) else enumerate(value))
        for key, item in pairs:
            value[key] = _settled(item, seen)
    elif isinstance(value, tuple):
        return tuple(_settled(item, seen) for item in value)
    return value
