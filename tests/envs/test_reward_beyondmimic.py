"""BeyondMimic's terms by hand, and the relative reference against SciPy."""

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimicgym.envs.config import RewardConfig, Tracking, TrackingConfig
from mimicgym.envs.relative import relative_reference
from mimicgym.envs.terms import Facts
from tests.envs.cases import body_model, random_frame, robot_on
from tests.envs.test_reward import part, some_frame
from tests.envs.test_reward_tracking import moved, turned

FRAME = some_frame()
ROBOT = body_model().robot
TRACKED = ROBOT.tracked_bodies
ANCHOR = ROBOT.key_bodies.index("torso_link")

# Weight 50 * 0.02 = 1.
POS = Tracking(50.0, 1 / 0.3**2)
ANGLE = Tracking(50.0, 1 / 0.4**2)


def rotation(quats_wxyz) -> Rotation:
    return Rotation.from_quat(np.asarray(quats_wxyz, float), scalar_first=True)


def quats(rotations: Rotation) -> np.ndarray:
    return rotations.as_quat(scalar_first=True).astype(np.float32)


def elsewhere(heading_rad: float, rise_m: float) -> dict:
    """The reference at another place, in another direction."""
    turn = Rotation.from_euler("z", heading_rad)
    away = np.array([3.0, -2.0, rise_m])
    return {
        "body_pos_w": (turn.apply(FRAME.body_pos_w) + away).astype(np.float32),
        "body_quat_w": quats(turn * rotation(FRAME.body_quat_w)),
    }


def some_moved(field: str, names, step: float) -> dict:
    """Some bodies changed, all others right."""
    far = moved(names, getattr(FRAME, field), step)
    found = getattr(FRAME, field).copy()
    rows = [ROBOT.key_bodies.index(n) for n in names]
    found[rows] = far[rows]
    return {field: found}


def test_scales_are_those_of_the_source():
    # Sigmas of 0.3 m, 0.4 rad, 1 m/s and 3.14 rad/s.
    config = RewardConfig()
    found = {
        name: getattr(config, name).scale ** -0.5
        for name in (
            "anchor_pos",
            "anchor_orientation",
            "body_pos_relative",
            "body_orientation_relative",
            "body_lin_vel",
            "body_ang_vel",
        )
    }
    assert list(found.values()) == pytest.approx([0.3, 0.4, 0.3, 0.4, 1.0, 3.14])


def test_anchor_position():
    # |0.18, 0, -0.24| = 0.3 m: exp(-0.09 / 0.09) = exp(-1), wherever the others are.
    array = FRAME.body_pos_w + 5.0
    array[ANCHOR] = FRAME.body_pos_w[ANCHOR] + np.array([0.18, 0.0, -0.24])
    found = part("anchor_pos", POS, {"body_pos_w": array})
    assert found == pytest.approx(0.36788, abs=2e-5)


def test_anchor_orientation():
    # 0.2 rad: exp(-0.04 / 0.16) = exp(-0.25).
    array = turned(FRAME.body_quat_w, 1.0)
    array[ANCHOR] = turned(FRAME.body_quat_w[ANCHOR], 0.2)
    found = part("anchor_orientation", ANGLE, {"body_quat_w": array})
    assert found == pytest.approx(0.77880, abs=5e-5)


@pytest.mark.parametrize(
    ("bodies", "expected"),
    # All 13 bodies 0.3 m off: the mean of 0.09 is 0.09, exp(-1). One of them: 0.09 / 13
    # and exp(-1 / 13) = 0.92596; a sum would be 0.36788, the square of a mean 0.99410.
    [(TRACKED, 0.36788), (("left_elbow_link",), 0.92596)],
)
def test_body_positions(bodies, expected):
    found = part("body_pos_relative", POS, some_moved("body_pos_w", bodies, 0.3))
    assert found == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [(TRACKED, 0.36788), (("pelvis",), 0.92596)],
)
def test_body_orientations(bodies, expected):
    array = FRAME.body_quat_w.copy()
    rows = [ROBOT.key_bodies.index(n) for n in bodies]
    array[rows] = turned(FRAME.body_quat_w[rows], 0.4)
    found = part("body_orientation_relative", ANGLE, {"body_quat_w": array})
    assert found == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize(
    ("name", "field", "sigma"),
    [
        ("body_lin_vel", "body_lin_vel_w", 1.0),
        ("body_ang_vel", "body_ang_vel_w", 3.14),
    ],
)
@pytest.mark.parametrize(
    ("bodies", "expected"),
    # Errors as large as sigma, as for positions.
    [(TRACKED, 0.36788), (("right_knee_link",), 0.92596)],
)
def test_body_velocities(name, field, sigma, bodies, expected):
    cfg = Tracking(50.0, 1 / sigma**2)
    found = part(name, cfg, some_moved(field, bodies, sigma))
    assert found == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("heading_rad", [0.0, 1.3, -3.0])
