"""Reward terms against numbers worked out by hand."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimicgym.envs.config import AirTime, RewardConfig, Tracking, Weight
from mimicgym.envs.reward import Rewards, reward
from mimicgym.envs.terms import (
    Facts,
    FeetState,
    feet_after_step,
    feet_at_reset,
    measured_contact,
)
from mimicgym.errors import UserError
from mimicgym.robot import build_model, get_robot
from tests.envs.cases import DT_S, body_model, offer, random_frame, robot_on


@pytest.fixture
def frame(model):
    return random_frame(model, np.random.default_rng(0))


@pytest.fixture
def rewards(model):
    return Rewards(RewardConfig(), Facts.of(model), DT_S)


@pytest.fixture
def value(model, frame, rewards):
    """A term's weighted value for changes of a perfect robot."""

    def get(name, robot=None, ref=None, **changes) -> float:
        perfect = robot_on(frame, model).replace(**(robot or {}))
        ref = frame.replace(**(ref or {}))
        offered = offer(model, perfect, ref, **changes)
        return float(rewards(offered, jnp.bool_(False))[1][name])

    return get


def turned(quats_wxyz: np.ndarray, angle_rad: float) -> np.ndarray:
    turn = Rotation.from_rotvec(angle_rad * np.array([0.6, 0.0, 0.8]))
    found = turn * Rotation.from_quat(quats_wxyz, scalar_first=True)
    # The other sign is the same rotation.
    return -found.as_quat(scalar_first=True).astype(np.float32)


def tracked_moved(model, array: np.ndarray, step: float) -> np.ndarray:
    """The 13 tracked bodies moved by `step`, each another way; the rest far off."""
    moved = array + 5.0
    rng = np.random.default_rng(1)
    for name in model.robot.tracked_bodies:
        row = model.robot.key_bodies.index(name)
        way = rng.normal(size=3)
        moved[row] = array[row] + step * way / np.linalg.norm(way)
    return moved.astype(np.float32)


def test_joint_positions(value, frame):
    # 23 joints, 0.1 rad each: 23 * 0.01 = 0.23; 120 * 0.02 = 2.4;
    # 2.4 * exp(-2 * 0.23) = 2.4 * 0.63128 = 1.5151.
    signs = np.where(np.arange(23) % 2, 1, -1)
    found = value("joint_pos_tracking", {"joint_pos": frame.joint_pos + 0.1 * signs})
    assert found == pytest.approx(1.5151, abs=5e-5)


def test_joint_velocities(value, frame):
    # 23 * 1^2 = 23; 24 * 0.02 = 0.48; 0.48 * exp(-0.01 * 23) = 0.48 * 0.79453.
    found = value("joint_vel_tracking", {"joint_vel": frame.joint_vel - 1.0})
    assert found == pytest.approx(0.3814, abs=5e-5)


def test_link_positions(value, frame, model):
    # 13 links, 0.1 m each: 13 * 0.01 = 0.13, a sum; 30 * 0.02 = 0.6;
    # 0.6 * exp(-5 * 0.13) = 0.6 * 0.52205 = 0.3132.
    moved = tracked_moved(model, frame.body_pos_w, 0.1)
    found = value("link_pos_tracking", {"body_pos_w": moved})
    assert found == pytest.approx(0.3132, abs=5e-5)


def test_link_velocities(value, frame, model):
    # 13 * 0.5^2 = 3.25; 5 * 0.02 = 0.1; 0.1 * exp(-0.1 * 3.25) = 0.1 * 0.72253.
    moved = tracked_moved(model, frame.body_lin_vel_w, 0.5)
    found = value("link_vel_tracking", {"body_lin_vel_w": moved})
    assert found == pytest.approx(0.0723, abs=5e-5)


def test_torso_position(value, frame, model):
    # 15 * 0.02 = 0.3; 0.3 * exp(-50 * 0.1^2) = 0.3 * 0.60653 = 0.1820.
    moved = frame.body_pos_w + 5.0
    row = model.robot.key_bodies.index("torso_link")
    moved[row] = frame.body_pos_w[row] + [0.06, 0.0, -0.08]
    found = value("torso_pos_tracking", {"body_pos_w": moved})
    assert found == pytest.approx(0.1820, abs=5e-5)


