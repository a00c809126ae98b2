"""PPO's loss on one minibatch, and the figures that tell how an update goes."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from mimicgym.ppo import network
from mimicgym.ppo.config import PPOConfig


@struct.dataclass
class Samples:
    """N samples of an iteration; observations are normalised already."""

    actor_obs: jax.Array  # (N, D)
    critic_obs: jax.Array  # (N, E)
    action: jax.Array  # (N, A)
    mean: jax.Array  # (N, A) of the policy that acted
    log_prob: jax.Array  # (N,) of the action, then
    value: jax.Array  # (N,) that the critic gave then, in its units
    advantage: jax.Array  # (N,) normalised over the whole iteration
    target: jax.Array  # (N,) return in the critic's units


def ppo_loss(
    params: dict[str, Any],
    old_std: jax.Array,
    batch: Samples,
    config: PPOConfig,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """() loss and () health figures.

    Clipped surrogate + value_coef * squared error of the value - entropy_coef * entropy
    + bounds_coef * how far mean actions are out of bounds (summed over actions).
    """
    actor = network.actor_network(config, batch.action.shape[-1])
    mean = network.apply(actor, params["actor"], batch.actor_obs)
    std = network.policy_std(params["raw_std"], config)
    critic = network.critic_network(config)
    value = network.apply(critic, params["critic"], batch.critic_obs)

    ratio = jnp.exp(network.log_prob(mean, std, batch.action) - batch.log_prob)
    clipped = jnp.clip(ratio, 1 - config.clip, 1 + config.clip)
    surrogate = -jnp.mean(
        jnp.minimum(ratio * batch.advantage, clipped * batch.advantage)
    )
    value_loss = _value_loss(value[..., 0], batch, config)
    entropy = network.entropy(std)
    excess = jnp.abs(mean) - config.action_bound
    bounds = jnp.mean(jnp.sum(jnp.maximum(excess, 0.0), axis=-1))
    loss = (
        surrogate
        + config.value_coef * value_loss
        - config.entropy_coef * entropy
        + config.bounds_coef * bounds
    )
    kl = jnp.mean(network.kl_divergence(batch.mean, old_std, mean, std))
    return loss, {
        "ppo/policy_loss": surrogate,
        "ppo/value_loss": value_loss,
        "ppo/entropy": entropy,
        "ppo/bounds_loss": bounds,
        "ppo/kl": kl,
        "ppo/clip_fraction": jnp.mean(jnp.abs(ratio - 1) > config.clip),
    }


def _value_loss(value: jax.Array, batch: Samples, config: PPOConfig) -> jax.Array:
    """() mean squared error; with clipping, that of the value or of the value held
    near what it was, whichever is larger."""
    error = jnp.square(value - batch.target)
    if config.value_clip is not None:
        move = jnp.clip(value - batch.value, -config.value_clip, config.value_clip)
        error = jnp.maximum(error, jnp.square(batch.value + move - batch.target))
    return jnp.mean(error)
