"""PPO on tasks whose values and best actions are known."""

import sys
import time
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym.errors import UserError
from mimicgym.ppo import (
    PPO_PRESETS,
    Learner,
    PPOConfig,
    policy_of,
    ppo_preset,
    train,
)
from mimicgym.ppo.ahead import compile_iteration
from mimicgym.ppo.rollout import Acting, value_of
from tests.ppo.probes import Probe, Ring

CONFIG = PPOConfig(
    num_steps=8,
    epochs=4,
    minibatches=2,
    hidden=(32,),
    init_std=0.5,
    gamma=0.9,
    learning_rate=3e-3,
    critic_learning_rate=3e-3,
    entropy_coef=0.0,
)


def run(task: str, iterations: int = 120, config: PPOConfig = CONFIG):
    learner = Learner(Probe(task), config)
    state = train(learner, learner.init(jax.random.key(0)), iterations=iterations)

    def value(x: float) -> float:
        acting = Acting(state.params, state.obs_stats, state.return_stats)
        return float(value_of(acting, jnp.array([x]), config))

    return state, value, policy_of(state, config)


def test_constant_reward_is_the_value():
    _, value, _ = run("constant")
    assert value(0.0) == pytest.approx(1.0, abs=0.05)


def test_value_depends_on_the_observation():
    _, value, _ = run("observed")
    assert value(1.0) == pytest.approx(1.0, abs=0.1)
    assert value(-1.0) == pytest.approx(-1.0, abs=0.1)


def test_reward_a_step_ahead_is_discounted():
    _, value, _ = run("discounted")
    assert value(1.0) == pytest.approx(1.0, abs=0.1)
    assert value(0.0) == pytest.approx(0.9, abs=0.1)


def test_policy_finds_the_best_action():
    _, _, policy = run("action", 150)
    assert float(policy(jnp.zeros(1))[0]) == pytest.approx(0.5, abs=0.1)


def test_policy_and_value_follow_the_observation():
    _, _, policy = run("both", 200)
    for x in (1.0, -1.0):
        assert float(policy(jnp.array([x]))[0]) == pytest.approx(x / 2, abs=0.15)


def test_a_cut_off_episode_is_worth_what_would_have_come():
    """Reward 1 for ever is worth 1 / (1 - 0.9) = 10 however often it is cut off; if
    cut-offs counted as failures it would be about (1 + ... + 0.9^3) = 3.44 at most."""
    config = replace(CONFIG, gae_lambda=0.95)
    _, value, _ = run("limited", 300, config)
    assert value(0.0) == pytest.approx(10.0, abs=0.6)


def test_a_cut_off_episode_goes_on_from_its_own_last_observation():
    """On a ring cut off every second step, the value of the observation before it
    (rsl_rl's way) or of the next episode's first (what a careless autoreset gives) lead
    elsewhere, as linear equations show."""
    gamma = 0.5
    learner = Learner(Ring(num_envs=128), replace(CONFIG, gamma=gamma, gae_lambda=0.0))
    state = train(learner, learner.init(jax.random.key(0)), iterations=150)
    acting = Acting(state.params, state.obs_stats, state.return_stats)
    learned = value_of(acting, jnp.eye(5), learner.config)

    reward, onward, stay = np.eye(5)[4], np.roll(np.eye(5), 1, axis=1), np.eye(5)
    anywhere = np.full((5, 5), 0.2)

    def solve(when_cut_off: np.ndarray) -> np.ndarray:
        follows = (onward + when_cut_off) / 2  # every second step is cut off
        return np.linalg.solve(np.eye(5) - gamma * follows, reward)

    right = gamma ** np.arange(4, -1, -1) / (1 - gamma**5)
    np.testing.assert_allclose(solve(onward), right)
    np.testing.assert_allclose(learned, right, atol=0.02)
    for wrong in (solve(stay), solve(anywhere)):
        assert np.abs(learned - wrong).max() > 0.1


def test_a_failure_is_worth_nothing_afterwards():
    """1 + 0.9 + 0.81 + 0.729 = 3.439 at the first of four steps, 1 at the last."""
    _, value, _ = run("ending", 200)
    assert value(0.0) == pytest.approx(3.439, abs=0.25)
    assert value(3.0) == pytest.approx(1.0, abs=0.25)


