"""Ground as one height for each cell of a grid."""

from dataclasses import dataclass

import numpy as np

from mimicgym.errors import UserError
from mimicgym.terrain.arguments import (
    MAX_MEGABYTES,
    megabytes,
    require,
    require_memory,
    require_positive,
)

# Of a physics engine's height field, and of what a robot could stand on.
_HIGHEST_M = 1e4


@dataclass(frozen=True, eq=False)
class HeightField:
    """Heights at the centres of square cells; between centres they are interpolated.

    Made by `height_field`, which checks.

    Attributes:
      height_m: (R, C) float32, row r is at y and column c at x of `origin_xy` plus
        `cell_m` times (c, r).
      cell_m: from one centre to the next, along x and along y.
      origin_xy: (2,) where the centre of cell (0, 0) is, in m.
      name: how messages call it.
      notes: sentences on what was done to make it, that a user should know.
    """

    height_m: np.ndarray
    cell_m: float
    origin_xy: np.ndarray
    name: str = "terrain"
    notes: tuple[str, ...] = ()

    @property
    def length_m(self) -> float:
        """Along x, from the first centre to the last."""
        return (self.height_m.shape[1] - 1) * self.cell_m

    @property
    def width_m(self) -> float:
        """Along y, from the first centre to the last."""
        return (self.height_m.shape[0] - 1) * self.cell_m

    @property
    def bounds_m(self) -> np.ndarray:
        """(2, 2) the first centre's x and y, and the last centre's."""
        size = np.array([self.length_m, self.width_m])
        return np.stack([self.origin_xy, self.origin_xy + size])

    @property
    def megabytes(self) -> float:
        """What the heights take, in units of 1e6 bytes."""
        return megabytes(*self.height_m.shape)

    def at(self, xy: np.ndarray) -> np.ndarray:
        """(...) heights in m at (..., 2) places, bilinear between the four centres.

        Off the field it is the height of the nearest place on its edge, and NaN at a
        place that is NaN.
        """
        xy = np.asarray(xy, dtype=np.float64)
        return bilinear(self.height_m, (xy - self.origin_xy) / self.cell_m)

    def slope(self) -> np.ndarray:
        """(R, C) the steepest rise over run at each centre, by central differences."""
        along_y, along_x = np.gradient(self.height_m, self.cell_m)
        return np.hypot(along_x, along_y)


def height_field(
    height_m: np.ndarray,
    cell_m: float,
    origin_xy: np.ndarray | None = None,
    *,
    name: str = "terrain",
    notes: tuple[str, ...] = (),
    max_megabytes: float = MAX_MEGABYTES,
) -> HeightField:
    """A field that has been checked, with a copy of the heights that can't be changed.

    Args:
      height_m: (R, C) in m, [row = y, column = x], at least 2 x 2.
      cell_m: size of a cell.
      origin_xy: (2,) where the centre of cell (0, 0) is; by default so that the field's
        middle is at (0, 0).
      name, notes: see `HeightField`.
      max_megabytes: the most that the heights may take.

    Raises:
      UserError: something is wrong; the message names field and value.
    """
    require_positive(name, "cell_m", cell_m)
    heights = np.asarray(height_m)
    if heights.ndim != 2 or min(heights.shape) < 2:
        raise UserError(
            f"{name}: height_m has shape {heights.shape}; rows and columns are needed, "
            f"at least 2 x 2"
        )
    rows, columns = heights.shape
    require_memory(name, rows, columns, cell_m, max_megabytes)
    try:
        # The copy is the field's own, whatever happens to the caller's array.
        with np.errstate(over="ignore"):
            heights = np.array(heights, dtype=np.float32, order="C")
    except (TypeError, ValueError):
        kind = np.asarray(height_m).dtype
        raise UserError(f"{name}: height_m holds {kind}, not numbers") from None
    # The comparison is False for NaN.
    bad = np.argwhere(~(np.abs(heights) <= _HIGHEST_M))
    if len(bad):
        row, column = bad[0]
        raise UserError(
            f"{name}: height_m has {len(bad)} values that are not finite or beyond "
            f"{_HIGHEST_M:g} m, the first is {heights[row, column]:g} in row {row}, "
            f"column {column}"
        )
    if origin_xy is None:
        origin = -0.5 * cell_m * np.array([columns - 1, rows - 1])
    else:
        origin = np.array(origin_xy, dtype=np.float64)
        holds = origin.shape == (2,) and bool(np.isfinite(origin).all())
        require(name, holds, "origin_xy", origin_xy, "2 finite numbers, in m")
    heights.setflags(write=False)
    origin.setflags(write=False)
    return HeightField(heights, float(cell_m), origin, name, notes)


def bilinear(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(...) values between those of a grid; off the grid, those of its edge.

    Args:
      values: (R, C).
      at: (..., 2) column and row, which need not be whole numbers; NaN gives NaN.
    """
    last = np.array(values.shape[::-1]) - 1
    at = np.clip(at, 0.0, last)
    # The last centre belongs to the last cell, at its far end.
    low = np.minimum(np.nan_to_num(at).astype(np.int64), last - 1)
    u, v = np.moveaxis(at - low, -1, 0)
    c, r = np.moveaxis(low, -1, 0)
    near = (1.0 - u) * values[r, c] + u * values[r, c + 1]
    far = (1.0 - u) * values[r + 1, c] + u * values[r + 1, c + 1]
    return (1.0 - v) * near + v * far
