"""Groups of observations: their sizes and layout, and settings that can not be."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym.configs import override
from mimicgym.envs.config import ObservationConfig, TrackingConfig
from mimicgym.envs.observation import (
    COMPOSITES,
    TERMS,
    Observer,
    observation,
    summary,
    unit,
)
from mimicgym.envs.terms import Facts
from mimicgym.errors import UserError
from mimicgym.robot import KEY_BODIES
from tests.envs.cases import body_model, jit, keys, offer, random_frame, robot_on

CLEAN = ObservationConfig(noise=False)
JOINTS = 23


def offered_for(model, seed: int = 0, **changes) -> dict:
    rng = np.random.default_rng(seed)
    robot = robot_on(random_frame(model, rng), model)
    action = rng.normal(size=model.num_joints).astype(np.float32)
    return offer(model, robot, random_frame(model, rng), action=action, **changes)


def sizes(model, cfg: ObservationConfig = CLEAN, **changes) -> dict[str, int]:
    observer, offered = Observer(cfg), offered_for(model, **changes)
    obs, _ = jax.eval_shape(lambda key: observer.reset(offered, key), jax.random.key(0))
    return {group: x.size for group, x in obs.items()}


def test_default_sizes(any_model):
    expected = {
        # 5 * 75 + 5 * 2 + 5 * 1 + 23 + 1 + 1; and 79 + 129 more.
        "g1_23dof": {"actor": 415, "critic": 623},
        # 5 * 93 + 10 + 5 + 29 + 2; and 97 + 135 more.
        "g1_29dof": {"actor": 511, "critic": 743},
    }
    assert sizes(any_model) == expected[any_model.robot.name]


HISTORIES = ("history_torso_real", "history_torso_xy_rel", "history_torso_yaw_rel")


@pytest.mark.parametrize(
    ("actor", "size"),
    [
        (HISTORIES, 390),
        (("history_torso_real", "torso_xy_rel", "torso_yaw_rel"), 378),
        ((*HISTORIES, "upper_body_joint_targets"), 401),
        (("history_deepmimic_lin_ang_vel",), 30),
    ],
)
def test_sizes_of_videomimics_other_policies(model, actor, size):
    assert sizes(model, dataclasses.replace(CLEAN, actor=actor))["actor"] == size


def test_sizes_of_beyondmimic():
    model = body_model("g1_29dof")
    hidden = ("shoulder_pitch", "hip_pitch")
    bodies = tuple(b for b in KEY_BODIES if not any(part in b for part in hidden))
    assert len(bodies) == 14
    sensed = (
        "target_joints",
        "target_joint_vel",
        "anchor_ori_b",
        "base_ang_vel",
        "joint_pos",
        "joint_vel",
        "last_action",
    )
    actor = (*sensed, "anchor_pos_b", "base_lin_vel")
    critic = (*(f"clean_{name}" for name in actor), "body_pos_b", "body_ori_b")
    cfg = dataclasses.replace(
        CLEAN, actor=actor, critic=critic, student=sensed, noise=True
    )
    facts = Facts.of(model, TrackingConfig(bodies=bodies))
    expected = {"actor": 160, "critic": 286, "student": 154}
    assert sizes(model, cfg, facts=facts) == expected


def test_groups_hold_their_terms_in_order(any_model):
    cfg = dataclasses.replace(
        CLEAN,
        actor=("phase", "joint_vel", "target_root_yaw"),
        critic=("root_height",),
        student=("target_root_yaw", "phase"),
    )
    offered = offered_for(any_model)
    obs, _ = Observer(cfg).reset(offered, jax.random.key(0))

    def value(name: str) -> np.ndarray:
        scale = getattr(cfg, name).scale
        return scale * np.asarray(observation.call(name, offered))

    # The group "teacher" is empty, so there is none.
    assert set(obs) == {"actor", "critic", "student"}
    for group, values in obs.items():
        expected = np.concatenate([value(name) for name in getattr(cfg, group)])
        assert values.dtype == jnp.float32
        np.testing.assert_allclose(values, expected, atol=1e-6)
    assert Observer(cfg).groups == {
        group: getattr(cfg, group) for group in ("actor", "critic", "student")
    }


@pytest.mark.parametrize("noise", [False, True])
def test_all_terms_in_all_ways(any_model, noise):
    # Numbers only, whatever is asked for, in one batched program.
    every = tuple(
        f"{prefix}{name}"
        for prefix in ("", "clean_", "history_", "history_clean_")
        for name in TERMS
    )
    cfg = dataclasses.replace(
        CLEAN, actor=every, critic=("torso",), teacher=every[::-1], noise=noise
    )
    observer, offered = Observer(cfg), offered_for(any_model)

    def run(key):
        obs, senses = observer.reset(offered, key)
        return obs, observer.step(offered, senses, key)[0]

    for obs in jit(jax.vmap(run))(keys(2)):
        assert all(bool(jnp.isfinite(x).all()) for x in obs.values())
        assert obs["actor"].shape == obs["teacher"].shape


def test_observations_are_clipped(model):
    speed = np.full(JOINTS, 1e4, np.float32)
    speed[::2] *= -1
    offered = offered_for(model)
    offered["robot"] = offered["robot"].replace(joint_vel=speed)
    obs, senses = Observer(CLEAN).reset(offered, jax.random.key(0))
    # 0.05 * 1e4 = 500.
    joint_vel = obs["actor"][6 + JOINTS : 6 + 2 * JOINTS]
    np.testing.assert_array_equal(joint_vel, np.sign(speed) * 100)
    assert float(jnp.abs(senses.history["torso_real"]).max()) == 500
    tight = Observer(dataclasses.replace(CLEAN, clip=0.5))
    obs, _ = tight.reset(offered, jax.random.key(0))
    assert all(float(jnp.abs(x).max()) == 0.5 for x in obs.values())


def test_layout_says_where_terms_are(any_model):
    cfg = override(
        CLEAN,
        {
            "actor": ["history_joint_vel", "phase", "clean_torso", "foot_contacts"],
            "teacher": ["history_clean_torso_xy", "deepmimic"],
            "joint_vel.history": 2,
        },
    )
    offered, joints = offered_for(any_model), any_model.num_joints
    rows = Observer(cfg).layout(offered)
    torso = 10 + 3 * joints
    starts = np.cumsum([0, 2 * joints, 2, torso, 2]).tolist()
    found = [dataclasses.astuple(row) for row in rows]
    assert [row for row in found if row[0] == "actor"] == [
        ("actor", "history_joint_vel", starts[0], starts[1], "rad/s"),
        ("actor", "phase", starts[1], starts[2], ""),
        ("actor", "clean_torso", starts[2], starts[3], "m, m/s, rad/s, rad"),
        ("actor", "foot_contacts", starts[3], starts[4], ""),
    ]
    assert [row for row in found if row[0] == "teacher"] == [
        ("teacher", "history_clean_torso_xy", 0, 10, "m"),
        ("teacher", "deepmimic", 10, 10 + 106 + joints, "m, rad, m/s"),
    ]
    obs, _ = Observer(cfg).reset(offered, jax.random.key(0))
    for group, values in obs.items():
        mine = [row for row in rows if row.group == group]
        assert mine[-1].stop == values.size
        assert [row.start for row in mine] == [0, *(row.stop for row in mine[:-1])]
    # The slices hold what they are called.
    joint_vel = 0.05 * offered["robot"].joint_vel
    np.testing.assert_allclose(obs["actor"][:joints], joint_vel, atol=1e-6)
    np.testing.assert_allclose(obs["actor"][starts[1] : starts[2]], [1, 0], atol=1e-6)


def test_layout_needs_no_values(model):
    offered = offered_for(model)
    cfg = dataclasses.replace(CLEAN, actor=TERMS)
    expected = Observer(cfg).layout(offered)
    constants = {"facts", "dt_s"}
    abstract = {
        k: v
        if k in constants
        else jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), v)
        for k, v in offered.items()
    }
    assert Observer(cfg).layout(abstract) == expected

    seen = []

    def within(arrays):
        given = arrays | {k: offered[k] for k in constants}
        seen.append(Observer(cfg).layout(given))
        return arrays["phase"]

    jax.eval_shape(within, {k: v for k, v in abstract.items() if k not in constants})
    assert seen == [expected]


def test_terms_tell_what_they_are():
    units = {"", "m", "rad", "m/s", "rad/s"}
    for name in TERMS:
        assert set(unit(name).split(", ")) <= units, name
        assert summary(name), name
    for name in observation:
        # Its shape comes first, or the docstring says what all its parts are.
        assert summary(name).startswith("(") or name == "deepmimic", name
    for name, listed in COMPOSITES.items():
        assert summary(name) == ", ".join(listed)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"actor": ("torso_reel",)},
            r"observation\.actor .*observation term 'torso_reel'.*'torso_real'\?",
        ),
        (
            {"critic": ("history_speed",)},
            r"observation\.critic holds 'history_speed'.*term 'speed'.*Choices: anchor",
        ),
        (
            {"student": ("clean_speed",)},
            r"observation\.student holds 'clean_speed'.*term 'speed'.*Choices: anchor",
        ),
        (
            {"teacher": ("history_clean_speed",)},
            r"observation\.teacher holds 'history_clean_speed'.*term 'speed'",
        ),
        (
            {"actor": ("clean_history_phase",)},
            r"observation\.actor holds 'clean_history_phase'.*'history_clean_phase'",
        ),
        ({"actor": ("history_history_phase",)}, r"term 'history_phase'.*Choices"),
        ({"actor": ("clean_clean_phase",)}, r"term 'clean_phase'.*Choices"),
        ({"actor": ("noise",)}, r"term 'noise'.*Choices"),
        ({"actor": ()}, r"observation\.actor is empty"),
        ({"critic": ()}, r"observation\.critic is empty"),
        ({"history": 0}, r"observation\.history is 0; at least 1"),
        ({"clip": 0.0}, r"observation\.clip is 0\.0; .*positive"),
        ({"future_steps": (1, -1)}, r"observation\.future_steps is \(1, -1\)"),
        (
            {"future_steps": (), "teacher": ("history_future_frames",)},
            r"observation\.future_steps is empty.*future_frames",
        ),
        ({"joint_pos.delay": (3, 1)}, r"observation\.joint_pos\.delay is \(3, 1\)"),
        ({"joint_pos.delay": (-1, 1)}, r"observation\.joint_pos\.delay is \(-1, 1\)"),
        ({"phase.noise": -0.1}, r"observation\.phase\.noise is -0\.1; 0 or more"),
        ({"phase.noise": math.inf}, r"observation\.phase\.noise is inf"),
        ({"phase.offset": -1.0}, r"observation\.phase\.offset is -1\.0; 0 or more"),
        ({"torso.clip": -2.0}, r"observation\.torso\.clip is -2\.0; .*0 for no limit"),
        ({"torso.history": -1}, r"observation\.torso\.history is -1; at least 1"),
    ],
)
def test_settings_that_can_not_be(changes, message):
    with pytest.raises(UserError, match=message):
        Observer(override(CLEAN, changes))


@pytest.mark.parametrize(
    ("term", "change", "message"),
    [
        (None, {"clip": math.nan}, r"observation\.clip is nan"),
        ("joint_pos", {"delay": (1,)}, r"observation\.joint_pos\.delay is \(1,\)"),
        ("phase", {"offset": math.nan}, r"observation\.phase\.offset is nan"),
        ("torso", {"scale": math.nan}, r"observation\.torso\.scale is nan"),
    ],
)
def test_values_that_only_python_can_give(term, change, message):
    if term is not None:
        change = {term: dataclasses.replace(getattr(CLEAN, term), **change)}
    with pytest.raises(UserError, match=message):
        Observer(dataclasses.replace(CLEAN, **change))


def test_kinds_of_noise():
    sense = dataclasses.replace(CLEAN.phase, noise_kind="normal")
    with pytest.raises(
        UserError, match=r"observation\.phase\.noise_kind 'normal'.*gaussian, uniform"
    ):
        Observer(dataclasses.replace(CLEAN, phase=sense))


def test_no_future_is_needed_where_none_is_observed(model):
    cfg = dataclasses.replace(CLEAN, future_steps=())
    assert sizes(model, cfg)["actor"] == 415


def test_facts_name_the_rows(any_model):
    facts, robot = Facts.of(any_model, TrackingConfig()), any_model.robot
    assert [robot.key_bodies[i] for i in facts.tracked] == list(robot.tracked_bodies)
    assert robot.key_bodies[facts.torso] == "torso_link"
    feet = ["left_ankle_roll_link", "right_ankle_roll_link"]
    assert [robot.key_bodies[i] for i in facts.feet] == feet
    assert [any_model.contact_bodies[i] for i in facts.foot_contacts] == feet
    assert [any_model.contact_bodies[i] for i in facts.hand_contacts] == [
        "left_wrist_yaw_link",
        "right_wrist_yaw_link",
    ]


def test_gated_entries_come_last():
    cfg = ObservationConfig(
        actor=("phase", "gated_root_height", "gated_history_torso_yaw"),
        critic=("phase",),
        noise=False,
    )
    observer = Observer(cfg)
    assert observer.gated == {
        "actor": ("gated_root_height", "gated_history_torso_yaw"),
        "critic": (),
    }
    for actor, message in (
        (("gated_phase", "root_height"), r"'root_height' after 'gated_phase'"),
        (("gated_phase",), r"observation\.actor starts with 'gated_phase'"),
        (("phase", "gated_nose"), r"holds 'gated_nose'"),
    ):
        with pytest.raises(UserError, match=message):
            Observer(dataclasses.replace(cfg, actor=actor))
