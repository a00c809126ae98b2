"""What several commands do with their arguments."""

from collections.abc import Sequence


def preset_in(argv: Sequence[str]) -> str | None:
    """The preset that is asked for, before the rest can be parsed: it sets the
    defaults of the rest."""
    for i, word in enumerate(argv):
        if word == "--preset" and i + 1 < len(argv):
            return argv[i + 1]
        if word.startswith("--preset="):
            return word.removeprefix("--preset=")
    return None
