"""What a training consists of, before it begins: motions, environment, learner.

`training` and `warmup` both begin here. A program from the compilation cache is found
only by a process that makes its environments in the same order.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.make import library_of, make_env
from mimicgym.envs.tracking import TrackingEnv
from mimicgym.memory import available_bytes, check_memory, estimate_memory
from mimicgym.motion import Library
from mimicgym.ppo import Learner, LearnerState, Teacher
from mimicgym.ppo.seeds import SeedLearner
from mimicgym.run import RunConfig
from mimicgym.teaching import load_teachers, taught_config


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a training works with.

    Attributes:
      runner: what is iterated; of several seeds, all of them.
      state: what it begins with.
    """

    library: Library
    env: TrackingEnv
    teachers: tuple[Teacher, ...]
    runner: Learner | SeedLearner
    state: LearnerState


def prepare(
    config: RunConfig, on_note: Callable[[str], None] = lambda note: None
) -> Prepared:
    """Load, make and start everything.

    on_note: told how much memory will be needed, and what may come as a surprise.

    Raises:
      UserError: something asked for can not be had, or does not fit the memory.
    """
    library = library_of(config.env)
    env = make_env(taught_config(config.env, config.teachers), library)
    teachers = load_teachers(env, config.teachers) if config.teachers else ()
    learner = Learner(
        BatchedEnv(env, config.num_envs, keep_final=False),
        config.ppo,
        teachers=teachers,
        devices=config.devices or jax.device_count(),
    )
    if config.env.reset.sampling == "failure_bins" and env.num_clips > 1:
        on_note(
            "failure_bins draws what fails most often: with several clips, one that can"
            " not be learnt may take the place of all others."
            " --env.reset.sampling=failure_rate_bins limits that"
        )
    memory = estimate_memory(env, learner, config.num_seeds)
    on_note(str(memory))
    shared = learner.devices if jax.default_backend() == "cpu" else 1
    check_memory(memory, available_bytes(), shared)
    keys = [jax.random.key(config.seed + i) for i in range(config.num_seeds)]
    if len(keys) == 1:
        return Prepared(library, env, teachers, learner, learner.init(keys[0]))
    runner = SeedLearner(learner, len(keys))
    return Prepared(library, env, teachers, runner, runner.init(jnp.stack(keys)))
