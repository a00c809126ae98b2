"""Terms of the feet against numbers worked out by hand, and the feet's own state."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimicgym.envs.config import AirTime, Force, Gait, Height, Tracking, Weight
from mimicgym.envs.terms import feet_after_step, feet_at_reset, measured_contact
from tests.envs.cases import DT_S, body_model
from tests.envs.test_reward import feet, part, slope, some_frame

MODEL = body_model()
FRAME = some_frame()  # its left foot is down, its right one up


def forces(left, right, rest: float = 500.0) -> dict:
    """The forces on the feet (N); all else is hit hard."""
    array = np.full((len(MODEL.contact_bodies), 3), rest, np.float32)
    for side, force in (("left", left), ("right", right)):
        array[MODEL.contact_bodies.index(f"{side}_ankle_roll_link")] = force
    return {"contact_force_w": array}


def bodies(left, right, rest: float = 7.0) -> np.ndarray:
    """(18, 3) vectors of the feet and of the rest."""
    array = np.full((18, 3), rest, np.float32)
    for side, value in (("left", left), ("right", right)):
        array[MODEL.robot.key_bodies.index(f"{side}_ankle_roll_link")] = value
    return array


def flags(left: int, right: int) -> np.ndarray:
    return np.array([left, right], bool)


@pytest.mark.parametrize(
    ("contact", "expected"),
    # 1 * 0.02 for each foot; the reference has the left foot down, the right one up.
    [((1, 0), 0.04), ((1, 1), 0.02), ((0, 0), 0.02), ((0, 1), 0.0)],
)
def test_feet_contact_matching(contact, expected):
    found = part("feet_contact_matching", feet=feet(contact))
    assert found == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("before", "now", "ref_before", "ref_now", "expected"),
    # -1 * 0.02 for each foot that changes, alone, to what the reference is not.
    [
        ((1, 1), (0, 1), (1, 1), (1, 1), -0.02),
        ((1, 1), (0, 0), (1, 1), (1, 1), -0.04),
        ((0, 0), (1, 0), (0, 0), (0, 0), -0.02),
        ((0, 1), (1, 1), (1, 1), (1, 1), 0.0),  # back to where it should be
        ((0, 1), (0, 1), (1, 0), (1, 0), 0.0),  # wrong, but still
        ((0, 1), (1, 1), (1, 1), (0, 1), 0.0),  # wrong, but the reference changes too
        ((0, 1), (1, 0), (0, 1), (0, 1), -0.04),
    ],
)
def test_contact_smoothness(before, now, ref_before, ref_now, expected):
    found = part(
        "contact_smoothness",
        Weight(-1.0),
        ref={"foot_contact": flags(*ref_now)},
        last_ref=FRAME.replace(foot_contact=flags(*ref_before)),
        feet=feet(now, before),
        step=jnp.int32(10),
    )
    assert found == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(("step", "expected"), [(1, 0.0), (9, 0.0), (10, -0.02)])
def test_contact_smoothness_begins_at_step_ten(step, expected):
    found = part(
        "contact_smoothness",
        Weight(-1.0),
        feet=feet((1, 1), (1, 0)),
        step=jnp.int32(step),
    )
    assert found == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("contact", "ref_contact", "expected"),
    # -5 * 0.02 in the air while a foot of the reference is down, one or both.
    [
        ((0, 0), (1, 1), -0.1),
        ((0, 0), (1, 0), -0.1),
        ((0, 0), (0, 1), -0.1),
        ((0, 0), (0, 0), 0.0),
        ((1, 0), (0, 1), 0.0),
        ((1, 1), (0, 0), 0.0),
    ],
)
def test_no_fly(contact, ref_contact, expected):
    ref = {"foot_contact": flags(*ref_contact)}
    found = part("no_fly", Weight(-5.0), ref=ref, feet=feet(contact))
    assert found == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("time_s", "contact", "expected"),
    # 5 * 0.02 = 0.1 for each foot. Period 0.8 s, the right foot half a period ahead,
    # down while its clock is below 0.55.
    [
        # 0.1 / 0.8 = 0.125: left down; 0.625: right up.
        (0.1, (1, 0), 0.2),
        (0.1, (1, 1), 0.1),
        (0.1, (0, 1), 0.0),
        # 1.3 / 0.8 = 1.625: left up; 2.125: right down.
        (1.3, (0, 1), 0.2),
        (1.3, (1, 0), 0.0),
        # 0.416 / 0.8 = 0.52 and 1.02: both are down for a while.
        (0.416, (1, 1), 0.2),
        (0.416, (1, 0), 0.1),
        # 0.444 / 0.8 = 0.555: the left foot has left.
        (0.444, (0, 1), 0.2),
    ],
)
def test_gait(time_s, contact, expected):
    found = part(
        "gait_contact",
        Gait(5.0, 0.8, 0.5, 0.55),
        feet=feet(contact),
        time_s=jnp.float32(time_s),
    )
    assert found == pytest.approx(expected, abs=1e-6)


def test_gait_with_another_clock():
    # 0.3 / 0.5 = 0.6: left up from 0.6 on; right 0.85, up.
    cfg = Gait(5.0, 0.5, 0.25, 0.59)
    found = part("gait_contact", cfg, feet=feet((0, 0)), time_s=jnp.float32(0.3))
    assert found == pytest.approx(0.2, abs=1e-6)


def test_contact_no_vel():
    # Left foot: 0.5 m/s under load; right foot: 2 m/s without.
    # -100 * 0.02 = -2; -2 * 0.5 = -1.
    robot = {"body_lin_vel_w": bodies([0.3, 0.0, 0.4], [2.0, 0.0, 0.0])}
    robot |= forces([0.9, 0.0, 0.9], [0.0, 0.0, 0.9])
    assert part("contact_no_vel", None, robot) == pytest.approx(-1.0, abs=1e-5)
    # Both under load: -2 * (0.5 + 2).
    robot |= forces([0.9, 0.0, 0.9], [0.0, 0.0, 1.1])
    assert part("contact_no_vel", None, robot) == pytest.approx(-5.0, abs=1e-5)


def test_air_time():
    # A landing after half a second: 2000 * 0.02 * (0.5 - 0.25) = 10; one after 0.04 s:
    # 40 * (0.04 - 0.25) = -8.4; a foot that does not land earns nothing.
    landed = feet(touchdown=(True, False), air_time_s=(0.5, 0.9))
    assert part("feet_air_time", feet=landed) == pytest.approx(10.0, abs=1e-4)
    both = feet(touchdown=(True, True), air_time_s=(0.5, 0.04))
    assert part("feet_air_time", feet=both) == pytest.approx(1.6, abs=1e-4)
    # 100 * 0.02 * (0.5 - 0.1).
    found = part("feet_air_time", AirTime(100.0, 0.1), feet=landed)
    assert found == pytest.approx(0.8, abs=1e-5)


def test_peak_of_a_flight():
    # 0.2 - 0.12 = 0.08 m missing; -10 * 0.02 * 0.08. Only where a foot lands.
    cfg = Height(-10.0, 0.2)
    name = "feet_max_height_for_this_air"
    landed = feet(touchdown=(True, False), peak_m=(0.12, 0.05))
    assert part(name, cfg, feet=landed) == pytest.approx(-0.016, abs=1e-6)
    # 0.08 + 0.15; a higher flight costs nothing and earns nothing.
    both = feet(touchdown=(True, True), peak_m=(0.12, 0.05))
    assert part(name, cfg, feet=both) == pytest.approx(-0.046, abs=1e-6)
    high = feet(touchdown=(True, True), peak_m=(0.12, 0.4))
    assert part(name, cfg, feet=high) == pytest.approx(-0.016, abs=1e-6)


def test_swing_height():
    # The right foot in the air: (0.13 - 0.08)^2 = 0.0025; -20 * 0.02 * 0.0025. The left
    # one on the ground does not count.
    cfg = Height(-20.0, 0.08)
    robot = {"body_pos_w": bodies([9.0, 9.0, 0.38], [9.0, 9.0, 0.13])}
    found = part("feet_swing_height", cfg, robot, feet=feet((1, 0)))
    assert found == pytest.approx(-0.001, abs=1e-6)
    # Both: 0.3^2 + 0.05^2 = 0.0925.
    found = part("feet_swing_height", cfg, robot, feet=feet((0, 0)))
    assert found == pytest.approx(-0.037, abs=1e-6)
    assert part("feet_swing_height", cfg, robot, feet=feet((1, 1))) == 0
    # On a slope, with ground at 0.1 + 0.4 m and at 0.3 - 0.2 m: both as above.
    robot = {"body_pos_w": bodies([1.0, 2.0, 0.88], [3.0, -1.0, 0.23])}
    found = part("feet_swing_height", cfg, robot, ground=slope(), feet=feet((0, 0)))
    assert found == pytest.approx(-0.037, abs=1e-5)


@pytest.mark.parametrize("heading_rad", [0.0, 1.0, 3.1, -3.1])
def test_feet_orientation(heading_rad):
    # 0.2 and -0.1 rad from the pelvis: 0.3, a sum; 50 * 0.02 * exp(-6 * 0.3); past half
    # a turn the headings wrap.
    def quat(yaw: float, pitch: float) -> np.ndarray:
        turn = Rotation.from_euler("ZYX", [heading_rad + yaw, pitch, 0.1])
        return turn.as_quat(scalar_first=True).astype(np.float32)

    quats = FRAME.body_quat_w.copy()
    left, right = MODEL.robot.body_index(*MODEL.robot.foot_bodies)
    quats[left], quats[right] = quat(0.2, -0.3), quat(-0.1, 0.4)
    robot = {"body_quat_w": quats, "root_quat_w": quat(0.0, 0.2)}
    found = part("feet_orientation", Tracking(50.0, 6.0, "laplacian"), robot)
    assert found == pytest.approx(0.16530, abs=2e-5)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    # -2 * 0.02 when a foot's sideways force is more than 5 times its vertical one:
    # |6, 8| = 10 against 5 * 1.9 = 9.5 and 5 * 2.1 = 10.5.
    [
        ((6.0, 8.0, 1.9), (0.0, 0.0, 300.0), -0.04),
        ((0.0, 0.0, 300.0), (6.0, 8.0, 1.9), -0.04),
        ((6.0, 8.0, 1.9), (-6.0, -8.0, 0.0), -0.04),  # once, however many
        ((6.0, 8.0, 2.1), (0.0, 0.0, 0.0), 0.0),
        ((6.0, 8.0, -2.1), (0.0, 0.0, 0.0), 0.0),
        ((0.6, 0.7, 0.0), (0.0, 0.0, 0.0), 0.0),  # 0.92 N is no push
        ((0.8, 0.7, 0.0), (0.0, 0.0, 0.0), -0.04),  # 1.06 N is
    ],
)
def test_stumble(left, right, expected):
    found = part("stumble", Weight(-2.0), forces(left, right))
    assert found == pytest.approx(expected, abs=1e-7)


def test_contact_forces():
    # |0, 90, 120| = 150 N and 130 N: 50 + 30 above 100 N; -0.01 * 0.02 * 80.
    cfg = Force(-0.01, 100.0)
    robot = forces((0.0, 90.0, 120.0), (0.0, 0.0, 130.0))
    found = part("feet_contact_forces", cfg, robot)
    assert found == pytest.approx(-0.016, abs=1e-6)
    assert part("feet_contact_forces", cfg, forces((0, 0, 99), (60, 0, 60))) == 0


def air_time(contacts: list[bool]) -> list[float]:
    """Air time at each step where the original pays for a landing that ends a flight of
    this episode, else 0; a plain loop. contacts[0] is that of the reset."""
    paid, clock, last, was_down = [], 0.0, contacts[0], contacts[0]
    for contact in contacts[1:]:
        down, last = contact or last, contact
        first = clock > 0 and down
        clock += DT_S
        # The original pays for every first landing, too.
        paid.append(clock if first and was_down else 0.0)
        was_down |= down
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
        "000011100011",  # and a flight after it
        "0111",  # a reset just above the ground
        "001",
        "0101010",
    ],
)
def test_landings_follow_the_contacts(pattern):
    contacts = [c == "1" for c in pattern]
    height_m = jnp.zeros(2)

    def force(contact: bool) -> jnp.ndarray:
        # The other foot stays down.
        return jnp.array([[0.0, 0.0, 50.0 if contact else 0.0], [0.0, 0.0, 50.0]])

    state = feet_at_reset(force(contacts[0]), height_m)
    found = []
    for contact in contacts[1:]:
        state = feet_after_step(state, force(contact), height_m, DT_S)
        assert state.contact.tolist() == [contact, True]
        assert not state.touchdown[1]
        found.append(float(jnp.where(state.touchdown, state.air_time_s, 0.0)[0]))
    np.testing.assert_allclose(found, air_time(contacts), atol=1e-6)


def test_a_flight_keeps_its_peak_until_it_ends():
    # Down, up to 0.3 m and back, a landing at 0.05 m, and a second, lower flight. The
    # height of the stance before (0.9) and the peak of the first flight are forgotten.
    contacts = [1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1]
    heights = [0.9, 0.9, 0.1, 0.3, 0.2, 0.05, 0.04, 0.05, 0.15, 0.1, 0.05]
    landings = {}

    def force(contact: int) -> jnp.ndarray:
        return jnp.array([[0.0, 0.0, 50.0 * contact], [0.0, 0.0, 50.0]])

    state = feet_at_reset(force(contacts[0]), jnp.array([heights[0], 0.0]))
    for i in range(1, len(contacts)):
        height_m = jnp.array([heights[i], 0.0])
        state = feet_after_step(state, force(contacts[i]), height_m, DT_S)
        if state.touchdown[0]:
            landings[i] = float(state.peak_m[0])
    assert landings == pytest.approx({5: 0.3, 10: 0.15})


def test_contact_is_a_vertical_force_above_one_newton():
    force = jnp.array([[100.0, 100.0, 0.9], [0.0, 0.0, 1.1]])
    assert measured_contact(force).tolist() == [False, True]
