"""Words of a text file, one after the other, with errors that name the line."""

import math
from pathlib import Path

from mimicgym.errors import MotionError


class Words:
    """The words of the text, one after the other, with their line numbers."""

    def __init__(self, path: Path, lines: list[str]):
        self.path = path
        self._lines = lines
        self._rest: list[str] = []  # of the line, in reverse
        self.line = 0

    def take(self, wanted: str) -> str:
        """The next word; `MotionError` says what is missing if none is left."""
        while not self._rest:
            if self.line == len(self._lines):
                raise self.error(f"the file ends where {wanted} should be")
            self._rest = self._lines[self.line].split()[::-1]
            self.line += 1
        return self._rest.pop()

    def expect(self, *choices: str) -> str:
        """The next word in lower case, which has to be one of the choices."""
        wanted = " or ".join(choices)
        word = self.take(wanted)
        if word.lower() not in [choice.lower() for choice in choices]:
            raise self.error(f"{word!r} where {wanted} should be")
        return word.lower()

    def number(self, what: str) -> float:
        """The next word as a finite number."""
        word = self.take(what)
        try:
            value = float(word)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error(f"{word!r} for {what}; a number is needed")
        return value

    def count(self, what: str) -> int:
        """The next word as a whole number."""
        value = self.number(what)
        if not (value == int(value) and value >= 0):
            raise self.error(f"{value:g} for {what}; a whole number is needed")
        return int(value)

    def error(self, what: str) -> MotionError:
        """For the caller to raise: what is wrong in the line of the last word."""
        return MotionError(f"{self.path}, line {self.line}: {what}")
