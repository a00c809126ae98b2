"""Random numbers that do not depend on how many devices share the work.

Environments are divided into slices of neighbours; each slice draws from a key of its
own and lies on one device as a whole. See `PPOConfig.slices`.
"""

import jax
import jax.numpy as jnp

from mimicgym.ppo.devices import Axis, index


def slice_keys(key: jax.Array, count: int, axis: Axis) -> jax.Array:
    """(S,) keys of this device's slices, of which it has `count`."""
    numbers = index(axis) * count + jnp.arange(count)
    return jax.vmap(lambda number: jax.random.fold_in(key, number))(numbers)


def normal(key: jax.Array, count: int, shape: tuple[int, ...], axis: Axis) -> jax.Array:
    """(B, A) normal numbers for `shape` (B, A), whose rows are `count` slices."""
    rows, size = shape
    keys = slice_keys(key, count, axis)
    drawn = jax.vmap(lambda k: jax.random.normal(k, (rows // count, size)))(keys)
    return drawn.reshape(shape)


def shuffled(
    key: jax.Array, count: int, steps: int, rows: int, parts: int, axis: Axis
) -> jax.Array:
    """(parts, N) indices of samples in random order, each once; each part holds as many
    of one slice as of another.

    Samples are those of `steps` steps of `rows` environments, one step after the other:
    sample t * rows + b is step t of environment b. With steps=1 they are environments.
    """
    width = rows // count

    def of_slice(key: jax.Array, number: jax.Array) -> jax.Array:
        order = jax.random.permutation(key, steps * width)
        samples = order // width * rows + number * width + order % width
        return samples.reshape(parts, -1)

    found = jax.vmap(of_slice)(slice_keys(key, count, axis), jnp.arange(count))
    return jnp.swapaxes(found, 0, 1).reshape(parts, -1)
