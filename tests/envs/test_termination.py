"""Causes of failure, and the registry that they and all terms share."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimicgym.envs.config import TerminationConfig
from mimicgym.envs.termination import Terminations, termination
from mimicgym.envs.terms import Registry
from mimicgym.errors import UserError
from tests.envs.cases import offer, random_frame, robot_on

ALL = TerminationConfig(
    contact=("torso_link", "pelvis"), tracking_error=0.3, foot_force=1000.0
)
BEYOND = TerminationConfig(
    tracking_error=0.0, anchor_height=0.25, anchor_tilt=0.8, end_effector_height=0.25
)


@pytest.fixture
def judged(model):
    """Causes that fire for changes of a perfect robot."""
    frame = random_frame(model, np.random.default_rng(0))

    def get(config=ALL, step=10, laxity=1.0, **robot) -> dict[str, bool]:
        changed = robot_on(frame, model).replace(**robot)
        offered = offer(model, changed, frame, step=jnp.int32(step))
        found = Terminations(config, model)(offered, laxity)
        return {name: bool(fired) for name, fired in found.items()}

    get.frame = frame
    return get


def only(*causes: str) -> dict[str, bool]:
    """Of those that `ALL` switches on."""
    names = ("tracking_error", "foot_force", "contact")
    return {name: name in causes for name in names}


def moved(model, frame, body: str, metres: float) -> np.ndarray:
    found = frame.body_pos_w.copy()
    found[model.robot.key_bodies.index(body)] += metres * np.array([0.6, 0.0, -0.8])
    return found


def force(model, body: str, push_n: list[float]) -> np.ndarray:
    found = np.zeros((len(model.contact_bodies), 3), np.float32)
    found[model.contact_bodies.index(body)] = push_n
    return found


def test_perfection_is_no_failure(judged):
    assert judged() == only()


@pytest.mark.parametrize("body", ["pelvis", "left_elbow_link", "right_wrist_yaw_link"])
def test_one_tracked_body_too_far(judged, model, body):
    far = moved(model, judged.frame, body, 0.31)
    near = moved(model, judged.frame, body, 0.29)
    assert judged(body_pos_w=far) == only("tracking_error")
    assert judged(body_pos_w=near) == only()
    # From the second step on.
    assert judged(body_pos_w=far, step=1) == only()
    assert judged(body_pos_w=far, step=2) == only("tracking_error")


def fired(found: dict[str, bool]) -> list[str]:
    return [name for name, value in found.items() if value]


def shifted(model, frame, body: str, offset) -> np.ndarray:
    found = frame.body_pos_w.copy()
    found[model.robot.key_bodies.index(body)] += np.array(offset, np.float32)
    return found


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("torso_link", "anchor_height"),
        ("left_wrist_yaw_link", "end_effector_height"),
        ("right_ankle_roll_link", "end_effector_height"),
    ],
)
def test_heights_of_the_anchor_and_of_end_effectors(judged, model, body, cause):
    for sign in (1, -1):
        far = shifted(model, judged.frame, body, [0, 0, 0.26 * sign])
        near = shifted(model, judged.frame, body, [9.0, -9.0, 0.24 * sign])
        assert fired(judged(BEYOND, body_pos_w=far)) == [cause]
        assert fired(judged(BEYOND, body_pos_w=near)) == []


def test_other_bodies_may_be_at_any_height(judged, model):
    far = shifted(model, judged.frame, "left_knee_link", [0, 0, 3.0])
    assert fired(judged(BEYOND, body_pos_w=far)) == []


def test_tilt_of_the_anchor(judged, model):
    upright = judged.frame.body_quat_w.copy()
    row = model.robot.key_bodies.index("torso_link")
    turn = Rotation.from_quat(upright[row], scalar_first=True)
    gravity = turn.inv().apply([0, 0, -1.0])[2]
    # A turn about the vertical changes nothing.
    for turned, wanted in (
        (Rotation.from_euler("z", 2.0) * turn, []),
        (Rotation.from_euler("x", np.pi) * turn, ["anchor_tilt"]),
    ):
        quats = upright.copy()
        quats[row] = turned.as_quat(scalar_first=True)
        change = abs(turned.inv().apply([0, 0, -1.0])[2] - gravity)
        threshold = replace_tilt(0.5 * change if wanted else 0.01)
        assert fired(judged(threshold, body_quat_w=quats)) == wanted
        if wanted:
            lax = replace_tilt(1.01 * change)
            assert fired(judged(lax, body_quat_w=quats)) == []


def replace_tilt(threshold: float) -> TerminationConfig:
    return dataclasses.replace(BEYOND, anchor_tilt=float(threshold))


def test_laxity_widens_distances_and_nothing_else(judged, model):
    far = moved(model, judged.frame, "pelvis", 0.5)
    hard = force(model, model.robot.foot_bodies[0], [0.0, 0.0, 1100.0])
    changes = {"body_pos_w": far, "contact_force_w": hard}
    assert fired(judged(**changes)) == ["tracking_error", "foot_force"]
    assert fired(judged(laxity=2.0, **changes)) == ["foot_force"]
    high = shifted(model, judged.frame, "torso_link", [0, 0, 0.4])
    assert fired(judged(BEYOND, laxity=1.5, body_pos_w=high)) == ["anchor_height"]
    assert fired(judged(BEYOND, laxity=1.7, body_pos_w=high)) == []


def test_many_small_errors_are_no_failure(judged):
    assert judged(body_pos_w=judged.frame.body_pos_w + 0.17) == only()
    # sqrt(3) * 0.18 = 0.312.
    found = judged(body_pos_w=judged.frame.body_pos_w + 0.18)
    assert found == only("tracking_error")


@pytest.mark.parametrize("body", ["torso_link", "left_hip_roll_link"])
def test_bodies_that_are_not_tracked_may_be_anywhere(judged, model, body):
    assert judged(body_pos_w=moved(model, judged.frame, body, 5.0)) == only()


def test_contacts_of_listed_bodies(judged, model):
    pushed = force(model, "torso_link", [0.8, -0.8, 0.0])
    assert judged(contact_force_w=pushed) == only("contact")
    touched = force(model, "torso_link", [0.6, -0.6, 0.0])
    assert judged(contact_force_w=touched) == only()
    knee = force(model, "left_knee_link", [0.0, 0.0, 500.0])
    assert judged(contact_force_w=knee) == only()


def test_large_force_on_a_foot(judged, model):
    for foot in model.robot.foot_bodies:
        hard = force(model, foot, [650.0, 0.0, 770.0])  # 1008 N
        assert judged(contact_force_w=hard) == only("foot_force")
        firm = force(model, foot, [0.0, 0.0, 990.0])
        assert judged(contact_force_w=firm) == only()
    elsewhere = force(model, "left_knee_link", [0.0, 0.0, 5000.0])
    assert judged(contact_force_w=elsewhere) == only()


def test_zero_switches_a_cause_off(judged, model):
    off = TerminationConfig(contact=(), tracking_error=0.0, foot_force=0.0)
    assert Terminations(off, model).causes == ()
    far = moved(model, judged.frame, "pelvis", 50.0)
    assert judged(off, body_pos_w=far) == {}
    # Only tracking is on by default.
    assert Terminations(TerminationConfig(), model).causes == ("tracking_error",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tracking_error": -0.1}, r"termination\.tracking_error is -0\.1"),
        ({"tracking_error": np.nan}, r"termination\.tracking_error is nan"),
        ({"anchor_tilt": -1.0}, r"termination\.anchor_tilt is -1\.0"),
        ({"foot_force": -1.0}, r"termination\.foot_force is -1\.0"),
        ({"max_steps": -5}, r"termination\.max_steps is -5"),
        (
            {"contact": ("torso_link", "nose")},
            r"'nose' with collisions='body'.*torso_link",
        ),
    ],
)
def test_bad_thresholds(model, changes, message):
    with pytest.raises(UserError, match=message):
        Terminations(dataclasses.replace(ALL, **changes), model)


def test_every_cause_has_a_threshold():
    fields = set(TerminationConfig.__dataclass_fields__)
    assert fields - set(termination) == {"max_steps", "curriculum"}
    assert set(termination) <= fields


def test_registry_gives_a_term_what_it_asks_for():
    registry = Registry("test")

    @registry
    def twice(action, dt_s):
        return 2 * action * dt_s

    assert list(registry) == ["twice"]
    assert "twice" in registry and "thrice" not in registry
    assert registry.needs("twice") == ("action", "dt_s")
    assert registry.call("twice", {"action": 3, "dt_s": 0.5, "robot": None}) == 3.0
    with pytest.raises(UserError, match=r"test term 'thrice'.*twice"):
        registry.check("thrice")


def test_registry_refuses_a_term_that_asks_for_the_unknown():
    registry = Registry("test")

    def odd(robot, weather):
        return robot, weather

    with pytest.raises(UserError, match=r"test term odd 'weather'.*robot"):
        registry(odd)
    assert list(registry) == []
