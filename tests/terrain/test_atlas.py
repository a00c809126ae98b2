"""Many tiles in one height field: intact, apart, shared, near the origin."""

from dataclasses import replace

import numpy as np
import pytest

from mimicgym.errors import UserError
from mimicgym.terrain import build_atlas, height_field, terrain_from_spec
from mimicgym.terrain.packing import pack


def tiles_of(seed, count=9):
    """Random heights, sizes and origins."""
    rng = np.random.default_rng(seed)
    return [
        height_field(
            rng.normal(i, 0.1, rng.integers(5, 60, 2)),
            0.1,
            rng.uniform(-5, 5, 2),
            name=f"tile {i}",
        )
        for i in range(count)
    ]


def first_cells(atlas, tiles):
    """(N, copies, 2) row and column of each tile's cell (0, 0); whole numbers."""
    origins = np.array([tile.origin_xy for tile in tiles])
    at = (atlas.offsets_xy + origins[:, None] - atlas.field.origin_xy) / (
        atlas.field.cell_m
    )
    np.testing.assert_allclose(at, np.round(at), atol=1e-6)
    return np.round(at).astype(int)[..., ::-1]


@pytest.mark.parametrize("seed", range(4))
def test_tiles_are_intact_at_their_offsets(seed):
    tiles = tiles_of(seed)
    atlas = build_atlas(tiles, margin_m=0.35, copies=2)
    assert atlas.offsets_xy.shape == (9, 2, 2)
    assert atlas.surfaces == 9
    for tile, copies in zip(tiles, first_cells(atlas, tiles), strict=True):
        rows, columns = tile.height_m.shape
        for row, column in copies:
            found = atlas.field.height_m[row : row + rows, column : column + columns]
            np.testing.assert_array_equal(found, tile.height_m)


@pytest.mark.parametrize("seed", range(4))
def test_heights_are_the_tiles_own_as_far_as_the_margin(seed):
    tiles = tiles_of(seed)
    atlas = build_atlas(tiles, margin_m=0.35, copies=2)
    assert atlas.margin_m == pytest.approx(0.4)  # whole cells
    rng = np.random.default_rng(seed)
    for tile, offsets in zip(tiles, atlas.offsets_xy, strict=True):
        low, high = tile.bounds_m
        xy = rng.uniform(low - 0.4, high + 0.4, (500, 2))
        assert ((xy < low) | (xy > high)).any()
        for offset in offsets:
            np.testing.assert_allclose(
                atlas.height_at(xy + offset), tile.at(xy), atol=1e-6
            )


@pytest.mark.parametrize("seed", range(4))
def test_no_tile_touches_another(seed):
    """Each cell belongs to one tile at most, its margin counted in."""
    tiles = tiles_of(seed)
    atlas = build_atlas(tiles, margin_m=0.3, copies=2)
    owners = np.zeros(atlas.field.height_m.shape, int)
    for tile, copies in zip(tiles, first_cells(atlas, tiles), strict=True):
        rows, columns = np.array(tile.height_m.shape) + 3
        for row, column in copies:
            assert row >= 3 and column >= 3
            owned = owners[row - 3 : row + rows, column - 3 : column + columns]
            assert owned.shape == (rows + 3, columns + 3)
            owned += 1
    assert owners.max() == 1


def test_equal_tiles_are_shared():
    rough = terrain_from_spec("rough:seed=1")
    again = terrain_from_spec("rough:seed=1")
    moved = replace(rough, origin_xy=rough.origin_xy + [1.0, 2.0])
    other = terrain_from_spec("rough:seed=2")
    atlas = build_atlas([rough, again, moved, other])
    alone = build_atlas([rough, other])
    assert atlas.surfaces == 2
    assert atlas.megabytes == alone.megabytes
    rough_xy, again_xy, moved_xy, other_xy = atlas.offsets_xy[:, 0]
    np.testing.assert_array_equal(rough_xy, again_xy)
    np.testing.assert_allclose(moved_xy, rough_xy - [1.0, 2.0])
    assert np.abs(other_xy - rough_xy).max() >= 11.0
    # One cell of another height, another surface.
    heights = rough.height_m.copy()
    heights[3, 4] += 1e-3
    changed = height_field(heights, rough.cell_m)
    assert build_atlas([rough, changed]).surfaces == 2
    # The same bytes in another shape are another surface too.
    flat = [height_field(np.zeros(shape), 0.05) for shape in ((4, 9), (9, 4))]
    assert build_atlas(flat).surfaces == 2


