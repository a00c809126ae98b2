"""Generalised advantage estimation (Schulman et al. 2016)."""

import jax
import jax.numpy as jnp


def advantages(
    reward: jax.Array,
    value: jax.Array,
    next_value: jax.Array,
    terminated: jax.Array,
    done: jax.Array,
    *,
    gamma: float,
    gae_lambda: float,
) -> jax.Array:
    """(T, B) advantages, with failure and cut-off kept apart.

    delta_t = r_t + gamma * V(s_{t+1}) * [not terminated_t] - V(s_t), summed backwards
    with gamma * lambda until an episode's end.

    Args:
      reward, value: (T, B), V(s_t) of the observation acted on.
      next_value: (T, B), V(s_{t+1}) of the observation at the end of step t, before any
        reset. After a cut-off it still counts; after a failure nothing does.
      terminated: (T, B) bool.
      done: (T, B) bool, terminated or truncated.
    """
    delta = reward + gamma * jnp.where(terminated, 0.0, next_value) - value

    def backwards(carry: jax.Array, x: tuple[jax.Array, jax.Array]):
        delta, done = x
        carry = delta + gamma * gae_lambda * jnp.where(done, 0.0, carry)
        return carry, carry

    _, result = jax.lax.scan(
        backwards, jnp.zeros_like(delta[0]), (delta, done), reverse=True
    )
    return result
