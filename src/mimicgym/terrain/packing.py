"""Rectangles side by side in a roughly square area."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

Size = tuple[int, int]


@dataclass(frozen=True)
class Slot:
    """Where a rectangle goes, in whole cells.

    Attributes:
      row, column: of its first cell.
      rows, columns: of all that is its own: no less than it needs, and no cell of the
        area is without an owner.
    """

    row: int
    column: int
    rows: int
    columns: int


def pack(sizes: Sequence[Size]) -> tuple[Size, tuple[Slot, ...]]:
    """The area's (rows, columns) and a slot for each of `sizes`, also (rows, columns).

    Rectangles stand on shelves, the deepest first, from left to right. Of the widths
    that the first few would fill, the one whose area has the shortest long side is
    taken, and of several such the smallest area.
    """
    order = sorted(range(len(sizes)), key=lambda i: sizes[i], reverse=True)
    widest = max(columns for _, columns in sizes)
    total = sum(columns for _, columns in sizes)
    # More in a row than this is not square, unless the rectangles are not.
    most = 3 * int(len(sizes) ** 0.5) + 3
    widths = set(list(accumulate(sizes[i][1] for i in order))[:most])
    limits = sorted({max(widest, width) for width in widths} | {total})
    arranged = [_shelves(sizes, order, limit) for limit in limits]
    return min(arranged, key=lambda found: (max(found[0]), found[0][0] * found[0][1]))


def _shelves(
    sizes: Sequence[Size], order: Sequence[int], limit: int
) -> tuple[Size, tuple[Slot, ...]]:
    """As `pack`, no shelf longer than `limit` columns."""
    shelves: list[list[int]] = []
    room = 0
    for i in order:
        if not shelves or sizes[i][1] > room:
            shelves.append([])
            room = limit
        shelves[-1].append(i)
        room -= sizes[i][1]
    columns = max(sum(sizes[i][1] for i in shelf) for shelf in shelves)
    slots: dict[int, Slot] = {}
    row = 0
    for shelf in shelves:
        depth = sizes[shelf[0]][0]
        column = 0
        for i in shelf:
            # What is left at the end of a shelf belongs to its last rectangle.
            own = columns - column if i == shelf[-1] else sizes[i][1]
            slots[i] = Slot(row, column, depth, own)
            column += own
        row += depth
    return (row, columns), tuple(slots[i] for i in range(len(sizes)))
