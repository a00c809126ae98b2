"""All that PPO knows of an environment."""

from collections.abc import Mapping
from typing import Any, Protocol

import jax
import numpy as np


class BatchStep(Protocol):
    """B environments after a reset or a step; a pytree.

    `obs` is what to act on next. Where an episode ended in this step, `obs` is already
    that of the next one and `final_obs` the last of the old; elsewhere both are equal.
    """

    obs: Mapping[str, jax.Array]  # "actor" (B, D), "critic" (B, E)
    final_obs: Mapping[str, jax.Array]
    reward: jax.Array  # (B,)
    terminated: jax.Array  # (B,) bool: failed, worth nothing from here on
    truncated: jax.Array  # (B,) bool: cut off, worth what the value function says
    metrics: Mapping[str, jax.Array]  # (B,) of this step
    episode: Mapping[str, jax.Array]  # (B,) of the episode, meaningful where it ended


class Environment(Protocol):
    """Pure, jittable, batched, resetting finished rows in the step that ends them."""

    num_envs: int

    @property
    def action_size(self) -> int: ...

    @property
    def observation_sizes(self) -> Mapping[str, int]: ...

    @property
    def gated_sizes(self) -> Mapping[str, int]:
        """How many of a group's last observations networks take through a gate that
        starts closed; groups without any may be left out."""
        ...

    def reset(self, keys: jax.Array) -> Any:
        """A `BatchStep`. keys (B,): a typed random key for each row."""
        ...

    def step(self, batch: Any, action: jax.Array) -> Any:
        """The `BatchStep` after `batch` under action (B, A)."""
        ...

    def teacher_of(self, batch: Any) -> jax.Array:
        """(B,) int32: which teacher each row has to imitate in its next step; -1 for
        none. Only asked for where there are teachers, whose observations are then the
        group "teacher"."""
        ...

    def mirrors(self) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        """For the groups "actor" and "critic" and for "action": where each entry of the
        mirror image comes from (D,) int32, and its sign (D,). Only asked for where
        mirror images are used."""
        ...

    def shard(self, count: int, axis: str) -> "Environment":
        """The same with a `count`-th of the rows, for a program that runs on `count`
        devices along the mapped axis `axis`. Only asked for where there are several.

        Arrays of a `BatchStep` whose first axis is the rows are divided; what has no
        rows has to be kept equal by `step` itself, with collectives over the axis."""
        ...
