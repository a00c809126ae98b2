"""The ground under episodes: where clips are put, and what the scan sees of it."""

import dataclasses
import os

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from mimicgym.configs import override
from mimicgym.envs.config import (
    ObservationConfig,
    Sense,
    TerrainConfig,
    TrackingConfig,
)
from mimicgym.envs.ground import flat_ground, make_ground, own_terrain
from mimicgym.envs.make import make_env
from mimicgym.envs.observation import Observer, observation
from mimicgym.envs.programs import program
from mimicgym.envs.scan import Scans
from mimicgym.envs.terms import Facts
from mimicgym.errors import UserError
from mimicgym.motion import load_motion, save_motion
from mimicgym.motion.formats.mimicgym_npz import write_with_ground
from mimicgym.robot import build_model, get_robot
from mimicgym.terrain import field_from_array, save_field
from mimicgym.terrain.spec import file_of
from tests.envs.cases import (
    PLAIN,
    Setting,
    body_model,
    jit,
    keys,
    offer,
    random_frame,
    robot_on,
)

ROUGH = "rough:difficulty=3,seed=1"
STAIRS = "stairs"
DEFAULT = ObservationConfig()


def standing(model, height_m: float = 0.9, quat=None, x_m: float = 0.2):
    """A robot with its torso upright at (x_m, -0.1), or turned as asked."""
    rng = np.random.default_rng(0)
    robot = robot_on(random_frame(model, rng), model)
    row = model.robot.key_bodies.index("torso_link")
    pos_w, quat_w = robot.body_pos_w.copy(), robot.body_quat_w.copy()
    pos_w[row] = [x_m, -0.1, height_m]
    quat_w[row] = [1, 0, 0, 0] if quat is None else quat
    return robot.replace(body_pos_w=pos_w, body_quat_w=quat_w)


def scan_of(ground, robot, cfg=DEFAULT, turn=(0, 0, 0), name="terrain_height"):
    model = body_model()
    scan = Scans(cfg).at(jnp.asarray(turn, jnp.float32))
    ref = random_frame(model, np.random.default_rng(1))
    offered = offer(model, robot, ref, ground=ground, scan=scan)
    return np.asarray(observation.call(name, offered | {"cfg": None}))


def test_order_of_the_scan_is_x_forward_then_y_left():
    """On a ramp that rises with x, values fall along x, row by row of y."""
    ramp, _ = make_ground(TerrainConfig(ground=("slope:angle_deg=10",)), [""])
    facing = Rotation.from_euler("z", 0.0).as_quat(scalar_first=True)
    found = scan_of(ramp, standing(body_model(), 2.0, facing, 3.0)).reshape(11, 11)
    along_x = np.diff(found, axis=1)
    along_y = np.diff(found, axis=0)
    assert np.abs(along_x).max() > 5e-3
    np.testing.assert_allclose(along_y, 0, atol=1e-4)
    # Turned by 90 degrees to the left, forward is y and left is -x.
    left = Rotation.from_euler("z", np.pi / 2).as_quat(scalar_first=True)
    turned = scan_of(ramp, standing(body_model(), 2.0, left, 3.0)).reshape(11, 11)
    np.testing.assert_allclose(np.diff(turned, axis=1), 0, atol=1e-4)
    assert np.abs(np.diff(turned, axis=0)).max() > 5e-3
    assert (np.diff(turned, axis=0) >= -1e-5).all()


def test_flat_ground_is_the_height_of_the_torso_whatever_its_tilt():
    tilted = Rotation.from_euler("xyz", [0.3, -0.2, 1.0]).as_quat(scalar_first=True)
    found = scan_of(flat_ground(1), standing(body_model(), 0.85, tilted))
    assert found.shape == (121,)
    np.testing.assert_allclose(found, 0.85, atol=1e-6)


def test_a_turned_sensor_sees_further():
    # Rays at 0.1 rad are longer by 1 / cos, and start higher on one side.
    found = scan_of(
        flat_ground(1),
        standing(body_model(), 0.85),
        turn=(0.0, 0.1, 0.0),
        name="terrain_height_noisy",
    ).reshape(11, 11)
    x = np.linspace(-0.5, 0.5, 11)
    expected = (0.85 - x * np.sin(0.1)) / np.cos(0.1)
    np.testing.assert_allclose(found, np.tile(expected, (11, 1)), atol=1e-5)


