"""Trying candidates one after the other, for as long as there is time."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from mimicgym.errors import UserError
from mimicgym.tuning.candidate import Candidate

# The last part of the time is for the fastest, in turns: the machine may have been busy
# with something else when one of them was tried.
_FINAL_SHARE = 0.25
_FINALISTS = 3
_FINAL_ROUNDS = 5


class Trial(Protocol):
    """A candidate that is ready to run; its programs are compiled."""

    compile_s: float

    def speed(self) -> float:
        """Environment steps a second of some iterations, acting and learning."""
        ...


@dataclass
class Attempt:
    """What became of a candidate.

    Attributes:
      speeds: environment steps a second, each time it was measured.
      compile_s: what its programs took to compile or to be read from the cache.
      skipped: why it was not tried, or "".
    """

    candidate: Candidate
    speeds: list[float] = field(default_factory=list)
    compile_s: float = 0.0
    skipped: str = ""

    @property
    def speed(self) -> float:
        """The median; 0 where there is none."""
        return float(np.median(self.speeds)) if self.speeds else 0.0


def sweep(
    candidates: Sequence[Candidate],
    begin: Callable[[Candidate], Trial],
    seconds: float,
    *,
    on_attempt: Callable[[Attempt], None] = lambda attempt: None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Attempt]:
    """Try the candidates in their order, then the fastest again in turns.

    The first is tried in any case. After it, one is begun only if the slowest so far
    would still fit; so the time can be exceeded by what compiling one takes longer than
    those before.

    Args:
      begin: makes a candidate ready. A `UserError` of it (too little memory, say) is
        noted, and the sweep goes on.
      seconds: in all.
      on_attempt: told of each candidate when it is tried or skipped.
    """
    began = clock()
    attempts = [Attempt(candidate) for candidate in candidates]
    kept: list[tuple[Attempt, Trial]] = []
    slowest = 0.0
    for number, attempt in enumerate(attempts):
        left = (1 - _FINAL_SHARE) * seconds - (clock() - began)
        if number and left < slowest:
            attempt.skipped = "no time left"
        else:
            started = clock()
            try:
                trial = begin(attempt.candidate)
                attempt.compile_s = trial.compile_s
                attempt.speeds.append(trial.speed())
                kept.append((attempt, trial))
            except UserError as error:
                attempt.skipped = str(error)
            slowest = max(slowest, clock() - started)
        on_attempt(attempt)
        # Others' memory is wanted for what follows.
        kept = _finalists(kept)
    for _ in range(_FINAL_ROUNDS if len(kept) > 1 else 0):
        for attempt, trial in kept:
            if clock() - began < seconds:
                attempt.speeds.append(trial.speed())
    return attempts


def _finalists(kept: list[tuple[Attempt, Trial]]) -> list[tuple[Attempt, Trial]]:
    """The fastest, and among them those alike the preset first."""
    order = sorted(kept, key=lambda x: (not x[0].candidate.alike, -x[0].speed))
    fastest = max(kept, key=lambda x: x[0].speed, default=None)
    found = order[:_FINALISTS]
    if fastest is not None and fastest not in found:
        found[-1] = fastest
    return found


def best(attempts: Sequence[Attempt]) -> Attempt:
    """The fastest of those alike the preset; of all, where there are none."""
    tried = [attempt for attempt in attempts if attempt.speeds]
    if not tried:
        reasons = "; ".join(f"{a.candidate}: {a.skipped}" for a in attempts)
        raise UserError(f"nothing could be tried: {reasons}")
    alike = [attempt for attempt in tried if attempt.candidate.alike]
    return max(alike or tried, key=lambda attempt: attempt.speed)
