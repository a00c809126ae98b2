"""Triangles seen from above: the height of the top-most one over each cell's centre."""

from collections.abc import Iterator

import numpy as np

# Of a cell: centres this close to an edge are under the triangle, so that no centre
# falls between two triangles that share the edge, and a scene that ends at a centre in
# float32 reaches it.
SLACK = 1e-4
# Cells and rows of triangles that are worked on at a time.
_CHUNK = 1_000_000


def top_heights(
    vertices: np.ndarray, faces: np.ndarray, rows: int, columns: int
) -> np.ndarray:
    """(R, C) height of the top-most triangle over each cell's centre, -inf for none.

    Each triangle is cut along the rows of cells that cross it; of each cut, between its
    two ends, all cells get the height that is linear from end to end. That needs no
    division by the triangle's steepness, so walls that are almost upright do no harm.
    Upright ones have no area from above and are left out.

    Args:
      vertices: (V, 3) x in columns, y in rows, both from the centre of cell (0, 0), and
        z in m.
      faces: (F, 3) rows of `vertices`.
      rows, columns: of cells.
    """
    corners = vertices[faces]
    a, b, c = corners[..., :2].swapaxes(0, 1)
    (ux, uy), (vx, vy) = (b - a).T, (c - a).T
    corners = corners[ux * vy - uy * vx != 0.0]
    # Both triangles at an edge have to cut it alike, to the last bit.
    order = np.lexsort((corners[..., 0], corners[..., 1]), axis=-1)
    corners = np.take_along_axis(corners, order[..., None], axis=1)
    first = np.ceil(corners[:, 0, 1] - SLACK).clip(0, rows).astype(np.int64)
    last = np.floor(corners[:, 2, 1] + SLACK).clip(-1, rows - 1).astype(np.int64)
    top = np.full(rows * columns, -np.inf)
    for which, row in _expand(first, last):
        left, right = _cuts(corners[which], row)
        start = np.ceil(left[:, 0] - SLACK).clip(0, columns).astype(np.int64)
        stop = np.floor(right[:, 0] + SLACK).clip(-1, columns - 1).astype(np.int64)
        span = right[:, 0] - left[:, 0]
        for cut, column in _expand(start, stop):
            along = (column - left[cut, 0]) / np.maximum(span[cut], 1e-300)
            along = along.clip(0.0, 1.0)
            z = (1.0 - along) * left[cut, 1] + along * right[cut, 1]
            np.maximum.at(top, row[cut] * columns + column, z)
    return top.reshape(rows, columns)


def _cuts(corners: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) x and z of the left ends and of the right ends of cuts along rows.

    Args:
      corners: (N, 3, 3) of triangles, sorted by y.
      row: (N,) which to cut each along.
    """
    low, middle, high = corners.swapaxes(0, 1)
    row = row.clip(low[:, 1], high[:, 1])
    long_side = _crossing(low, high, row)
    # Where the middle corner is at the height of another, that edge is never asked.
    below = (row < middle[:, 1])[:, None]
    short_side = np.where(
        below, _crossing(low, middle, row), _crossing(middle, high, row)
    )
    swap = (short_side[:, 0] < long_side[:, 0])[:, None]
    return (
        np.where(swap, short_side, long_side),
        np.where(swap, long_side, short_side),
    )


def _crossing(low: np.ndarray, high: np.ndarray, row: np.ndarray) -> np.ndarray:
    """(N, 2) x and z where edges between (N, 3) corners cross rows."""
    height = np.maximum(high[:, 1] - low[:, 1], 1e-300)
    along = ((row - low[:, 1]) / height).clip(0.0, 1.0)[:, None]
    return (1.0 - along) * low[:, [0, 2]] + along * high[:, [0, 2]]


def _expand(
    first: np.ndarray, last: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All whole numbers of many ranges, in chunks: (index of the range, number).

    Args:
      first, last: (N,) of each range; there are none in it if last is less.
    """
    count = np.maximum(last - first + 1, 0)
    kept = np.flatnonzero(count)
    ends = np.cumsum(count[kept])
    begin = 0
    while begin < len(kept):
        done = ends[begin - 1] if begin else 0
        # At least one range, however long.
        stop = max(begin + 1, int(np.searchsorted(ends, done + _CHUNK, "right")))
        which = np.repeat(kept[begin:stop], count[kept[begin:stop]])
        before = (ends - count[kept])[begin:stop] - done
        place = np.arange(len(which)) - np.repeat(before, count[kept[begin:stop]])
        yield which, first[which] + place
        begin = stop