def test_torso_orientation(value, frame, model):
    # 15 * 0.02 = 0.3; 0.3 * exp(-3 * 0.1) = 0.3 * 0.74082 = 0.2222.
    quats = turned(frame.body_quat_w, 1.0)
    row = model.robot.key_bodies.index("torso_link")
    quats[row] = turned(frame.body_quat_w[row], 0.1)
    found = value("torso_orientation_tracking", {"body_quat_w": quats})
    assert found == pytest.approx(0.2222, abs=5e-5)


def test_root_orientation(value, frame):
    found = value(
        "root_orientation_tracking", {"root_quat_w": turned(frame.root_quat_w, 0.1)}
    )
    assert found == pytest.approx(0.2222, abs=5e-5)
    # Half a turn: 0.3 * exp(-3 pi).
    half = {"root_quat_w": turned(frame.root_quat_w, math.pi)}
    found = value("root_orientation_tracking", half)
    assert found == pytest.approx(0.3 * math.exp(-3 * math.pi), rel=1e-3)


def feet(contact=(True, False), touchdown=(False, False), air_time_s=(0.0, 0.0)):
    return FeetState(
        contact=np.array(contact),
        last_contact=np.array(contact),
        touchdown=np.array(touchdown),
        air_time_s=np.array(air_time_s, np.float32),
    )


@pytest.mark.parametrize(
    ("contact", "expected"),
    # 1 * 0.02 for each foot; the reference has the left foot down, the right one up.
    [((1, 0), 0.04), ((1, 1), 0.02), ((0, 0), 0.02), ((0, 1), 0.0)],
)
def test_feet_contact_matching(value, contact, expected):
    found = value("feet_contact_matching", feet=feet(np.array(contact, bool)))
    assert found == pytest.approx(expected, abs=1e-7)


def test_action_rate(value):
    # Three actions change by 1, -2 and 0.5: 1 + 4 + 0.25 = 5.25; -0.2 * 0.02 = -0.004.
    last = np.linspace(-1, 1, 23, dtype=np.float32)
    action = last.copy()
    action[[0, 5, 22]] += [1.0, -2.0, 0.5]
    found = value("action_rate", action=action, last_action=last)
    assert found == pytest.approx(-0.021, abs=1e-6)


@pytest.mark.parametrize(
    ("left_n", "right_n", "expected"),
    # -15 * 0.02 = -0.3 for each hand above 0.1 N, whatever the direction.
    [
        ((0, 0, 0.2), (0, 0, 0), -0.3),
        ((-50, 0, 0), (0, 0.11, 0), -0.6),
        ((0, 0, 0.09), (0.06, 0.06, 0), 0.0),
    ],
)
def test_collision(value, model, left_n, right_n, expected):
    force = np.zeros((len(model.contact_bodies), 3), np.float32)
    # Feet and all else may be hit.
    force[:] = 100.0
    for side, push in (("left", left_n), ("right", right_n)):
        force[model.contact_bodies.index(f"{side}_wrist_yaw_link")] = push
    found = value("collision", {"contact_force_w": force})
    assert found == pytest.approx(expected, abs=1e-7)


def test_joint_limits(value, model):
    # The knee's range is -0.087267 to 2.8798: middle 1.3962665, half 1.4835335, and
    # 0.98 of it ends at 1.3962665 + 1.4538628 = 2.8501293 and at -0.0575963.
    # The left one 0.1 rad above, the right one 0.02 below: -50 * 0.02 * 0.12.
    pose = np.zeros(23, np.float32)
    assert value("dof_pos_limits", {"joint_pos": pose}) == 0
    pose[model.robot.joint_names.index("left_knee_joint")] = 2.9501293
    pose[model.robot.joint_names.index("right_knee_joint")] = -0.0775963
    found = value("dof_pos_limits", {"joint_pos": pose})
    assert found == pytest.approx(-0.12, abs=1e-5)


