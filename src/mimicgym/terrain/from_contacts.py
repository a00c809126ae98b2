"""The ground that a motion must have been on, from where its feet rest.

A motion on stairs often comes without the stairs. Wherever a foot stays where it is,
something carries it:

1. A foot rests while a point of its sole is slower than 0.3 m/s and the sole looks
   down, for 0.1 s or more. Its height is the median of its lowest point.
2. No foot goes through the ground, so what the soles pass over is an upper bound. A
   rest that is above it was in the air (a leg held up), and is left out. So is one
   during which the other foot rests lower down, from before it until after it.
3. Rests that differ by no more than 3 cm get one height: a floor is level.
4. Each cell gets the height of the nearest rest that is not above the bound of 2.
   Sideways counts a quarter, as treads are wide; a foot's own place is its own.

What no foot touches is a guess, steps are as deep as the feet leave open, and a slope
becomes a staircase. Heights are the motion's own, so its drift goes into the ground.
"""

from dataclasses import dataclass

import numpy as np

from mimicgym.errors import UserError
from mimicgym.terrain.arguments import (
    MAX_MEGABYTES,
    require,
    require_memory,
    require_positive,
)
from mimicgym.terrain.field import HeightField, height_field

CELL_M = 0.02
MARGIN_M = 1.0
_REST_M_S = 0.3
_REST_S = 0.1
_FACING_DOWN = 0.5  # cosine of 60 degrees
_LEVEL_M = 0.03
_SIDEWAYS = 0.25
# Points along each line from one point of a sole to another.
_ALONG = np.linspace(0.0, 1.0, 9)


