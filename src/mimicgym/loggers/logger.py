"""What logs figures, and a logger of loggers that outlives their failures."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

Metrics = Mapping[str, float | None]
"""Figures by name; None for those that had nothing to average."""


class Logger(Protocol):
    """Takes the figures of one iteration after the other."""

    def log(self, step: int, metrics: Metrics) -> None:
        """Note figures.

        Args:
          step: environment steps since the run's beginning, which rise from call to
            call.
          metrics: with the "iteration" among them.
        """
        ...

    def close(self) -> None:
        """Write what is not written yet. Nothing can be logged afterwards."""
        ...


@dataclass(frozen=True)
class RunInfo:
    """What backends are told of the run that is logged.

    Attributes:
      folder: the run's, which exists.
      name: of the run.
      config: everything that was set, in JSON types.
      resumed_at: environment steps of the checkpoint from which the run goes on; 0 for
        a new one.
      logged_to: environment steps of the newest figures that had been logged before
        the run was stopped; they are of a later step than the checkpoint if it was
        killed. The steps between are trained again, to the same figures.
    """

    folder: Path
    name: str
    config: Mapping[str, Any]
    resumed_at: int = 0
    logged_to: int = 0


class Loggers:
    """All loggers of a run as one.

    A logger that fails is said so once, by a warning, and left out from then on:
    training is worth more than its curves.

    Args:
      loggers: by the names under which their failures are told.
      every: iterations from one logged point to the next.
    """

    def __init__(self, loggers: Mapping[str, Logger], every: int = 1):
        self._loggers = dict(loggers)
        self._every = every

    @property
    def names(self) -> Sequence[str]:
        """Of the loggers that have not failed."""
        return tuple(self._loggers)

    def log(self, step: int, metrics: Metrics) -> None:
        iteration = metrics["iteration"]
        assert iteration is not None
        if int(iteration) % self._every == 0:
            self._each(lambda logger: logger.log(step, metrics))

    def close(self) -> None:
        self._each(lambda logger: logger.close())
        self._loggers.clear()

    def _each(self, call: Callable[[Logger], None]) -> None:
        for name, logger in list(self._loggers.items()):
            try:
                call(logger)
            except Exception as error:
                del self._loggers[name]
                warn_of(name, error)


def warn_of(name: str, error: Exception) -> None:
    """Say that a logger is left out from now on."""
    reason = " ".join(str(error).split()) or type(error).__name__
    warnings.warn(
        f"{name} failed and is no longer logged to; training goes on: {reason}",
        RuntimeWarning,
        stacklevel=2,
    )
