"""Heights of the ground inside compiled programs."""

import jax
import jax.numpy as jnp


def height_at(
    heights: jax.Array, origin_xy: jax.Array, cell_m: jax.Array | float, xy: jax.Array
) -> jax.Array:
    """(...) heights in m, as `HeightField.at`: bilinear, off the map its edge's.

    Args:
      heights: (R, C) [row = y, column = x], at least 2 x 2.
      origin_xy: (2,) where the centre of cell (0, 0) is.
      cell_m: size of a cell.
      xy: (..., 2) places in m; the height at one that is not finite is not defined.
    """
    rows, columns = heights.shape
    last = jnp.array([columns - 1, rows - 1])
    at = jnp.clip((xy - origin_xy) / cell_m, 0, last)
    low = jnp.minimum(at.astype(jnp.int32), last - 1)
    u, v = jnp.moveaxis(at - low, -1, 0)
    c, r = jnp.moveaxis(low, -1, 0)
    near = (1 - u) * heights[r, c] + u * heights[r, c + 1]
    far = (1 - u) * heights[r + 1, c] + u * heights[r + 1, c + 1]
    return (1 - v) * near + v * far
