"""The programs of an iteration, compiled before anything is run."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jax

from mimicgym.ppo.learner import Learner
from mimicgym.ppo.seeds import SeedLearner
from mimicgym.ppo.state import LearnerState


@dataclass(frozen=True, eq=False)
class Iteration:
    """What `Learner.iterate` does, by programs that are compiled already."""

    collect: Any
    improve: Any
    teachers: Any

    def __call__(self, state: LearnerState) -> tuple[LearnerState, dict[str, Any]]:
        """See `Learner.iterate`."""
        state, rollout, metrics = self.collect(state)
        state, health = self.improve(state, rollout, self.teachers)
        return state, metrics | health


def compile_iteration(learner: Learner | SeedLearner, state: LearnerState) -> Iteration:
    """Compile what the learner will run, or read it from the compilation cache.

    On one device both at once: XLA compiles much of a program with a single thread.

    They are the learner's own functions, lowered for the very shapes: a process that
    calls them later finds them in the cache. The learner itself still compiles (or
    reads) at its first call, since JAX keeps no compiled program for a function that
    was compiled by hand.

    Args:
      state: what an iteration begins with. It is not changed.
    """
    collect: Any = learner.collect
    improve: Any = learner.improve
    lowered = collect.lower(state)
    with ThreadPoolExecutor(1) as pool:
        acting = pool.submit(lowered.compile)
        shapes = lowered.out_info
        if isinstance(learner, Learner) and learner.devices > 1:
            # Where arrays lie is part of a program. On one device nothing is said of
            # it.
            shapes = jax.tree.map(
                lambda x, place: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place),
                shapes,
                acting.result().output_shardings,
            )
        after, rollout, _ = shapes
        learning = improve.lower(after, rollout, learner.teachers).compile()
        return Iteration(acting.result(), learning, learner.teachers)
