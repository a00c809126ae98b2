"""NumPy functions as parts of jitted programs on a CPU, by XLA's foreign function
interface.

What `jax.pure_callback` does, in two respects better: arrays are handed over where they
lie, in both directions, and a program with such a call can be kept in JAX's compilation
cache, since it names the function instead of holding its address.

The structures are those of `xla/ffi/api/c_api.h`, which comes with jaxlib. `available`
says whether to rely on them.
"""

import ctypes
import math
import re
import traceback
import warnings
import weakref
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_TARGET = "mimicgym_host_call"
# Of the interface: 0.3 (jaxlib 0.10) and 0.4 (0.11), with which this has been run, and
# 0.5 (0.12), in whose headers the structures below are the same.
_KNOWN_VERSIONS = [(0, 3), (0, 4), (0, 5)]
_DTYPES = {1: np.bool_, 4: np.int32, 5: np.int64, 11: np.float32, 12: np.float64}
_METADATA = 1  # XLA_FFI_Extension_Metadata
_EXECUTE = 3  # XLA_FFI_ExecutionStage_EXECUTE
_INTERNAL = 13  # XLA_FFI_Error_Code_INTERNAL

Compute = Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], None]
"""From arguments, which are not to be written to, into results. It must not touch JAX:
that can wait for the very computation that waits for it."""


class HostFunction:
    """A NumPy function that jitted programs can call.

    Args:
      name: of what is computed. Functions of one name have to compute the same, in this
        process and in any other: a program from the cache knows nothing else of them.
      compute: does the work.

    Programs hold its name alone: it has to be kept for as long as they run.
    """

    def __init__(self, name: str, compute: Compute):
        # Each is told from others of its name by a number, which is the same for the
        # same command: else it would not find its programs in the cache.
        number = _numbers[name] = _numbers.get(name, -1) + 1
        self.name = f"{name}_{number}"
        self.compute = compute
        _functions[self.name] = self

    def __call__(
        self, results: jax.ShapeDtypeStruct, *operands: jax.Array
    ) -> jax.Array:
        """The result for one environment; under vmap the function is called once, with
        a leading axis for each vmap in all arguments and in the result."""
        call = jax.ffi.ffi_call(_TARGET, results, vmap_method="broadcast_all")
        # Only its name: JAX keeps what it has traced long after the last program.
        return call(*operands, function=self.name)


_functions: weakref.WeakValueDictionary[str, HostFunction] = (
    weakref.WeakValueDictionary()
)
_numbers: dict[str, int] = {}


@cache
def available() -> bool:
    """Whether programs of this process can call host functions: they run on a CPU, and
    its interface is one that is known here and does what it should."""
    if jax.default_backend() != "cpu" or _version() not in _KNOWN_VERSIONS:
        return False
    try:
        address = ctypes.cast(_handler, ctypes.c_void_p).value
        capsule = jax.ffi.pycapsule(address)
        jax.ffi.register_ffi_target(_TARGET, capsule, platform="cpu")
        return _works()
    except (RuntimeError, TypeError, ValueError, AttributeError, KeyError) as error:
        # RuntimeError is what XLA raises. There is another way out of a program.
        warnings.warn(
            f"XLA's interface for foreign functions can not be used ({error});"
            " the native engine works without it, but its programs are compiled anew"
            " in each process",
            RuntimeWarning,
            stacklevel=2,
        )
        return False


def _version() -> tuple[int, int] | None:
    """Of the interface of this jaxlib, as its header says."""
    header = Path(jax.ffi.include_dir()) / "xla" / "ffi" / "api" / "c_api.h"
    if not header.is_file():
        return None
    found = [
        re.search(rf"#define XLA_FFI_API_{part} (\d+)", header.read_text())
        for part in ("MAJOR", "MINOR")
    ]
    if None in found:
        return None
    major, minor = (int(match.group(1)) for match in found if match)
    return major, minor


def _works() -> bool:
    """Whether a call gives what was computed."""

    def compute(arguments: Sequence[np.ndarray], results: Sequence[np.ndarray]) -> None:
        np.multiply(arguments[0], arguments[1][..., None], out=results[0])

    function = HostFunction("mimicgym_self_test", compute)
    shape = jax.ShapeDtypeStruct((3,), jnp.float32)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    y = np.array([2.0, -1.0], np.float32)
    program = jax.jit(jax.vmap(lambda x, y: function(shape, x, y)))
    # Compiled by hand, since a program that is being traced may be what asks.
    found = program.lower(x, y).compile()(x, y)
    return bool(np.array_equal(found, x * y[:, None]))


