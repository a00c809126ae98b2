"""A trained policy by itself: what it takes to act, and no more."""

from typing import Any

import jax
from flax import struct

from mimicgym.ppo import network
from mimicgym.ppo.config import PPOConfig
from mimicgym.ppo.learner import LearnerState
from mimicgym.ppo.normalize import RunningStats, normalize


@struct.dataclass
class Policy:
    """Deterministic: call it with actor observations (..., D) for actions (..., A)."""

    params: Any
    stats: RunningStats
    config: PPOConfig = struct.field(pytree_node=False)
    action_size: int = struct.field(pytree_node=False)

    def __call__(self, obs: jax.Array) -> jax.Array:
        if self.config.normalize_observations:
            obs = normalize(self.stats, obs)
        actor = network.actor_network(self.config, self.action_size)
        return network.apply(actor, self.params, obs)


def policy_of(state: LearnerState, config: PPOConfig) -> Policy:
    """The policy that a learner has arrived at.

    Its arrays are copies: the learner's next iteration reuses the memory of its own.
    """
    params, stats = jax.tree.map(
        lambda x: x.copy(), (state.params["actor"], state.obs_stats["actor"])
    )
    return Policy(params, stats, config, state.params["raw_std"].shape[0])