def test_iterate_is_compiled_once():
    traces = []

    class Counting(Probe):
        def step(self, batch, action):
            traces.append(1)
            return super().step(batch, action)

        def reset(self, keys):
            # Types that a step returns otherwise would mean another compilation.
            batch = super().reset(keys)
            return batch.replace(
                reward=jnp.broadcast_to(jnp.asarray(0.0), batch.reward.shape),
                terminated=batch.reward > 0,
                obs={k: jax.lax.full_like(v, 0.5) for k, v in batch.obs.items()},
            )

    learner = Learner(Counting("both"), CONFIG)
    state, _ = learner.iterate(learner.init(jax.random.key(0)))
    # A scan may trace its body more than once, but only within the one compilation.
    first = len(traces)
    for _ in range(3):
        state, _ = learner.iterate(state)
    assert first == len(traces)
    assert learner.compilations == 1


def test_acting_and_learning_see_the_same():
    """In an iteration of a single step of gradient descent the policy that learns is
    the one that acted, if both use the same statistics: no divergence, ratios 1."""
    config = replace(CONFIG, epochs=1, minibatches=1, learning_rate=1e-2)
    learner = Learner(Probe("both"), config)
    state = learner.init(jax.random.key(0))
    for _ in range(4):
        before = jax.device_get(state.obs_stats["actor"].mean)
        state, metrics = learner.iterate(state)
        assert float(metrics["ppo/kl"]) < 1e-6
        assert float(metrics["ppo/clip_fraction"]) == 0
        assert np.any(before != state.obs_stats["actor"].mean)


def test_same_seed_same_training():
    def final() -> list[np.ndarray]:
        state, _, _ = run("both", 3)
        return [np.asarray(x) for x in jax.tree.leaves(state.params)]

    for a, b in zip(final(), final(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_statistics_take_in_every_observation():
    state, _, _ = run("ending", 50)
    stats = state.obs_stats["actor"]
    # Observations are 0, 1, 2, 3 in turn: mean 1.5, variance 1.25.
    assert float(stats.count) == 50 * 8 * 64
    assert float(stats.mean[0]) == pytest.approx(1.5, abs=0.01)
    assert float(stats.var[0]) == pytest.approx(1.25, abs=0.01)


def test_training_says_when_it_has_nothing_to_do():
    learner = Learner(Probe("constant"), CONFIG)
    state = learner.init(jax.random.key(0))
    with pytest.raises(UserError, match="give iterations or seconds"):
        train(learner, state)
    state = train(learner, state, iterations=2)
    with pytest.raises(UserError, match="2 iterations are done already"):
        train(learner, state, iterations=2)


def test_every_iteration_is_reported_once_and_in_order():
    learner = Learner(Probe("constant"), CONFIG)
    seen = []
    train(
        learner,
        learner.init(jax.random.key(0)),
        iterations=5,
        on_iteration=lambda progress, state: seen.append(progress),
    )
    assert [p.iteration for p in seen] == [1, 2, 3, 4, 5]
    assert [p.env_steps for p in seen] == [512 * i for i in range(1, 6)]
    assert seen[-1].metrics["episode/return"] == pytest.approx(1.0)
    assert seen[-1].metrics["episode/failed"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"minibatches": 7}, "does not divide"),
        ({"num_steps": 0}, "ppo.num_steps is 0"),
        ({"gamma": 1.5}, "ppo.gamma is 1.5"),
        ({"init_std": 0.01}, "below ppo.min_std"),
        ({"hidden": ()}, "ppo.hidden"),
        ({"schedule": "linaer"}, "ppo.schedule"),
        ({"activation": "gelu"}, "ppo.activation"),
        ({"value_clip": 0.0}, "ppo.value_clip is 0.0"),
        ({"critic_learning_rate": -1.0}, "ppo.critic_learning_rate is -1.0"),
        ({"learning_rate": float("nan")}, "ppo.learning_rate is nan"),
        ({"kl_low": 0.1}, "ppo.kl_low is 0.1, above ppo.kl_high 0.02"),
        ({"learning_rate_factor": 1.0}, "ppo.learning_rate_factor is 1.0"),
        ({"entropy_coef": -0.1}, "ppo.entropy_coef is -0.1"),
        ({"linear_iterations": 0}, "ppo.linear_iterations is 0"),
    ],
)
def test_bad_settings_are_named(change, message):
    with pytest.raises(UserError, match=message):
        Learner(Probe("constant"), replace(CONFIG, **change))


