"""Configurations as data: nested frozen dataclasses to and from JSON, and overrides."""

import dataclasses
import math
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from mimicgym.errors import UserError, unknown_name

T = TypeVar("T")


def to_dict(config: Any) -> dict[str, Any]:
    """A configuration as nested dictionaries of JSON types."""
    return _plain(dataclasses.asdict(config))


def from_dict(
    cls: type[T], data: Mapping[str, Any], path: str = "", start: T | None = None
) -> T:
    """The configuration of class `cls` that `to_dict` made `data` of.

    Fields that `data` lacks keep their defaults, or what they are in `start`, and so do
    those of its parts; a value of another type raises `UserError`. So does a field that
    the class lacks, unless a subclass has it: where users add terms of their own to a
    configuration, their class is found.
    """
    cls = _with_fields(cls if start is None else type(start), data)
    hints = typing.get_type_hints(cls)
    values = _defaults(cls) | ({} if start is None else vars(start))
    names = [f.name for f in dataclasses.fields(cls)]  # pyright: ignore[reportArgumentType]
    for name, value in data.items():
        if name not in names:
            raise unknown_name(
                "setting", _join(path, name), [_join(path, n) for n in names]
            )
        full = _join(path, name)
        values[name] = _convert(hints[name], value, full, values.get(name))
    missing = [_join(path, name) for name in names if name not in values]
    if missing:
        raise UserError(f"nothing says what setting {missing[0]!r} is")
    return cls(**values)


def _defaults(cls: type) -> dict[str, Any]:
    """The fields that have a default, and what it is."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        if field.default is not dataclasses.MISSING:
            found[field.name] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            found[field.name] = field.default_factory()
    return found


def _with_fields(cls: type[T], names: Iterable[str]) -> type[T]:
    """`cls`, or a subclass of it that has all these fields where `cls` has not."""

    def has_all(candidate: type) -> bool:
        return set(names) <= {f.name for f in dataclasses.fields(candidate)}

    def below(parent: type[T]) -> list[type[T]]:
        found = parent.__subclasses__()
        return found + [sub for child in found for sub in below(child)]

    if has_all(cls):
        return cls
    # The newest first: in a notebook, a class is defined again and again.
    return next(filter(has_all, reversed(below(cls))), cls)


def override(config: T, changes: Mapping[str, Any], path: str = "") -> T:
    """A copy of `config` with dotted settings changed.

    A mapping changes what it names of a part, and leaves the rest of it.

    >>> from mimicgym.envs.config import EnvConfig
    >>> override(EnvConfig(), {"control.action_scale": 0.5}).control.action_scale
    0.5
    """
    hints = typing.get_type_hints(type(config))
    names = [f.name for f in dataclasses.fields(config)]  # pyright: ignore[reportArgumentType]
    for key, value in changes.items():
        name, _, rest = key.partition(".")
        full = _join(path, name)
        if name not in names:
            raise unknown_name("setting", full, [_join(path, n) for n in names])
        if rest:
            inner = getattr(config, name)
            if not dataclasses.is_dataclass(inner):
                raise UserError(f"setting {full!r} has no parts, so no {rest!r}")
            value = override(inner, {rest: value}, full)
        else:
            value = _convert(hints[name], value, full, getattr(config, name))
        config = dataclasses.replace(config, **{name: value})  # pyright: ignore
    return config


def difference(a: Any, b: Any, path: str = "") -> list[str]:
    """Lines "setting: a's value, b's value" of all that differs between two configs."""
    if dataclasses.is_dataclass(a) and type(a) is type(b):
        lines: list[str] = []
        for f in dataclasses.fields(a):
            x, y = getattr(a, f.name), getattr(b, f.name)
            lines += difference(x, y, _join(path, f.name))
        return lines
    return [] if a == b else [f"{path}: {a!r}, {b!r}"]


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value


def _convert(hint: Any, value: Any, path: str, start: Any = None) -> Any:
    """`value` as the type that a field's annotation asks for, or `UserError`.

    start: what the field is so far; parts that a mapping does not name are taken of it.
    """
    origin = typing.get_origin(hint)
    args = typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        if isinstance(value, hint):  # pyright: ignore[reportArgumentType]
            return value
        if isinstance(value, Mapping):
            known = start if isinstance(start, hint) else None  # pyright: ignore
            return from_dict(hint, value, path, known)  # pyright: ignore
    elif origin is typing.Literal:
        if value in args:
            return value
        raise unknown_name(path, value, args)
    elif origin in (types.UnionType, typing.Union):
        if value is None and type(None) in args:
            return None
        for option in args:
            if option is not type(None):
                return _convert(option, value, path, start)
    elif origin is tuple:
        if isinstance(value, list | tuple):
            each = args[:1] * len(value) if args[-1] is ... else args
            if len(value) != len(each):
                raise UserError(
                    f"setting {path!r} takes {len(each)} values, not {len(value)}:"
                    f" {value!r}"
                )
            pairs = zip(each, value, strict=True)
            return tuple(_convert(kind, x, path) for kind, x in pairs)
    elif hint is float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            if math.isnan(value):
                raise UserError(f"setting {path!r} takes a number, not {value!r}")
            return float(value)
    elif hint is int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif isinstance(hint, type) and isinstance(value, hint):
        return value
    wanted = getattr(hint, "__name__", str(hint))
    raise UserError(f"setting {path!r} takes a {wanted}, not {value!r}")
