"""Several seeds of one training in one program: arrays get a leading axis.

Meant for small runs: everything is there `count` times, so memory has to suffice.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mimicgym.errors import UserError
from mimicgym.ppo.learner import Learner
from mimicgym.ppo.state import LearnerState

# The figures whose spread over seeds is reported.
_SPREAD = ("episode/return", "episode/length", "ppo/reward", "error/", "eval/")


class SeedLearner:
    """`count` learners that differ in their seeds alone; used like `Learner`.

    Each does what it would do by itself, to float32 accuracy. Metrics are (count,).
    """

    def __init__(self, learner: Learner, count: int):
        if count < 2:
            raise UserError(f"num_seeds is {count}; at least 2, or a plain learner")
        if learner.devices > 1:
            raise UserError(
                f"{count} seeds at once and {learner.devices} devices do not go"
                " together; train the seeds one after the other"
            )
        self.learner = learner
        self.count = count
        self.config = learner.config
        self.env = learner.env
        self.teachers = learner.teachers
        self.steps_per_iteration = count * learner.steps_per_iteration
        self._start = jax.jit(jax.vmap(learner.pure_init))
        self.collect = jax.jit(jax.vmap(learner.pure_collect), donate_argnums=0)
        self.improve = jax.jit(
            jax.vmap(learner.pure_improve, in_axes=(0, 0, None)), donate_argnums=0
        )

    def init(self, keys: jax.Array) -> LearnerState:
        """The state before the first iteration, of a key (count,) for each seed."""
        return self._start(keys)

    def iterate(self, state: LearnerState) -> tuple[LearnerState, dict[str, jax.Array]]:
        """See `Learner.iterate`."""
        state, rollout, metrics = self.collect(state)
        state, health = self.improve(state, rollout, self.teachers)
        return state, metrics | health

    @property
    def compilations(self) -> int:
        """See `Learner.compilations`."""
        programs: list[Any] = [self.collect, self.improve]
        return max(program._cache_size() for program in programs)


def one(state: LearnerState, number: int) -> LearnerState:
    """A single seed's state, which `Learner` can go on with."""
    return jax.tree.map(lambda x: x[number], state)


def stacked(states: Sequence[LearnerState]) -> LearnerState:
    """The states of several seeds as one."""
    return jax.tree.map(lambda *x: jnp.stack(x), *states)


def over_seeds(
    metrics: Sequence[Mapping[str, float | None]],
) -> dict[str, float | None]:
    """Means over seeds, and as "spread/..." deviations (ddof 1); None where a seed has
    no figure."""
    found: dict[str, float | None] = {}
    for name in metrics[0]:
        values = [figures[name] for figures in metrics]
        numbers = [value for value in values if value is not None]
        whole = len(numbers) == len(values)
        found[name] = float(np.mean(numbers)) if whole else None
        if name.startswith(_SPREAD):
            found[f"spread/{name}"] = float(np.std(numbers, ddof=1)) if whole else None
    return found