def test_the_scan_against_rays():
    """1,000 places and headings on rough ground, against mj_ray."""
    ground, field = make_ground(TerrainConfig(ground=(ROUGH,)), [""])
    model = build_model(get_robot("g1_23dof"), terrain=field, visuals=False)
    data = mujoco.MjData(model.mj)
    mujoco.mj_forward(model.mj, data)
    floor = np.zeros(6, np.uint8)
    floor[0] = 1
    model.mj.geom_group[:] = 3
    model.mj.geom_group[model.mj.geom("floor").id] = 0
    rng = np.random.default_rng(2)
    scan = Scans(ObservationConfig(scan_cells=3)).at(jnp.zeros(3))
    robot, facts = standing(body_model()), Facts.of(body_model(), TrackingConfig())

    @jit
    @jax.vmap
    def scans(place: jax.Array, quat: jax.Array) -> jax.Array:
        there = robot.replace(
            body_pos_w=jnp.asarray(robot.body_pos_w).at[facts.torso].set(place),
            body_quat_w=jnp.asarray(robot.body_quat_w).at[facts.torso].set(quat),
        )
        given = {"robot": there, "ground": ground, "scan": scan, "facts": facts}
        return observation.call("terrain_height", given)

    places = np.c_[rng.uniform(-3.5, 3.5, (1000, 2)), rng.uniform(0.7, 1.2, 1000)]
    turns = Rotation.from_euler("z", rng.uniform(-np.pi, np.pi, (1000, 1)))
    found = np.asarray(scans(places, turns.as_quat(scalar_first=True)))
    worst, geomid = 0.0, np.zeros(1, np.int32)
    grid = np.c_[scan.grid_xy, np.zeros(9)]
    for place, turn, lengths_m in zip(places, turns, found, strict=True):
        for value, offset in zip(lengths_m, turn.apply(grid), strict=True):
            down = [0.0, 0.0, -1.0]
            length_m = mujoco.mj_ray(
                model.mj, data, place + offset, down, floor, 1, -1, geomid
            )
            worst = max(worst, abs(value - length_m))
    # MuJoCo's cells are two triangles, ours bilinear: they differ inside a cell.
    assert worst < 0.005  # seen: 0.0006


def test_heights_count_from_the_ground():
    changes = {
        "terrain.ground": [ROUGH],
        "reset.origin_jitter_m": 2.0,
        "observation.actor": ["root_height"],
        "observation.critic": ["root_height"],
    }
    env = Setting(make_env(override(PLAIN, changes)))
    state = env.reset_at(keys(6), 0, 20)
    root_w = np.asarray(state.robot.root_pos_w)
    below = np.asarray(env.env.ground.height_at(jnp.asarray(root_w[:, :2])))
    np.testing.assert_allclose(
        np.asarray(state.obs["actor"])[:, 0], root_w[:, 2] - below, atol=1e-6
    )
    assert np.abs(below).max() > 0


def test_clips_start_on_grounds_of_their_own(tmp_path):
    listed = tmp_path / "clips.yaml"
    listed.write_text(f"- {{clip: wave, terrain: '{STAIRS}'}}\n- {{clip: stand}}\n")
    changes = {"motion.clips": [str(listed)], "terrain.ground": [ROUGH, "flat"]}
    env = make_env(override(PLAIN, changes))
    ground = env.ground
    assert ground.clip_tiles.tolist() == [[0, 1], [1, 2]]
    reset = jit(jax.vmap(env.reset, in_axes=(0, None, None)))
    on_stairs = np.asarray(reset(keys(20), 0, 0).origin_w)
    np.testing.assert_array_equal(on_stairs, np.tile(on_stairs[:1], (20, 1)))
    others = np.unique(np.asarray(reset(keys(20), 1, 0).origin_w), axis=0)
    assert len(others) == 2
    apart = np.linalg.norm(others - on_stairs[0], axis=1)
    assert apart.min() > 8.0
    state = reset(keys(4), 0, 0)
    ref = jax.vmap(env.reference_of)(state)
    np.testing.assert_allclose(state.robot.root_pos_w, ref.root_pos_w, atol=1e-4)


