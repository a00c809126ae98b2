"""Where episodes start: against plain Python book-keeping and known distributions."""

from collections import deque
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym.envs.config import ResetConfig
from mimicgym.envs.sampling import Sampler
from mimicgym.errors import UserError
from mimicgym.motion import load_motion
from mimicgym.reference import build_reference
from mimicgym.robot import build_model, get_robot

WEIGHTS = (1.0, 2.0, 1.0)


@pytest.fixture(scope="module")
def reference():
    """Clips of 251, 101 and 13 frames."""
    wave = load_motion("wave")
    motions = [replace(wave, qpos=wave.qpos[:n].copy()) for n in (251, 101, 13)]
    model = build_model(get_robot("g1_23dof"), collisions="feet")
    return build_reference(motions, model, dt_s=0.02, weights=WEIGHTS)


def drawn(sampler, state, count=20000):
    keys = jax.random.split(jax.random.key(0), count)
    clips, frames = jax.jit(jax.vmap(lambda key: sampler.draw(state, key)))(keys)
    return np.asarray(clips), np.asarray(frames)


def step(sampler, state, clip, failed, done=None, frame=None, stepped=None):
    n = len(clip)
    return sampler.update(
        state,
        jnp.asarray(clip, jnp.int32),
        jnp.zeros(n, jnp.int32) if frame is None else jnp.asarray(frame, jnp.int32),
        jnp.ones(n, bool) if stepped is None else jnp.asarray(stepped),
        jnp.ones(n, bool) if done is None else jnp.asarray(done),
        jnp.asarray(failed),
    )


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        ("uniform_clip", np.array(WEIGHTS) / 4),
        ("uniform_step", np.array([248, 2 * 98, 10]) / (248 + 196 + 10)),
        ("success_rate_adaptive", np.array(WEIGHTS) / 4),
    ],
)
def test_shares_of_clips_and_frames(reference, sampling, expected):
    sampler = Sampler(ResetConfig(sampling=sampling), reference)
    clips, frames = drawn(sampler, sampler.init())
    shares = np.bincount(clips, minlength=3) / len(clips)
    np.testing.assert_allclose(shares, expected, atol=0.015)
    for clip, starts in enumerate((248, 98, 10)):
        mine = frames[clips == clip]
        assert mine.min() == 0 and mine.max() == starts - 1
        assert mine.mean() == pytest.approx((starts - 1) / 2, rel=0.06)


def test_linear_starts_have_falling_weights(reference):
    sampler = Sampler(ResetConfig(start="linear"), reference)
    clips, frames = drawn(sampler, sampler.init(), 60000)
    shares = np.bincount(frames[clips == 2], minlength=10) / np.sum(clips == 2)
    np.testing.assert_allclose(shares, np.arange(10, 0, -1) / 55, atol=0.012)


def test_a_clip_without_weight_is_never_drawn(reference):
    silent = reference.replace(clip_weight=jnp.array([0.5, 0.5, 0.0]))
    for sampling in ("uniform_clip", "failure_bins", "failure_rate_bins"):
        sampler = Sampler(ResetConfig(sampling=sampling), silent)
        assert set(drawn(sampler, sampler.init())[0]) == {0, 1}


def test_outcomes_against_queues_in_plain_python(reference):
    """Random steps with many endings at once, and more of them than the window."""
    sampler = Sampler(ResetConfig(success_window=7), reference)
    update = jax.jit(lambda s, c, d, f: step(sampler, s, c, f, done=d))
    state, queues = sampler.init(), [deque(maxlen=7) for _ in range(3)]
    rng = np.random.default_rng(0)
    for _ in range(60):
        clip = rng.integers(0, 3, 16)
        done = rng.random(16) < rng.choice([0.1, 0.5, 1.0])
        failed = rng.random(16) < 0.4
        state = update(state, clip, done, failed)
        for c, d, f in zip(clip, done, failed, strict=True):
            if d:
                queues[c].append(not f)
        assert state.count.tolist() == [len(q) for q in queues]
        assert state.successes.tolist() == [sum(q) for q in queues]
        stored = np.asarray(state.outcomes)
        assert [int((row == 1).sum()) for row in stored] == [sum(q) for q in queues]


