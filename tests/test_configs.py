"""Configurations: to JSON and back, and dotted settings."""

import dataclasses
import json

import pytest

from mimicgym.configs import difference, from_dict, override, to_dict
from mimicgym.envs.config import (
    AirTime,
    EnvConfig,
    MotionConfig,
    RewardConfig,
    Tracking,
    Weight,
)
from mimicgym.envs.make import env_config
from mimicgym.envs.presets import ENV_PRESETS
from mimicgym.errors import UserError

CHANGED = EnvConfig(
    robot="g1_29dof",
    threads=3,
    motion=MotionConfig(clips=("a.npz", "b.csv"), fps=30.0, quat_order="xyzw"),
    reward=RewardConfig(
        joint_pos_tracking=Tracking(1.5, 0.25),
        action_rate=Weight(0.0),
        feet_air_time=AirTime(7.0, 0.5),
    ),
)


@pytest.mark.parametrize(
    "config", [*ENV_PRESETS.values(), CHANGED], ids=[*ENV_PRESETS, "changed"]
)
def test_round_trip_through_json(config):
    text = json.dumps(to_dict(config), allow_nan=False)
    assert from_dict(EnvConfig, json.loads(text)) == config


def test_configurations_hash_and_compare_by_value():
    assert hash(CHANGED) == hash(dataclasses.replace(CHANGED))
    assert len({EnvConfig(), EnvConfig(), CHANGED}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        CHANGED.robot = "g1_23dof"  # pyright: ignore[reportAttributeAccessIssue]


def test_fields_that_data_lacks_keep_their_defaults():
    found = from_dict(EnvConfig, {"control": {"decimation": 2}})
    control = dataclasses.replace(EnvConfig().control, decimation=2)
    assert found == dataclasses.replace(EnvConfig(), control=control)


def test_override_changes_what_it_names_and_nothing_else():
    found = override(
        EnvConfig(),
        {
            "control.action_scale": 1,
            "reward.link_pos_tracking.scale": 10.0,
            "termination.contact": ["torso_link"],
            "motion.fps": None,
            "reward.action_rate": {"weight": -1.0},
            "observation.noise": False,
        },
    )
    assert difference(EnvConfig(), found) == [
        "control.action_scale: 0.25, 1.0",
        "observation.noise: True, False",
        "reward.link_pos_tracking.scale: 5.0, 10.0",
        "reward.action_rate.weight: -0.2, -1.0",
        "termination.contact: (), ('torso_link',)",
    ]
    assert isinstance(found.control.action_scale, float)
    assert isinstance(found.termination.contact, tuple)
    assert override(EnvConfig(), {}) == EnvConfig()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            {"control.action_scal": 0.5},
            ["'control.action_scal'", "did you mean 'control.action_scale'"],
        ),
        ({"rewards": {}}, ["'rewards'", "did you mean 'reward'", "termination"]),
        (
            {"reward.joint_tracking.weight": 1.0},
            ["'reward.joint_tracking'", "reward.joint_pos_tracking"],
        ),
        ({"threads.count": 1}, ["'threads'", "no parts", "'count'"]),
        (
            {"control.target": "pose"},
            ["control.target", "'pose'", "reference", "default"],
        ),
        ({"control.decimation": 2.5}, ["'control.decimation'", "int", "2.5"]),
        ({"control.decimation": True}, ["'control.decimation'", "int", "True"]),
        ({"observation.noise": 1}, ["'observation.noise'", "bool", "1"]),
        ({"control.action_scale": "big"}, ["'control.action_scale'", "float", "'big'"]),
        ({"motion.fps": "fast"}, ["'motion.fps'", "float", "'fast'"]),
        ({"motion.clips": "wave"}, ["'motion.clips'", "tuple", "'wave'"]),
        ({"motion.clips": ["wave", 3]}, ["'motion.clips'", "str", "3"]),
        ({"control": 3}, ["'control'", "ControlConfig", "3"]),
        (
            {"randomization.friction": [0.5]},
            ["'randomization.friction'", "2 values", "not 1", "[0.5]"],
        ),
        (
            {"randomization.torso_com_m": [0.1, 0.1]},
            ["'randomization.torso_com_m'", "3 values", "not 2"],
        ),
        ({"randomization.action_delay": [1, 2.5]}, ["action_delay'", "int", "2.5"]),
        ({"reset.respawn_z_m": float("nan")}, ["'reset.respawn_z_m'", "nan"]),
        (
            {"motion.quat_order": "zyxw"},
            ["motion.quat_order", "'zyxw'", "wxyz", "xyzw"],
        ),
    ],
)
def test_bad_settings_are_named_with_the_choices(change, named):
    with pytest.raises(UserError) as caught:
        override(EnvConfig(), change)
    message = str(caught.value)
    assert "\n" not in message
    for part in named:
        assert part in message


def test_a_mapping_changes_what_it_names_of_a_part():
    start = override(EnvConfig(), {"observation.joint_pos.clip": 3.0})
    for change, expected in (
        ({"reward.root_pos_tracking": {"weight": 5.0}}, "reward.root_pos_tracking"),
        ({"reward": {"feet_air_time": {"target_s": 0.3}}}, "reward.feet_air_time"),
        ({"observation.joint_pos": {"scale": 2.0}}, "observation.joint_pos.scale"),
        ({"observation": {"joint_pos": {"scale": 2.0}}}, "observation.joint_pos.scale"),
    ):
        (line,) = difference(start, override(start, change))
        assert line.startswith(expected)
    data = {"observation": {"joint_pos": {"scale": 2.0}}}
    (line,) = difference(EnvConfig(), from_dict(EnvConfig, data))
    assert line == "observation.joint_pos.scale: 1.0, 2.0"
    with pytest.raises(UserError, match="nothing says what setting 'scale' is"):
        from_dict(Tracking, {"weight": 1.0})


def test_bad_data_is_named_by_its_path():
    with pytest.raises(UserError, match=r"'control\.speed'.*control\.decimation"):
        from_dict(EnvConfig, {"control": {"speed": 1}})
    with pytest.raises(UserError, match=r"'control\.decimation'.*int.*'4'"):
        from_dict(EnvConfig, {"control": {"decimation": "4"}})


def test_difference_of_equal_configurations_is_empty():
    assert difference(CHANGED, dataclasses.replace(CHANGED)) == []
    assert difference(EnvConfig(), dataclasses.replace(EnvConfig(), threads=2)) == [
        "threads: 0, 2"
    ]


def test_usual_choices_of_env_config():
    found = env_config(
        "quick",
        motion="squat",
        robot="g1_29dof",
        engine="mjx",
        overrides={"motion.ground": "none", "threads": 1},
    )
    assert difference(ENV_PRESETS["quick"], found) == [
        "robot: 'g1_23dof', 'g1_29dof'",
        "engine: 'auto', 'mjx'",
        "threads: 0, 1",
        "motion.clips: ('wave',), ('squat',)",
        "motion.ground: 'constant', 'none'",
    ]
    assert env_config(motion=["wave", "squat"]).motion.clips == ("wave", "squat")


def test_unknown_preset():
    with pytest.raises(UserError, match=r"preset 'fast'.*default, quick"):
        env_config("fast")
