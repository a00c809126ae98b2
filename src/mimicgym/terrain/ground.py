"""Grounds without edges: flat, rough, a slope, waves."""

import math
from dataclasses import dataclass

import numpy as np

from mimicgym.terrain.arguments import require, require_positive
from mimicgym.terrain.field import bilinear
from mimicgym.terrain.procedural import Area, away_from_start, generators

# Of VideoMimic's rough grounds 1 to 4: the highest, the distance between the corners of
# its mesh, and how many octaves of noise. It does not tell the last two of all of them.
_ROUGH = {
    1: (0.01, 9.0 / 99.0, 2),
    2: (0.035, 9.0 / 49.0, 3),
    3: (0.1, 9.0 / 49.0, 4),
    4: (0.125, 9.0 / 49.0, 4),
}
# From the flat start to the ground's full height.
_BLEND_M = 0.5
_STEEPEST_DEG = 60.0


@dataclass(frozen=True)
class Flat(Area):
    """Parameters of `flat`."""


@dataclass(frozen=True)
class Rough(Area):
    """Parameters of `rough`."""

    difficulty: int = 1
    """1 to 4: heights of plus and minus 0.01, 0.035, 0.1 or 0.125 m."""
    seed: int = 0
    """Another one, another ground."""


@dataclass(frozen=True)
class Slope(Area):
    """Parameters of `slope`."""

    angle_deg: float = 10.0
    """Of the slope; negative goes down."""
    run_m: float = 2.0
    """Its length, measured along x; level from there on."""


@dataclass(frozen=True)
class Waves(Area):
    """Parameters of `waves`."""

    amplitude_m: float = 0.1
    """Of the highest and the lowest places."""
    wavelength_m: float = 2.0
    """From crest to crest, along x and along y."""


@generators(Flat)
def flat(cfg: Flat, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Level at z = 0."""
    return np.zeros(x.shape)


@generators(Rough)
def rough(cfg: Rough, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bumps and hollows at random, of four difficulties.

    Value noise: octaves of random numbers on grids, bilinear between them. The finest
    grid is as fine as VideoMimic's mesh; each coarser one has twice the distance and
    twice the height. The highest place is at the stated height and the lowest at minus
    the stated height.
    """
    choices = f"one of {', '.join(map(str, _ROUGH))}"
    require("rough", cfg.difficulty in _ROUGH, "difficulty", cfg.difficulty, choices)
    require("rough", cfg.seed >= 0, "seed", cfg.seed, "0 or more")
    height_m, spacing_m, octaves = _ROUGH[cfg.difficulty]
    rng = np.random.default_rng(cfg.seed)
    noise = np.zeros(x.shape)
    for octave in reversed(range(octaves)):
        noise += 2.0**octave * _value_noise(rng, spacing_m * 2.0**octave, x, y)
    noise -= noise.mean()
    noise *= away_from_start(cfg, x, y, _BLEND_M)
    # The two halves are scaled apart, which keeps 0 at 0.
    deepest, highest = -noise.min(), noise.max()
    scale = np.where(noise < 0.0, deepest, highest)
    return height_m * noise / np.where(scale > 0.0, scale, 1.0)


@generators(Slope)
def slope(cfg: Slope, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Up (or down) in the direction +x, from where the flat area ends."""
    steepest = f"from {-_STEEPEST_DEG:g} to {_STEEPEST_DEG:g} degrees"
    holds = abs(cfg.angle_deg) <= _STEEPEST_DEG
    require("slope", holds, "angle_deg", cfg.angle_deg, steepest)
    require_positive("slope", "run_m", cfg.run_m)
    grade = math.tan(math.radians(cfg.angle_deg))
    return grade * (x - cfg.flat_radius_m).clip(0.0, cfg.run_m)


@generators(Waves)
def waves(cfg: Waves, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Sine waves along x and along y, added."""
    require_positive("waves", "amplitude_m", cfg.amplitude_m)
    allowed = f"4 cells, {4.0 * cfg.cell_m:g} m, or more"
    holds = 4.0 * cfg.cell_m <= cfg.wavelength_m < math.inf
    require("waves", holds, "wavelength_m", cfg.wavelength_m, allowed)
    turns = 2.0 * math.pi / cfg.wavelength_m
    z = 0.5 * cfg.amplitude_m * (np.sin(turns * x) + np.sin(turns * y))
    return z * away_from_start(cfg, x, y, _BLEND_M)


def _value_noise(
    rng: np.random.Generator, spacing_m: float, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """(R, C) from -1 to 1: random at the corners of a grid, bilinear between them."""
    low = np.array([x.min(), y.min()])
    size = np.array([x.max(), y.max()]) - low
    columns, rows = np.ceil(size / spacing_m).astype(int) + 1
    corners = rng.uniform(-1.0, 1.0, (max(rows, 2), max(columns, 2)))
    return bilinear(corners, (np.stack([x, y], axis=-1) - low) / spacing_m)
