"""Procedural grounds: stated heights, slopes and sizes, and a flat start."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from mimicgym.errors import UserError
from mimicgym.terrain import Area, generators
from mimicgym.terrain.ground import Rough, Slope, Waves
from mimicgym.terrain.obstacles import Boxes, Gaps, Stairs, Stones
from mimicgym.terrain.procedural import Generators

SEEDED = ("rough", "boxes", "stones")


def axes(field):
    """(C,) x and (R,) y of the cells."""
    rows, columns = field.height_m.shape
    return (
        field.origin_xy[0] + field.cell_m * np.arange(columns),
        field.origin_xy[1] + field.cell_m * np.arange(rows),
    )


def along_x(field, y=0.0):
    """(C,) x and (C,) heights of the row at `y`."""
    x, rows = axes(field)
    return x, field.height_m[np.abs(rows - y).argmin()]


def jumps(heights, least=1e-4):
    """Heights of the steps along a row, in order."""
    steps = np.diff(heights)
    return steps[np.abs(steps) > least]


def test_which_there_are():
    names = ["flat", "rough", "slope", "waves", "stairs", "boxes", "stones", "gaps"]
    assert list(generators) == names
    for name in names:
        assert generators.summary(name).endswith(".")


@pytest.mark.parametrize("name", list(generators))
def test_size_and_flat_start(name):
    field = generators.generate(name)
    assert field.height_m.shape == (181, 181)
    np.testing.assert_allclose(field.bounds_m, [[-4.5, -4.5], [4.5, 4.5]])
    x, y = np.meshgrid(*axes(field))
    start = np.hypot(x, y) <= 1.0 + 1e-9
    assert start.sum() == 1257  # whole points in a circle of radius 20
    assert not field.height_m[start].any()
    if name != "flat":
        assert np.abs(field.height_m[~start]).max() > 0.009


@pytest.mark.parametrize("name", list(generators))
def test_other_sizes(name):
    cfg = generators.parameters(name)(
        length_m=12.0, width_m=8.03, cell_m=0.1, flat_radius_m=0.6
    )
    field = generators.generate(name, cfg)
    assert field.height_m.shape == (81, 121)
    assert field.at([0.0, 0.0]) == 0.0
    x, y = np.meshgrid(*axes(field))
    assert not field.height_m[np.hypot(x, y) <= 0.6 + 1e-9].any()
    no_radius = generators.generate(name, replace(cfg, flat_radius_m=0.0))
    assert no_radius.at([0.0, 0.0]) == 0.0


@pytest.mark.parametrize("name", SEEDED)
def test_a_seed_is_a_ground(name):
    kind = generators.parameters(name)
    first, again = (generators.generate(name, kind(seed=5)) for _ in range(2))
    other = generators.generate(name, kind(seed=6))
    np.testing.assert_array_equal(first.height_m, again.height_m)
    assert (first.height_m != other.height_m).mean() > 0.2
    assert first.name == f"{name}:seed=5"


@pytest.mark.parametrize(
    ("difficulty", "height_m"), [(1, 0.01), (2, 0.035), (3, 0.1), (4, 0.125)]
)
@pytest.mark.parametrize("seed", [0, 7])
def test_rough_has_the_stated_heights(difficulty, height_m, seed):
    field = generators.generate("rough", Rough(difficulty=difficulty, seed=seed))
    assert field.height_m.max() == np.float32(height_m)
    assert field.height_m.min() == np.float32(-height_m)
    # Uneven nearly everywhere, and up as much as down.
    x, y = np.meshgrid(*axes(field))
    beyond = field.height_m[np.hypot(x, y) > 1.5]
    assert (np.abs(beyond) > 0.02 * height_m).mean() > 0.9
    assert abs(beyond.mean()) < 0.2 * height_m


@pytest.mark.parametrize("name", ["rough", "slope", "waves"])
def test_there_is_no_step_around_the_flat_start(name):
    field = generators.generate(name)
    x, y = np.meshgrid(*axes(field))
    ring = np.abs(np.hypot(x, y) - 1.03) < 0.03
    highest = np.abs(field.height_m).max()
    assert np.abs(field.height_m[ring]).max() < 0.05 * highest


@pytest.mark.parametrize(("difficulty", "spacing_m"), [(1, 9 / 99), (2, 9 / 49)])
def test_rough_is_as_fine_as_its_grid(difficulty, spacing_m):
    """Bilinear between the grid's corners: along a row, bends are at corners only."""
    cfg = Rough(difficulty=difficulty, cell_m=spacing_m / 8, flat_radius_m=0.0)
    field = generators.generate("rough", cfg)
    x, y = np.meshgrid(*axes(field))
    upwards = (field.height_m > 0) & (np.hypot(x, y) > 0.6)
    three = upwards[:, :-2] & upwards[:, 1:-1] & upwards[:, 2:]
    bend = np.abs(np.diff(field.height_m, n=2, axis=1))
    phase = (np.arange(1, len(x[0]) - 1) % 8) == 0
    at_corners = bend[three & phase].mean()
    between = bend[three & ~phase].max()
    assert between < 1e-3 * at_corners


