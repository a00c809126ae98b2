"""Running mean and deviation, as a pytree."""

import jax
import jax.numpy as jnp
from flax import struct

from mimicgym.ppo.devices import Axis, moments, size

# Features that hardly vary are not blown up to unit size: their noise would be.
EPSILON = 1e-2
CLIP = 10.0
# Past this many samples new ones keep a fixed weight: float32 can not count on, and
# what a policy sees goes on changing.
MAX_COUNT = 1e7


@struct.dataclass
class RunningStats:
    """Moments of vectors (D,) or scalars ()."""

    mean: jax.Array
    var: jax.Array
    count: jax.Array


def init_stats(size: int | None = None) -> RunningStats:
    """No samples yet: mean 0, variance 1. size None is for scalars."""
    shape = () if size is None else (size,)
    return RunningStats(jnp.zeros(shape), jnp.ones(shape), jnp.zeros(()))


def update_stats(
    stats: RunningStats, samples: jax.Array, axis: Axis = None
) -> RunningStats:
    """Take in samples (N, D) or (N,) of each device, by the parallel formula of Chan et
    al. 1979."""
    count = jnp.float32(samples.shape[0] * size(axis))
    mean, var = moments(samples, axis)
    total = stats.count + count
    delta = mean - stats.mean
    share = count / total
    return RunningStats(
        mean=stats.mean + delta * share,
        var=stats.var * (1 - share) + var * share + delta**2 * share * (1 - share),
        count=jnp.minimum(total, MAX_COUNT),
    )


def normalize(stats: RunningStats, x: jax.Array) -> jax.Array:
    """(x - mean) / (deviation + 0.01), clipped to plus or minus 10."""
    return jnp.clip((x - stats.mean) / (jnp.sqrt(stats.var) + EPSILON), -CLIP, CLIP)


def scale_value(stats: RunningStats, value: jax.Array) -> jax.Array:
    """A return in the critic's units."""
    return (value - stats.mean) / (jnp.sqrt(stats.var) + EPSILON)


def unscale_value(stats: RunningStats, value: jax.Array) -> jax.Array:
    """The inverse of `scale_value`."""
    return value * (jnp.sqrt(stats.var) + EPSILON) + stats.mean
