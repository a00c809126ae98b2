"""What a clip asks of motors and ground, against hand-worked and simulated cases."""

import copy
from dataclasses import replace

import mujoco
import numpy as np
import pytest

from mimicgym.motion import Motion, load_motion
from mimicgym.motion.checks.forces import needs
from mimicgym.motion.dynamics import inverse_dynamics
from mimicgym.motion.edit import change_speed
from mimicgym.motion.kinematics import bare_model
from mimicgym.robot import JOINTS_29, get_robot

FPS = 50.0


def still(frames: int = 60, height_m: float | None = None) -> Motion:
    """The default pose, on the ground or at a height."""
    robot = get_robot("g1_29dof")
    qpos = np.zeros((frames, 36))
    qpos[:, 2] = robot.default_root_height_m if height_m is None else height_m
    qpos[:, 3] = 1.0
    qpos[:, 7:] = robot.default_pose_rad
    return Motion(name="still", qpos=qpos, fps=FPS, joint_names=JOINTS_29)


def weight_n() -> float:
    return float(bare_model().body_mass.sum()) * 9.81


def test_standing_is_carried_by_the_feet():
    found = inverse_dynamics(still())
    assert found.weight_n == pytest.approx(weight_n())
    assert found.supported.all()
    assert found.residual_n.max() < 0.01 * weight_n()
    assert (np.abs(found.torque_nm) < found.effort_nm).all()


def test_a_held_out_arm_needs_its_weight_times_its_lever():
    motion = still()
    qpos = motion.qpos.copy()
    shoulder = JOINTS_29.index("left_shoulder_roll_joint")
    qpos[:, 7 + shoulder] = 1.5
    model = bare_model()
    data = mujoco.MjData(model)
    data.qpos[:] = qpos[0]
    mujoco.mj_forward(model, data)
    body = model.joint("left_shoulder_roll_joint").bodyid[0]
    lever_w = data.subtree_com[body] - data.xanchor[1 + shoulder]
    force_w = np.array([0.0, 0.0, -9.81 * model.body_subtreemass[body]])
    torque_nm = -np.cross(lever_w, force_w) @ data.xaxis[1 + shoulder]
    found = inverse_dynamics(replace(motion, qpos=qpos))
    assert abs(torque_nm) > 1.0
    assert found.torque_nm[10, shoulder] == pytest.approx(torque_nm, rel=1e-6)


def test_hovering_needs_the_weight_from_nowhere_and_falling_needs_nothing():
    contact = np.zeros((60, 2), bool)
    hovering = inverse_dynamics(replace(still(height_m=2.0), foot_contact=contact))
    assert not hovering.supported.any()
    assert hovering.residual_n == pytest.approx(weight_n(), rel=1e-6)
    falling = still(height_m=10.0)
    falling.qpos[:, 2] -= 0.5 * 9.81 * (np.arange(60) / FPS) ** 2
    found = inverse_dynamics(replace(falling, foot_contact=contact))
    inside = slice(10, 50)  # one-sided differences and the filter's ends err
    assert found.residual_n[inside].max() < 0.01 * weight_n()
    assert np.abs(found.torque_nm[inside]).max() < 0.05


def test_torques_are_those_that_moved_a_simulation():
    """A robot in the air whose shoulder is driven by a known slow torque."""
    model = copy.copy(bare_model())
    model.opt.gravity[:] = 0.0
    model.opt.disableflags = int(mujoco.mjtDisableBit.mjDSBL_CONSTRAINT)
    model.opt.timestep = 0.002
    data = mujoco.MjData(model)
    data.qpos[:] = still(1, height_m=5.0).qpos[0]
    shoulder = JOINTS_29.index("right_shoulder_pitch_joint")
    rows, torques = [], []
    for i in range(500):
        torque_nm = 0.5 * np.cos(2 * np.pi * i * 0.002)
        if i % 10 == 0:
            rows.append(data.qpos.copy())
            torques.append(torque_nm)
        data.qfrc_applied[6 + shoulder] = torque_nm
        mujoco.mj_step(model, data)
    qpos = np.array(rows)
    # Without gravity in the simulation, the clip has to fall to look weightless.
    qpos[:, 2] -= 0.5 * 9.81 * (np.arange(len(qpos)) / FPS) ** 2
    motion = Motion(
        name="driven",
        qpos=qpos,
        fps=FPS,
        joint_names=JOINTS_29,
        foot_contact=np.zeros((50, 2), bool),
    )
    found = inverse_dynamics(motion)
    inside = slice(8, 42)
    assert found.torque_nm[inside, shoulder] == pytest.approx(
        np.array(torques)[inside], abs=0.02
    )
    others = np.delete(found.torque_nm[inside], shoulder, axis=1)
    assert np.abs(others).max() < 0.02


def test_too_fast_and_hovering_clips_are_named():
    kick = load_motion("kick")
    assert not list(needs(kick, None))
    fast = {f.code: f for f in needs(change_speed(kick, 5.0), None)}
    assert fast["torque"].level == "warning"
    assert "of the frames need more torque" in fast["torque"].message
    lifted = replace(still(height_m=1.5), foot_contact=np.zeros((60, 2), bool))
    found = {f.code: f for f in needs(lifted, None)}
    assert found["support"].level == "warning"
    assert "100% of the frames" in found["support"].message
