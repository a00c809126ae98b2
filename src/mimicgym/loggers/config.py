"""Where a training is logged besides its own folder."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from mimicgym.errors import UserError, unknown_name

BACKENDS = ("tensorboard", "wandb", "trackio")


@dataclass(frozen=True)
class LoggingConfig:
    """`metrics.jsonl` in the run's folder is always written; these come on top."""

    backends: tuple[Literal["tensorboard", "wandb", "trackio"], ...] = ("tensorboard",)
    """tensorboard (in the run's folder), wandb (Weights & Biases), trackio; none, one
    or several."""
    every: int = 1
    """Iterations from one logged point to the next."""
    project: str = "mimicgym"
    """Of wandb and trackio."""
    name: str | None = None
    """Of the run there; that of its folder by default."""
    offline: bool = False
    """wandb keeps what it logs in the run's folder, for `wandb sync`."""

    def check(self) -> None:
        """`UserError` for settings that can not be used, or a backend that is not
        installed."""
        for name in self.backends:
            if name not in BACKENDS:
                raise unknown_name("logging.backends", name, BACKENDS)
            if name != "tensorboard" and not _installed(name):
                raise UserError(
                    f"logging to {name} needs it: pip install 'mimicgym[{name}]'"
                )
        if len(set(self.backends)) < len(self.backends):
            raise UserError(
                f"logging.backends names one twice: {', '.join(self.backends)}"
            )
        if self.every < 1:
            raise UserError(f"logging.every is {self.every}; at least 1")
        if not self.project:
            raise UserError("logging.project is empty; give it a name")
        if self.offline and "wandb" not in self.backends:
            raise UserError("logging.offline is for wandb, which is not logged to")


def _installed(name: str) -> bool:
    # A folder of that name, such as the one in which wandb keeps its files, has none.
    spec = find_spec(name)
    return spec is not None and spec.origin is not None
