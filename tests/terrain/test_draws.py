"""Which ground an episode starts on, and that it stays on it."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym.configs import override
from mimicgym.envs.config import TerrainConfig
from mimicgym.envs.ground import make_ground
from mimicgym.envs.make import make_env
from mimicgym.errors import UserError
from mimicgym.motion import load_motion
from mimicgym.terrain import terrain_from_spec
from mimicgym.terrain.spec import with_seeds
from tests.envs.cases import PLAIN, jit, keys

ROUGH = "rough:difficulty=2,seed=4"
SEEDS = tuple(f"rough:seed={seed},difficulty=2" for seed in (4, 5, 6))


def moved(motion, xy):
    """The clip somewhere else."""
    qpos = motion.qpos.copy()
    qpos[:, :2] += xy
    return replace(motion, qpos=qpos)


def origins(ground, clip=0, shift_w=None, count=300):
    """(count, 2) where episodes of a clip have their origin."""
    shifts = jnp.zeros((count, 3)) if shift_w is None else jnp.asarray(shift_w)
    draw = jax.vmap(lambda key, shift: ground.origin(key, jnp.int32(clip), shift))
    return np.asarray(jax.jit(draw)(keys(count), shifts))[:, :2]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (ROUGH, SEEDS),
        ("rough", ("rough:seed=0", "rough:seed=1", "rough:seed=2")),
        ("stones:seed=7", ("stones:seed=7", "stones:seed=8", "stones:seed=9")),
        ("stairs:steps=2", ("stairs:steps=2",)),
        ("flat", ("flat",)),
        ("scene.obj:scale=0.01", ("scene.obj:scale=0.01",)),
    ],
)
def test_grounds_of_chance_have_seeds(text, found):
    assert with_seeds(text, 3) == found
    assert with_seeds(text, 1)[0] in (text, found[0])


def test_episodes_start_on_any_of_the_seeds():
    ground, field = make_ground(TerrainConfig((ROUGH, "flat"), seeds=3), ["", "stairs"])
    assert ground.clip_tiles.tolist() == [[0, 4], [4, 1]]
    places, counts = np.unique(origins(ground), axis=0, return_counts=True)
    # A row is drawn once in four: 75 of 300, with a deviation of 7.5.
    assert len(places) == 4 and counts.min() > 45 and counts.max() < 105
    for spec, place in zip(SEEDS, np.asarray(ground.tile_xy), strict=False):
        tile = terrain_from_spec(spec)
        xy = np.random.default_rng(0).uniform(-4.5, 4.5, (200, 2))
        np.testing.assert_allclose(field.at(xy + place), tile.at(xy), atol=1e-5)
    assert len(np.unique(origins(ground, clip=1), axis=0)) == 1


def test_feet_stand_on_the_tile_that_was_drawn():
    """At all frames of a walk, and it is the tile's own height there."""
    changes = {
        "motion.clips": ["walk"],
        "terrain.ground": [ROUGH],
        "terrain.seeds": 3,
        "observation.actor": ["phase"],
        "observation.critic": ["phase"],
    }
    env = make_env(override(PLAIN, changes))
    state = jit(jax.vmap(env.reset))(keys(64))
    feet_w = np.asarray(state.robot.body_pos_w)[:, np.array(env.facts.feet)]
    tile_xy = np.asarray(env.ground.tile_xy)
    drawn = np.asarray(state.origin_w)[:, None, :2] - tile_xy
    which = np.abs(drawn).max(axis=-1).argmin(axis=1)
    assert set(which) == {0, 1, 2}
    assert len(np.unique(np.asarray(state.frame))) > 30
    found = np.asarray(env.ground.height_at(jnp.asarray(feet_w[..., :2])))
    for i, row in enumerate(which):
        own_xy = feet_w[i, :, :2] - tile_xy[row]
        assert np.abs(own_xy).max() < 4.8
        expected = terrain_from_spec(SEEDS[row]).at(own_xy)
        np.testing.assert_allclose(found[i], expected, atol=1e-4)
    assert np.ptp(found) > 0.01


