"""VideoMimic's and DeepMimic's tracking terms against numbers worked out by hand.

Those of the default configuration are the golden values of the original.
"""

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimicgym.envs.config import Tracking
from tests.envs.cases import body_model
from tests.envs.test_reward import part, some_frame

FRAME = some_frame()
ROBOT = body_model().robot


def turned(quats_wxyz: np.ndarray, angle_rad: float) -> np.ndarray:
    turn = Rotation.from_rotvec(angle_rad * np.array([0.6, 0.0, 0.8]))
    found = turn * Rotation.from_quat(quats_wxyz, scalar_first=True)
    # The other sign is the same rotation.
    return -found.as_quat(scalar_first=True).astype(np.float32)


def moved(names, array: np.ndarray, step: float) -> np.ndarray:
    """Named bodies moved by `step`, each another way; the rest far off."""
    found = array + 5.0
    rng = np.random.default_rng(1)
    for name in names:
        row = ROBOT.key_bodies.index(name)
        way = rng.normal(size=3)
        found[row] = array[row] + step * way / np.linalg.norm(way)
    return found.astype(np.float32)


def added(array: np.ndarray, *values: float) -> np.ndarray:
    """The first and the last elements changed: the others are right."""
    found = array.copy()
    found[: len(values) - 1] += np.array(values[:-1], np.float32)
    found[-1] += values[-1]
    return found