def test_a_robot_stands_on_what_is_there():
    """Held on a slope's flat start, feet bear the robot's weight after a while."""
    changes = {
        "motion.clips": ["stand"],
        "terrain.ground": ["rough:difficulty=1,seed=3"],
    }
    env = Setting(make_env(override(PLAIN, changes)))
    state = env.reset_at(keys(2), 0, 0)
    for _ in range(10):
        state = env.step(state, np.zeros((2, 23), np.float32))
    force = np.asarray(state.robot.contact_force_w)[:, :2, 2].sum(1)
    weight = env.env.engine.model.mj.body_mass.sum() * 9.81
    np.testing.assert_allclose(force, weight, rtol=0.25)


SHARED = Sense(shared_offset=0.1)


def observe(cfg, steps=6, seed=0):
    """Scans of a robot that rises by 0.1 m a step above flat ground."""
    model = body_model()
    observer = Observer(cfg)
    ref = random_frame(model, np.random.default_rng(1))
    scan = Scans(cfg).at(jnp.zeros(3))
    rows, senses = [], None
    for i in range(steps):
        robot = standing(model, 1.0 + 0.1 * i)
        offered = offer(model, robot, ref, ground=flat_ground(1), scan=scan)
        key = jax.random.fold_in(jax.random.key(seed), i)
        if senses is None:
            groups, senses = observer.reset(offered, key)
        else:
            groups, senses = observer.step(offered, senses, key)
        rows.append(np.asarray(groups["actor"]))
    return np.array(rows)


def scanning(sense: Sense) -> ObservationConfig:
    return ObservationConfig(
        actor=("terrain_height_noisy",),
        critic=("phase",),
        terrain_height_noisy=sense,
    )


def test_one_offset_for_all_cells():
    found = observe(scanning(SHARED)) - (1.0 + 0.1 * np.arange(6))[:, None]
    assert np.ptp(found) < 1e-5
    offsets = [observe(scanning(SHARED), 1, seed)[0, 0] - 1.0 for seed in range(40)]
    assert np.std(offsets) == pytest.approx(0.1, rel=0.35)


def test_readings_are_held_between_refreshes():
    for seed in range(6):
        found = observe(scanning(Sense(hold=(3, 3))), 9, seed)[:, 0]
        steps = np.round((found - 1.0) / 0.1).astype(int)
        assert steps[0] == 0
        changed = np.flatnonzero(np.diff(steps))
        # Every third step, from a phase that is drawn; then it is up to date.
        assert (np.diff(changed) == 3).all() and len(changed) >= 2
        np.testing.assert_array_equal(steps[changed + 1], changed + 1)


def test_outliers_replace_a_share_of_the_cells():
    found = observe(scanning(Sense(outliers=0.2)), 1)[0]
    odd = found != 1.0
    assert 0.08 < odd.mean() < 0.35
    assert (found[odd] >= 0).all() and (found[odd] <= 2.0).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"terrain.ground": []}, r"terrain\.ground is empty"),
        ({"terrain.ground": ["lava"]}, r"lava.*rough"),
        ({"terrain.ground": ["hill.obj"]}, r"hill\.obj"),
        ({"observation.scan_cells": 0}, r"observation\.scan_cells is 0"),
        ({"observation.scan_tilt": -1.0}, r"observation\.scan_tilt is -1\.0"),
    ],
)
def test_bad_settings(changes, message):
    with pytest.raises(UserError, match=message):
        make_env(override(PLAIN, changes))


def test_everything_flat_is_the_plane():
    ground, field = make_ground(TerrainConfig(), ["", "flat"])
    assert field is None and ground.heights is None
    assert dataclasses.replace(TerrainConfig()).ground == ("flat",)


def test_a_clip_that_comes_with_its_ground_is_not_shifted(tmp_path):
    motion = load_motion("stand")
    qpos = motion.qpos.copy()
    qpos[:, 2] += 0.25
    file = tmp_path / "high.npz"
    save_motion(dataclasses.replace(motion, qpos=qpos), file)
    listed = tmp_path / "clips.yaml"
    listed.write_text("- {clip: high.npz, terrain: flat}\n- {clip: high.npz}\n")
    env = make_env(override(PLAIN, {"motion.clips": [str(listed)]}))
    first, second = env.reference.clip_start.tolist()
    height_m = np.asarray(env.reference.frames.root_pos_w[:, 2])
    assert height_m[first] == pytest.approx(qpos[0, 2], abs=1e-6)
    assert height_m[second] == pytest.approx(qpos[0, 2] - 0.25, abs=5e-3)


