"""MJX-Warp against the C engine, and what becomes of many environments at once."""

from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.make import env_config, make_env
from mimicgym.errors import UserError
from mimicgym.physics import PhysicsState, RobotState, make_engine
from mimicgym.physics.buffers import Buffers, buffers_of, warn_of_overflow
from mimicgym.robot import build_model, get_robot
from tests.physics.changed import GROUPS, drawn, nominal
from tests.physics.conftest import DECIMATION, Compiled, make_case
from tests.terrain.test_contact import drop, plain, played

pytest.importorskip("warp")
from mimicgym.physics.warp import WarpEngine
from mimicgym.physics.warp_model import make_data, widened

TOLERANCE = {
    "pos": 1e-5,
    "quat": 1e-5,
    "vel": 2e-3,
    "torque": 5e-3,
    "force": 0.05,
    "self_contact": 0.05,
}
# Of rows beside others. A GPU adds up in any order: two of the tests below were up to
# 2.5e-4 apart there, in joints' speeds (rad/s).
SAME_ROWS = 1e-4 if jax.default_backend() == "cpu" else 2e-3
NAMES = ("nominal", *GROUPS, "wrench", "targets", "all")


@pytest.fixture(scope="module")
def warp(model) -> Compiled:
    return Compiled(WarpEngine(model, decimation=DECIMATION))


@pytest.fixture(scope="module")
def warp_step(warp, case):
    return warp.step(case.physics, case.ctrl)


def agree(found: RobotState, expected: RobotState, tolerance=TOLERANCE):
    for name in (field.name for field in fields(RobotState)):
        one, other = getattr(found, name), getattr(expected, name)
        if name == "overflow":
            assert not one.any()
        elif other is None:
            assert one is None
        else:
            atol = next(value for kind, value in tolerance.items() if kind in name)
            assert one.dtype == other.dtype == np.float32
            np.testing.assert_allclose(one, other, atol=atol, err_msg=name)


def test_place(case, native, warp):
    physics, robot = warp.place(case.qpos, case.qvel)
    expected = native.place(case.qpos, case.qvel)
    agree(robot, expected[1])
    jax.tree.map(np.testing.assert_array_equal, physics, expected[0])


def test_one_control_step(native_step, warp_step, case):
    """Flying, with motors at their limits, standing, and falling on face and back."""
    agree(warp_step[1], native_step[1])
    np.testing.assert_allclose(warp_step[0].qpos, native_step[0].qpos, atol=1e-5)
    np.testing.assert_allclose(warp_step[0].qvel, native_step[0].qvel, atol=2e-3)
    scale = np.abs(native_step[0].warmstart).max(axis=1, keepdims=True)
    np.testing.assert_allclose(
        warp_step[0].warmstart / scale, native_step[0].warmstart / scale, atol=1e-3
    )
    assert np.all(warp_step[1].contact_force_w[case.free] == 0)


@pytest.mark.slow
def test_all_joints_and_self_contacts():
    """With 35 degrees of freedom MJX-Warp keeps constraints in sparse matrices."""
    model = build_model(get_robot("g1_29dof"), collisions="full", visuals=False)
    case = make_case(model)
    # Hands and forearms in each other and in the body.
    shoulders = model.robot.joint_index(
        "left_shoulder_roll_joint", "right_shoulder_roll_joint"
    )
    case.qpos[:, 7 + shoulders] = case.ctrl[:, shoulders] = [-1.2, 1.2]
    native, warp = (
        Compiled(make_engine(name, model)).step(case.physics, case.ctrl)
        for name in ("native", "warp")
    )
    assert (native[1].self_contact_n > 1).any(axis=1).sum() > 4
    agree(warp[1], native[1], {name: 10 * x for name, x in TOLERANCE.items()})


def test_ten_control_steps(native, warp, case):
    """From step to step there is no state but the one that is handed on."""
    expected = found = case.physics
    for _ in range(10):
        expected, native_robot = native.step(expected, case.ctrl)
        found, robot = warp.step(found, case.ctrl)
    np.testing.assert_allclose(found.qpos, expected.qpos, atol=1e-3)
    assert np.abs(robot.contact_force_w - native_robot.contact_force_w).max() < 5
    assert np.abs(native_robot.contact_force_w).max() > 50


