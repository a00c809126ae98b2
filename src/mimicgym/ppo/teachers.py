"""Policies whose actions a student imitates."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from flax import struct

from mimicgym.errors import UserError
from mimicgym.ppo.config import PPOConfig
from mimicgym.ppo.policy import Policy

GROUP = "teacher"


@struct.dataclass
class Teacher:
    """A policy, and which of the observations "teacher" it takes, in its order."""

    policy: Policy
    columns: jax.Array  # (D,) int32


def check_teachers(
    teachers: Sequence[Teacher],
    config: PPOConfig,
    sizes: Mapping[str, int],
    action_size: int,
) -> None:
    """`UserError` for policies that can not teach a student with that configuration,
    those observations and so many actions."""
    used = config.bc_coef > 0 or bool(config.bc_coef_end)
    if used and not teachers:
        raise UserError(f"ppo.bc_coef is {config.bc_coef}, but there are no teachers")
    if teachers and not used:
        raise UserError("there are teachers, but ppo.bc_coef is 0: nothing is imitated")
    if teachers and GROUP not in sizes:
        raise UserError(
            "there are teachers, but the observation group 'teacher' has no terms:"
            " teachers see nothing"
        )
    for number, teacher in enumerate(teachers):
        policy = teacher.policy
        if policy.action_size != action_size:
            raise UserError(
                f"teacher {number} gives {policy.action_size} actions, the student"
                f" {action_size}"
            )
        if policy.config.memory:
            raise UserError(
                f"teacher {number} has a memory (its ppo.memory is"
                f" {policy.config.memory}), which teachers must not have"
            )


def labels(
    teachers: Sequence[Teacher], index: jax.Array, obs: jax.Array, bound: float
) -> tuple[jax.Array, jax.Array]:
    """(..., A) mean action of each sample's teacher, and (...) bool whether there is
    one: samples without a teacher teach nothing.

    Args:
      index: (...) int32 which teacher; -1 for none.
      obs: (..., E) observations of the group "teacher" as the environment gives them.
      bound: actions are clipped to plus or minus this, as the environment would.
    """
    size = teachers[0].policy.action_size
    action = jnp.zeros((*index.shape, size))
    for number, teacher in enumerate(teachers):
        mean = teacher.policy(obs[..., teacher.columns])
        action = jnp.where((index == number)[..., None], mean, action)
    known = (index >= 0) & (index < len(teachers))
    return jnp.clip(action, -bound, bound), known


def imitation_share(iteration: jax.Array, config: PPOConfig) -> jax.Array:
    """() the share c of imitation in the policy's loss: from bc_coef to bc_coef_end,
    linearly in bc_iterations."""
    if config.bc_coef_end is None:
        return jnp.float32(config.bc_coef)
    done = jnp.minimum(iteration / config.bc_iterations, 1.0).astype(jnp.float32)
    return config.bc_coef + (config.bc_coef_end - config.bc_coef) * done
