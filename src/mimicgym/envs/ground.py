"""The ground that episodes are on: its heights, and where each clip has its own."""

import functools
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from mimicgym.envs.config import TerrainConfig
from mimicgym.errors import UserError
from mimicgym.motion import Motion
from mimicgym.terrain import Atlas, HeightField, build_atlas, terrain_from_spec
from mimicgym.terrain.lookup import height_at
from mimicgym.terrain.spec import file_of, with_seeds

FLAT = "flat"
# What tells one content of a file from another: where it is, when it was written (ns),
# its length; None where there is no file.
Fingerprint = tuple[str, int, int] | None
# From the root: limbs, and half of a scan.
_BODY_M = 0.5


@struct.dataclass
class Room:
    """How far clips may be moved from where they belong on their tiles.

    Attributes:
      tile_bounds_xy: (T, 2, 2) m, where each tile's margin begins and ends, from its
        origin.
      clip_reach_xy: (C, 2, 2) m, the least and the greatest place that a clip needs.
      clip_moves: (C,) bool; clips that come with their ground have one place on it.
    """

    tile_bounds_xy: jax.Array
    clip_reach_xy: jax.Array
    clip_moves: jax.Array

    def within(self, shift_xy: jax.Array, clip: jax.Array, tile: jax.Array):
        """(2,) m: what there is room for of a shift."""
        low, high = self.tile_bounds_xy[tile] - self.clip_reach_xy[clip]
        shift_xy = jnp.clip(shift_xy, jnp.minimum(low, 0.0), jnp.maximum(high, 0.0))
        return jnp.where(self.clip_moves[clip], shift_xy, 0.0)


@struct.dataclass
class Ground:
    """A plane at z = 0 where `heights` is None.

    Attributes:
      heights: (R, C) m, see `HeightField`.
      field_origin_xy: (2,) m, the centre of the first cell.
      tile_xy: (T, 2) m, where the origin of each tile is.
      clip_tiles: (C, 2) int32, first tile and number of tiles of each clip.
      cell_m: size of a cell.
      room: how far clips may be moved; anywhere if None.
    """

    heights: jax.Array | None
    field_origin_xy: jax.Array
    tile_xy: jax.Array
    clip_tiles: jax.Array
    cell_m: float = struct.field(pytree_node=False)
    room: Room | None = None

    def height_at(self, xy_w: jax.Array) -> jax.Array:
        """(...) m at places (..., 2) in the world."""
        if self.heights is None:
            return jnp.zeros(xy_w.shape[:-1])
        return height_at(self.heights, self.field_origin_xy, self.cell_m, xy_w)

    def origin(
        self, key: jax.Array, clip: jax.Array, shift_w: jax.Array | None = None
    ) -> jax.Array:
        """(3,) m: where a clip's own origin is, on one of its tiles.

        shift_w (3,) moves it about there, as far as there is room.
        """
        shift_w = jnp.zeros(3) if shift_w is None else shift_w
        if self.heights is None:
            return shift_w
        first, count = self.clip_tiles[clip]
        tile = first + jax.random.randint(key, (), 0, count)
        shift_xy = shift_w[:2]
        if self.room is not None:
            shift_xy = self.room.within(shift_xy, clip, tile)
        return jnp.append(self.tile_xy[tile] + shift_xy, shift_w[2])


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
    cfg: TerrainConfig,
    terrains: Sequence[str],
    motions: Sequence[Motion] | None = None,
) -> tuple[Ground, HeightField | None]:
    """The ground of some clips, and the height field for physics; None for the plane.

    Args:
      cfg: the ground of clips without one, and the layout.
      terrains: for each clip the ground it names, or "".
      motions: the clips; they have to fit on their grounds, and have room there.

    Raises:
      UserError: a ground that can not be used, and which clip's it is, or a clip that
        goes beyond its ground.
    """
    shared = _shared(cfg)
    wanted = [(terrain,) if terrain else shared for terrain in terrains]
    specs = list(dict.fromkeys(spec for several in wanted for spec in several))
    if specs == [FLAT]:
        return flat_ground(len(terrains)), None
    names = {
        terrain: motion.name
        for motion, terrain in zip(motions or (), terrains, strict=motions is not None)
        if terrain
    }
    tiles = {spec: _tile(spec, cfg, names.get(spec)) for spec in specs}
    if motions is not None:
        for motion, several in zip(motions, wanted, strict=True):
            for spec in several:
                _require_room(motion, spec, tiles[spec], cfg.margin_m)
    atlas = build_atlas(
        list(tiles.values()), margin_m=cfg.margin_m, max_megabytes=cfg.max_megabytes
    )
    ground, bounds_xy = _ground(atlas, tiles, wanted)
    if motions is None:
        return ground, atlas.field
    reach_xy = np.array([_reach_xy(motion) for motion in motions])
    room = Room(
        jnp.asarray(bounds_xy, jnp.float32),
        jnp.asarray(reach_xy, jnp.float32),
        jnp.array([not terrain for terrain in terrains]),
    )
    return replace(ground, room=room), atlas.field


