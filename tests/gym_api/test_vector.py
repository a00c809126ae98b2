"""The vector environment by itself: partial resets, specs, seeds, wrong input."""

import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode

from mimicgym.envs.vector import TrackingVectorEnvironment
from mimicgym.errors import UserError
from tests.gym_api.conftest import (
    ID,
    LIMIT,
    OPTIONS,
    assert_same,
    make_sync,
    make_vec,
)

ZERO = np.zeros((3, 23), np.float32)


@pytest.fixture(scope="module")
def disabled():
    envs = make_vec(3, autoreset_mode="Disabled")
    yield envs
    envs.close()


def test_partial_reset_leaves_the_other_rows_alone(disabled):
    initial, _ = disabled.reset(seed=[0, 1, 2])
    for _ in range(3):
        before, *_ = disabled.step(ZERO)
    options = {"reset_mask": np.array([True, False, True])}
    observation, infos = disabled.reset(seed=[0, 1, 0], options=options)
    # The caller's dictionary is still whole: wrappers look into it afterwards.
    assert options.keys() == {"reset_mask"}
    np.testing.assert_allclose(observation[0], initial[0], atol=1e-6)
    np.testing.assert_array_equal(observation[1], before[1])
    np.testing.assert_allclose(observation[2], initial[0], atol=1e-6)
    assert infos.keys() == {"clip", "_clip", "frame", "_frame"}
    np.testing.assert_array_equal(infos["_clip"], [True, False, True])
    assert infos["frame"][1] == 0


def test_partial_reset_of_rows_that_are_over_lets_them_step_again(disabled):
    disabled.reset(seed=3)
    for _ in range(LIMIT):
        _, _, terminated, truncated, _ = disabled.step(ZERO)
        done = terminated | truncated
        if done.any():
            break
    with pytest.raises(UserError, match=str(np.flatnonzero(done).tolist()[0])):
        disabled.step(ZERO)
    disabled.reset(options={"reset_mask": done})
    disabled.step(ZERO)


BAD_MASKS = [
    [True, True, False],
    np.array([True]),
    np.array([True, True, False, False]),
    np.array([[True, True, True]]),
    np.array([1, 1, 0]),
    np.array([1.0, 1.0, 0.0]),
    np.array([False, False, False]),
]


@pytest.mark.parametrize("mask", BAD_MASKS, ids=str)
def test_bad_masks_fail_as_in_gymnasium(disabled, mask):
    theirs = make_sync(3, "Disabled")
    for envs in (disabled, theirs):
        envs.reset(seed=0)
    with pytest.raises((TypeError, ValueError)) as oracle:
        theirs.reset(options={"reset_mask": mask})
    with pytest.raises(oracle.type) as ours:
        disabled.reset(options={"reset_mask": mask})
    assert ours.type is oracle.type
    assert str(ours.value) == str(oracle.value)
    theirs.close()


@pytest.mark.parametrize("seed", [[1, 2], -1, [0, -1, 2], [0, 1.5, 2], 0.5], ids=str)
def test_bad_seeds_fail_as_in_gymnasium(disabled, seed):
    theirs = make_sync(3, "Disabled")
    with pytest.raises(Exception) as oracle:
        theirs.reset(seed=seed)
    with pytest.raises(oracle.type) as ours:
        disabled.reset(seed=seed)
    assert str(ours.value) == str(oracle.value)


def test_first_reset_has_to_be_whole():
    envs = make_vec(3)
    with pytest.raises(ResetNeeded, match="step"):
        envs.step(ZERO)
    mask = np.array([True, True, False])
    with pytest.raises(ValueError, match="all rows"):
        envs.reset(options={"reset_mask": mask})
    # A mask of all rows is one.
    observation, infos = envs.reset(seed=0, options={"reset_mask": mask | True})
    assert_same((observation, infos), envs.reset(seed=0))


