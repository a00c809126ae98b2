"""How much memory a learner needs, from its shapes alone: nothing is compiled."""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from mimicgym.ppo.config import PPOConfig
from mimicgym.ppo.learner import Learner

_FLOAT = 4
# What a GRU computes of each unit: two sets of three gates.
_GATES = 6


@dataclass(frozen=True)
class LearnerMemory:
    """Bytes on each device.

    Attributes:
      networks: parameters, their gradients and what the optimiser keeps.
      environments: their states.
      rollout: the samples of an iteration.
      samples: those as the networks see them, with advantages and targets, while they
        are learnt from.
      minibatch: the samples of one, and what the networks compute of them.
    """

    networks: int
    environments: int
    rollout: int
    samples: int
    minibatch: int


def learner_memory(learner: Learner) -> LearnerMemory:
    """What `Learner.iterate` will need."""
    state = jax.eval_shape(learner.init, jax.random.key(0))
    _, rollout, _ = jax.eval_shape(learner.collect, state)
    config, devices = learner.config, learner.devices
    obs = rollout.obs
    count = math.prod(rollout.reward.shape) // devices
    seen = sum(obs[group].shape[-1] for group in ("actor", "critic"))
    actions = rollout.action.shape[-1]
    taught = actions + 1 if rollout.teacher is not None else 0
    # Advantages, values, targets and the like: a few numbers more for each sample.
    width = (seen if config.normalize_observations else 0) + taught + 6
    rows = count // config.minibatches * (2 if config.mirror_data else 1)
    # A minibatch is what it takes of the samples, and what is computed of it.
    picked = rows * (seen + 2 * actions + taught + 6) * _FLOAT
    return LearnerMemory(
        networks=2 * num_bytes(state.params) + num_bytes(state.opt_state),
        environments=num_bytes((state.batch, state.held)) // devices,
        rollout=num_bytes(rollout) // devices,
        samples=count * width * _FLOAT,
        minibatch=picked + rows * _bytes_per_row(config, learner.env.gated_sizes),
    )


def num_bytes(tree: Any) -> int:
    """Of all arrays, or shapes of arrays, of a tree."""
    return sum(math.prod(x.shape) * x.dtype.itemsize for x in jax.tree.leaves(tree))


def _bytes_per_row(config: PPOConfig, gated: Any) -> int:
    """What the networks compute of one sample.

    Each unit's output is kept for the backward pass, which holds about half as many
    gradients at a time: measured with XLA's own figures, see the tests.
    """
    actor = sum(config.hidden) + _GATES * config.memory
    actor += config.hidden[0] if gated.get("actor") else 0
    critic = sum(config.hidden) + (config.hidden[0] if gated.get("critic") else 0)
    passes = 2 if config.symmetry_coef else 1
    kept = jnp.dtype(config.dtype).itemsize
    return (passes * actor + critic) * (kept + _FLOAT // 2)
