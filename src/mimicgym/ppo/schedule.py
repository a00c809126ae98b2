"""How the actor's learning rate goes on."""

import jax
import jax.numpy as jnp

from mimicgym.ppo.config import PPOConfig


def starting_rate(
    rate: jax.Array, iteration: jax.Array, config: PPOConfig
) -> jax.Array:
    """() the learning rate that an iteration's update begins with.

    Args:
      rate: () what the iteration before ended with.
      iteration: () int32, of those before it.
    """
    if config.schedule != "linear":
        return rate
    share = jnp.minimum(iteration / config.linear_iterations, 1.0)
    first, last = config.learning_rate, config.learning_rate_min
    return first + (last - first) * share


def adapt_learning_rate(rate: jax.Array, kl: jax.Array, config: PPOConfig) -> jax.Array:
    """() the learning rate after a minibatch whose update had this KL divergence."""
    if config.schedule != "adaptive":
        return rate
    lower = jnp.maximum(rate / config.learning_rate_factor, config.learning_rate_min)
    higher = jnp.minimum(rate * config.learning_rate_factor, config.learning_rate_max)
    return jnp.where(
        kl > config.kl_high, lower, jnp.where(kl < config.kl_low, higher, rate)
    )