def test_contact_no_vel(value, model):
    # Left foot: 0.5 m/s under load; right foot: 2 m/s without.
    # -100 * 0.02 = -2; -2 * 0.5 = -1.
    speed = np.full((18, 3), 7.0, np.float32)
    speed[model.robot.key_bodies.index("left_ankle_roll_link")] = [0.3, 0.0, 0.4]
    speed[model.robot.key_bodies.index("right_ankle_roll_link")] = [2.0, 0.0, 0.0]
    force = np.zeros((len(model.contact_bodies), 3), np.float32)
    force[model.contact_bodies.index("left_ankle_roll_link")] = [0.9, 0.0, 0.9]
    force[model.contact_bodies.index("right_ankle_roll_link")] = [0.0, 0.0, 0.9]
    changes = {"body_lin_vel_w": speed, "contact_force_w": force}
    assert value("contact_no_vel", changes) == pytest.approx(-1.0, abs=1e-5)


def test_feet_air_time_value(value):
    # A landing after half a second: 2000 * 0.02 * (0.5 - 0.25) = 10; one after 0.04 s:
    # 40 * (0.04 - 0.25) = -8.4; a foot that does not land earns nothing.
    landed = feet(touchdown=(True, False), air_time_s=(0.5, 0.9))
    assert value("feet_air_time", feet=landed) == pytest.approx(10.0, abs=1e-4)
    both = feet(touchdown=(True, True), air_time_s=(0.5, 0.04))
    assert value("feet_air_time", feet=both) == pytest.approx(1.6, abs=1e-4)


def original_air_time(contacts: list[bool]) -> list[float]:
    """Air time at each step where the original pays for a landing, else 0; a plain
    loop. contacts[0] is that of the reset."""
    paid, clock, last = [], 0.0, contacts[0]
    for contact in contacts[1:]:
        down, last = contact or last, contact
        first = clock > 0 and down
        clock += DT_S
        paid.append(clock if first else 0.0)
        if down:
            clock = 0.0
    return paid


@pytest.mark.parametrize(
    "pattern",
    [
        "1111",
        "1101111",  # one step without force is no flight
        "11001",  # the shortest flight
        "1100000000001100111000",
        "00000111",  # a reset in the air
        "0111",  # a reset just above the ground
        "001",
        "0101010",
    ],
)
def test_landings_follow_the_contacts(pattern):
    contacts = [c == "1" for c in pattern]

    def force(contact: bool) -> jnp.ndarray:
        # The other foot stays down.
        return jnp.array([[0.0, 0.0, 50.0 if contact else 0.0], [0.0, 0.0, 50.0]])

    state = feet_at_reset(force(contacts[0]))
    found = []
    for contact in contacts[1:]:
        state = feet_after_step(state, force(contact), DT_S)
        assert state.contact.tolist() == [contact, True]
        assert not state.touchdown[1]
        found.append(float(jnp.where(state.touchdown, state.air_time_s, 0.0)[0]))
    np.testing.assert_allclose(found, original_air_time(contacts), atol=1e-6)


def test_contact_is_a_vertical_force_above_one_newton():
    force = jnp.array([[100.0, 100.0, 0.9], [0.0, 0.0, 1.1]])
    assert measured_contact(force).tolist() == [False, True]


def test_termination_costs_ten_and_only_on_failure(model, frame, rewards):
    offered = offer(model, robot_on(frame, model), frame)
    lived, parts = rewards(offered, jnp.bool_(False))
    failed, failed_parts = rewards(offered, jnp.bool_(True))
    # -500 * 0.02 = -10.
    assert float(failed - lived) == pytest.approx(-10.0, abs=1e-5)
    assert float(failed_parts["termination"]) == pytest.approx(-10.0, abs=1e-5)
    assert float(parts["termination"]) == 0


