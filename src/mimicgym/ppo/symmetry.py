"""The left-right mirror images of what a policy sees and does."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from mimicgym.ppo.normalize import RunningStats


@struct.dataclass
class Mirror:
    """x_mirrored[..., i] = sign[i] * x[..., source[i]]; its own inverse."""

    source: jax.Array  # (D,) int32
    sign: jax.Array  # (D,)

    def __call__(self, x: jax.Array) -> jax.Array:
        return x[..., self.source] * self.sign


def mirrors_of(
    maps: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> dict[str, Mirror]:
    """Mirrors by what they are for: observation groups and "action".

    Raises:
      ValueError: a map that is no inverse of itself.
    """
    for name, (source, sign) in maps.items():
        places = np.arange(len(source))
        if not np.array_equal(source[source], places) or not np.array_equal(
            sign * sign[source], np.ones(len(source))
        ):
            raise ValueError(f"the mirror image of {name}'s mirror image is another")
    return {
        name: Mirror(jnp.asarray(source, jnp.int32), jnp.asarray(sign, jnp.float32))
        for name, (source, sign) in maps.items()
    }


def symmetric(stats: RunningStats, mirror: Mirror) -> RunningStats:
    """Moments of samples and of their mirror images together, so that normalising and
    mirroring can change places."""
    mean, var = mirror(stats.mean), stats.var[mirror.source]
    return RunningStats(
        mean=(stats.mean + mean) / 2,
        var=(stats.var + var) / 2 + jnp.square(stats.mean - mean) / 4,
        count=stats.count,
    )
