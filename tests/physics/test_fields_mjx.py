"""MJX with fields, targets for each physics step and wrenches, against the C engine.

One program for all: row by row one group of fields is off, or a wrench acts, or the
targets change within the control step, and in the last row everything happens.
"""

import jax
import numpy as np
import pytest

from mimicgym.physics import PhysicsState
from tests.physics.changed import GROUPS, drawn, nominal
from tests.physics.conftest import DECIMATION

NAMES = ("nominal", *GROUPS, "wrench", "targets", "all")
STEPS = 20


@pytest.fixture(scope="module")
def operands(case, model):
    """The same robot on its feet, not quite upright, two joints far from
    their targets: physics, targets (12, 4, J), fields and wrenches (12, 6)."""
    rng = np.random.default_rng(4)
    start, rows = case.contact.start + 1, len(NAMES)
    fields, off = nominal(model.mj, rows), drawn(model.mj, rows)
    wrench = np.zeros((rows, 6), np.float32)
    ctrl = np.tile(case.ctrl[start], (rows, DECIMATION, 1))
    ctrl[..., model.robot.joint_index("left_knee_joint", "waist_yaw_joint")] += 2.5
    for row, name in enumerate(NAMES):
        for field in off if name == "all" else GROUPS.get(name, ()):
            fields[field][row] = off[field][row]
        if name in ("wrench", "all"):
            wrench[row] = rng.uniform(-60, 60, 6)
        if name in ("targets", "all"):
            ctrl[row] += rng.uniform(-0.3, 0.3, ctrl.shape[1:])
    qpos, qvel = (np.tile(x[start], (rows, 1)) for x in (case.qpos, case.qvel))
    return PhysicsState(qpos, qvel, np.zeros_like(qvel)), ctrl, fields, wrench


@pytest.fixture(scope="module")
def runs(operands, native, mjx):
    """Of both engines: the results of each of the steps."""
    found = {}
    for engine in (native.engine, mjx.engine):
        step = jax.jit(jax.vmap(engine.step))
        physics, *rest = operands
        found[engine.name] = []
        for _ in range(STEPS):
            physics, robot = jax.tree.map(np.asarray, step(physics, *rest))
            found[engine.name].append((physics, robot))
    return found["native"], found["mjx"]


@pytest.mark.parametrize("name", NAMES)
def test_one_control_step(name, runs):
    row = NAMES.index(name)
    (native, native_robot), (mjx, mjx_robot) = (run[0] for run in runs)
    np.testing.assert_allclose(mjx.qpos[row], native.qpos[row], atol=2e-5)
    np.testing.assert_allclose(mjx.qvel[row], native.qvel[row], atol=1e-3)
    np.testing.assert_allclose(
        mjx_robot.contact_force_w[row], native_robot.contact_force_w[row], atol=0.5
    )
    np.testing.assert_allclose(
        mjx_robot.joint_torque[row], native_robot.joint_torque[row], atol=0.01
    )
    # Far more than the engines differ by: neither of them can have left it out.
    if name != "nominal":
        assert np.abs(native.qpos[row] - native.qpos[0]).max() > 4e-4
        assert np.abs(native.qvel[row] - native.qvel[0]).max() > 0.02


def test_the_robot_is_where_fields_count(runs, model):
    """It stands on the floor, and has motors at their limits and others not."""
    robot = runs[0][0][1]
    assert np.all(robot.contact_force_w[:, :2, 2].max(axis=1) > 10)
    limited = np.abs(robot.joint_torque[0]) >= model.effort_nm - 1e-3
    assert 0 < limited.sum() < model.num_joints


def test_twenty_control_steps(runs):
    """It falls down meanwhile: errors have had their chance to grow."""
    (native, _), (mjx, _) = (run[-1] for run in runs)
    np.testing.assert_allclose(mjx.qpos, native.qpos, atol=5e-4)
    np.testing.assert_allclose(mjx.qvel, native.qvel, atol=1e-2)
    assert np.abs(native.qpos - native.qpos[:1]).max(axis=1)[1:].min() > 3e-3
