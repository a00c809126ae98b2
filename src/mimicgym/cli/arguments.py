"""What several commands do with their arguments."""

import itertools
from collections.abc import Sequence


def preset_in(argv: Sequence[str]) -> str | None:
    """The preset that is asked for, before the rest can be parsed: it sets the
    defaults of the rest."""
    return option_in(argv, "preset")


def option_in(argv: Sequence[str], name: str) -> str | None:
    """The value of --NAME among arguments that are not parsed yet."""
    for i, word in enumerate(argv):
        if word == f"--{name}" and i + 1 < len(argv):
            return argv[i + 1]
        if word.startswith(f"--{name}="):
            return word.removeprefix(f"--{name}=")
    return None


def options_in(argv: Sequence[str]) -> tuple[str, ...]:
    """Names of all options among arguments, written as help does."""
    words = [word.partition("=")[0] for word in argv if word.startswith("--")]
    names = (word.removeprefix("--").replace("_", "-") for word in words)
    return tuple(dict.fromkeys(names))


def values_in(argv: Sequence[str], name: str) -> tuple[str, ...]:
    """All values of --NAME, an option that takes several, among arguments that are not
    parsed yet."""
    for i, word in enumerate(argv):
        if word.startswith(f"--{name}="):
            return (word.removeprefix(f"--{name}="),)
        if word == f"--{name}":
            rest = iter(argv[i + 1 :])
            return tuple(itertools.takewhile(lambda w: not w.startswith("-"), rest))
    return ()
