"""Grounds with edges: stairs, boxes, stepping stones, gaps.

Edges are as sharp as cells allow: from one cell's centre to the next.
"""

import math
from dataclasses import dataclass

import numpy as np

from mimicgym.errors import UserError
from mimicgym.terrain.arguments import require, require_positive
from mimicgym.terrain.procedural import ROUNDING_M, Area, generators

_MOST_BOXES = 10_000
_MOST_STEPS = 1000


@dataclass(frozen=True)
class Stairs(Area):
    """Parameters of `stairs`."""

    step_height_m: float = 0.15
    """From one step to the next; negative goes down first."""
    step_depth_m: float = 0.3
    """Of a step, along x."""
    steps: int = 4
    """How many go up."""
    landing_m: float = 0.6
    """Level after the last step's own depth, before the way down."""
    down: bool = True
    """Whether as many steps go down again; or it stays up there."""


@dataclass(frozen=True)
class Boxes(Area):
    """Parameters of `boxes`."""

    boxes: int = 60
    """How many; later ones lie over earlier ones."""
    height_m: float = 0.1
    """Tops are at random between minus and plus this."""
    smallest_m: float = 0.3
    """The shortest side."""
    largest_m: float = 1.0
    """The longest side."""
    seed: int = 0
    """Another one, other boxes."""


@dataclass(frozen=True)
class Stones(Area):
    """Parameters of `stones`."""

    stone_m: float = 0.5
    """Side of a stone."""
    gap_m: float = 0.15
    """Between stones."""
    depth_m: float = 1.0
    """Of what is between them."""
    height_m: float = 0.03
    """Tops are at random between minus and plus this."""
    seed: int = 0
    """Another one, other stones."""


@dataclass(frozen=True)
class Gaps(Area):
    """Parameters of `gaps`."""

    gap_m: float = 0.3
    """Width of a gap, along x."""
    platform_m: float = 1.0
    """Between gaps, along x."""
    depth_m: float = 1.0
    """Of a gap."""


@generators(Stairs)
def stairs(cfg: Stairs, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Steps up in the direction +x from where the flat area ends, and down again."""
    holds = 0.0 < abs(cfg.step_height_m) <= 1.0
    require("stairs", holds, "step_height_m", cfg.step_height_m, "up to 1 m, not 0")
    holds = cfg.cell_m <= cfg.step_depth_m < math.inf
    allowed = f"a cell, {cfg.cell_m:g} m, or more"
    require("stairs", holds, "step_depth_m", cfg.step_depth_m, allowed)
    holds = 1 <= cfg.steps <= _MOST_STEPS
    require("stairs", holds, "steps", cfg.steps, f"from 1 to {_MOST_STEPS}")
    holds = 0.0 <= cfg.landing_m < math.inf
    require("stairs", holds, "landing_m", cfg.landing_m, "0 m or more")
    flight_m = cfg.steps * cfg.step_depth_m
    end_m = cfg.flat_radius_m + flight_m + cfg.landing_m
    if cfg.down:
        end_m += flight_m - cfg.step_depth_m
    if end_m > x.max() + ROUNDING_M:
        raise UserError(
            f"stairs: end at x = {end_m:g} m, beyond the ground's edge at "
            f"{x.max():g} m; length_m must be {2.0 * end_m:g} or more"
        )
    z = _risers(x - cfg.flat_radius_m, cfg)
    if cfg.down:
        z -= _risers(x - (cfg.flat_radius_m + flight_m + cfg.landing_m), cfg)
    return cfg.step_height_m * z


@generators(Boxes)
def boxes(cfg: Boxes, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Boxes and pits at random, with level tops and upright sides."""
    holds = 1 <= cfg.boxes <= _MOST_BOXES
    require("boxes", holds, "boxes", cfg.boxes, f"from 1 to {_MOST_BOXES}")
    require_positive("boxes", "height_m", cfg.height_m)
    require_positive("boxes", "smallest_m", cfg.smallest_m)
    holds = cfg.smallest_m <= cfg.largest_m < math.inf
    allowed = f"smallest_m, {cfg.smallest_m:g} m, or more"
    require("boxes", holds, "largest_m", cfg.largest_m, allowed)
    require("boxes", cfg.seed >= 0, "seed", cfg.seed, "0 or more")
    rng = np.random.default_rng(cfg.seed)
    z = np.zeros(x.shape)
    half = 0.5 * np.array([x.max() - x.min(), y.max() - y.min()])
    for _ in range(cfg.boxes):
        middle = rng.uniform(-half, half)
        side = rng.uniform(cfg.smallest_m, cfg.largest_m, 2)
        inside = np.abs(x - middle[0]) <= 0.5 * side[0]
        inside &= np.abs(y - middle[1]) <= 0.5 * side[1]
        z[inside] = rng.uniform(-cfg.height_m, cfg.height_m)
    return z


@generators(Stones)
def stones(cfg: Stones, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Square stones in rows along x, each row shifted at random, over a pit."""
    require_positive("stones", "stone_m", cfg.stone_m)
    require_positive("stones", "gap_m", cfg.gap_m)
    require_positive("stones", "depth_m", cfg.depth_m)
    holds = 0.0 <= cfg.height_m < cfg.depth_m
    allowed = f"from 0 to depth_m, {cfg.depth_m:g} m"
    require("stones", holds, "height_m", cfg.height_m, allowed)
    require("stones", cfg.seed >= 0, "seed", cfg.seed, "0 or more")
    rng = np.random.default_rng(cfg.seed)
    pitch_m = cfg.stone_m + cfg.gap_m
    along_y = (y - y.min()) / pitch_m + ROUNDING_M
    row = along_y.astype(int)
    along_x = (x - x.min()) / pitch_m + rng.uniform(0.0, 1.0, row.max() + 1)[row]
    column = along_x.astype(int)
    tops = rng.uniform(-1.0, 1.0, (row.max() + 1, column.max() + 1)) * cfg.height_m
    edge = cfg.stone_m / pitch_m
    on_stone = (along_x - column < edge) & (along_y - row < edge)
    return np.where(on_stone, tops[row, column], -cfg.depth_m)


@generators(Gaps)
def gaps(cfg: Gaps, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Gaps across the way, ahead and behind, the first where the flat area ends."""
    require_positive("gaps", "gap_m", cfg.gap_m)
    require_positive("gaps", "platform_m", cfg.platform_m)
    require_positive("gaps", "depth_m", cfg.depth_m)
    beyond_m = np.abs(x) - cfg.flat_radius_m - ROUNDING_M
    within_m = beyond_m % (cfg.gap_m + cfg.platform_m)
    return np.where((beyond_m > 0.0) & (within_m < cfg.gap_m), -cfg.depth_m, 0.0)


def _risers(along_m: np.ndarray, cfg: Stairs) -> np.ndarray:
    """(R, C) how many steps have been taken, the first one right after 0."""
    count = np.ceil((along_m - ROUNDING_M) / cfg.step_depth_m)
    return count.clip(0.0, cfg.steps)
