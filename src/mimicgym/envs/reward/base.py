"""What reward terms share: their registry and the kernels."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from mimicgym.envs.config import Tracking
from mimicgym.envs.terms import Registry

reward = Registry("reward")

# By name: from the squared error and the scale to a reward in (0, 1].
KERNELS: dict[str, Callable[[jax.Array, float], jax.Array]] = {
    "gaussian": lambda squared, scale: jnp.exp(-scale * squared),
    "laplacian": lambda squared, scale: jnp.exp(-scale * jnp.sqrt(squared)),
    "cauchy": lambda squared, scale: 1.0 / (1.0 + scale * squared),
}


def kernel(squared_error: jax.Array, cfg: Tracking) -> jax.Array:
    """1 for no error, falling to 0 as the term's kernel says, see `Tracking`."""
    return KERNELS[cfg.kernel](squared_error, cfg.scale)
