"""PPO's loss on one minibatch, and the figures that tell how an update goes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from mimicgym.ppo import network
from mimicgym.ppo.config import PPOConfig
from mimicgym.ppo.devices import Axis, mean_over, size
from mimicgym.ppo.symmetry import Mirror


@struct.dataclass
class Samples:
    """N samples of an iteration; observations are normalised already.

    For actors with a memory, N stands for (T, B): each environment's samples in time.
    """

    actor_obs: jax.Array  # (N, D)
    critic_obs: jax.Array  # (N, E)
    action: jax.Array  # (N, A)
    mean: jax.Array  # (N, A) of the policy that acted
    log_prob: jax.Array  # (N,) of the action, then
    value: jax.Array  # (N,) that the critic gave then, in its units
    advantage: jax.Array  # (N,) normalised over the whole iteration
    target: jax.Array  # (N,) return in the critic's units
    done: jax.Array  # (N,) bool, whether an episode ended after it
    held: jax.Array | None = None  # (B, M) what the actor remembered before the first
    label: jax.Array | None = None  # (N, A) what a teacher would have done
    labelled: jax.Array | None = None  # (N,) bool, whether there is a teacher


def ppo_loss(
    params: dict[str, Any],
    old_std: jax.Array,
    batch: Samples,
    config: PPOConfig,
    *,
    imitation: jax.Array | float = 0.0,
    mirrors: Mapping[str, Mirror] | None = None,
    axis: Axis = None,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """() loss and () health figures.

    (1 - c) * (clipped surrogate - entropy_coef * entropy) + c * distance from teachers
    + value_coef * squared error of the value
    + bounds_coef * how far mean actions are out of bounds (summed over actions)
    + symmetry_coef * distance from the mirror image.

    Args:
      imitation: () c, the share of imitation.
      mirrors: of "actor" and "action"; needed for symmetry_coef.
      axis: over which other devices have samples of their own.
    """
    actor = network.actor_network(config, batch.action.shape[-1])
    mean = network.act_along(
        actor, params["actor"], batch.actor_obs, batch.held, batch.done
    )
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
        (1 - imitation) * (surrogate - config.entropy_coef * entropy)
        + config.value_coef * value_loss
        + config.bounds_coef * bounds
    )
    kl = jnp.mean(network.kl_divergence(batch.mean, old_std, mean, std))
    # Where nothing has moved yet, rounding leaves a little on either side of 0.
    kl = jnp.maximum(kl, 0.0)
    health = {
        "ppo/policy_loss": surrogate,
        "ppo/value_loss": value_loss,
        "ppo/entropy": entropy,
        "ppo/bounds_loss": bounds,
        "ppo/kl": kl,
        "ppo/clip_fraction": jnp.mean(jnp.abs(ratio - 1) > config.clip),
    }
    if batch.label is not None and batch.labelled is not None:
        away = jnp.sum(jnp.square(mean - batch.label), axis=-1)
        taught = jnp.sum(jnp.where(batch.labelled, away, 0.0))
        # Of all devices, so that one with few taught samples does not count for more.
        count = mean_over(jnp.sum(batch.labelled).astype(jnp.float32), axis)
        imitated = taught / jnp.maximum(count, 1 / size(axis))
        loss = loss + imitation * imitated
        health["ppo/imitation_loss"] = imitated
    if config.symmetry_coef:
        assert mirrors is not None
        # The image is what the policy is drawn to, so it is held still.
        image = mirrors["action"](jax.lax.stop_gradient(mean))
        mirrored = network.apply(
            actor, params["actor"], mirrors["actor"](batch.actor_obs)
        )
        asymmetry = jnp.mean(jnp.sum(jnp.square(mirrored - image), axis=-1))
        loss = loss + config.symmetry_coef * asymmetry
        health["ppo/symmetry_loss"] = asymmetry
    return loss, health


def with_images(batch: Samples, mirrors: Mapping[str, Mirror]) -> Samples:
    """Samples and, after them, their mirror images: as good, and as probable under a
    policy that is symmetric."""
    action = mirrors["action"]
    images = replace(
        batch,
        actor_obs=mirrors["actor"](batch.actor_obs),
        critic_obs=mirrors["critic"](batch.critic_obs),
        action=action(batch.action),
        mean=action(batch.mean),
        label=None if batch.label is None else action(batch.label),
    )
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b]), batch, images)


def _value_loss(value: jax.Array, batch: Samples, config: PPOConfig) -> jax.Array:
    """() mean squared error; with clipping, that of the value or of the value held
    near what it was, whichever is larger."""
    error = jnp.square(value - batch.target)
    if config.value_clip is not None:
        move = jnp.clip(value - batch.value, -config.value_clip, config.value_clip)
        error = jnp.maximum(error, jnp.square(batch.value + move - batch.target))
    return jnp.mean(error)