def test_weights_follow_the_formula_of_the_success_rates(reference):
    sampler = Sampler(ResetConfig(sampling="success_rate_adaptive"), reference)
    state = step(sampler, sampler.init(), [0] * 4 + [1] * 4, [True] + 7 * [False])
    np.testing.assert_allclose(state.success_rate, [0.75, 1.0, np.nan])
    inverse = 1 / (np.array([0.75, 1.0]) + 0.05)
    factor = np.append(inverse / inverse.mean(), 1.0)
    expected = factor * WEIGHTS / np.sum(factor * WEIGHTS)
    np.testing.assert_allclose(sampler.clip_weights(state), expected, rtol=1e-5)


def test_the_specifications_example_of_123_clips(reference):
    """100 clips at 1 and 23 at 0: factors 1/3 and 3, two thirds for the failing."""
    many = reference.replace(
        clip_start=jnp.zeros(123, jnp.int32),
        clip_end=jnp.full(123, 100, jnp.int32),
        clip_weight=jnp.full(123, 1 / 123),
    )
    sampler = Sampler(ResetConfig(sampling="success_rate_adaptive"), many)
    state = step(sampler, sampler.init(), np.arange(123), np.arange(123) >= 100)
    weights = np.asarray(sampler.clip_weights(state))
    assert weights[100:].sum() == pytest.approx(23 * 3 / (23 * 3 + 100 / 3), rel=1e-4)


def test_failing_in_the_last_frame_is_a_failure_and_no_step_is_no_outcome(reference):
    sampler = Sampler(ResetConfig(), reference)
    state = step(sampler, sampler.init(), [2], [True], frame=[12])
    assert state.success_rate[2] == 0 and state.failures.sum() == 1
    state = step(sampler, state, [2], [False], stepped=[False])
    assert state.count[2] == 1 and float(state.steps.sum()) == pytest.approx(0.999)


def test_bins_that_fail_are_drawn_more_often(reference):
    config = ResetConfig(sampling="failure_bins", bin_rate=0.5)
    sampler = Sampler(config, reference)
    # 251, 101 and 13 frames have 6, 3 and 1 bins of 50; those that begin in a clip's
    # last three frames are no starts.
    assert sampler.bin_clip.tolist() == [0] * 6 + [1] * 3 + [2]
    state = step(sampler, sampler.init(), [0, 1], [True, False], frame=[120, 60])
    share = 0.1 / 10
    raw = np.array([share] * 10)
    raw[2] += 0.5 * 1
    raw[[5, 8]] = 0
    raw *= np.array(WEIGHTS)[sampler.bin_clip]
    np.testing.assert_allclose(sampler.bin_weights(state), raw / raw.sum(), rtol=1e-5)
    clips, frames = drawn(sampler, state)
    in_bin = (clips == 0) & (frames >= 100) & (frames < 150)
    assert in_bin.mean() == pytest.approx(raw[2] / raw.sum(), abs=0.02)
    np.testing.assert_allclose(
        sampler.clip_weights(state),
        [raw[:6].sum() / raw.sum(), raw[6:9].sum() / raw.sum(), raw[9] / raw.sum()],
        rtol=1e-5,
    )


