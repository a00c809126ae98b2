"""Where the terrain scan looks, and how it is turned in an episode."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from mimicgym.envs.config import ObservationConfig
from mimicgym.errors import UserError


@struct.dataclass
class Scan:
    """What terms of the terrain need.

    Attributes:
      turn_rad: (3,) roll, pitch and yaw by which the sensor is off in this episode.
      grid_xy: (n * n, 2) m, places in the torso's heading frame, x fastest.
    """

    turn_rad: jax.Array
    grid_xy: jax.Array


class Scans:
    """Draws the error of an episode."""

    def __init__(self, cfg: ObservationConfig):
        if cfg.scan_cells < 1:
            raise UserError(f"observation.scan_cells is {cfg.scan_cells}; at least 1")
        for name in ("scan_size_m", "scan_tilt", "scan_yaw"):
            if not getattr(cfg, name) >= 0:
                raise UserError(
                    f"observation.{name} is {getattr(cfg, name)}; 0 or more"
                )
        self.cfg = cfg
        half = cfg.scan_size_m / 2
        line = np.linspace(-half, half, cfg.scan_cells) if cfg.scan_cells > 1 else [0.0]
        y, x = np.meshgrid(line, line, indexing="ij")
        self.grid_xy = np.stack([x.ravel(), y.ravel()], axis=-1).astype(np.float32)

    def turn(self, key: jax.Array) -> jax.Array:
        """(3,) rad; none without observation noise."""
        if not self.cfg.noise:
            return jnp.zeros(3)
        tilt, yaw = self.cfg.scan_tilt, self.cfg.scan_yaw
        return jnp.array([tilt, tilt, yaw]) * jax.random.normal(key, (3,))

    def at(self, turn_rad: jax.Array) -> Scan:
        return Scan(turn_rad, jnp.asarray(self.grid_xy))