def test_no_environments():
    with pytest.raises(UserError, match="0 environments; at least 1"):
        Learner(Probe("constant", num_envs=0), CONFIG)


@pytest.mark.parametrize("name", PPO_PRESETS)
def test_presets_can_be_run(name):
    preset = ppo_preset(name)
    preset.ppo.check(preset.num_envs)
    assert hash(preset.ppo) == hash(replace(preset.ppo))


def test_unknown_preset():
    with pytest.raises(UserError, match="did you mean 'quick'"):
        ppo_preset("quik")


@pytest.mark.alone
def test_training_stops_when_asked_and_when_its_time_is_up():
    learner = Learner(Probe("constant"), CONFIG)
    state = learner.init(jax.random.key(0))
    seen = []
    state = train(
        learner,
        state,
        iterations=1000,
        should_stop=lambda: len(seen) >= 2,
        on_iteration=lambda progress, current: seen.append(progress),
    )
    # One more was under way when the second was reported.
    assert int(state.iteration) == 3 == len(seen)
    train(
        learner,
        state,
        seconds=0.2,
        on_iteration=lambda progress, current: seen.append(progress),
    )
    assert seen[3].seconds < 0.2 <= seen[-1].seconds < 2.0
    assert seen[-1].steps_per_s > 0


@pytest.fixture
def waiting(monkeypatch):
    """Programs are done when they have been started, as those that call Warp are."""

    def compiled(learner, state):
        found = compile_iteration(learner, state)
        return replace(
            found, collect=lambda state: jax.block_until_ready(found.collect(state))
        )

    module = sys.modules["mimicgym.ppo.train"]
    monkeypatch.setattr(module, "compile_iteration", compiled)


@pytest.mark.alone
@pytest.mark.parametrize("how", ["", "waiting"])
def test_speed_counts_every_iteration_but_the_first(request, how):
    """By a hand that adds up what each took, whether or not starting an iteration takes
    as long as the iteration."""
    if how:
        request.getfixturevalue(how)
    config = replace(CONFIG, num_steps=512, epochs=1)
    learner = Learner(Probe("both"), config)
    seen = []
    train(
        learner,
        learner.init(jax.random.key(0)),
        iterations=4,
        on_iteration=lambda progress, state: seen.append(progress),
    )
    assert seen[0].seconds == seen[0].steps_per_s == 0
    passed = 0.0
    for count, progress in enumerate(seen[1:], 1):
        passed += progress.rollout_s + progress.update_s
        assert progress.seconds == pytest.approx(passed, rel=1e-6)
        steps = count * learner.steps_per_iteration
        assert progress.steps_per_s == pytest.approx(steps / passed, rel=1e-6)


def test_divergence_is_not_passed_over():
    class Broken(Probe):
        def step(self, batch, action):
            after = super().step(batch, action)
            broken = jnp.where(action[:, 0] > 1.0, jnp.nan, after.reward)
            return after.replace(reward=broken)

    learner = Learner(Broken("constant"), replace(CONFIG, init_std=3.0))
    seen = []
    with pytest.raises(UserError, match="diverged in iteration 1: ppo/reward"):
        train(
            learner,
            learner.init(jax.random.key(0)),
            iterations=3,
            on_iteration=lambda progress, current: seen.append(progress),
        )
    assert seen == []


@pytest.mark.alone
def test_time_is_told_apart_into_acting_and_learning():
    """Learning for 40 epochs takes most of the time, one epoch does not; together they
    are what has passed."""
    shares = {}
    for epochs in (1, 40):
        seen = []
        config = replace(CONFIG, epochs=epochs, hidden=(256, 256), num_steps=32)
        learner = Learner(Probe("both"), config)
        began = time.perf_counter()
        train(
            learner,
            learner.init(jax.random.key(0)),
            iterations=6,
            on_iteration=lambda progress, state, seen=seen: seen.append(progress),
        )
        passed = time.perf_counter() - began
        total = sum(p.rollout_s + p.update_s for p in seen)
        assert 0.3 * passed < total <= passed
        later = seen[2:]
        update = sum(p.update_s for p in later)
        shares[epochs] = update / sum(p.rollout_s + p.update_s for p in later)
    assert 0 < shares[1] < shares[40] < 1
    # A GPU is as quick at learning as at starting its many small programs: 0.60 by
    # itself. Beside twenty other processes it was 0.07.
    assert shares[40] > (0.8 if jax.default_backend() == "cpu" else 0.5)
