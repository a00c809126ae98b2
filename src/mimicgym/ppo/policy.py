"""A trained policy by itself: what it takes to act, and no more."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from mimicgym.errors import UserError
from mimicgym.ppo import network
from mimicgym.ppo.config import PPOConfig
from mimicgym.ppo.normalize import RunningStats, normalize
from mimicgym.ppo.state import LearnerState


@struct.dataclass
class Policy:
    """Deterministic: call it with actor observations (..., D) for actions (..., A).

    One with a memory is asked by `act` instead, which it needs what it holds for.
    """

    params: Any
    stats: RunningStats
    config: PPOConfig = struct.field(pytree_node=False)
    action_size: int = struct.field(pytree_node=False)

    def __call__(self, obs: jax.Array) -> jax.Array:
        if self.config.memory:
            raise UserError(
                "this policy has a memory: use policy.act(obs, held), starting with"
                " policy.start(rows)"
            )
        return self.act(obs, None)[0]

    def start(self, *rows: int) -> jax.Array | None:
        """What it holds at an episode's start: (*rows, M), None without a memory."""
        return network.no_memory(self.config, *rows)

    def act(
        self, obs: jax.Array, held: jax.Array | None
    ) -> tuple[jax.Array, jax.Array | None]:
        """(..., A) actions, and what it holds afterwards (..., M)."""
        if self.config.normalize_observations:
            obs = normalize(self.stats, obs)
        actor = network.actor_network(self.config, self.action_size)
        return network.act(actor, self.params, obs, held)


def policy_of(state: LearnerState, config: PPOConfig) -> Policy:
    """The policy that a learner has arrived at.

    Its arrays are copies, on one device: the learner's next iteration reuses the memory
    of its own.
    """
    params, stats = jax.tree.map(
        lambda x: jnp.array(jax.device_get(x)),
        (state.params["actor"], state.obs_stats["actor"]),
    )
    return Policy(params, stats, config, state.params["raw_std"].shape[0])
