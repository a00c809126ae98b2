"""Several seeds of one training in one program: arrays get a leading axis.

Meant for small runs: everything is there `count` times, so memory has to suffice.
"""

from typing import Any

import jax
import jax.numpy as jnp

from mimicgym.errors import UserError
from mimicgym.ppo.learner import Learner
from mimicgym.ppo.rollout import Rollout
from mimicgym.ppo.state import LearnerState
from mimicgym.ppo.teachers import Teacher

# The figures whose spread over seeds is reported.
_SPREAD = ("episode/return", "episode/length", "ppo/reward", "error/")


class SeedLearner:
    """`count` learners that differ in their seeds alone; used like `Learner`.

    Metrics are means over seeds; "spread/..." are their deviations (ddof 1).
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
        self.collect = jax.jit(self._collect, donate_argnums=0)
        self.improve = jax.jit(self._improve, donate_argnums=0)

    def init(self, key: jax.Array) -> LearnerState:
        """The state before the first iteration, of seeds drawn from `key`."""
        return self._start(jax.random.split(key, self.count))

    def iterate(self, state: LearnerState) -> tuple[LearnerState, dict[str, jax.Array]]:
        """See `Learner.iterate`."""
        state, rollout, metrics = self.collect(state)
        state, health = self.improve(state, rollout, self.teachers)
        return state, metrics | health

    def one(self, state: LearnerState, number: int) -> LearnerState:
        """A single seed's state, which `Learner` can go on with."""
        return jax.tree.map(lambda x: x[number], state)

    def _collect(self, state: LearnerState) -> tuple[LearnerState, Rollout, Any]:
        state, rollout, metrics = jax.vmap(self.learner.pure_collect)(state)
        return state, rollout, _over_seeds(metrics)

    def _improve(
        self, state: LearnerState, rollout: Rollout, teachers: tuple[Teacher, ...]
    ) -> tuple[LearnerState, dict[str, jax.Array]]:
        improve = jax.vmap(self.learner.pure_improve, in_axes=(0, 0, None))
        state, health = improve(state, rollout, teachers)
        return state, _over_seeds(health)

    @property
    def compilations(self) -> int:
        """See `Learner.compilations`."""
        programs: list[Any] = [self.collect, self.improve]
        return max(program._cache_size() for program in programs)


def _over_seeds(metrics: dict[str, Any]) -> dict[str, jax.Array]:
    spread = {
        f"spread/{name}": jnp.std(x, ddof=1)
        for name, x in metrics.items()
        if name.startswith(_SPREAD)
    }
    return {name: jnp.mean(x) for name, x in metrics.items()} | spread
