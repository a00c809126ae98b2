"""All grounds of a run as one height field, each at a place of its own."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mimicgym.errors import UserError
from mimicgym.terrain.arguments import (
    MAX_MEGABYTES,
    megabytes,
    require,
    require_positive,
    rounded_up,
)
from mimicgym.terrain.field import HeightField, height_field
from mimicgym.terrain.packing import Slot, pack

MARGIN_M = 1.0


@dataclass(frozen=True, eq=False)
class Atlas:
    """Tiles side by side; made by `build_atlas`.

    Attributes:
      field: the heights of all of them, with the middle at (0, 0).
      offsets_xy: (tiles, copies, 2) where each tile's own origin is, in m. What is at
        `p` on tile i is at `p + offsets_xy[i, k]` on copy k of it.
      surfaces: how many different ones there are; equal tiles share theirs.
      margin_m: how far each tile goes on beyond its edges, with the edge's heights.
    """

    field: HeightField
    offsets_xy: np.ndarray
    surfaces: int
    margin_m: float

    @property
    def megabytes(self) -> float:
        """What the heights take, in units of 1e6 bytes."""
        return self.field.megabytes

    @property
    def reach_m(self) -> float:
        """The largest coordinate there is, along x or y."""
        return float(np.abs(self.field.bounds_m).max())

    def height_at(self, xy: np.ndarray) -> np.ndarray:
        """(...) heights in m at (..., 2) places, as `HeightField.at`."""
        return self.field.at(xy)


def build_atlas(
    tiles: Sequence[HeightField],
    *,
    margin_m: float = MARGIN_M,
    copies: int = 1,
    max_megabytes: float = MAX_MEGABYTES,
) -> Atlas:
    """One field that holds all tiles, cell for cell as they are.

    Tiles are surrounded by a margin in which their edges' heights go on, so what is up
    to `margin_m` beyond an edge is `HeightField.at` of the tile there. Where margins
    of two tiles meet there may be a step. Tiles are arranged in a rough square about
    (0, 0), so that coordinates stay small.

    Args:
      tiles: with cells of one size.
      margin_m: rounded up to whole cells, at least one.
      copies: how many times each surface is there.
      max_megabytes: the most that the heights may take.

    Raises:
      UserError: there are no tiles, their cells differ, or an argument is wrong or too
        much memory would be needed.
    """
    if not tiles:
        raise UserError("terrain atlas: there are no tiles")
    cell_m = tiles[0].cell_m
    for tile in tiles:
        if not math.isclose(tile.cell_m, cell_m, rel_tol=1e-6):
            raise UserError(
                f"terrain atlas: {tile.name} has cells of {tile.cell_m:g} m and "
                f"{tiles[0].name} of {cell_m:g} m; give all the same cell_m"
            )
    name = f"terrain atlas of {len(tiles)} tiles"
    require_positive(name, "margin_m", margin_m)
    require(name, copies >= 1, "copies", copies, "1 or more")
    margin = math.ceil(margin_m / cell_m - 1e-6)
    surfaces, which = _distinct(tiles)
    sizes = [(s.shape[0] + 2 * margin, s.shape[1] + 2 * margin) for s in surfaces]
    # Far too many are refused before they are arranged, which takes time.
    at_least = copies * sum(rows * columns for rows, columns in sizes)
    _require_memory(name, at_least, cell_m, copies, max_megabytes)
    shape, slots = pack(sizes * copies)
    _require_memory(name, shape[0] * shape[1], cell_m, copies, max_megabytes)
    heights = np.empty(shape, np.float32)
    for index, slot in enumerate(slots):
        _place(heights, slot, surfaces[index % len(surfaces)], margin)
    field = height_field(heights, cell_m, name=name, max_megabytes=max_megabytes)
    offsets_xy = np.empty((len(tiles), copies, 2))
    for i, tile in enumerate(tiles):
        for k in range(copies):
            slot = slots[k * len(surfaces) + which[i]]
            first = np.array([slot.column + margin, slot.row + margin])
            offsets_xy[i, k] = field.origin_xy + cell_m * first - tile.origin_xy
    offsets_xy.setflags(write=False)
    return Atlas(field, offsets_xy, len(surfaces), margin * cell_m)


def _distinct(tiles: Sequence[HeightField]) -> tuple[list[np.ndarray], list[int]]:
    """The different surfaces among tiles, and which of them is whose."""
    known: dict[tuple[tuple[int, ...], bytes], int] = {}
    surfaces: list[np.ndarray] = []
    which: list[int] = []
    for tile in tiles:
        digest = hashlib.sha256(tile.height_m.tobytes()).digest()
        key = (tile.height_m.shape, digest)
        if key not in known:
            known[key] = len(surfaces)
            surfaces.append(tile.height_m)
        which.append(known[key])
    return surfaces, which


def _require_memory(
    name: str, cells: int, cell_m: float, copies: int, max_megabytes: float
) -> None:
    require_positive(name, "max_megabytes", max_megabytes, "MB")
    needed = megabytes(1, cells)
    if needed > max_megabytes:
        # Margins are whole cells and fit a little worse when cells are larger.
        fits_m = rounded_up(1.02 * cell_m * math.sqrt(needed / max_megabytes))
        fewer = f" or fewer copies than {copies}" if copies > 1 else ""
        raise UserError(
            f"{name}: {needed:.4g} MB are needed, more than max_megabytes, "
            f"{max_megabytes:g}; cells of {fits_m:g} m instead of {cell_m:g} m would "
            f"fit{fewer}"
        )


def _place(heights: np.ndarray, slot: Slot, surface: np.ndarray, margin: int) -> None:
    """Fill a slot with a surface, `margin` cells from its first ones, and its edges."""
    rows, columns = surface.shape
    after_rows = slot.rows - rows - margin
    after_columns = slot.columns - columns - margin
    heights[
        slot.row : slot.row + slot.rows, slot.column : slot.column + slot.columns
    ] = np.pad(surface, ((margin, after_rows), (margin, after_columns)), mode="edge")
