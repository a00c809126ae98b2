"""Contacts that should not be, and the presets that do not have them."""

import numpy as np
import pytest

from mimicgym.envs.config import BodyContacts, Force, RewardConfig, Weight
from mimicgym.envs.reward import Rewards
from mimicgym.errors import UserError
from tests.envs.cases import DT_S, body_model
from tests.envs.test_reward import facts_of, only, part, preset_model


def forces(model, rest: float = 0.0, **values) -> dict:
    """Forces on named bodies (without "_link") and on the rest."""
    array = np.full((len(model.contact_bodies), 3), rest, np.float32)
    for name, force in values.items():
        suffix = "" if name == "pelvis" else "_link"
        array[model.contact_bodies.index(f"{name}{suffix}")] = force
    return {"contact_force_w": array}


@pytest.mark.parametrize(
    ("left_n", "right_n", "expected"),
    # -15 * 0.02 = -0.3 for each hand above 0.1 N, whatever the direction.
    [
        ((0, 0, 0.2), (0, 0, 0), -0.3),
        ((-50, 0, 0), (0, 0.11, 0), -0.6),
        ((0, 0, 0.09), (0.06, 0.06, 0), 0.0),
    ],
)
def test_hands(left_n, right_n, expected):
    # Feet and all else may be hit.
    robot = forces(
        body_model(), rest=100.0, left_wrist_yaw=left_n, right_wrist_yaw=right_n
    )
    found = part("collision", None, robot)
    assert found == pytest.approx(expected, abs=1e-7)


PUSHED = dict(
    left_ankle_roll=(0, 0, 300),
    right_wrist_yaw=(0, 0, 50),
    left_knee=(0.6, -0.6, 0.6),  # 1.04 N
    right_elbow=(0.5, 0.5, 0.5),  # 0.87 N
    pelvis=(0, -5, 0),
)


@pytest.mark.parametrize(
    ("cfg", "expected"),
    # -0.1 * 0.02 = -0.002 for each.
    [
        # The left knee and the pelvis; feet and hands may.
        (BodyContacts(-0.1), -0.004),
        (BodyContacts(-0.1, 0.8), -0.006),
        (BodyContacts(-0.1, 4.9), -0.002),
        # What is listed, once, feet and hands as well.
        (BodyContacts(-0.1, 1.0, ("right_wrist_yaw_link", "torso_link")), -0.002),
        (BodyContacts(-0.1, 1.0, ("pelvis", "pelvis", "left_knee_link")), -0.004),
        (BodyContacts(-0.1, 1.0, ("left_ankle_roll_link",)), -0.002),
    ],
)
def test_undesired_contacts(cfg, expected):
    found = part("undesired_contacts", cfg, forces(body_model(), **PUSHED))
    assert found == pytest.approx(expected, abs=1e-7)


def test_undesired_contacts_are_all_bodies_of_the_preset():
    # "full" also has both hips: 12 bodies without feet and hands are 8.
    model = preset_model("full")
    found = part(
        "undesired_contacts", BodyContacts(1.0), forces(model, 9.0), model=model
    )
    assert found == pytest.approx(8 * 0.02, abs=1e-6)


def test_self_collision():
    # Two pairs above 10 N: -10 * 0.02 * 2.
    model = preset_model("full")
    pairs = np.zeros(len(model.self_contacts), np.float32)
    pairs[[0, 3, 18]] = [10.1, 9.9, 50.0]
    robot = {"self_contact_n": pairs}
    found = part("self_collision", Force(-10.0, 10.0), robot, model=model)
    assert found == pytest.approx(-0.4, abs=1e-6)


def test_hand_contacts_need_hands_that_collide():
    facts = facts_of(preset_model("feet"))
    with pytest.raises(UserError, match=r"reward\.collision.*'feet'.*'body' or 'full'"):
        Rewards(RewardConfig(), facts, DT_S)
    found = Rewards(RewardConfig(collision=Weight(0.0)), facts, DT_S)
    assert "collision" not in found.terms


def test_undesired_contacts_need_bodies_that_collide():
    facts = facts_of(preset_model("feet"))
    with pytest.raises(
        UserError, match=r"reward\.undesired_contacts.*'feet'.*'body' or 'full'"
    ):
        Rewards(only("undesired_contacts", BodyContacts(-0.1)), facts, DT_S)
    listed = BodyContacts(-0.1, 1.0, ("left_ankle_roll_link",))
    Rewards(only("undesired_contacts", listed), facts, DT_S)


@pytest.mark.parametrize("collisions", ["feet", "body"])
def test_self_collision_needs_pairs(collisions):
    facts = facts_of(preset_model(collisions))
    with pytest.raises(UserError, match=r"reward\.self_collision.*only.*'full'"):
        Rewards(only("self_collision", Force(-10.0)), facts, DT_S)
    Rewards(only("self_collision", Force(0.0)), facts, DT_S)


def test_unknown_bodies():
    cfg = BodyContacts(-0.1, 1.0, ("pelvis", "left_nee_link"))
    with pytest.raises(
        UserError,
        match=r"reward\.undesired_contacts\.bodies 'left_nee_link'; did you mean"
        r" 'left_knee_link'\? Choices: .*pelvis",
    ):
        Rewards(only("undesired_contacts", cfg), facts_of(body_model()), DT_S)