class _Extension(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("type", ctypes.c_int)]


class _Version(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("extension", ctypes.c_void_p),
        ("major", ctypes.c_int),
        ("minor", ctypes.c_int),
    ]


class _Metadata(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("version", _Version),
        ("traits", ctypes.c_uint32),
    ]


class _MetadataExtension(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("type", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("metadata", ctypes.POINTER(_Metadata)),
    ]


class _Buffer(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("extension", ctypes.c_void_p),
        ("dtype", ctypes.c_int),
        ("data", ctypes.c_void_p),
        ("rank", ctypes.c_int64),
        ("dims", ctypes.POINTER(ctypes.c_int64)),
    ]


class _Buffers(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("extension", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("types", ctypes.c_void_p),
        ("buffers", ctypes.POINTER(ctypes.POINTER(_Buffer))),
    ]


class _Span(ctypes.Structure):
    _fields_ = [("start", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class _Attributes(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("extension", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("types", ctypes.c_void_p),
        ("names", ctypes.c_void_p),
        ("values", ctypes.POINTER(ctypes.c_void_p)),
    ]


class _ErrorArguments(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("extension", ctypes.c_void_p),
        ("message", ctypes.c_char_p),
        ("code", ctypes.c_int),
    ]


_make_error = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.POINTER(_ErrorArguments))


class _Api(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("extension", ctypes.c_void_p),
        ("version", _Version),
        ("internal", ctypes.c_void_p),
        ("make_error", _make_error),
    ]


class _Frame(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("extension", ctypes.POINTER(_Extension)),
        ("api", ctypes.POINTER(_Api)),
        ("context", ctypes.c_void_p),
        ("stage", ctypes.c_int),
        ("arguments", _Buffers),
        ("results", _Buffers),
        ("attributes", _Attributes),
    ]


def _handle(pointer: Any) -> int | None:
    """What XLA calls. Returns nothing, or the error that it made at our request."""
    frame = pointer.contents
    try:
        if frame.extension:
            _introduce(frame)
        elif frame.stage == _EXECUTE:
            function = _function(frame.attributes)
            arguments = _arrays(frame.arguments)
            for array in arguments:
                array.flags.writeable = False
            function.compute(arguments, _arrays(frame.results))
        return None
    except BaseException:
        message = traceback.format_exc().encode()
        size = ctypes.sizeof(_ErrorArguments)
        asked = _ErrorArguments(size, None, message, _INTERNAL)
        return frame.api.contents.make_error(ctypes.byref(asked))


# Kept for ever: XLA holds its address.
_handler = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.POINTER(_Frame))(_handle)


def _introduce(frame: _Frame) -> None:
    """Say which version of the interface this is written for: what `available` has
    found to be this jaxlib's."""
    assert frame.extension.contents.type == _METADATA
    extension = ctypes.cast(frame.extension, ctypes.POINTER(_MetadataExtension))
    metadata = extension.contents.metadata.contents
    metadata.version.major = frame.api.contents.version.major
    metadata.version.minor = frame.api.contents.version.minor
    metadata.traits = 0


def _function(attributes: _Attributes) -> HostFunction:
    span = ctypes.cast(attributes.values[0], ctypes.POINTER(_Span)).contents
    name = ctypes.string_at(span.start, span.length).decode()
    function = _functions.get(name)
    if function is None:
        raise RuntimeError(
            f"a program calls {name}, which is gone: keep the environment that it was"
            " made with for as long as the program is used"
        )
    return function


def _arrays(buffers: _Buffers) -> list[np.ndarray]:
    """Views of XLA's memory, for the time of the call."""
    return [_array(buffers.buffers[i].contents) for i in range(buffers.count)]


def _array(buffer: _Buffer) -> np.ndarray:
    shape = tuple(buffer.dims[i] for i in range(buffer.rank))
    dtype = np.dtype(_DTYPES[buffer.dtype])
    size = dtype.itemsize * math.prod(shape)
    if size == 0:
        return np.empty(shape, dtype)
    memory: Any = (ctypes.c_char * size).from_address(buffer.data)
    return np.frombuffer(memory, dtype).reshape(shape)