def level(height_m: float):
    return field_from_array(np.full((80, 80), height_m), 0.1)


def write_level(file, height_m: float) -> None:
    """As large as another height's: the time tells them apart."""
    save_field(level(height_m), file)
    os.utime(file, ns=(0, round(1e9 * height_m)))


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("rough", None),
        ("rough:seed=1", None),
        ("rough:seed", None),  # what is no line names no file
        ("hills.obj", "hills.obj"),
        ("~/hills.png:cell_m=0.05,high_m=0.4", "~/hills.png"),
    ],
)
def test_which_file_a_line_names(spec, name):
    found = file_of(spec)
    assert (found and str(found)) == (name and os.path.expanduser(name))


def test_a_ground_is_read_again_when_its_file_has_changed(tmp_path):
    file, cfg = tmp_path / "ground.npz", TerrainConfig()
    write_level(file, 0.25)
    first = own_terrain(cfg, str(file))
    assert own_terrain(cfg, str(file)) is first
    write_level(file, 0.5)
    assert own_terrain(cfg, str(file)).height_m.max() == pytest.approx(0.5)
    # Where it is counts, not only what it is called.
    changed, _ = make_ground(TerrainConfig(ground=(str(file),)), [""])
    assert changed.heights.max() == pytest.approx(0.5)


def test_the_same_name_in_another_folder_is_another_ground(tmp_path, monkeypatch):
    for height_m in (0.25, 0.5):
        folder = tmp_path / str(height_m)
        folder.mkdir()
        save_field(level(height_m), folder / "ground.npz")
        monkeypatch.chdir(folder)
        found = own_terrain(TerrainConfig(), "ground.npz")
        assert found.height_m.max() == pytest.approx(height_m)


def highest_m(changes: dict) -> float:
    """Of the ground that adapters get."""
    config = override(PLAIN, changes)
    env = program(config, 1, autoreset="disabled").env
    assert program(config, 2, autoreset="disabled").env is env
    return float(env.ground.heights.max())


def test_adapters_see_that_a_ground_has_changed(tmp_path):
    """Be it that of all clips, of an item in a list, one that a clip holds itself, one
    that it names, or one that lies beside it."""
    stand, file = load_motion("stand"), tmp_path / "ground.npz"
    listed, clip = tmp_path / "clips.yaml", tmp_path / "clip.npz"
    listed.write_text(f"- {{clip: stand, terrain: '{file}'}}\n")
    scene = tmp_path / "beside" / "clip.terrain.npz"
    scene.parent.mkdir()
    save_motion(stand, scene.with_name("clip.npz"))
    picture, named = tmp_path / "ground.png", tmp_path / "named.npz"
    Image.new("L", (80, 80)).save(picture)
    terrain = f"{picture}:cell_m=0.1,high_m=1.0"
    save_motion(dataclasses.replace(stand, terrain=terrain), named)
    for height_m in (0.25, 0.5):
        write_level(file, height_m)
        Image.new("L", (80, 80), round(255 * height_m)).save(picture)
        write_level(scene, height_m)
        write_with_ground(stand, level(height_m), clip)
        found = [
            highest_m({"terrain.ground": [str(file)]}),
            highest_m({"motion.clips": [str(listed)]}),
            highest_m({"motion.clips": [str(clip)]}),
            highest_m({"motion.clips": [str(named)]}),
            highest_m({"motion.clips": [str(scene.with_name("clip.npz"))]}),
        ]
        assert found == pytest.approx([height_m] * 5, abs=1e-2)


def test_adapters_see_that_a_ground_has_come_or_gone(tmp_path):
    clip, scene = tmp_path / "clip.npz", tmp_path / "clip.terrain.npz"
    save_motion(load_motion("stand"), clip)
    config = override(PLAIN, {"motion.clips": [str(clip)]})
    for there in (False, True, False):
        scene.unlink(missing_ok=True)
        if there:
            write_level(scene, 0.25)
        ground = program(config, 1, autoreset="disabled").env.ground
        assert (ground.heights is not None) == there