@pytest.mark.parametrize("angle_deg", [10.0, -25.0])
def test_slope_has_the_stated_slope(angle_deg):
    field = generators.generate("slope", Slope(angle_deg=angle_deg, run_m=2.5))
    x, z = along_x(field, y=2.0)
    grade = np.tan(np.radians(angle_deg))
    np.testing.assert_allclose(z, grade * np.clip(x - 1.0, 0.0, 2.5), atol=1e-6)
    assert z[-1] == pytest.approx(2.5 * grade)


def test_stairs_go_up_and_down():
    cfg = Stairs(step_height_m=0.12, step_depth_m=0.25, steps=3, landing_m=0.5)
    x, z = along_x(generators.generate("stairs", cfg))
    np.testing.assert_allclose(jumps(z), [0.12] * 3 + [-0.12] * 3, atol=1e-6)
    # Treads, by their height and their length in cells of 0.05 m.
    heights, cells = np.unique(np.round(z[x > 1.0 + 1e-9], 6), return_counts=True)
    np.testing.assert_allclose(heights, [0.0, 0.12, 0.24, 0.36], atol=1e-6)
    assert list(cells[1:]) == [10, 10, 15]
    assert x[np.argmax(z > 0.01)] == pytest.approx(1.05)  # right after the flat area
    assert z[x <= 0.0].max() == 0.0


def test_stairs_that_stay_up_and_stairs_that_go_down():
    up = Stairs(steps=5, down=False)
    _, z = along_x(generators.generate("stairs", up), y=3.0)
    np.testing.assert_allclose(jumps(z), [0.15] * 5, atol=1e-6)
    assert z[-1] == pytest.approx(0.75)
    field = generators.generate("stairs", Stairs(step_height_m=-0.1))
    assert field.height_m.min() == pytest.approx(-0.4)
    assert field.height_m.max() == 0.0


def test_stairs_have_to_fit():
    with pytest.raises(
        UserError, match=r"end at x = 7.3 m.*4.5 m; length_m must be 14"
    ):
        generators.generate("stairs", Stairs(steps=10))
    cfg = Stairs(steps=10, length_m=14.6)
    assert generators.generate("stairs", cfg).height_m.max() == pytest.approx(1.5)


def test_boxes_are_level_and_within_the_stated_heights_and_sizes():
    field = generators.generate("boxes", Boxes(height_m=0.2, boxes=1, seed=3))
    heights = np.unique(field.height_m)
    assert len(heights) == 2
    inside = np.argwhere(field.height_m != 0.0)
    sides = (np.ptp(inside, axis=0) + 1) * field.cell_m
    assert (sides >= 0.25).all() and (sides <= 1.05).all()
    many = generators.generate("boxes", Boxes(height_m=0.2, boxes=300))
    assert 0.15 < many.height_m.max() <= 0.2
    assert -0.2 <= many.height_m.min() < -0.15
    assert 100 < len(np.unique(many.height_m)) <= 301


def test_stones_have_the_stated_sides_and_gaps():
    cfg = Stones(stone_m=0.4, gap_m=0.2, height_m=0.05, depth_m=0.7, flat_radius_m=0.3)
    field = generators.generate("stones", cfg)
    pit = field.height_m < -0.5
    np.testing.assert_allclose(field.height_m[pit], -0.7, atol=1e-6)
    tops = field.height_m[~pit]
    assert 0.04 < tops.max() <= 0.05
    assert -0.05 <= tops.min() < -0.04
    assert (~pit).mean() == pytest.approx(4 / 9, abs=0.03)
    # Lengths of stones and gaps along a row that has both, in cells.
    row = pit[5]
    ends = np.flatnonzero(np.diff(row.astype(int)))
    lengths, first = np.diff(ends), row[ends[:-1] + 1]
    assert set(lengths[first]) <= {3, 4, 5}
    assert set(lengths[~first]) <= {7, 8, 9}


def test_gaps_have_the_stated_widths():
    cfg = Gaps(gap_m=0.4, platform_m=0.8, depth_m=1.5)
    x, z = along_x(generators.generate("gaps", cfg), y=3.0)
    np.testing.assert_allclose(np.unique(z), [-1.5, 0.0])
    gap = x[z < -1.0]
    assert gap[gap > 0].min() == pytest.approx(1.05)
    np.testing.assert_allclose(gap[gap > 0][:8], 1.05 + 0.05 * np.arange(8))
    assert gap[gap > 0][8] == pytest.approx(2.25)
    np.testing.assert_allclose(np.sort(-gap[gap < 0]), gap[gap > 0])


