"""When a training is saved and judged."""

from dataclasses import dataclass

from mimicgym.errors import UserError


@dataclass(frozen=True)
class TrainingConfig:
    """What is saved and judged while a run goes on. It does not change what is
    learnt."""

    checkpoint_every: int = 100
    """Iterations from one checkpoint to the next. One is also saved at the end."""
    keep: int = 3
    """How many checkpoints are kept, the newest; the best by evaluation is kept beside
    them."""
    eval_every: int = 0
    """Iterations from one evaluation to the next, 0 for one at the end alone. Each clip
    is tried once from its first frame, without noise."""

    def check(self) -> None:
        """`UserError` for a value that can not be used."""
        for name, least in (("checkpoint_every", 1), ("keep", 1), ("eval_every", 0)):
            if getattr(self, name) < least:
                raise UserError(
                    f"training.{name} is {getattr(self, name)}; at least {least}"
                )

    def saves(self, iteration: int) -> bool:
        """Whether there is a checkpoint after that iteration."""
        return iteration % self.checkpoint_every == 0

    def evaluates(self, iteration: int) -> bool:
        """Whether there is an evaluation after that iteration."""
        return self.eval_every > 0 and iteration % self.eval_every == 0

    def rests(self, iteration: int) -> bool:
        """Whether the state after that iteration is needed."""
        return self.saves(iteration) or self.evaluates(iteration)
