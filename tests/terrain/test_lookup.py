"""Heights inside compiled programs, against NumPy's and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym.terrain import height_field
from mimicgym.terrain.lookup import height_at


@pytest.mark.parametrize(
    ("xy", "height"),
    [
        ((1.25, 2.25), 1.5),
        ((1.625, 2.125), 2.375),
        ((2.0, 2.5), 8.0),
        ((0.0, 2.25), 1.0),
        ((1.75, 70.0), 5.5),
        ((-3.0, 99.0), 2.0),
    ],
)
def test_by_hand(xy, height):
    heights = jnp.array([[0.0, 1.0, 4.0], [2.0, 3.0, 8.0]])
    found = height_at(heights, jnp.array([1.0, 2.0]), 0.5, jnp.array(xy))
    assert found.shape == ()
    assert float(found) == pytest.approx(height, abs=1e-6)


def test_same_as_numpy_on_and_off_the_map():
    rng = np.random.default_rng(0)
    field = height_field(rng.uniform(-1, 1, (83, 131)), 0.05, [-3.1, 7.3])
    low, high = field.bounds_m
    xy = rng.uniform(low - 2.0, high + 2.0, (20_000, 2)).astype(np.float32)
    outside = ((xy < low) | (xy > high)).any(axis=1).mean()
    assert 0.3 < outside < 0.9
    origin_xy = jnp.asarray(field.origin_xy, jnp.float32)
    found = jax.jit(height_at)(jnp.asarray(field.height_m), origin_xy, 0.05, xy)
    assert found.dtype == jnp.float32
    # Heights change by up to 2 m in 0.05 m, and float32 places are 5e-7 m apart here.
    np.testing.assert_allclose(found, field.at(xy), atol=1e-4)


def test_maps_over_places_and_over_maps():
    rng = np.random.default_rng(1)
    heights = jnp.asarray(rng.uniform(size=(3, 4, 5)), jnp.float32)
    xy = jnp.asarray(rng.uniform(0, 4, (3, 7, 2)), jnp.float32)
    origin_xy = jnp.zeros(2)
    one_by_one = jax.vmap(height_at, (None, None, None, 0))
    each = jax.vmap(height_at, (0, None, None, 0))(heights, origin_xy, 1.0, xy)
    assert each.shape == (3, 7)
    for k in range(3):
        places = one_by_one(heights[k], origin_xy, 1.0, xy[k])
        np.testing.assert_allclose(each[k], places, atol=1e-6)


def test_gradient_is_the_slope():
    x, y = np.meshgrid(np.arange(9) * 0.5, np.arange(7) * 0.5)
    heights = jnp.asarray(0.3 * x - 0.2 * y, jnp.float32)
    slope = jax.grad(height_at, argnums=3)
    inside = slope(heights, jnp.zeros(2), 0.5, jnp.array([1.3, 0.9]))
    np.testing.assert_allclose(inside, [0.3, -0.2], atol=1e-5)
    outside = slope(heights, jnp.zeros(2), 0.5, jnp.array([-1.0, 0.9]))
    np.testing.assert_allclose(outside, [0.0, -0.2], atol=1e-5)
