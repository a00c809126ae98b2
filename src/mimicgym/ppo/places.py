"""How a learner's state and its rollout lie on devices."""

from dataclasses import fields
from typing import Any

import jax

from mimicgym.ppo.devices import ROWS, SHARED, STEPS, divided
from mimicgym.ppo.protocol import Environment
from mimicgym.ppo.rollout import Rollout
from mimicgym.ppo.state import LearnerState


def state_places(env: Environment, local: Environment) -> LearnerState:
    """How a state lies on devices: each has a part of the environments and a copy of
    everything else."""

    def shapes(env: Environment) -> Any:
        return jax.eval_shape(
            lambda key: env.reset(jax.random.split(key, env.num_envs)),
            jax.random.key(0),
        )

    places: dict[str, Any] = {field.name: SHARED for field in fields(LearnerState)}
    places["held"] = ROWS
    places["batch"] = ROWS if env is local else divided(shapes(env), shapes(local))
    return LearnerState(**places)


def rollout_places() -> Rollout:
    """Steps first, environments second; each device has a part of the latter."""
    places = {field.name: STEPS for field in fields(Rollout)}
    return Rollout(**places | {"held": ROWS})  # pyright: ignore[reportArgumentType]