@pytest.fixture(scope="module")
def varied(case, model):
    """The same robot on its feet, two joints far from their targets; row by row one
    group of fields is off, a wrench acts, or targets change within the step."""
    rng = np.random.default_rng(4)
    start, rows = case.contact.start + 1, len(NAMES)
    given, off = nominal(model.mj, rows), drawn(model.mj, rows)
    wrench = np.zeros((rows, 6), np.float32)
    ctrl = np.tile(case.ctrl[start], (rows, DECIMATION, 1))
    ctrl[..., model.robot.joint_index("left_knee_joint", "waist_yaw_joint")] += 2.5
    for row, name in enumerate(NAMES):
        for field in off if name == "all" else GROUPS.get(name, ()):
            given[field][row] = off[field][row]
        if name in ("wrench", "all"):
            wrench[row] = rng.uniform(-60, 60, 6)
        if name in ("targets", "all"):
            ctrl[row] += rng.uniform(-0.3, 0.3, ctrl.shape[1:])
    qpos, qvel = (np.tile(x[start], (rows, 1)) for x in (case.qpos, case.qvel))
    return PhysicsState(qpos, qvel, np.zeros_like(qvel)), ctrl, given, wrench


@pytest.fixture(scope="module")
def varied_steps(varied, native, warp):
    found = [jax.jit(jax.vmap(x.engine.step))(*varied) for x in (native, warp)]
    return jax.tree.map(np.asarray, found)


@pytest.mark.parametrize("name", NAMES)
def test_fields_wrenches_and_targets(name, varied_steps):
    row = NAMES.index(name)
    (native, native_robot), (warp, warp_robot) = varied_steps
    np.testing.assert_allclose(warp.qpos[row], native.qpos[row], atol=2e-5)
    np.testing.assert_allclose(warp.qvel[row], native.qvel[row], atol=2e-3)
    np.testing.assert_allclose(
        warp_robot.contact_force_w[row], native_robot.contact_force_w[row], atol=0.2
    )
    np.testing.assert_allclose(
        warp_robot.joint_torque[row], native_robot.joint_torque[row], atol=0.01
    )
    # Far more than the engines differ by: neither of them can have left it out.
    if name != "nominal":
        assert np.abs(native.qpos[row] - native.qpos[0]).max() > 4e-4


def test_a_field_that_can_not_differ(warp, case, model):
    given = {"hfield_size": jnp.zeros(model.mj.hfield_size.shape, jnp.float32)}
    with pytest.raises(UserError, match=r"'warp' has one value of 'hfield_size'"):
        warp.engine.place(case.qpos[0], case.qvel[0], True, given)


def test_nested_batches_and_chunks(warp, warp_step, case):
    """Rows of rows, and rows in turns, are the rows. Floats may differ in their last
    digits where a batch's contacts are found in another order."""
    paired = jax.tree.map(lambda x: x.reshape(4, 2, -1), (case.physics, case.ctrl))
    nested = jax.jit(jax.vmap(jax.vmap(warp.engine.step)))(*paired)
    flat = jax.tree.map(lambda x: x.reshape(8, *x.shape[2:]), nested)
    turns = jax.jit(
        lambda rows: jax.lax.map(lambda row: warp.engine.step(*row), rows, batch_size=3)
    )((case.physics, case.ctrl))
    for found in (flat, turns):
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=SAME_ROWS),
            found,
            warp_step,
        )


def test_a_lost_neighbour(warp, warp_step, case):
    """A row that is no number stays alone with that."""
    qpos = case.qpos.copy()
    qpos[5] = np.nan
    qvel = case.qvel.copy()
    qvel[2] = 1e30
    physics = PhysicsState(qpos, qvel, np.zeros_like(qvel))
    found = warp.step(physics, case.ctrl)
    others = np.delete(np.arange(8), [2, 5])
    assert not np.isfinite(found[0].qpos[5]).all()
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x[others], y[others], atol=SAME_ROWS),
        found,
        warp_step,
    )


