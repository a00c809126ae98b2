"""One control step from the same state: MJX against the C engine, and both against
the torque formula."""

import sys
from dataclasses import fields
from importlib.machinery import ModuleSpec

import jax
import numpy as np
import pytest

from mimicgym.errors import UserError
from mimicgym.physics import RobotState, engine, make_engine


@pytest.fixture(params=["native", "mjx"])
def result(request):
    return request.getfixturevalue(f"{request.param}_step")


def test_the_cases_are_what_they_claim(case, model, native_step):
    """Free rows touch nothing, contact rows do before and after, the saturated ones
    have actuators at their limits and others not."""
    # Of one physics step: the forces of the state that it began with.
    first = jax.vmap(make_engine("native", model, decimation=1).step)
    robots = [first(case.physics, case.ctrl)[1], native_step[1]]
    for robot in robots:
        force = np.linalg.norm(robot.contact_force_w, axis=-1)
        assert np.all(force[case.free] == 0)
        assert np.all(force[case.contact].max(axis=1) > 10)
    limited = np.abs(native_step[1].joint_torque) >= model.effort_nm - 1e-3
    assert np.all(limited[case.saturated].sum(axis=1) > 3)
    assert np.all(limited[case.saturated].sum(axis=1) < model.num_joints)
    moved = np.abs(native_step[0].qpos - case.qpos).max(axis=1)
    assert np.all(moved > 1e-3)


def test_free_flight_with_saturated_actuators(case, native_step, mjx_step):
    rows = case.free
    native, mjx = native_step[1], mjx_step[1]
    difference = np.abs(native.joint_pos[rows] - mjx.joint_pos[rows])
    assert difference.max() < 1e-4
    np.testing.assert_allclose(
        native.joint_vel[rows], mjx.joint_vel[rows], rtol=1e-3, atol=1e-3
    )
    np.testing.assert_allclose(
        native.joint_torque[rows], mjx.joint_torque[rows], rtol=1e-3, atol=1e-2
    )
    np.testing.assert_allclose(
        native_step[0].qpos[rows, :7], mjx_step[0].qpos[rows, :7], atol=1e-4
    )


def test_contact(case, native_step, mjx_step):
    rows = case.contact
    native, mjx = native_step[1], mjx_step[1]
    assert np.abs(native.joint_pos[rows] - mjx.joint_pos[rows]).max() < 1e-3
    assert np.abs(native.root_pos_w[rows] - mjx.root_pos_w[rows]).max() < 1e-3
    assert np.abs(native.contact_force_w - mjx.contact_force_w).max() < 1


def test_contact_forces_of_the_same_state(case, model):
    """Those of one physics step are of the state that it began with."""
    expected, found = (
        jax.jit(jax.vmap(make_engine(name, model, decimation=1).step))(
            case.physics, case.ctrl
        )[1].contact_force_w
        for name in ("native", "mjx")
    )
    assert np.abs(expected - found).max() < 0.1


def test_place(case, native, mjx):
    """Where the parts are and how they move, and no forces."""
    expected, found = (e.place(case.qpos, case.qvel) for e in (native, mjx))
    for name in (field.name for field in fields(RobotState)):
        one, other = getattr(found[1], name), getattr(expected[1], name)
        if other is not None:
            np.testing.assert_allclose(one, other, atol=1e-5, err_msg=name)
    for robot in (expected[1], found[1]):
        assert not robot.joint_torque.any() and not robot.contact_force_w.any()
    jax.tree.map(np.testing.assert_array_equal, found[0], expected[0])


def test_everything_shown_agrees(native_step, mjx_step):
    # Poses in m, velocities in m/s and rad/s, torques in N m.
    tolerance = {"pos": 1e-3, "quat": 1e-3, "vel": 2e-2, "torque": 5e-2, "force": 1}
    for name in (field.name for field in fields(RobotState)):
        expected, found = getattr(native_step[1], name), getattr(mjx_step[1], name)
        # No such pairs in this preset, and no buffers of a fixed size.
        if name in ("self_contact_n", "overflow"):
            assert expected is None and found is None
            continue
        atol = next(value for kind, value in tolerance.items() if kind in name)
        assert found.shape == expected.shape
        assert found.dtype == expected.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=atol, err_msg=name)