def test_perfection_and_the_sum_of_the_parts(model, frame, rewards):
    inside = frame.replace(joint_pos=np.zeros(23, np.float32) + 0.1)
    offered = offer(model, robot_on(inside, model), inside)
    total, parts = rewards(offered, jnp.bool_(False))
    # 2.4 + 0.48 + 0.6 + 0.1 + 3 * 0.3 = 4.48, and 0.04 for both feet.
    assert float(total) == pytest.approx(4.52, abs=1e-5)
    assert float(total) == pytest.approx(float(sum(parts.values())), abs=1e-6)
    # 13 terms and termination: the 14 of the default configuration.
    assert len(parts) == 14


def test_a_weight_of_zero_drops_a_term(model):
    config = RewardConfig(action_rate=Weight(0.0), termination=Weight(0.0))
    found = Rewards(config, Facts.of(model), DT_S)
    frame = random_frame(model, np.random.default_rng(0))
    offered = offer(model, robot_on(frame, model), frame)
    _, parts = found(offered, jnp.bool_(True))
    assert set(parts) == set(reward) - {"action_rate"}


@pytest.mark.parametrize("failed", [False, True])
def test_only_positive_comes_before_the_termination(model, frame, failed):
    config = RewardConfig(only_positive=True)
    found = Rewards(config, Facts.of(model), DT_S)
    action = np.full(23, 100.0, np.float32)
    offered = offer(model, robot_on(frame, model), frame, action=action)
    total, parts = found(offered, jnp.bool_(failed))
    assert float(parts["action_rate"]) < -100
    assert float(total) == pytest.approx(-10.0 if failed else 0.0, abs=1e-5)


def test_kernels_and_targets_come_from_the_configuration(model, frame):
    config = RewardConfig(
        joint_pos_tracking=Tracking(50.0, 1.0), feet_air_time=AirTime(100.0, 0.1)
    )
    found = Rewards(config, Facts.of(model), DT_S)
    robot = robot_on(frame, model).replace(joint_pos=frame.joint_pos + 0.1)
    landed = feet(touchdown=(True, False), air_time_s=(0.5, 0.0))
    _, parts = found(offer(model, robot, frame, feet=landed), jnp.bool_(False))
    # 50 * 0.02 * exp(-0.23); 100 * 0.02 * (0.5 - 0.1).
    assert float(parts["joint_pos_tracking"]) == pytest.approx(math.exp(-0.23), 1e-5)
    assert float(parts["feet_air_time"]) == pytest.approx(0.8, abs=1e-5)


def test_limits_follow_the_share_that_is_free(model, frame):
    found = Rewards(RewardConfig(soft_joint_limit=0.5), Facts.of(model), DT_S)
    # All in the middle of their ranges but one ankle: of its +-0.2618 rad half is free,
    # and 0.2 is 0.0691 beyond.
    pose = model.joint_range_rad.mean(axis=1).astype(np.float32)
    pose[model.robot.joint_names.index("left_ankle_roll_joint")] = 0.2
    robot = robot_on(frame, model).replace(joint_pos=pose)
    _, parts = found(offer(model, robot, frame), jnp.bool_(False))
    assert float(parts["dof_pos_limits"]) == pytest.approx(-0.0691, abs=1e-5)


def test_every_weight_has_a_term_and_every_term_a_weight():
    fields = set(RewardConfig.__dataclass_fields__)
    assert fields - set(reward) == {"termination", "soft_joint_limit", "only_positive"}
    assert set(reward) <= fields


def test_hand_contacts_need_hands_that_collide():
    feet_only = build_model(get_robot("g1_23dof"), collisions="feet")
    with pytest.raises(UserError, match=r"reward\.collision.*'feet'.*'body' or 'full'"):
        Rewards(RewardConfig(), Facts.of(feet_only), DT_S)
    found = Rewards(RewardConfig(collision=Weight(0.0)), Facts.of(feet_only), DT_S)
    assert "collision" not in found.terms


@pytest.mark.parametrize("share", [0.0, 1.1, -1.0, math.nan])
def test_soft_joint_limit_out_of_range(share):
    with pytest.raises(UserError, match=r"reward\.soft_joint_limit is"):
        Rewards(RewardConfig(soft_joint_limit=share), Facts.of(body_model()), DT_S)
