"""Loggers of a training besides `metrics.jsonl`: one module for each backend.

Backends are imported when they are asked for: nobody waits for those that are not, or
has to install them.
"""

from mimicgym.errors import UserError
from mimicgym.loggers.config import BACKENDS, LoggingConfig
from mimicgym.loggers.logger import Logger, Loggers, Metrics, RunInfo, warn_of

__all__ = [
    "BACKENDS",
    "Logger",
    "Loggers",
    "LoggingConfig",
    "Metrics",
    "RunInfo",
    "open_loggers",
]


def open_loggers(config: LoggingConfig, run: RunInfo) -> Loggers:
    """The loggers that a configuration names, ready to be logged to.

    One that can not be reached is left out with a warning.

    Raises:
      UserError: settings that can not be used, a backend that is not installed or not
        logged in to.
    """
    config.check()
    found: dict[str, Logger] = {}
    for name in config.backends:
        try:
            found[name] = _open(name, config, run)
        except UserError:
            Loggers(found).close()
            raise
        except Exception as error:
            warn_of(name, error)
    return Loggers(found, config.every)


def _open(name: str, config: LoggingConfig, run: RunInfo) -> Logger:
    if name == "tensorboard":
        from mimicgym.loggers.tensorboard import TensorBoardLogger

        return TensorBoardLogger(run)
    if name == "wandb":
        from mimicgym.loggers.wandb import WandbLogger

        return WandbLogger(run, project=config.project, offline=config.offline)
    from mimicgym.loggers.trackio import TrackioLogger

    return TrackioLogger(run, project=config.project)