def test_waves_have_the_stated_height_and_length():
    cfg = Waves(amplitude_m=0.2, wavelength_m=1.6)
    field = generators.generate("waves", cfg)
    assert field.height_m.max() == pytest.approx(0.2, abs=1e-4)
    assert field.height_m.min() == pytest.approx(-0.2, abs=1e-4)
    x, z = along_x(field, y=2.0)
    beyond = x > 1.5
    np.testing.assert_allclose(
        z[beyond],
        0.1 * (np.sin(2 * np.pi * x[beyond] / 1.6) + np.sin(2 * np.pi * 2.0 / 1.6)),
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("name", "cfg", "message"),
    [
        (
            "rough",
            Rough(difficulty=5),
            "rough: difficulty is 5; it must be one of 1, 2",
        ),
        ("rough", Rough(seed=-1), "rough: seed is -1; it must be 0 or more"),
        ("rough", Slope(), "rough: cfg is Slope.*a Rough"),
        ("rough", Rough(length_m=np.inf), "rough: length_m is inf"),
        (
            "rough",
            Rough(width_m=0.05),
            "rough: width_m is 0.05; it must be 2 cells, 0.1",
        ),
        ("rough", Rough(cell_m=0.0), "rough: cell_m is 0"),
        (
            "rough",
            Rough(cell_m=0.001),
            "9001 x 9001 cells of 0.001 m take 324.1 MB.*0.0",
        ),
        ("rough", Rough(flat_radius_m=-0.1), "rough: flat_radius_m is -0.1"),
        ("rough", Rough(flat_radius_m=np.nan), "rough: flat_radius_m is nan"),
        ("slope", Slope(angle_deg=75.0), "slope: angle_deg is 75; .*from -60 to 60"),
        ("slope", Slope(run_m=0.0), "slope: run_m is 0"),
        ("waves", Waves(amplitude_m=-0.1), "waves: amplitude_m is -0.1"),
        (
            "waves",
            Waves(wavelength_m=0.1),
            "waves: wavelength_m is 0.1.*0.2 m, or more",
        ),
        ("stairs", Stairs(step_height_m=0.0), "stairs: step_height_m is 0"),
        ("stairs", Stairs(step_height_m=1.5), "stairs: step_height_m is 1.5"),
        ("stairs", Stairs(step_depth_m=0.01), "stairs: step_depth_m is 0.01.*a cell"),
        ("stairs", Stairs(steps=0), "stairs: steps is 0; it must be from 1"),
        ("stairs", Stairs(landing_m=-1.0), "stairs: landing_m is -1"),
        ("boxes", Boxes(boxes=0), "boxes: boxes is 0"),
        ("boxes", Boxes(height_m=0.0), "boxes: height_m is 0"),
        ("boxes", Boxes(smallest_m=-1.0), "boxes: smallest_m is -1"),
        ("boxes", Boxes(largest_m=0.2), "boxes: largest_m is 0.2.*0.3 m, or more"),
        ("boxes", Boxes(seed=-3), "boxes: seed is -3"),
        ("stones", Stones(stone_m=0.0), "stones: stone_m is 0"),
        ("stones", Stones(gap_m=0.0), "stones: gap_m is 0"),
        ("stones", Stones(depth_m=0.0), "stones: depth_m is 0"),
        ("stones", Stones(height_m=1.0), "stones: height_m is 1; .*depth_m, 1 m"),
        ("stones", Stones(seed=-3), "stones: seed is -3"),
        ("gaps", Gaps(gap_m=0.0), "gaps: gap_m is 0"),
        ("gaps", Gaps(platform_m=-0.1), "gaps: platform_m is -0.1"),
        ("gaps", Gaps(depth_m=np.nan), "gaps: depth_m is nan"),
        ("ruogh", None, "unknown terrain 'ruogh'; did you mean 'rough'"),
    ],
)
def test_what_is_wrong_is_named(name, cfg, message):
    with pytest.raises(UserError, match=message):
        generators.generate(name, cfg)


def test_a_ground_of_ones_own():
    own = Generators()

    @dataclass(frozen=True)
    class Ridge(Area):
        height_m: float = 0.3

    @own(Ridge)
    def ridge(cfg, x, y):
        """A ridge across the way."""
        return np.where(np.abs(x - 2.0) < 0.2, cfg.height_m, 0.0)

    assert list(own) == ["ridge"]
    assert own.summary("ridge") == "A ridge across the way."
    field = own.generate("ridge", Ridge(height_m=0.2))
    assert field.name == "ridge:height_m=0.2"
    assert field.at([2.0, 1.0]) == pytest.approx(0.2)