@pytest.mark.parametrize("collisions", ["feet", "body", "full"])
@pytest.mark.parametrize("ground", ["plane", "field"])
def test_buffers_hold_all_that_can_touch(collisions, ground):
    terrain = drop("feet").model.terrain if ground == "field" else None
    robot = get_robot("g1_29dof")
    model = build_model(robot, collisions=collisions, terrain=terrain, visuals=False)
    found = buffers_of(model.mj)
    floor = 8 if collisions == "feet" else 18
    each = 1 if ground == "plane" else 4
    # Of the pairs within the robot, eight are of two capsules.
    own = 19 + 8 if collisions == "full" else 0
    joints = model.num_joints
    assert found.contacts == each * floor + own
    assert found.rows == 4 * each * floor + own + joints + model.mj.nv
    assert found.convex == (floor if ground == "field" else 0)


def test_space_for_a_batch_is_what_mjx_makes(warp):
    mj, buffers = warp.engine._mj, warp.engine.buffers
    wide = widened(make_data(mj, buffers), buffers, 5)
    more = replace(buffers, contacts=5 * buffers.contacts, convex=5 * buffers.convex)
    made = make_data(mj, more)
    assert jax.tree.structure(wide) == jax.tree.structure(made)
    jax.tree.map(np.testing.assert_array_equal, wide, made)


@pytest.mark.parametrize(
    "buffers", [Buffers(1, 0, 200), Buffers(18, 0, 25)], ids=["contacts", "rows"]
)
def test_small_buffers_are_reported(buffers, model, case):
    engine = Compiled(WarpEngine(model, decimation=1, buffers=buffers))
    overflow = engine.step(case.physics, case.ctrl)[1].overflow
    if buffers.contacts == 1:  # all share what is missing
        assert overflow.all()
    else:
        assert overflow[case.contact].all()
        assert not overflow[case.free].any()


def test_overflows_are_told():
    with pytest.warns(RuntimeWarning, match="left out contacts"):
        warn_of_overflow({"physics/overflow": 0.01})
    warn_of_overflow({"physics/overflow": 0.0, "reward/alive": 1.0})
    warn_of_overflow({"reward/alive": 1.0})


@pytest.mark.parametrize("name", ["contacts", "rows"])
def test_buffers_of_nothing(name):
    with pytest.raises(UserError, match=f"buffers.{name} is 0"):
        replace(Buffers(1, 0, 1), **{name: 0})


def test_a_height_field():
    """Robots fall on four grounds and stand where those of the C engine stand, with
    their weight on their feet. As in MJX there are four contacts a pair at most: seen
    are 13 N less or more on both feet while robots still rock."""
    case, expected, found = drop("feet"), plain("feet"), played("warp", "feet")
    apart_m = np.abs(found["body_pos_w"] - expected["body_pos_w"])
    assert apart_m[:, :, case.feet, 2].max() < 4e-3
    up_n = found["contact_force_w"][..., 2] - expected["contact_force_w"][..., 2]
    assert np.abs(up_n[-5:].sum(axis=-1)).max() < 0.05 * case.weight_n


def test_decimation_zero(model):
    with pytest.raises(UserError, match=r"control\.decimation is 0"):
        make_engine("warp", model, decimation=0)


def test_the_task_runs_with_resets():
    """Twelve steps in one program: rows start anew at their limit, and nothing
    overflows. That episodes are the C engine's: `envs/test_engines_play_alike.py`."""
    env = make_env(env_config("quick", motion="wave", engine="warp"))
    batched = BatchedEnv(env, 4, max_episode_steps=5)

    def run(keys):
        def body(batch, key):
            action = 0.1 * jax.random.normal(key, (4, batched.action_size))
            batch = batched.step(batch, action)
            return batch, (batch.reward, batch.reset_rows, batch.metrics)

        return jax.lax.scan(body, batched.reset(keys), jax.random.split(keys[0], 12))

    _, (reward, reset, metrics) = jax.jit(run)(jax.random.split(jax.random.key(0), 4))
    assert np.asarray(reset).sum(axis=0).min() >= 2
    assert np.isfinite(reward).all() and np.asarray(reward).min(axis=0).all()
    assert not np.asarray(metrics["physics/overflow"]).any()


def test_bare_steps(warp, warp_step, case):
    """The same physics as a step's."""
    ctrl = np.broadcast_to(case.ctrl, (1, *case.ctrl.shape))
    found = jax.jit(warp.engine.bare_steps)(case.qpos, case.qvel, ctrl)
    np.testing.assert_allclose(found, warp_step[0].qpos, atol=1e-5)
