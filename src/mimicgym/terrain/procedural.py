"""What a procedural ground is: a function of its parameters and of where to stand.

A generator is a function `(cfg, x, y) -> z` of a frozen dataclass of parameters, a
subclass of `Area`, and the (R, C) coordinates of all cells in m. Its name is the
ground's, its parameters' defaults are the ground's, and chance comes from nothing but
`numpy.random.default_rng(cfg.seed)`. The start is at (0, 0).

    @generators(Waves)
    def waves(cfg, x, y): ...
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from mimicgym.errors import unknown_name
from mimicgym.terrain.arguments import (
    MAX_MEGABYTES,
    require,
    require_memory,
    require_positive,
)
from mimicgym.terrain.field import HeightField, height_field

Generator = Callable[..., np.ndarray]
G = TypeVar("G", bound=Generator)
# Coordinates that are whole multiples of something are off by less, in m.
ROUNDING_M = 1e-9


@dataclass(frozen=True)
class Area:
    """What all procedural grounds have."""

    length_m: float = 9.0
    """Along x; rounded so that the start is at a cell's centre."""
    width_m: float = 9.0
    """Along y, likewise."""
    cell_m: float = 0.05
    """Size of a cell."""
    flat_radius_m: float = 1.0
    """About the start, as far as this, the ground is flat at z = 0."""


class Generators:
    """Generators by name, in the order of their definition."""

    def __init__(self):
        self._known: dict[str, tuple[Generator, type[Area]]] = {}

    def __call__(self, parameters: type[Area]) -> Callable[[G], G]:
        """Decorator: register a generator under its own name."""

        def register(generator: G) -> G:
            self._known[generator.__name__] = generator, parameters
            return generator

        return register

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def parameters(self, name: str) -> type[Area]:
        """The dataclass of a ground's parameters.

        Raises:
          UserError: there is no such ground.
        """
        if name not in self._known:
            raise unknown_name("terrain", name, self._known)
        return self._known[name][1]

    def summary(self, name: str) -> str:
        """The first line of a generator's docstring."""
        return (self._known[name][0].__doc__ or "").strip().splitlines()[0]

    def generate(
        self, name: str, cfg: Area | None = None, max_megabytes: float = MAX_MEGABYTES
    ) -> HeightField:
        """A ground, with the middle of the field at (0, 0).

        Args:
          name: of the ground.
          cfg: its parameters; the defaults of its class if None.
          max_megabytes: the most that the field may take.

        Raises:
          UserError: there is no such ground, or a parameter is wrong.
        """
        kind = self.parameters(name)
        cfg = kind() if cfg is None else cfg
        require(name, type(cfg) is kind, "cfg", cfg, f"parameters, a {kind.__name__}")
        x, y = _coordinates(name, cfg, max_megabytes)
        z = np.where(
            np.hypot(x, y) <= cfg.flat_radius_m + ROUNDING_M,
            0.0,
            self._known[name][0](cfg, x, y),
        )
        told = describe(name, cfg)
        return height_field(z, cfg.cell_m, name=told, max_megabytes=max_megabytes)


generators = Generators()


def describe(name: str, cfg: Area) -> str:
    """A ground with those parameters that are not its defaults: "rough:seed=3"."""
    changed = [
        f"{field.name}={getattr(cfg, field.name)}"
        for field in dataclasses.fields(cfg)
        if getattr(cfg, field.name) != field.default
    ]
    return name + (":" + ",".join(changed) if changed else "")


def away_from_start(cfg: Area, x: np.ndarray, y: np.ndarray, over_m: float):
    """(R, C) from 0 on the flat area to 1 at `over_m` beyond it, without a corner."""
    t = ((np.hypot(x, y) - cfg.flat_radius_m) / over_m).clip(0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _coordinates(
    name: str, cfg: Area, max_megabytes: float
) -> tuple[np.ndarray, np.ndarray]:
    """(R, C) x and (R, C) y of all cells, 0 at the middle one."""
    require_positive(name, "cell_m", cfg.cell_m)
    for argument in ("length_m", "width_m"):
        value = getattr(cfg, argument)
        holds = 2.0 * cfg.cell_m <= value < math.inf
        require(name, holds, argument, value, f"2 cells, {2 * cfg.cell_m:g} m, or more")
    radius_m = cfg.flat_radius_m
    require(name, 0.0 <= radius_m < math.inf, "flat_radius_m", radius_m, "0 m or more")
    columns = round(cfg.length_m / cfg.cell_m / 2.0)
    rows = round(cfg.width_m / cfg.cell_m / 2.0)
    require_memory(name, 2 * rows + 1, 2 * columns + 1, cfg.cell_m, max_megabytes)
    x = np.arange(-columns, columns + 1) * cfg.cell_m
    y = np.arange(-rows, rows + 1) * cfg.cell_m
    return np.broadcast_to(x, (len(y), len(x))), np.broadcast_to(
        y[:, None], (len(y), len(x))
    )