def test_the_warm_start_is_carried_on(native_step, mjx_step):
    """The acceleration of the last physics step, from which the solver goes on."""
    native, mjx = native_step[0].warmstart, mjx_step[0].warmstart
    assert np.all(np.abs(native).max(axis=1) > 0.1)
    scale = np.abs(native).max(axis=1, keepdims=True)
    np.testing.assert_allclose(mjx / scale, native / scale, atol=1e-2)


def test_torques_are_those_of_the_last_physics_step(result, case, model):
    """Clipped PD of the joint states before it, by the formula."""
    step = jax.vmap(make_engine("native", model, decimation=3).step)
    before = step(case.physics, case.ctrl)[1]
    kp, kd = model.robot.gains("videomimic")
    wanted = kp * (case.ctrl - before.joint_pos) - kd * before.joint_vel
    expected = np.clip(wanted, -model.effort_nm, model.effort_nm)
    np.testing.assert_allclose(result[1].joint_torque, expected, atol=5e-2)
    assert np.abs(expected).max() > 20


def test_robot_and_physics_show_the_same_state(result):
    physics, robot = result
    np.testing.assert_array_equal(robot.root_pos_w, physics.qpos[:, :3])
    np.testing.assert_array_equal(robot.root_quat_w, physics.qpos[:, 3:7])
    np.testing.assert_array_equal(robot.joint_pos, physics.qpos[:, 7:])
    np.testing.assert_array_equal(robot.root_lin_vel_w, physics.qvel[:, :3])
    np.testing.assert_array_equal(robot.joint_vel, physics.qvel[:, 6:])
    # The pelvis is both the root and the first key body.
    np.testing.assert_allclose(robot.body_pos_w[:, 0], robot.root_pos_w, atol=1e-6)
    np.testing.assert_allclose(
        robot.body_lin_vel_w[:, 0], robot.root_lin_vel_w, atol=1e-4
    )
    np.testing.assert_allclose(
        robot.body_ang_vel_w[:, 0], robot.root_ang_vel_w, atol=1e-4
    )


def test_unknown_engine(model):
    with pytest.raises(UserError, match=r"engine 'bullet'.*auto, mjx, native, warp"):
        make_engine("bullet", model)


def test_warp_that_is_not_installed(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "warp", None)
    with pytest.raises(UserError, match=r"pip install 'mimicgym\[warp\]'"):
        make_engine("warp", model)


@pytest.mark.parametrize("name", ["native", "mjx"])
def test_decimation_zero(name, model):
    with pytest.raises(UserError, match=r"control\.decimation is 0"):
        make_engine(name, model, decimation=0)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="of CPUs")
def test_auto_is_native_on_a_cpu(model):
    assert make_engine("auto", model).name == "native"


@pytest.mark.parametrize(
    ("platform", "installed", "found"),
    [
        ("cuda", True, "warp"),
        ("cuda", False, "mjx"),
        ("rocm", True, "mjx"),
        ("tpu", True, "mjx"),
    ],
)
def test_auto_is_the_fastest_there_is(monkeypatch, platform, installed, found):
    named = "tpu" if platform == "tpu" else "gpu"
    monkeypatch.setattr(engine.jax, "default_backend", lambda: named)
    monkeypatch.setattr(engine.backend, "backends", lambda: {platform: 0, "cpu": 1})
    spec = ModuleSpec("warp", None) if installed else None
    monkeypatch.setattr(engine, "find_spec", lambda name: spec)
    assert engine.engine_name("auto") == found
    assert engine.engine_name("native") == "native"
