"""What an environment tells the motors, for the bare engine to be told the same."""

from collections.abc import Callable

import jax

from mimicgym.envs.actuation import Actuators
from mimicgym.envs.tracking import State, TrackingEnv


def commands_of(env: TrackingEnv) -> Callable[[State, jax.Array], jax.Array]:
    """A function of (state, action (A,)) that gives the targets which `env.step` hands
    to its engine: (J,), or (decimation, J) where targets come late.

    In a program that steps as well, XLA computes them once.
    """
    actuators = Actuators(
        env.randomizer, env.control, decimation=env.config.control.decimation
    )

    def commands(state: State, action: jax.Array) -> jax.Array:
        filtered = env.control.filter(action, state.action, state.action_offset)
        pose = env.target_pose(state.clip, state.frame)
        return actuators.step(state.actuation, filtered, pose)[1]

    return commands
