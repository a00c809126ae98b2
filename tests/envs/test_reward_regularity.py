"""Terms of how the robot moves, against numbers worked out by hand."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimicgym.envs.config import Height, Limit, RewardConfig, Weight
from mimicgym.envs.reward import Rewards
from tests.envs.cases import DT_S, body_model, offer, robot_on
from tests.envs.test_reward import facts_of, part, slope, some_frame

ROBOT = body_model().robot


def joints(rest: float = 0.0, **values: float) -> np.ndarray:
    """(23,) named joints (without "_joint") and the rest."""
    found = np.full(23, rest, np.float32)
    for name, value in values.items():
        found[ROBOT.joint_names.index(f"{name}_joint")] = value
    return found


def pose(**values: float) -> np.ndarray:
    """(23,) rad: named joints moved from the default pose."""
    return (ROBOT.default_pose_rad + joints(**values)).astype(np.float32)


def quat(turn: Rotation) -> np.ndarray:
    return turn.as_quat(scalar_first=True).astype(np.float32)


def test_alive():
    # 200 * 0.02 a step.
    assert part("alive", Weight(200.0)) == pytest.approx(4.0)


def test_action_rate():
    # Three actions change by 1, -2 and 0.5: 1 + 4 + 0.25 = 5.25; -0.2 * 0.02 = -0.004.
    last = np.linspace(-1, 1, 23, dtype=np.float32)
    action = last.copy()
    action[[0, 5, 22]] += [1.0, -2.0, 0.5]
    found = part("action_rate", action=action, last_action=last)
    assert found == pytest.approx(-0.021, abs=1e-6)


def test_action_acceleration():
    # 0.5 - 2 * 0.25 + 1 = 1 and 1 + 2 * 1 + 2 = 5: 1 + 25 = 26; -1 * 0.02 * 26.
    found = part(
        "action_accel",
        Weight(-1.0),
        action=joints(left_knee=0.5, right_elbow=1.0),
        last_action=joints(left_knee=0.25, right_elbow=-1.0),
        last_last_action=joints(left_knee=1.0, right_elbow=2.0),
    )
    assert found == pytest.approx(-0.52, abs=1e-5)


def test_steady_changes_are_no_acceleration():
    found = part(
        "action_accel",
        Weight(-1.0),
        action=joints(rest=3.0),
        last_action=joints(rest=2.0),
        last_last_action=joints(rest=1.0),
    )
    assert found == 0


def test_ankle_actions():
    # 1 + 4 + 9 + 16 = 30, whatever the other joints do; -3 * 0.02 * 30.
    action = joints(
        rest=100.0,
        left_ankle_pitch=1.0,
        left_ankle_roll=2.0,
        right_ankle_pitch=-3.0,
        right_ankle_roll=4.0,
    )
    found = part("ankle_action", Weight(-3.0), action=action)
    assert found == pytest.approx(-1.8, abs=1e-5)


def test_joint_limits():
    # The knee's range is -0.087267 to 2.8798: middle 1.3962665, half 1.4835335, and
    # 0.98 of it ends at 1.3962665 + 1.4538628 = 2.8501293 and at -0.0575963.
    # The left one 0.1 rad above, the right one 0.02 below: -50 * 0.02 * 0.12.
    assert part("dof_pos_limits", None, {"joint_pos": joints()}) == 0
    outside = joints(left_knee=2.9501293, right_knee=-0.0775963)
    found = part("dof_pos_limits", None, {"joint_pos": outside})
    assert found == pytest.approx(-0.12, abs=1e-5)


def test_limits_follow_the_share_that_is_free(model):
    found = Rewards(RewardConfig(soft_joint_limit=0.5), facts_of(model), DT_S)
    # All in the middle of their ranges but one ankle: of its +-0.2618 rad half is free,
    # and 0.2 is 0.0691 beyond.
    middle = model.joint_range_rad.mean(axis=1).astype(np.float32)
    middle[model.robot.joint_names.index("left_ankle_roll_joint")] = 0.2
    frame = some_frame()
    robot = robot_on(frame, model).replace(joint_pos=middle)
    _, parts = found(offer(model, robot, frame), jnp.bool_(False))
    assert float(parts["dof_pos_limits"]) == pytest.approx(-0.0691, abs=1e-5)


def test_velocity_limits():
    # Half of the limits: the knee's 20 rad/s is 10, and 10.4 is 0.4 beyond; the hip's
    # 32 is 16, and 18 is 2 beyond, which counts as 1; the elbow's 37 is 18.5, and 18 is
    # free. -1 * 0.02 * 1.4.
    speed = joints(left_knee=-10.4, right_hip_pitch=18.0, left_elbow=18.0)
    found = part("dof_vel_limits", Limit(-1.0, 0.5), {"joint_vel": speed})
    assert found == pytest.approx(-0.028, abs=1e-5)
    # With all of the limits there is no excess.
    assert part("dof_vel_limits", Limit(-1.0), {"joint_vel": speed}) == 0


def test_torque_limits():
    # 0.9 * 139 = 125.1 and 0.9 * 25 = 22.5: 130 is 4.9 beyond, 25 is 2.5 beyond;
    # -0.5 * 0.02 * 7.4.
    torque = joints(left_knee=-130.0, right_elbow=25.0, right_knee=125.0)
    found = part("torque_limits", Limit(-0.5, 0.9), {"joint_torque": torque})
    assert found == pytest.approx(-0.074, abs=1e-5)


def test_energy():
    # (2 * 3)^2 + (-1 * 4)^2 = 52; -0.01 * 0.02 * 52. No torque or no speed, no power.
    robot = {
        "joint_torque": joints(left_knee=2.0, right_elbow=-1.0, waist_yaw=9.0),
        "joint_vel": joints(left_knee=3.0, right_elbow=4.0, left_elbow=9.0),
    }
    assert part("energy", Weight(-0.01), robot) == pytest.approx(-0.0104, abs=1e-6)


def test_torques():
    # 9 + 16 = 25; -0.1 * 0.02 * 25.
    robot = {"joint_torque": joints(left_knee=3.0, right_elbow=-4.0)}
    assert part("torques", Weight(-0.1), robot) == pytest.approx(-0.05, abs=1e-6)


def test_velocities():
    # 4 + 1 = 5; -0.1 * 0.02 * 5.
    robot = {"joint_vel": joints(left_knee=2.0, right_elbow=-1.0)}
    assert part("dof_vel", Weight(-0.1), robot) == pytest.approx(-0.01, abs=1e-6)


def test_accelerations():
    # 0.1 and -0.2 rad/s in 0.02 s: 5 and -10 rad/s^2: 125; -0.001 * 0.02 * 125.
    found = part(
        "dof_acc",
        Weight(-0.001),
        {"joint_vel": joints(rest=1.0, left_knee=1.1, right_elbow=0.8)},
        last_joint_vel=joints(rest=1.0),
    )
    assert found == pytest.approx(-0.0025, abs=1e-7)


def test_hips():
    # Roll and yaw: 0.01 + 0.04 + 0.09 + 0.16 = 0.3; -1 * 0.02 * 0.3.
    angles = joints(
        rest=9.0,
        left_hip_roll=0.1,
        left_hip_yaw=-0.2,
        right_hip_roll=0.3,
        right_hip_yaw=0.4,
    )
    found = part("hip_pos", Weight(-1.0), {"joint_pos": angles})
    assert found == pytest.approx(-0.006, abs=1e-6)


# A third of a turn about (1, 1, 1): the pelvis' x, y and z axes are the world's y, z
# and x.
ROLLED = quat(Rotation.from_rotvec(np.full(3, 2 * math.pi / 3 / math.sqrt(3))))


def test_vertical_velocity_is_the_pelvis_own():
    # z of the pelvis is the world's x: 2 m/s; -1 * 0.02 * 4.
    robot = {"root_quat_w": ROLLED, "root_lin_vel_w": np.array([2.0, 5.0, 7.0])}
    assert part("lin_vel_z", Weight(-1.0), robot) == pytest.approx(-0.08, abs=1e-5)


def test_rolling_and_pitching_are_the_pelvis_own():
    # x and y of the pelvis are the world's y and z: 25 + 49 = 74; -1 * 0.02 * 74.
    robot = {"root_quat_w": ROLLED, "root_ang_vel_w": np.array([2.0, 5.0, 7.0])}
    assert part("ang_vel_xy", Weight(-1.0), robot) == pytest.approx(-1.48, abs=1e-4)


@pytest.mark.parametrize(
    ("tilt_rad", "expected"),
    # -50 * 0.02 = -1, times sin(tilt)^2.
    [(0.0, 0.0), (0.5, -0.22985), (2.0, -0.82682)],
)
def test_orientation(tilt_rad, expected):
    # About an axis in the horizontal plane; heading does not matter.
    tilt = Rotation.from_rotvec(tilt_rad * np.array([0.6, -0.8, 0.0]))
    robot = {"root_quat_w": quat(tilt * Rotation.from_euler("z", 1.0))}
    found = part("orientation", Weight(-50.0), robot)
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("height_m", "expected"),
    # -100 * 0.02 = -2, times 0.1^2 and 0.05^2.
    [(0.88, -0.02), (0.73, -0.005), (0.78, 0.0)],
)
def test_base_height(height_m, expected):
    robot = {"root_pos_w": np.array([5.0, -5.0, height_m], np.float32)}
    found = part("base_height", Height(-100.0, 0.78), robot)
    assert found == pytest.approx(expected, abs=1e-6)


def test_base_height_is_above_the_ground():
    # At x = 2, y = 3 the ground is at 0.2 + 0.6 = 0.8 m: 1.68 - 0.8 - 0.78 = 0.1.
    robot = {"root_pos_w": np.array([2.0, 3.0, 1.68], np.float32)}
    found = part("base_height", Height(-100.0, 0.78), robot, ground=slope())
    assert found == pytest.approx(-0.02, abs=1e-5)


@pytest.mark.parametrize(
    ("speed_m_s", "expected"),
    # |0.1| + |-0.3| = 0.4 rad; -1 * 0.02 * 0.4, while the reference is slower than
    # 0.1 m/s: |0.05, 0.05, 0.05| = 0.087, |0, 0, -0.11| = 0.11.
    [
        ((0.0, 0.0, 0.0), -0.008),
        ((0.05, 0.05, 0.05), -0.008),
        ((0.0, 0.0, -0.11), 0.0),
        ((0.08, -0.08, 0.0), 0.0),
    ],
)
def test_stand_still(speed_m_s, expected):
    robot = {"joint_pos": pose(left_knee=0.1, right_elbow=-0.3)}
    ref = {"root_lin_vel_w": np.array(speed_m_s, np.float32)}
    found = part("stand_still", Weight(-1.0), robot, ref)
    assert found == pytest.approx(expected, abs=1e-6)