def test_place_and_heading_do_not_count_but_height_does(heading_rad):
    drifted = elsewhere(heading_rad, 0.0)
    assert part("body_pos_relative", POS, ref=drifted) == pytest.approx(1, abs=1e-5)
    found = part("body_orientation_relative", ANGLE, ref=drifted)
    assert found == pytest.approx(1, abs=1e-5)
    # 0.3 m too high, all of it: exp(-1); the anchor's own term sees the drift.
    risen = elsewhere(heading_rad, 0.3)
    found = part("body_pos_relative", POS, ref=risen)
    assert found == pytest.approx(0.36788, abs=5e-5)
    assert part("anchor_pos", POS, ref=drifted) < 1e-5


def test_only_the_heading_is_turned_away():
    # A robot that leans 0.4 rad forward as a whole, about its anchor, and has turned by
    # 2 rad: each body is 0.4 rad off.
    anchor_w = FRAME.body_pos_w[ANCHOR]
    lean = Rotation.from_euler("z", 2.0) * Rotation.from_euler("y", 0.4)
    robot = {
        "body_pos_w": lean.apply(FRAME.body_pos_w - anchor_w) + anchor_w,
        "body_quat_w": quats(lean * rotation(FRAME.body_quat_w)),
    }
    found = part("body_orientation_relative", ANGLE, robot)
    assert found == pytest.approx(0.36788, abs=2e-4)


@pytest.mark.parametrize("anchor", ["torso_link", "pelvis"])
def test_relative_reference_against_scipy(anchor):
    model = body_model()
    tracking = TrackingConfig(bodies=("left_knee_link", anchor, "right_elbow_link"))
    tracking = TrackingConfig(bodies=tracking.bodies, anchor=anchor)
    facts = Facts.of(model, tracking)
    rows = model.robot.body_index(*tracking.bodies)
    row = model.robot.key_bodies.index(anchor)
    rng = np.random.default_rng(3)
    for _ in range(50):
        robot = robot_on(random_frame(model, rng), model)
        ref = random_frame(model, rng)
        found_pos_w, found_quat_w = relative_reference(robot, ref, facts)
        between = (
            rotation(robot.body_quat_w[row]) * rotation(ref.body_quat_w[row]).inv()
        )
        ahead = between.apply([1.0, 0.0, 0.0])
        turn = Rotation.from_euler("z", math.atan2(ahead[1], ahead[0]))
        arms = turn.apply(ref.body_pos_w[rows] - ref.body_pos_w[row])
        expected = arms + [*robot.body_pos_w[row, :2], ref.body_pos_w[row, 2]]
        np.testing.assert_allclose(found_pos_w, expected, atol=2e-5)
        off = turn * rotation(ref.body_quat_w[rows]) * rotation(found_quat_w).inv()
        np.testing.assert_allclose(off.magnitude(), 0.0, atol=2e-5)
        # The anchor itself: the robot's place, the reference's height.
        place = [*robot.body_pos_w[row, :2], ref.body_pos_w[row, 2]]
        np.testing.assert_allclose(found_pos_w[1], place, atol=1e-6)


def test_relative_reference_of_a_robot_in_place_is_the_reference():
    model = body_model()
    facts = Facts.of(model, TrackingConfig())
    pos_w, quat_w = relative_reference(robot_on(FRAME, model), FRAME, facts)
    np.testing.assert_allclose(pos_w, FRAME.body_pos_w[facts.tracked], atol=1e-5)
    off = rotation(quat_w) * rotation(FRAME.body_quat_w[facts.tracked]).inv()
    np.testing.assert_allclose(off.magnitude(), 0.0, atol=1e-5)
