"""The ground that episodes are on: its heights, and where each clip has its own."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from mimicgym.envs.config import TerrainConfig
from mimicgym.errors import UserError
from mimicgym.terrain import Atlas, HeightField, build_atlas, terrain_from_spec
from mimicgym.terrain.lookup import height_at

FLAT = "flat"


@struct.dataclass
class Ground:
    """A plane at z = 0 where `heights` is None.

    Attributes:
      heights: (R, C) m, see `HeightField`.
      field_origin_xy: (2,) m, the centre of the first cell.
      tile_xy: (T, 2) m, where the origin of each tile is.
      clip_tiles: (C, 2) int32, first tile and number of tiles of each clip.
      cell_m: size of a cell.
    """

    heights: jax.Array | None
    field_origin_xy: jax.Array
    tile_xy: jax.Array
    clip_tiles: jax.Array
    cell_m: float = struct.field(pytree_node=False)

    def height_at(self, xy_w: jax.Array) -> jax.Array:
        """(...) m at places (..., 2) in the world."""
        if self.heights is None:
            return jnp.zeros(xy_w.shape[:-1])
        return height_at(self.heights, self.field_origin_xy, self.cell_m, xy_w)

    def origin(self, key: jax.Array, clip: jax.Array) -> jax.Array:
        """(3,) m: where a clip's own origin is, on one of its tiles."""
        if self.heights is None:
            return jnp.zeros(3)
        first, count = self.clip_tiles[clip]
        tile = first + jax.random.randint(key, (), 0, count)
        return jnp.append(self.tile_xy[tile], 0.0)


def flat_ground(num_clips: int) -> Ground:
    """The plane."""
    return Ground(
        None,
        jnp.zeros(2),
        jnp.zeros((1, 2)),
        jnp.tile(jnp.array([0, 1], jnp.int32), (num_clips, 1)),
        1.0,
    )


def make_ground(
    cfg: TerrainConfig, terrains: Sequence[str]
) -> tuple[Ground, HeightField | None]:
    """The ground of some clips, and the height field for physics; None for the plane.

    Args:
      cfg: the ground of clips without one, and the layout.
      terrains: for each clip the ground it names, or "".

    Raises:
      UserError: a ground that can not be used; the message says which clip's.
    """
    if not cfg.ground:
        raise UserError("terrain.ground is empty; name at least one, such as 'flat'")
    wanted = [(terrain,) if terrain else cfg.ground for terrain in terrains]
    specs = list(dict.fromkeys(spec for several in wanted for spec in several))
    if specs == [FLAT]:
        return flat_ground(len(terrains)), None
    tiles = [_read(_with_cell(s, cfg), cfg.max_megabytes) for s in specs]
    atlas = build_atlas(tiles, margin_m=cfg.margin_m, max_megabytes=cfg.max_megabytes)
    return _ground(atlas, wanted, specs), atlas.field


def own_terrain(cfg: TerrainConfig, terrain: str) -> HeightField | None:
    """The ground that a clip comes with; None for the floor. Equal ones are one."""
    if not terrain or terrain == FLAT:
        return None
    return _read(_with_cell(terrain, cfg), cfg.max_megabytes)


@functools.lru_cache(maxsize=256)
def _read(spec: str, max_megabytes: float) -> HeightField:
    return terrain_from_spec(spec, max_megabytes)


def _ground(
    atlas: Atlas, wanted: Sequence[Sequence[str]], specs: Sequence[str]
) -> Ground:
    place = {spec: atlas.offsets_xy[i, 0] for i, spec in enumerate(specs)}
    tile_xy, clip_tiles = [], []
    known: dict[tuple[str, ...], tuple[int, int]] = {}
    for several in wanted:
        key = tuple(several)
        if key not in known:
            known[key] = len(tile_xy), len(key)
            tile_xy += [place[spec] for spec in key]
        clip_tiles.append(known[key])
    return Ground(
        heights=jnp.asarray(atlas.field.height_m),
        field_origin_xy=jnp.asarray(atlas.field.origin_xy, jnp.float32),
        tile_xy=jnp.asarray(np.array(tile_xy), jnp.float32),
        clip_tiles=jnp.asarray(clip_tiles, jnp.int32),
        cell_m=atlas.field.cell_m,
    )


def _with_cell(spec: str, cfg: TerrainConfig) -> str:
    """The ground's line with the size of its cells, where it does not say it."""
    if "cell_m=" in spec or spec.lower().endswith(".npz"):
        return spec
    settings = f"cell_m={cfg.cell_m:g}"
    has_settings = "=" in spec.rpartition(":")[2] and ":" in spec
    return f"{spec},{settings}" if has_settings else f"{spec}:{settings}"