def _shared(cfg: TerrainConfig) -> tuple[str, ...]:
    """The grounds of clips without one."""
    if not cfg.ground:
        raise UserError("terrain.ground is empty; name at least one, such as 'flat'")
    if cfg.seeds < 1:
        raise UserError(f"terrain.seeds is {cfg.seeds}; 1 or more")
    found = [spec for line in cfg.ground for spec in with_seeds(line, cfg.seeds)]
    if cfg.seeds > 1 and len(found) == len(cfg.ground):
        raise UserError(
            f"terrain.seeds is {cfg.seeds}, but none of terrain.ground, "
            f"{', '.join(cfg.ground)}, has a seed"
        )
    return tuple(dict.fromkeys(found))


def _tile(spec: str, cfg: TerrainConfig, clip: str | None) -> HeightField:
    try:
        return _read(_with_cell(spec, cfg), cfg.max_megabytes)
    except UserError as error:
        if clip is None:
            raise
        raise UserError(f"the ground of {clip}: {error}") from error


def _reach_xy(motion: Motion) -> np.ndarray:
    """(2, 2) the least and the greatest place that a clip's robot or its scan needs."""
    root_xy = motion.qpos[:, :2]
    return np.stack([root_xy.min(axis=0) - _BODY_M, root_xy.max(axis=0) + _BODY_M])


def _require_room(
    motion: Motion, spec: str, tile: HeightField, margin_m: float
) -> None:
    """Beyond the margin is another tile."""
    (low, high), (first, last) = _reach_xy(motion), tile.bounds_m
    beyond_m = float(np.max([first - low, high - last]))
    # The least margin is a cell.
    if beyond_m > max(margin_m, tile.cell_m) + 1e-6:
        raise UserError(
            f"{motion.name} needs {beyond_m:.2f} m beyond the edge of its ground, "
            f"{spec}, and terrain.margin_m is {margin_m:g}; give "
            f"{math.ceil(10 * beyond_m) / 10:g}, or a larger ground"
        )


def own_terrain(cfg: TerrainConfig, terrain: str) -> HeightField | None:
    """The ground that a clip comes with; None for the floor. Equal ones are one."""
    if not terrain or terrain == FLAT:
        return None
    return _read(_with_cell(terrain, cfg), cfg.max_megabytes)


def fingerprint(path: Path | None) -> Fingerprint:
    """That of a file, if there is one."""
    # os.path answers False where pathlib raises, see `terrain.scene_file`.
    if path is None or not os.path.isfile(path):
        return None
    stat = path.stat()
    return str(path.resolve()), stat.st_mtime_ns, stat.st_size


def ground_fingerprint(spec: str) -> Fingerprint:
    """That of the file that a ground's line names."""
    return fingerprint(file_of(spec))


def _read(spec: str, max_megabytes: float) -> HeightField:
    return _read_once(spec, ground_fingerprint(spec), max_megabytes)


@functools.lru_cache(maxsize=256)
def _read_once(spec: str, file: Fingerprint, max_megabytes: float) -> HeightField:
    """`file` is there to tell apart what one line has stood for."""
    return terrain_from_spec(spec, max_megabytes)


def _ground(
    atlas: Atlas,
    tiles: Mapping[str, HeightField],
    wanted: Sequence[Sequence[str]],
) -> tuple[Ground, np.ndarray]:
    """Without its room, and the bounds of its tiles, see `Room`."""
    place = dict(zip(tiles, atlas.offsets_xy[:, 0], strict=True))
    margin_xy = atlas.margin_m * np.array([[-1.0], [1.0]])
    tile_xy, bounds_xy, clip_tiles = [], [], []
    known: dict[tuple[str, ...], tuple[int, int]] = {}
    for several in wanted:
        key = tuple(several)
        if key not in known:
            known[key] = len(tile_xy), len(key)
            tile_xy += [place[spec] for spec in key]
            bounds_xy += [tiles[spec].bounds_m + margin_xy for spec in key]
        clip_tiles.append(known[key])
    ground = Ground(
        heights=jnp.asarray(atlas.field.height_m),
        field_origin_xy=jnp.asarray(atlas.field.origin_xy, jnp.float32),
        tile_xy=jnp.asarray(np.array(tile_xy), jnp.float32),
        clip_tiles=jnp.asarray(clip_tiles, jnp.int32),
        cell_m=atlas.field.cell_m,
    )
    return ground, np.array(bounds_xy)


def _with_cell(spec: str, cfg: TerrainConfig) -> str:
    """The ground's line with the size of its cells, where it does not say it."""
    if "cell_m=" in spec or spec.lower().endswith(".npz"):
        return spec
    settings = f"cell_m={cfg.cell_m:g}"
    has_settings = "=" in spec.rpartition(":")[2] and ":" in spec
    return f"{spec},{settings}" if has_settings else f"{spec}:{settings}"