@dataclass(frozen=True)
class Rest:
    """A foot that stayed where it was.

    Attributes:
      foot: 0 for the left one.
      start, stop: frames, the last one excluded.
      height_m: of the ground under it.
      places_xy: (S, 2) m, places all over the part of the sole that rested.
      forward_xy: (2,) unit vector, which way the feet point.
    """

    foot: int
    start: int
    stop: int
    height_m: float
    places_xy: np.ndarray
    forward_xy: np.ndarray

    @property
    def frames(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class ContactGround:
    """A ground and what it was made of.

    Attributes:
      field: the heights.
      rests: what they are from.
      in_air: how many rests were left out.
    """

    field: HeightField
    rests: tuple[Rest, ...]
    in_air: int

    @property
    def levels_m(self) -> tuple[float, ...]:
        """The different heights, from below."""
        return tuple(sorted({rest.height_m for rest in self.rests}))


def ground_from_soles(
    soles_w: np.ndarray,
    foot_up: np.ndarray,
    dt_s: float,
    *,
    cell_m: float = CELL_M,
    margin_m: float = MARGIN_M,
    name: str = "motion",
    max_megabytes: float = MAX_MEGABYTES,
) -> ContactGround:
    """The ground under a motion.

    Args:
      soles_w: (T, 2, P, 3) lowest points of the left and right sole in m, the first
        half of the P at the heel and the second at the toes.
      foot_up: (T, 2) height of the feet's unit z axes, 1 with the sole flat.
      dt_s: time between frames.
      cell_m: size of a cell. Next to a foot's place an edge is a cell wide.
      margin_m: how far the field goes beyond all that feet pass over.
      name: the field's, for messages.
      max_megabytes: the most that the field may take.

    Raises:
      UserError: no foot ever rests, or an argument is wrong.
    """
    require_positive(name, "cell_m", cell_m)
    require(name, 0 <= margin_m < np.inf, "margin_m", margin_m, "0 m or more")
    found = _rests(soles_w, foot_up, dt_s)
    over_xy = soles_w[..., :2].reshape(-1, 2)
    # A cell more, so that what is around a foot's place is always on the field.
    first = np.floor((over_xy.min(axis=0) - margin_m) / cell_m) - 1
    last = np.ceil((over_xy.max(axis=0) + margin_m) / cell_m) + 1
    columns, rows = (int(n) for n in last - first + 1)
    require_memory(name, rows, columns, cell_m, max_megabytes)
    origin_xy = first * cell_m
    ceiling_m = _ceiling(soles_w, origin_xy, cell_m, (rows, columns))
    kept = [
        rest
        for rest in found
        if not _is_passed_below(rest, ceiling_m, origin_xy, cell_m)
        and not any(_carries(other, rest) for other in found)
    ]
    if not kept:
        raise UserError(
            f"{name}: no foot rests anywhere for {_REST_S:g} s, slower than "
            f"{_REST_M_S:g} m/s, so nothing tells of the ground"
        )
    rests = _levelled(kept)
    in_air = len(found) - len(rests)
    levels = len({rest.height_m for rest in rests})
    note = f"estimated from {len(rests)} rests of the feet, at {levels} heights"
    field = height_field(
        _filled(rests, ceiling_m, origin_xy, cell_m),
        cell_m,
        origin_xy,
        name=name,
        notes=(note,),
        max_megabytes=max_megabytes,
    )
    return ContactGround(field, rests, in_air)


def _rests(soles_w: np.ndarray, foot_up: np.ndarray, dt_s: float) -> list[Rest]:
    points = soles_w.shape[2]
    speed = np.linalg.norm(np.gradient(soles_w, dt_s, axis=0), axis=-1)
    toes, heels = soles_w[:, :, points // 2 :, :2], soles_w[:, :, : points // 2, :2]
    forward_xy = (toes.mean(axis=2) - heels.mean(axis=2)).mean(axis=1)
    # Standing still shorter than this is a foot that turns around in the air.
    least = max(2, round(_REST_S / dt_s))
    rests = []
    for foot in range(2):
        height_m = soles_w[:, foot, :, 2]
        lowest_m = height_m.min(axis=1)
        still = (speed[:, foot] < _REST_M_S) & (height_m < lowest_m[:, None] + _LEVEL_M)
        still &= (foot_up[:, foot] > _FACING_DOWN)[:, None]
        for start, stop in _runs(still.any(axis=1)):
            if stop - start < least:
                continue
            there, there_xy = still[start:stop], soles_w[start:stop, foot, :, :2]
            corners = [
                np.median(there_xy[there[:, p], p], axis=0)
                for p in range(points)
                if there[:, p].any()
            ]
            ahead = forward_xy[start:stop].mean(axis=0)
            rests.append(
                Rest(
                    foot,
                    start,
                    stop,
                    float(np.median(lowest_m[start:stop])),
                    _between(np.array(corners)),
                    ahead / max(float(np.linalg.norm(ahead)), 1e-9),
                )
            )
    return rests


def _between(points: np.ndarray) -> np.ndarray:
    """(S, D) places on all lines between (P, D) points."""
    i, j = np.triu_indices(len(points))
    lines = points[i, None] + _ALONG[:, None] * (points[j] - points[i])[:, None]
    return lines.reshape(-1, points.shape[-1])


def _ceiling(
    soles_w: np.ndarray, origin_xy: np.ndarray, cell_m: float, shape: tuple[int, int]
) -> np.ndarray:
    """(R, C) the lowest that a sole is over each cell or one beside it."""
    ceiling_m = np.full(shape, np.inf)
    for sole_w in soles_w.reshape(-1, *soles_w.shape[2:]):
        places_w = _between(sole_w)
        low = np.floor((places_w[:, :2] - origin_xy) / cell_m).astype(int)
        for down in (0, 1):
            for right in (0, 1):
                at = low[:, 1] + down, low[:, 0] + right
                np.minimum.at(ceiling_m, at, places_w[:, 2])
    return ceiling_m


def _carries(other: Rest, rest: Rest) -> bool:
    """Whether the robot stands on another foot all the while, lower down."""
    around = other.start < rest.start and rest.stop < other.stop
    lower = other.height_m < rest.height_m - _LEVEL_M
    return around and lower and other.foot != rest.foot


def _is_passed_below(
    rest: Rest, ceiling_m: np.ndarray, origin_xy: np.ndarray, cell_m: float
) -> bool:
    """Whether soles are far below it, where it is, at some time."""
    column, row = np.round((rest.places_xy - origin_xy) / cell_m).astype(int).T
    below_m = np.median(rest.height_m - ceiling_m[row, column])
    return bool(below_m > 2 * _LEVEL_M)


def _levelled(rests: list[Rest]) -> tuple[Rest, ...]:
    """Rests with one height for all whose heights are as good as the same."""
    order = sorted(rests, key=lambda rest: rest.height_m)
    levels: list[list[Rest]] = []
    for rest in order:
        if not levels or rest.height_m - levels[-1][0].height_m > _LEVEL_M:
            levels.append([])
        levels[-1].append(rest)
    found = []
    for level in levels:
        frames = [rest.frames for rest in level]
        height_m = float(np.average([rest.height_m for rest in level], weights=frames))
        found += [
            Rest(r.foot, r.start, r.stop, height_m, r.places_xy, r.forward_xy)
            for r in level
        ]
    return tuple(sorted(found, key=lambda rest: rest.start))


def _filled(
    rests: tuple[Rest, ...], ceiling_m: np.ndarray, origin_xy: np.ndarray, cell_m: float
) -> np.ndarray:
    """(R, C) the height of the nearest rest that the soles leave room for."""
    rows, columns = ceiling_m.shape
    x, y = np.meshgrid(
        origin_xy[0] + cell_m * np.arange(columns),
        origin_xy[1] + cell_m * np.arange(rows),
    )
    nearest_m = np.full(ceiling_m.shape, np.inf)
    # Where all rests are above the soles, the soles are all there is to go by.
    height_m = np.where(
        np.isfinite(ceiling_m), ceiling_m, min(rest.height_m for rest in rests)
    )
    for rest in rests:
        away_m = np.full(ceiling_m.shape, np.inf)
        own = np.zeros(ceiling_m.shape, bool)
        cos, sin = rest.forward_xy
        for place in rest.places_xy:
            dx, dy = x - place[0], y - place[1]
            ahead, aside = cos * dx + sin * dy, cos * dy - sin * dx
            np.minimum(away_m, np.hypot(ahead, _SIDEWAYS * aside), out=away_m)
            own |= (np.abs(dx) < cell_m) & (np.abs(dy) < cell_m)
        away_m[own] = 0.0
        room = own | (rest.height_m <= ceiling_m + _LEVEL_M)
        closer = room & (away_m < nearest_m)
        nearest_m[closer] = away_m[closer]
        height_m[closer] = rest.height_m
    return height_m


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """[start, stop) of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