def upright(heading_rad: float, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    turn = Rotation.from_euler("ZYX", [heading_rad, pitch, roll])
    return turn.as_quat(scalar_first=True).astype(np.float32)


def test_joint_positions():
    # 23 joints, 0.1 rad each: 23 * 0.01 = 0.23; 120 * 0.02 = 2.4;
    # 2.4 * exp(-2 * 0.23) = 2.4 * 0.63128 = 1.5151.
    signs = np.where(np.arange(23) % 2, 1, -1)
    found = part(
        "joint_pos_tracking", None, {"joint_pos": FRAME.joint_pos + 0.1 * signs}
    )
    assert found == pytest.approx(1.5151, abs=5e-5)


def test_joint_velocities():
    # 23 * 1^2 = 23; 24 * 0.02 = 0.48; 0.48 * exp(-0.01 * 23) = 0.48 * 0.79453.
    found = part("joint_vel_tracking", None, {"joint_vel": FRAME.joint_vel - 1.0})
    assert found == pytest.approx(0.3814, abs=5e-5)
    # 23 * 3^2 = 207; 0.48 * exp(-2.07) = 0.48 * 0.12619.
    found = part("joint_vel_tracking", None, {"joint_vel": FRAME.joint_vel + 3.0})
    assert found == pytest.approx(0.0606, abs=5e-5)


def test_link_positions():
    # 13 links, 0.1 m each: 13 * 0.01 = 0.13, a sum; 30 * 0.02 = 0.6;
    # 0.6 * exp(-5 * 0.13) = 0.6 * 0.52205 = 0.3132.
    array = moved(ROBOT.tracked_bodies, FRAME.body_pos_w, 0.1)
    found = part("link_pos_tracking", None, {"body_pos_w": array})
    assert found == pytest.approx(0.3132, abs=5e-5)


def test_link_velocities():
    # 13 * 0.5^2 = 3.25; 5 * 0.02 = 0.1; 0.1 * exp(-0.1 * 3.25) = 0.1 * 0.72253.
    array = moved(ROBOT.tracked_bodies, FRAME.body_lin_vel_w, 0.5)
    found = part("link_vel_tracking", None, {"body_lin_vel_w": array})
    assert found == pytest.approx(0.0723, abs=5e-5)


def test_torso_position():
    # 15 * 0.02 = 0.3; 0.3 * exp(-50 * 0.1^2) = 0.3 * 0.60653 = 0.1820.
    array = moved(["torso_link"], FRAME.body_pos_w, 0.1)
    found = part("torso_pos_tracking", None, {"body_pos_w": array})
    assert found == pytest.approx(0.1820, abs=5e-5)


@pytest.mark.parametrize(
    ("cfg", "angle", "expected"),
    [
        # 15 * 0.02 = 0.3; 0.3 * exp(-3 * 0.1) = 0.3 * 0.74082 = 0.2222.
        (None, 0.1, 0.2222),
        # Half a turn: 0.3 * exp(-3 pi).
        (None, math.pi, 0.3 * math.exp(-3 * math.pi)),
        # 50 * 0.02 = 1; exp(-3 * 0.5^2) = exp(-0.75); 1 / (1 + 0.75).
        (Tracking(50.0, 3.0, "gaussian"), 0.5, 0.47237),
        (Tracking(50.0, 3.0, "cauchy"), 0.5, 0.57143),
    ],
)
def test_orientations(cfg, angle, expected):
    quats = turned(FRAME.body_quat_w, 1.0)
    row = ROBOT.key_bodies.index("torso_link")
    quats[row] = turned(FRAME.body_quat_w[row], angle)
    found = part("torso_orientation_tracking", cfg, {"body_quat_w": quats})
    assert found == pytest.approx(expected, rel=1e-3)
    root = {"root_quat_w": turned(FRAME.root_quat_w, angle)}
    found = part("root_orientation_tracking", cfg, root)
    assert found == pytest.approx(expected, rel=1e-3)


def test_root_position():
    # 50 * 0.02 = 1; 0.1^2 + 0.2^2 + 0.05^2 = 0.0525; exp(-20 * 0.0525) = exp(-1.05).
    array = FRAME.root_pos_w + np.array([0.1, -0.2, 0.05], np.float32)
    found = part("root_pos_tracking", Tracking(50.0, 20.0), {"root_pos_w": array})
    assert found == pytest.approx(0.34994, abs=2e-5)


@pytest.mark.parametrize(
    ("name", "field", "scale", "step"),
    # A length, not its square: exp(-10 * 0.05) = exp(-0.01 * 50) = exp(-0.5), with
    # 0.05 = |0.03, 0, -0.04| m/s and 50 = |30, 0, -40| rad/s.
    [
        ("root_vel_tracking", "root_lin_vel_w", 10.0, 0.01),
        ("root_ang_vel_tracking", "root_ang_vel_w", 0.01, 10.0),
    ],
)
def test_root_velocities(name, field, scale, step):
    array = getattr(FRAME, field) + step * np.array([3, 0, -4], np.float32)
    cfg = Tracking(50.0, scale, "laplacian")
    assert part(name, cfg, {field: array}) == pytest.approx(0.60653, abs=5e-5)


def test_velocity_commands_count_from_the_heading():
    # The reference looks along x: 1 m/s forward, 0.5 to the left. The robot looks along
    # y, so forward is y and left is -x: 1.2 forward and 0.3 left, however it leans.
    # 0.2^2 + 0.2^2 = 0.08; 50 * 0.02 * exp(-4 * 0.08) = exp(-0.32). Rise and fall are
    # free.
    ref = {"root_quat_w": upright(0.0), "root_lin_vel_w": np.array([1.0, 0.5, 7.0])}
    robot = {
        "root_quat_w": -upright(math.pi / 2, 0.4, -0.3),
        "root_lin_vel_w": np.array([-0.3, 1.2, -3.0]),
    }
    found = part("tracking_lin_vel", Tracking(50.0, 4.0), robot, ref)
    assert found == pytest.approx(0.72615, abs=2e-5)


def test_yaw_rate_commands_are_about_the_vertical():
    # 0.9 - 0.4 = 0.5 rad/s; 50 * 0.02 * exp(-4 * 0.25) = exp(-1).
    ref = {"root_quat_w": upright(0.0), "root_ang_vel_w": np.array([1.0, 2.0, 0.4])}
    robot = {
        "root_quat_w": upright(1.0, 0.8, 0.5),
        "root_ang_vel_w": np.array([-2.0, 5.0, 0.9]),
    }
    found = part("tracking_ang_vel", Tracking(50.0, 4.0), robot, ref)
    assert found == pytest.approx(0.36788, abs=2e-5)


def test_deepmimic_pose():
    # 0.3^2 + 0.4^2 = 0.25, a sum; 0.65 * 0.02 * exp(-2 * 0.25) = 0.013 * 0.60653.
    robot = {"joint_pos": added(FRAME.joint_pos, 0.3, -0.4)}
    found = part("pose", Tracking(0.65, 2.0), robot)
    assert found == pytest.approx(0.0078849, abs=1e-6)


def test_deepmimic_velocity():
    # 2^2 + 1^2 = 5; 0.1 * 0.02 * exp(-0.1 * 5) = 0.002 * 0.60653.
    robot = {"joint_vel": added(FRAME.joint_vel, 2.0, -1.0)}
    found = part("velocity", Tracking(0.1, 0.1), robot)
    assert found == pytest.approx(0.00121306, abs=1e-7)


def test_deepmimic_end_effectors():
    # Hands and feet 0.05 m off: 4 * 0.0025 = 0.01; 50 * 0.02 * exp(-40 * 0.01).
    names = (*ROBOT.hand_bodies, *ROBOT.foot_bodies)
    robot = {"body_pos_w": moved(names, FRAME.body_pos_w, 0.05)}
    found = part("end_effectors", Tracking(50.0, 40.0), robot)
    assert found == pytest.approx(0.67032, abs=5e-5)


def test_deepmimic_center_of_mass():
    # 0.1^2 + 0.2^2 = 0.05; 50 * 0.02 * exp(-10 * 0.05) = exp(-0.5).
    robot = {"com_pos_w": FRAME.com_pos_w + np.array([0.1, 0.0, -0.2], np.float32)}
    found = part("center_of_mass", Tracking(50.0, 10.0), robot)
    assert found == pytest.approx(0.60653, abs=2e-5)
