"""Gymnasium's own wrappers around the vector environment."""

import numpy as np
import pytest
from gymnasium.wrappers import vector as wrap

from tests.gym_api.conftest import LIMIT, assert_same, make_sync, make_vec

ZERO = np.zeros((3, 23), np.float32)
MODES = ("NextStep", "SameStep")


def play(envs, steps: int = 60):
    """All that comes of gentle actions, and an end of an episode within."""
    rng = np.random.default_rng(2)
    results = [envs.reset(seed=4)]
    ends = 0
    for _ in range(steps):
        scale = 0.05 * rng.uniform(-1, 1, (3, 23)).astype(np.float32)
        results.append(envs.step(scale))
        ends += int((results[-1][2] | results[-1][3]).sum())
    assert ends >= 3
    return results


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "wrapper",
    [
        wrap.RecordEpisodeStatistics,
        wrap.NormalizeReward,
        wrap.ClipAction,
        wrap.DictInfoToList,
    ],
)
def test_wrappers_see_what_they_see_of_gymnasiums_own(wrapper, mode):
    ours = play(wrapper(make_vec(3, autoreset_mode=mode)))
    theirs = play(wrapper(make_sync(3, mode)))
    assert_same(_without_time(ours), _without_time(theirs))


def test_normalize_observation_in_mode_next_step():
    ours = play(wrap.NormalizeObservation(make_vec(3)))
    theirs = play(wrap.NormalizeObservation(make_sync(3, "NextStep")))
    # Running deviations near zero magnify the last bits of float32.
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a[0], b[0], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("mode", MODES)
def test_episode_statistics_are_those_added_up_by_hand(mode):
    envs = wrap.RecordEpisodeStatistics(make_vec(3, autoreset_mode=mode))
    total, length = np.zeros(3), np.zeros(3, int)
    fresh = np.zeros(3, bool)
    checked = 0
    for _, reward, terminated, truncated, infos in play(envs)[1:]:
        total, length = total + reward, length + ~fresh
        done = terminated | truncated
        if done.any():
            episode = infos["episode"]
            np.testing.assert_allclose(episode["r"][done], total[done], rtol=1e-5)
            np.testing.assert_array_equal(episode["l"][done], length[done])
            assert (length[done] <= LIMIT).all()
            checked += int(done.sum())
        total[done], length[done] = 0, 0
        fresh = done if mode == "NextStep" else np.zeros(3, bool)
    assert checked >= 3


def test_partial_reset_clears_the_statistics_of_its_rows_only():
    envs = wrap.RecordEpisodeStatistics(make_vec(3, autoreset_mode="Disabled"))
    envs.reset(seed=4)
    for _ in range(2):
        envs.step(ZERO)
    envs.reset(options={"reset_mask": np.array([True, False, False])})
    np.testing.assert_array_equal(envs.episode_lengths, [0, 2, 2])


def test_clip_action_bounds_are_the_boxs():
    clipped, plain = wrap.ClipAction(make_vec(3)), make_vec(3)
    clipped.reset(seed=0), plain.reset(seed=0)
    far, edge = np.full((3, 23), 5.0), np.ones((3, 23))
    assert_same(clipped.step(far), plain.step(edge))


def _without_time(value):
    """`RecordEpisodeStatistics` also tells seconds ("t")."""
    if isinstance(value, dict):
        drop = {"t", "_t"}
        return {k: _without_time(v) for k, v in value.items() if k not in drop}
    if isinstance(value, list | tuple):
        return type(value)(_without_time(v) for v in value)
    return value
