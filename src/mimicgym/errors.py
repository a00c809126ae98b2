"""What goes wrong because of what the user gave, each told in one line."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Input that can not be used. The message is one line that names it.

    The command line prints the message and ends with exit status 2.
    """

    def __init__(self, message: str):
        super().__init__(" ".join(str(message).split()))


class MotionError(UserError):
    """A motion clip or its file that can not be used."""


def unknown_name(kind: str, value: object, choices: Iterable[str]) -> UserError:
    """An error for a name that is none of `choices`; for the caller to raise.

    >>> print(unknown_name("robot", "g1_23", ["g1_29dof", "g1_23dof"]))
    unknown robot 'g1_23'; did you mean 'g1_23dof'? Choices: g1_23dof, g1_29dof
    """
    return UserError(unknown_message(kind, value, choices))


def unknown_message(kind: str, value: object, choices: Iterable[str]) -> str:
    """The sentence of `unknown_name`, for errors of another class."""
    names = sorted(set(choices))
    message = f"unknown {kind} {value!r};"
    close = closest(str(value), names)
    if close is not None:
        message += f" did you mean {close!r}?"
    return f"{message} Choices: {', '.join(names) if names else 'none'}"


def closest(value: str, choices: Iterable[str]) -> str | None:
    """The choice that looks most like `value`, or None if none does."""
    lowered = {name.lower(): name for name in choices}
    found = difflib.get_close_matches(value.lower(), lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else None
