"""From actions to joint targets, by hand."""

import dataclasses

import numpy as np
import pytest

from mimicgym.envs.config import ControlConfig
from mimicgym.envs.control import Control
from mimicgym.errors import UserError
from tests.envs.cases import body_model

CFG = ControlConfig()
NONE = np.zeros(3, np.float32)


def control(cfg: ControlConfig = CFG, robot: str = "g1_23dof") -> Control:
    return Control(cfg, body_model(robot))


def filter_action(action, last, offset, cfg):
    return control(cfg).filter(action, last, offset)


def filled(*first: float) -> np.ndarray:
    return np.concatenate([first, np.zeros(23 - len(first))])


def test_without_a_filter_the_action_is_the_action():
    action = np.array([0.5, -7.9, 8.0], np.float32)
    found = filter_action(action, np.full(3, 99.0), NONE, CFG)
    np.testing.assert_array_equal(found, action)


def test_actions_are_clipped_at_eight():
    action = np.array([8.1, -100.0, np.inf], np.float32)
    np.testing.assert_array_equal(filter_action(action, NONE, NONE, CFG), [8, -8, 8])


def test_the_offset_comes_before_the_clip():
    action, offset = np.array([1.0, 7.0, -9.0]), np.array([0.25, 2.0, 2.0])
    found = filter_action(action, NONE, offset, CFG)
    # 7 + 2 is clipped; -9 + 2 is not: the other order would give 10 and -6.
    np.testing.assert_allclose(found, [1.25, 8.0, -7.0])


def test_the_filter_comes_after_the_clip():
    cfg = dataclasses.replace(CFG, low_pass=0.25)
    action, last = np.array([4.0, 100.0, -1.0]), np.array([0.0, 4.0, 3.0])
    # 0.25 * 4; 0.25 * 8 + 0.75 * 4; 0.25 * -1 + 0.75 * 3.
    np.testing.assert_allclose(filter_action(action, last, NONE, cfg), [1.0, 5.0, 2.0])


def test_target():
    # 0.25 rad for each unit of action.
    found = control().target(filled(1.0, -2.0), filled(0.3, -0.2))
    np.testing.assert_allclose(found, filled(0.55, -0.7), atol=1e-7)


@pytest.mark.parametrize("target", ["reference", "default", "direct"])
@pytest.mark.parametrize("pose", [[0.3, -0.1, 0.0], [1.0, 0.5, -2.0]])
def test_matched_action_asks_for_the_pose_that_is(pose, target):
    joint_pos = filled(0.4, -0.1, 1.0)
    found = control(dataclasses.replace(CFG, target=target))
    action = found.matched(joint_pos, filled(*pose))
    np.testing.assert_allclose(action, (joint_pos - filled(*pose)) / 0.25, rtol=1e-6)
    np.testing.assert_allclose(
        found.target(action, filled(*pose)), joint_pos, rtol=1e-6
    )


def test_torques_have_no_pose():
    found = control(dataclasses.replace(CFG, target="torque", action_scale=2.0))
    torque_nm = found.target(filled(1.0, -3.0), filled(0.3, 0.4))
    np.testing.assert_allclose(torque_nm, filled(2.0, -6.0))
    matched = found.matched(filled(0.4), filled(0.3))
    np.testing.assert_array_equal(matched, np.zeros(23))


def test_scale_by_effort():
    cfg = dataclasses.replace(CFG, scale_by_effort=True, gains="beyondmimic")
    names = body_model("g1_29dof").robot.joint_names
    scale = dict(zip(names, control(cfg, "g1_29dof").scale, strict=True))
    # 0.25 * effort / kp, from mjlab's constants.
    assert scale["left_knee_joint"] == pytest.approx(0.350661, abs=1e-6)
    assert scale["left_hip_yaw_joint"] == pytest.approx(0.547546, abs=1e-6)
    assert scale["waist_pitch_joint"] == pytest.approx(0.438577, abs=1e-6)
    assert scale["right_wrist_yaw_joint"] == pytest.approx(0.074501, abs=1e-6)
    torque = dataclasses.replace(CFG, scale_by_effort=True, target="torque")
    assert control(torque).scale[names.index("left_knee_joint")] == 0.25 * 139


def test_gains_of_a_rotor_on_a_spring():
    model = body_model("g1_29dof")
    kp, kd = model.robot.gains("beyondmimic")
    joints = [model.mj.joint(name).id for name in model.robot.joint_names]
    armature = model.mj.dof_armature[model.mj.jnt_dofadr[joints]]
    np.testing.assert_allclose(kp, armature * (2 * np.pi * 10) ** 2)
    np.testing.assert_allclose(kd, 2 * 2 * armature * 2 * np.pi * 10)
    knee = model.robot.joint_names.index("left_knee_joint")
    assert (kp[knee], kd[knee]) == pytest.approx((99.0984, 6.308802), abs=1e-4)


def test_poses():
    robot = body_model("g1_29dof").robot
    bent = dict(zip(robot.joint_names, robot.pose_rad("knees_bent"), strict=True))
    assert bent["right_knee_joint"] == 0.669
    assert bent["left_shoulder_roll_joint"] == 0.2
    assert bent["right_shoulder_roll_joint"] == -0.2
    assert bent["right_elbow_joint"] == 0.6
    assert bent["waist_yaw_joint"] == 0.0
    with pytest.raises(UserError, match=r"pose 'tall'.*knees_bent, straight"):
        robot.pose_rad("tall")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"target": "pose"},
            r"control\.target 'pose'.*default, direct, reference, torque",
        ),
        ({"low_pass": 0.0}, r"control\.low_pass is 0\.0"),
        ({"low_pass": 1.5}, r"control\.low_pass is 1\.5"),
        ({"action_scale": 0.0}, r"control\.action_scale is 0\.0; it must be positive"),
        ({"action_clip": -1.0}, r"control\.action_clip is -1\.0"),
        ({"action_scale": np.nan}, r"control\.action_scale is nan"),
        ({"target_frames_ahead": -1}, r"control\.target_frames_ahead is -1"),
    ],
)
def test_bad_settings(changes, message):
    with pytest.raises(UserError, match=message):
        control(dataclasses.replace(CFG, **changes))
