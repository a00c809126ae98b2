"""An interpreter of pickles that builds plain containers and nothing else.

A pickle is a program. This interpreter knows dictionaries, lists, tuples, sets, texts
and numbers. A file that names a class or function gets a stand-in for it if its reader
knows one, and is refused before anything is called if not.
"""

import io
import lzma
import pickle
import struct
import zlib
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

_MAX_STEPS = 2**22  # reads of the stream, a few seconds; an array takes a few
_MAX_INT = 2**63
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
    """A class, function or kind of thing that a motion has no need of."""


class StandIn:
    """What a pickle gets in the place of an object that it asks for."""

    def build(self, state: Any, stream: io.BytesIO) -> Any:
        """Take the object's state; what is returned replaces it on the stack."""
        del stream
        raise Forbidden(f"a {type(self).__name__} with a state")

    def settled(self) -> Any:
        """What it stands for, once all is read."""
        raise ValueError("an array without content")


class PlainUnpickler(pickle._Unpickler):  # pyright: ignore
    """The pure Python interpreter, less what could call, change or exhaust anything."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)  # pyright: ignore

    def __init__(self, data: bytes):
        self._stream = _Stream(data)
        super().__init__(self._stream)

    def find_class(self, module: str, name: str) -> Any:
        raise Forbidden(f"{module}.{name}")

    def get_extension(self, code: int) -> Any:
        raise Forbidden(f"extension {code}")

    def persistent_load(self, pid: Any) -> Any:
        raise Forbidden("objects outside of it")

    def load(self) -> Any:
        return _settled(super().load(), {})

    def load_build(self) -> None:
        stack: list[Any] = self.stack  # pyright: ignore
        state = stack.pop()
        if not isinstance(stack[-1], StandIn):
            raise Forbidden(f"a {type(stack[-1]).__name__} with a state")
        stack[-1] = stack[-1].build(state, self._stream)

    def load_frame(self) -> None:
        """A frame is a hint for readers ahead; the stream alone is read here."""
        self.read(8)  # pyright: ignore

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.FRAME[0]] = load_frame


def _checking_keys(load: Any, keys: slice) -> Any:
    """An opcode that makes keys of what lies on the stack, with a look at them."""

    def checked(unpickler: Any) -> None:
        check_keys(unpickler.stack[keys])
        load(unpickler)

    return checked


for _opcode, _keys in (
    (pickle.SETITEM, slice(-2, -1)),
    (pickle.SETITEMS, slice(0, None, 2)),
    (pickle.DICT, slice(0, None, 2)),
    (pickle.ADDITEMS, slice(None)),
    (pickle.FROZENSET, slice(None)),
):
    _load = PlainUnpickler.dispatch[_opcode[0]]
    PlainUnpickler.dispatch[_opcode[0]] = _checking_keys(_load, _keys)


class _Stream(io.BytesIO):
    """Bytes that can be read so many times and not more."""

    _steps = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise ValueError(f"it has more than {_MAX_STEPS} steps")
        return super().read(size)


def ordered(pairs: Iterable[Any] = ()) -> OrderedDict[Any, Any]:
    """Stands for collections.OrderedDict."""
    made = OrderedDict()
    for key, value in pairs:
        check_keys([key])
        made[key] = value
    return made


def check_keys(keys: Iterable[Any]) -> None:
    """Refuse keys that are no names: the hash of nested tuples can take for ever."""
    for key in keys:
        for part in key if isinstance(key, tuple) else (key,):
            whole = not isinstance(part, int) or abs(part) < _MAX_INT
            plain = isinstance(part, str | bytes | int | float | np.generic | None)
            if not plain or not whole:
                raise Forbidden(f"a {type(part).__name__} as a key")


def _settled(value: Any, known: dict[int, Any]) -> Any:
    """`value` with what stand-ins stand for in their place.

    Containers and tuples are gone through once, however often they are used.
    """
    if isinstance(value, StandIn):
        return value.settled()
    if not isinstance(value, dict | list | tuple):
        return value
    if id(value) in known:
        return known[id(value)][1]
    if isinstance(value, tuple):
        made = tuple(_settled(item, known) for item in value)
        # The old one is kept, so that no other object gets its id.
        known[id(value)] = value, made
        return made
    known[id(value)] = value, value
    for key, item in list(
        value.items() if isinstance(value, dict) else enumerate(value)
    ):
        value[key] = _settled(item, known)
    return value