def test_copies_are_apart():
    tile = terrain_from_spec("stairs")
    atlas = build_atlas([tile, tile], copies=5, margin_m=0.5)
    assert atlas.surfaces == 1
    places = {tuple(np.round(xy, 6)) for xy in atlas.offsets_xy[0]}
    assert len(places) == 5
    np.testing.assert_array_equal(atlas.offsets_xy[0], atlas.offsets_xy[1])


def test_size_and_memory_by_hand():
    """Four tiles of 9.05 m with margins make 2 x 2 of 201 + 2 * 20 - 20 cells."""
    tiles = [terrain_from_spec(f"rough:seed={seed}") for seed in range(4)]
    atlas = build_atlas(tiles, margin_m=1.0)
    assert atlas.field.height_m.shape == (442, 442)
    assert atlas.megabytes == pytest.approx(442 * 442 * 4e-6)
    assert atlas.reach_m == pytest.approx(441 * 0.05 / 2)
    assert atlas.field.height_m.dtype == np.float32
    np.testing.assert_allclose(atlas.field.bounds_m[0], -atlas.field.bounds_m[1])
    found = np.unique(np.round(np.abs(atlas.offsets_xy[:, 0]), 6))
    np.testing.assert_allclose(found, [221 * 0.05 / 2])


def test_many_tiles_stay_near_the_origin():
    """123 scenes as in the original, where they reached kilometres."""
    tiles = tiles_of(5, count=123)
    atlas = build_atlas(tiles, margin_m=1.0)
    rows, columns = atlas.field.height_m.shape
    assert 0.7 < rows / columns < 1.4
    needed = sum((t.height_m.shape[0] + 20) * (t.height_m.shape[1] + 20) for t in tiles)
    assert needed / (rows * columns) > 0.8
    reach_m = np.float32(atlas.reach_m)
    assert np.spacing(reach_m) < 1e-4
    places = np.random.default_rng(0).uniform(-reach_m, reach_m, 1000)
    assert np.abs(places.astype(np.float32) - places).max() < 1e-4


@pytest.mark.parametrize("count", [1, 2, 3, 5, 12, 100])
def test_equal_sizes_make_a_square(count):
    (rows, columns), slots = pack([(10, 10)] * count)
    assert max(rows, columns) <= 10 * np.ceil(np.sqrt(count))
    assert sum(slot.rows * slot.columns for slot in slots) == rows * columns


def test_every_cell_of_the_area_has_one_owner():
    rng = np.random.default_rng(0)
    for _ in range(20):
        sizes = [(int(r), int(c)) for r, c in rng.integers(1, 40, (13, 2))]
        shape, slots = pack(sizes)
        owners = np.zeros(shape, int)
        for size, slot in zip(sizes, slots, strict=True):
            assert slot.rows >= size[0] and slot.columns >= size[1]
            rows = slice(slot.row, slot.row + slot.rows)
            owners[rows, slot.column : slot.column + slot.columns] += 1
        assert owners.min() == owners.max() == 1


def test_too_much_memory_names_a_cell_size_that_fits():
    def tiles(cell_m):
        return [
            terrain_from_spec(f"rough:seed={seed},cell_m={cell_m}") for seed in range(6)
        ]

    with pytest.raises(UserError) as refused:
        build_atlas(tiles(0.05), copies=2, max_megabytes=1.0)
    message = str(refused.value)
    assert message.startswith("terrain atlas of 6 tiles: 2.344 MB are needed, more ")
    assert message.endswith(" instead of 0.05 m would fit or fewer copies than 2")
    fits_m = message.split("cells of ")[1].split(" m instead")[0]
    assert 0.07 < float(fits_m) < 0.09
    assert build_atlas(tiles(fits_m), copies=2, max_megabytes=1.0).megabytes <= 1.0


FLAT = height_field(np.zeros((3, 3)), 0.05, name="flat")


@pytest.mark.parametrize(
    ("tiles", "more", "message"),
    [
        ([], {}, "terrain atlas: there are no tiles"),
        (
            [FLAT, height_field(np.zeros((3, 3)), 0.1, name="coarse")],
            {},
            "coarse has cells of 0.1 m and flat of 0.05 m; give all the same cell_m",
        ),
        (
            [FLAT],
            {"margin_m": 0.0},
            "atlas of 1 tiles: margin_m is 0; it must be above",
        ),
        ([FLAT], {"margin_m": np.nan}, "margin_m is nan"),
        ([FLAT], {"copies": 0}, "copies is 0; it must be 1 or more"),
        ([FLAT], {"max_megabytes": -1.0}, "max_megabytes is -1; it must be above 0 MB"),
        ([FLAT], {"copies": 10**6}, "MB are needed, more than max_megabytes, 64"),
    ],
)
def test_what_is_wrong_is_named(tiles, more, message):
    with pytest.raises(UserError, match=message):
        build_atlas(tiles, **more)