def test_a_shift_ends_where_the_tile_ends():
    """Its edge and margin are at 5.5 m. The clip needs 0.5 m about its root."""
    motions = [load_motion("stand"), moved(load_motion("stand"), [3.0, 0.0])]
    root_xy = motions[0].qpos[:, :2]
    ground, _ = make_ground(TerrainConfig((ROUGH,), seeds=2), ["", ""], motions)
    rng = np.random.default_rng(1)
    shift_w = np.append(rng.normal(0, 20, (300, 2)), np.zeros((300, 1)), axis=1)
    tiles = np.asarray(ground.tile_xy)
    for clip, (low, high) in enumerate([(-5.0, 5.0), (-8.0, 2.0)]):
        found = origins(ground, clip, shift_w)
        apart = found[:, None] - tiles
        shift = apart[np.arange(300), np.abs(apart).max(-1).argmin(1)]
        expected = [low - root_xy[:, 0].min(), high - root_xy[:, 0].max()]
        np.testing.assert_allclose(
            [shift[:, 0].min(), shift[:, 0].max()], expected, atol=1e-3
        )
    # Shifts that there is room for are not changed.
    found = origins(ground, 0, np.tile([0.7, -1.1, 0.0], (300, 1)))
    apart = found[:, None] - tiles - [0.7, -1.1]
    assert np.abs(apart).max(-1).min(1).max() < 1e-4


def test_clips_that_come_with_their_ground_stay_in_their_place():
    motions = [load_motion("climb_stairs"), load_motion("stand")]
    terrains = [motions[0].terrain, ""]
    ground, _ = make_ground(TerrainConfig(("flat",)), terrains, motions)
    shift_w = np.tile([1.0, -0.5, 0.0], (20, 1))
    place = np.asarray(ground.tile_xy)
    np.testing.assert_array_equal(origins(ground, 0, shift_w, 20) - place[0], 0.0)
    np.testing.assert_allclose(
        origins(ground, 1, shift_w, 20) - place[1], shift_w[:, :2], atol=1e-5
    )


def test_shifts_are_free_on_the_plane():
    ground, field = make_ground(TerrainConfig(), [""], [load_motion("stand")])
    assert field is None
    shift_w = np.tile([100.0, -50.0, 0.0], (3, 1))
    np.testing.assert_array_equal(origins(ground, 0, shift_w, 3), shift_w[:, :2])


def test_a_hundred_and_twenty_three_grounds_keep_millimetres():
    """As many as VideoMimic's captures, with the default margin."""
    specs = tuple(f"rough:difficulty=4,seed={seed}" for seed in range(123))
    ground, field = make_ground(TerrainConfig(specs), [""])
    reach_m = np.abs(field.bounds_m).max()
    assert reach_m < 67.0  # seen: 66.3
    assert np.spacing(np.float32(reach_m)) < 1e-5
    # Heights are looked up in float32 at the far corner as in float64.
    far_xy = np.asarray(ground.tile_xy)[np.abs(ground.tile_xy).max(axis=1).argmax()]
    xy = far_xy + np.random.default_rng(0).uniform(-4.4, 4.4, (2000, 2))
    found = np.asarray(ground.height_at(jnp.asarray(xy, jnp.float32)))
    assert np.abs(found - field.at(xy)).max() < 1e-4


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        (TerrainConfig((ROUGH,), seeds=0), r"terrain\.seeds is 0; 1 or more"),
        (
            TerrainConfig(("flat", "stairs"), seeds=2),
            r"terrain\.seeds is 2, but none of terrain\.ground, flat, stairs, has a",
        ),
        (
            TerrainConfig(("rough:seed=few",), seeds=2),
            r"rough:seed=few: seed is 'few'; a whole number is needed",
        ),
        (
            TerrainConfig((ROUGH,), seeds=3, max_megabytes=0.5),
            r"terrain atlas of 3 tiles: .* MB are needed, more than max_megabytes",
        ),
        (TerrainConfig((ROUGH,), margin_m=0.0), r"margin_m is 0; it must be above 0"),
    ],
)
def test_what_is_wrong_is_named(cfg, message):
    with pytest.raises(UserError, match=message):
        make_ground(cfg, [""])


def test_a_clip_that_leaves_its_ground_is_refused():
    """To the edge and the margin, 5.5 m, and no further: beyond is another tile."""
    stand = load_motion("stand")
    least_x = float(stand.qpos[:, 0].max())
    fits = moved(stand, [4.99 - least_x, 0.0])
    make_ground(TerrainConfig((ROUGH,)), [""], [fits])
    leaves = moved(stand, [6.0 - least_x, 0.0])
    message = (
        r"stand needs 2\.00 m beyond the edge of its ground, rough:.*, and "
        r"terrain\.margin_m is 1; give 2, or a larger ground"
    )
    with pytest.raises(UserError, match=message):
        make_ground(TerrainConfig((ROUGH,)), [""], [leaves])
    make_ground(TerrainConfig((ROUGH,), margin_m=2.0), [""], [leaves])
