"""Height fields: what they hold, and heights between their cells."""

import subprocess
import sys

import numpy as np
import pytest

from mimicgym.errors import UserError
from mimicgym.terrain import height_field

HEIGHTS = [[0.0, 1.0, 4.0], [2.0, 3.0, 8.0]]


@pytest.fixture
def small():
    """Centres at x = 1, 1.5, 2 and y = 2, 2.5."""
    return height_field(HEIGHTS, 0.5, [1.0, 2.0])


def test_rows_are_y_and_columns_are_x(small):
    assert small.height_m.shape == (2, 3)
    assert small.height_m.dtype == np.float32
    assert small.length_m == 1.0
    assert small.width_m == 0.5
    np.testing.assert_array_equal(small.bounds_m, [[1.0, 2.0], [2.0, 2.5]])
    assert small.megabytes == 24e-6


@pytest.mark.parametrize(
    ("xy", "height"),
    [
        ((1.0, 2.0), 0.0),
        ((2.0, 2.0), 4.0),
        ((1.0, 2.5), 2.0),
        ((2.0, 2.5), 8.0),
        ((1.25, 2.25), 1.5),  # the mean of 0, 1, 2, 3
        ((1.75, 2.0), 2.5),  # between 1 and 4
        # 0.75 (0.75 * 1 + 0.25 * 4) + 0.25 (0.75 * 3 + 0.25 * 8)
        ((1.625, 2.125), 2.375),
        # Off the field: the nearest place on the edge.
        ((0.0, 2.25), 1.0),
        ((9.0, 2.25), 6.0),
        ((1.75, -7.0), 2.5),
        ((1.75, 70.0), 5.5),
        ((-3.0, -3.0), 0.0),
        ((np.inf, np.inf), 8.0),
    ],
)
def test_heights_between_centres_by_hand(small, xy, height):
    assert small.at(xy) == pytest.approx(height, abs=1e-12)


def test_heights_at_many_places_keep_their_shape(small):
    xy = np.array([[[1.0, 2.0], [1.25, 2.25]], [[2.0, 2.5], [np.nan, 2.0]]])
    np.testing.assert_array_equal(small.at(xy), [[0.0, 1.5], [8.0, np.nan]])


def test_default_origin_puts_the_middle_at_zero():
    field = height_field(np.zeros((5, 3)), 0.1)
    np.testing.assert_allclose(field.bounds_m, [[-0.1, -0.2], [0.1, 0.2]])


def test_slope_is_rise_over_run():
    x, y = np.meshgrid(np.arange(6) * 0.2, np.arange(5) * 0.2)
    field = height_field(0.3 * x - 0.4 * y, 0.2)
    np.testing.assert_allclose(field.slope(), np.full((5, 6), 0.5), atol=1e-6)


def test_a_field_is_a_copy_that_can_not_be_changed():
    mine = np.zeros((2, 2), np.float32)
    field = height_field(mine, 1.0)
    mine[:] = 5.0
    assert field.height_m.max() == 0.0
    with pytest.raises(ValueError, match="read-only"):
        field.height_m[0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        field.origin_xy[0] = 1.0


def spoilt(value, at=(1, 2)):
    heights = np.zeros((3, 4))
    heights[at] = value
    return heights


@pytest.mark.parametrize(
    ("heights", "cell_m", "more", "message"),
    [
        (np.zeros(4), 0.1, {}, r"hill: height_m has shape \(4,\)"),
        (np.zeros((1, 4)), 0.1, {}, r"hill: height_m has shape \(1, 4\).*2 x 2"),
        (np.zeros((2, 2, 2)), 0.1, {}, r"shape \(2, 2, 2\)"),
        (spoilt(np.nan), 0.1, {}, "1 values.*nan in row 1, column 2"),
        (spoilt(-np.inf, (0, 3)), 0.1, {}, "1 values.*-inf in row 0, column 3"),
        (spoilt(1e39), 0.1, {}, "1 values.*inf in row 1, column 2"),
        (spoilt(2e4), 0.1, {}, "beyond 10000 m, the first is 20000 in row 1"),
        (np.full((2, 2), "a"), 0.1, {}, "hill: height_m holds <U1, not numbers"),
        (np.zeros((2, 2)), 0.0, {}, "hill: cell_m is 0; it must be above 0 m"),
        (np.zeros((2, 2)), -1.0, {}, "cell_m is -1"),
        (np.zeros((2, 2)), np.nan, {}, "cell_m is nan"),
        (np.zeros((2, 2)), np.inf, {}, "cell_m is inf"),
        (np.zeros((2, 2)), 0.1, {"origin_xy": [0.0]}, "origin_xy is .0.0.; it must"),
        (np.zeros((2, 2)), 0.1, {"origin_xy": [0, np.nan]}, "origin_xy is .0, nan"),
        (np.zeros((2, 2)), 0.1, {"max_megabytes": 0.0}, "max_megabytes is 0"),
        (
            np.zeros((1001, 501)),
            0.1,
            {"max_megabytes": 1.0},
            r"hill: 1001 x 501 cells of 0.1 m take 2.006 MB, more than max_megabytes, "
            r"1; cells of 0.15 m would fit",
        ),
    ],
)
def test_what_is_wrong_is_named(heights, cell_m, more, message):
    with pytest.raises(UserError, match=message):
        height_field(heights, cell_m, name="hill", **more)


def test_the_package_imports_no_reader_of_files():
    code = (
        "import sys, mimicgym.terrain; "
        "print(*{'trimesh', 'PIL', 'scipy', 'jax'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    out = subprocess.run(command, check=True, capture_output=True, text=True)
    assert out.stdout.strip() == ""