def test_the_share_of_failures_in_a_bin_limits_its_weight(reference):
    sampler = Sampler(ResetConfig(sampling="failure_rate_bins"), reference)
    weights = np.array(WEIGHTS)[sampler.bin_clip]
    weights[[5, 8]] = 0
    fresh = sampler.bin_weights(sampler.init())
    np.testing.assert_allclose(fresh, weights / weights.sum(), rtol=1e-5)
    # Ten passes, a hundred and a thousand, of which a tenth fails, and three bins in
    # which nothing does; the others are not known.
    passes = np.array([10.0, 100.0, 1000.0, 50.0, 50.0, 0, 50.0, 0, 0, 0])
    failures = np.array([1.0, 10.0, 100.0, 0, 0, 0, 0, 0, 0, 0])
    state = sampler.init().replace(
        steps=jnp.asarray(50 * passes), failures=jnp.asarray(failures)
    )
    rate = np.where(failures > 0, 1 - np.exp(-0.1), 0.0)
    known = passes > 0
    factor = np.clip(rate / rate[known].mean(), 1 / 3, 3)
    raw = np.where(known, factor, 1.0) * weights
    np.testing.assert_allclose(sampler.bin_weights(state), raw / raw.sum(), rtol=1e-4)


@pytest.mark.parametrize(
    ("sampling", "most", "least"),
    [("failure_bins", 1.0, 0.9), ("failure_rate_bins", 0.51, 0.3)],
)
def test_what_can_not_be_learnt_takes_the_others_place_or_does_not(
    reference, sampling, most, least
):
    """Episodes fail in the last of ten bins and nowhere else: of all starts, how many
    are there?"""
    sampler = Sampler(ResetConfig(sampling=sampling), reference)

    @jax.jit
    def pass_by(state, key):
        draw = jax.vmap(lambda key: sampler.draw(state, key))
        clip, frame = draw(jax.random.split(key, 512))
        lost = clip == 2
        return step(sampler, state, clip, lost, frame=frame, done=lost)

    state = sampler.init()
    for key in jax.random.split(jax.random.key(0), 2000):
        state = pass_by(state, key)
    assert least < sampler.clip_weights(state)[2] < most


def test_survival_by_second(reference):
    sampler = Sampler(ResetConfig(), reference)
    state = sampler.init().replace(
        steps=jnp.array([100.0] + [0.0] * 9), failures=jnp.array([1.0] + [0.0] * 9)
    )
    survival = np.asarray(sampler.survival(state))
    assert survival[0] == pytest.approx(np.exp(-1 / 2)) and np.isnan(survival[1:]).all()


def test_survival_where_a_clip_ends(reference):
    """The last bin of a clip is shorter, and its last frame counts twice."""
    sampler = Sampler(ResetConfig(sampling="failure_rate_bins"), reference)
    length = int(reference.clip_end[0] - reference.clip_start[0])
    bins = np.flatnonzero(sampler.bin_clip == 0)
    frames = np.arange(1, length + 1).clip(max=length - 1)
    steps = np.bincount(frames // sampler.bin_frames, minlength=len(sampler.bin_clip))
    # A hundred passes from the first frame on, ten lost in each second.
    state = sampler.init().replace(
        steps=jnp.asarray(100.0 * steps),
        failures=jnp.where(jnp.asarray(sampler.bin_clip) == 0, 10.0, 0.0),
    )
    survival = np.asarray(sampler.survival(state))[bins]
    assert survival[-1] == pytest.approx(np.exp(-0.1), abs=1e-6)
    # From the first frame on, the first second has a step less.
    np.testing.assert_allclose(survival, np.exp(-0.1), atol=0.003)
    weights = np.asarray(sampler.bin_weights(state))[bins]
    drawn = weights > 0
    np.testing.assert_allclose(weights[drawn], weights[0], rtol=0.03)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bin_s": float("inf")}, "bin_s is inf"),
        ({"sampling": "often"}, "unknown reset.sampling 'often'"),
        ({"start": "last"}, "unknown reset.start 'last'"),
        ({"success_window": 0}, "success_window is 0"),
        ({"weight_limit": 0.5}, "weight_limit is 0.5"),
        ({"bin_s": 0.0}, "bin_s is 0"),
        ({"bin_rate": 2.0}, "bin_rate is 2"),
    ],
)
def test_settings_that_can_not_be(reference, change, message):
    with pytest.raises(UserError, match=message):
        Sampler(ResetConfig(**change), reference)
