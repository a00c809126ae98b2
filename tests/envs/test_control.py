"""From actions to joint targets, by hand."""

import dataclasses

import numpy as np
import pytest

from mimicgym.envs.config import ControlConfig
from mimicgym.envs.control import (
    check_control,
    filter_action,
    joint_target,
    matched_action,
)
from mimicgym.errors import UserError

CFG = ControlConfig()
NONE = np.zeros(3, np.float32)


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
    pose = np.array([0.3, -0.2, 0.0])
    np.testing.assert_allclose(
        joint_target(np.array([1.0, -2.0, 0.0]), pose, CFG), [0.55, -0.7, 0.0]
    )


@pytest.mark.parametrize("pose", [[0.3, -0.1, 0.0], [1.0, 0.5, -2.0]])
def test_matched_action_asks_for_the_pose_that_is(pose):
    joint_pos = np.array([0.4, -0.1, 1.0])
    action = matched_action(joint_pos, np.array(pose), CFG)
    np.testing.assert_allclose(action, (joint_pos - pose) / 0.25)
    np.testing.assert_allclose(joint_target(action, np.array(pose), CFG), joint_pos)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "pose"}, r"control\.target 'pose'.*default, reference"),
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
        check_control(dataclasses.replace(CFG, **changes))