@pytest.mark.parametrize(
    ("actions", "error", "message"),
    [
        (ZERO[:2], ValueError, r"shape \(2, 23\), it should be \(3, 23\)"),
        (np.zeros((4, 23)), ValueError, r"shape \(4, 23\)"),
        (np.zeros((3, 29)), ValueError, r"shape \(3, 29\)"),
        (np.zeros(23), ValueError, r"shape \(23,\)"),
        (0.0, TypeError, "array"),
        (np.full((3, 23), np.inf), ValueError, "not finite"),
    ],
)
def test_bad_actions_are_named(disabled, actions, error, message):
    disabled.reset(seed=0)
    with pytest.raises(error, match=message):
        disabled.step(actions)
    # Nothing has moved.
    assert disabled.step(ZERO)[0] in disabled.observation_space


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_autoreset_mode_is_an_enum_or_its_value(mode):
    by_enum = make_vec(3, autoreset_mode=mode)
    by_value = make_vec(3, autoreset_mode=mode.value)
    for envs in (by_enum, by_value):
        assert envs.unwrapped.autoreset_mode is mode
        assert envs.metadata["autoreset_mode"] is mode
        # A spec that JSON can hold, whichever way.
        assert envs.spec.kwargs["autoreset_mode"] == mode.value
        assert EnvSpec.from_json(envs.spec.to_json()).kwargs == envs.spec.kwargs
    assert make_vec(3).metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP


def test_spec_makes_an_equal_environment():
    envs = make_vec(3, autoreset_mode="SameStep")
    for spec in (envs.spec, EnvSpec.from_json(envs.spec.to_json())):
        again = gymnasium.make_vec(spec)
        assert again.spec == envs.spec
        assert again.num_envs == 3
        assert again.unwrapped._program is envs.unwrapped._program
    assert repr(envs) == f"TrackingVectorEnvironment({ID}, num_envs=3)"


def test_make_vec_takes_our_vector_class_by_default():
    assert isinstance(make_vec(3), TrackingVectorEnvironment)
    one = gymnasium.make_vec(ID, **OPTIONS)
    assert one.num_envs == 1


def test_pickled_copy_plays_the_same():
    envs = make_vec(3, autoreset_mode=AutoresetMode.SAME_STEP)
    copy = pickle.loads(pickle.dumps(envs))
    assert copy.autoreset_mode is AutoresetMode.SAME_STEP
    assert_same(envs.reset(seed=1), copy.reset(seed=1))
    assert_same(envs.step(ZERO), copy.step(ZERO))


def test_no_limit_of_steps_is_minus_one_or_none():
    env = gymnasium.make_vec(ID, 1, max_episode_steps=-1, **OPTIONS)
    other = gymnasium.make_vec(ID, 1, **OPTIONS)
    assert env.unwrapped._program is other.unwrapped._program
    with pytest.raises(UserError, match="max_episode_steps is 0"):
        make_vec(3, max_episode_steps=0)


def test_arrays_are_the_callers_own():
    envs = make_vec(3)
    observation, _ = envs.reset(seed=0)
    step = envs.step(ZERO)
    for array in (observation, *step[:4]):
        assert array.flags.writeable and array.flags.owndata
    assert step[1].dtype == np.float64
    assert step[2].dtype == step[3].dtype == np.bool_
    expected = step[0].copy()
    envs.reset(seed=0)
    step[0][:] = np.nan
    np.testing.assert_array_equal(envs.step(ZERO)[0], expected)


def test_masks_of_infos_share_no_memory():
    envs = make_vec(3)
    envs.reset(seed=0)
    infos = envs.step(ZERO)[4]
    masks = [v for k, v in infos.items() if k.startswith("_")]
    masks += [v for k, v in infos["reward"].items() if k.startswith("_")]
    for i, mask in enumerate(masks):
        assert all(not np.shares_memory(mask, other) for other in masks[:i])


def test_first_reset_without_seed_differs_between_rows_and_environments():
    a, b = (make_vec(3).reset()[0] for _ in range(2))
    assert not np.array_equal(a, b)
    assert not np.array_equal(a[0], a[1])


def test_seeds_beyond_32_bits_are_taken():
    envs, theirs = make_vec(3), make_sync(3, "NextStep")
    assert_same(envs.reset(seed=2**32 - 1), theirs.reset(seed=2**32 - 1))


def test_closing_twice_is_allowed():
    envs = make_vec(3)
    envs.close()
    envs.close()
    assert envs.closed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_envs": 0}, "num_envs is 0"),
        ({"num_envs": -2}, "num_envs is -2"),
        ({"autoreset_mode": "samestep"}, "did you mean 'SameStep'"),
        ({"observation": "both"}, "unknown observation 'both'"),
        ({"render_mode": "ansi"}, "unknown render_mode 'ansi'"),
        ({"preset": "quik"}, "did you mean 'quick'"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(UserError, match=message):
        TrackingVectorEnvironment(**{"num_envs": 3, **OPTIONS, **options})


def test_unknown_reset_option_is_named():
    with pytest.raises(UserError, match="did you mean 'reset_mask'"):
        make_vec(3).reset(options={"reset_masks": np.ones(3, bool)})
