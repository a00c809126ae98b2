"""Advantages, loss, Gaussian and statistics against NumPy, SciPy and hand-worked
numbers."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from mimicgym.ppo import PPOConfig, network
from mimicgym.ppo.gae import advantages
from mimicgym.ppo.loss import Samples, ppo_loss
from mimicgym.ppo.normalize import (
    init_stats,
    normalize,
    scale_value,
    unscale_value,
    update_stats,
)
from mimicgym.ppo.rollout import _final_values

CONFIG = PPOConfig(hidden=(8,), init_std=0.6, min_std=0.1)


def test_advantages_by_hand():
    # One environment, gamma 0.5, lambda 0.5. Step 1 fails, step 3 is cut off.
    result = advantages(
        reward=jnp.array([[1.0], [2.0], [3.0], [4.0]]),
        value=jnp.array([[10.0], [20.0], [30.0], [40.0]]),
        next_value=jnp.array([[20.0], [99.0], [40.0], [8.0]]),
        terminated=jnp.array([[False], [True], [False], [False]]),
        done=jnp.array([[False], [True], [False], [True]]),
        gamma=0.5,
        gae_lambda=0.5,
    )
    # delta: 1 + 10 - 10 = 1; 2 - 20 = -18; 3 + 20 - 30 = -7; 4 + 4 - 40 = -32
    # A3 = -32; A2 = -7 + 0.25 * -32 = -15; A1 = -18; A0 = 1 + 0.25 * -18 = -3.5
    np.testing.assert_allclose(result[:, 0], [-3.5, -18.0, -15.0, -32.0])


def test_advantages_against_a_loop():
    rng = np.random.default_rng(0)
    shape = (30, 5)
    reward, value, next_value = rng.normal(size=(3, *shape))
    terminated = rng.random(shape) < 0.1
    done = terminated | (rng.random(shape) < 0.1)
    expected = np.zeros(shape)
    for b in range(shape[1]):
        running = 0.0
        for t in reversed(range(shape[0])):
            alive = 0.0 if terminated[t, b] else 1.0
            delta = reward[t, b] + 0.97 * alive * next_value[t, b] - value[t, b]
            running = delta + (0.0 if done[t, b] else 0.97 * 0.9 * running)
            expected[t, b] = running
    result = advantages(
        *(jnp.asarray(x) for x in (reward, value, next_value, terminated, done)),
        gamma=0.97,
        gae_lambda=0.9,
    )
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


def test_gaussian_against_scipy():
    rng = np.random.default_rng(1)
    mean, action = rng.normal(size=(2, 6, 4))
    std = rng.uniform(0.2, 2.0, size=4)
    density = scipy.stats.norm(mean, std).logpdf(action).sum(1)
    np.testing.assert_allclose(
        network.log_prob(jnp.asarray(mean), jnp.asarray(std), jnp.asarray(action)),
        density,
        rtol=1e-4,
    )
    expected = scipy.stats.norm(0, std).entropy().sum()
    assert float(network.entropy(jnp.asarray(std))) == pytest.approx(expected, rel=1e-4)


def test_kl_divergence_by_hand():
    # N(0, 1) to N(1, 2): ln 2 + (1 + 1) / 8 - 1/2, twice for two dimensions.
    kl = network.kl_divergence(jnp.zeros(2), jnp.ones(2), jnp.ones(2), jnp.full(2, 2.0))
    assert float(kl) == pytest.approx(2 * (np.log(2) + 0.25 - 0.5), rel=1e-5)


def test_deviation_starts_as_set_and_keeps_its_floor():
    params = network.init_params(
        jax.random.key(0), CONFIG, {"actor": 3, "critic": 4}, 2
    )
    std = network.policy_std(params["raw_std"], CONFIG)
    np.testing.assert_allclose(std, 0.6, rtol=1e-5)
    floor = network.policy_std(jnp.full(2, -1e3), CONFIG)
    np.testing.assert_allclose(floor, 0.1, rtol=1e-6)


def numpy_mlp(params, x):
    layers = params["params"]
    for i in range(len(layers)):
        x = x @ np.asarray(layers[f"Dense_{i}"]["kernel"]) + np.asarray(
            layers[f"Dense_{i}"]["bias"]
        )
        if i < len(layers) - 1:
            x = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
    return x


def test_loss_against_numpy():
    config = replace(CONFIG, action_bound=0.01, bounds_coef=0.3, value_coef=0.7)
    key = jax.random.key(3)
    params = network.init_params(key, config, {"actor": 3, "critic": 4}, 2)
    rng = np.random.default_rng(3)
    n = 50
    batch = {
        "actor_obs": rng.normal(size=(n, 3)),
        "critic_obs": rng.normal(size=(n, 4)),
        "action": rng.normal(size=(n, 2)),
        "mean": 0.3 * rng.normal(size=(n, 2)),
        "log_prob": rng.normal(size=n) - 2,
        "value": rng.normal(size=n),
        "advantage": rng.normal(size=n),
        "target": rng.normal(size=n),
        "done": np.zeros(n),
    }
    old_std = np.array([0.5, 0.7])
    samples = Samples(**{k: jnp.asarray(v, jnp.float32) for k, v in batch.items()})
    loss, health = ppo_loss(params, jnp.asarray(old_std), samples, config)

    mean = numpy_mlp(params["actor"], batch["actor_obs"])
    value = numpy_mlp(params["critic"], batch["critic_obs"])[:, 0]
    std = np.full(2, 0.6)
    log_prob = scipy.stats.norm(mean, std).logpdf(batch["action"]).sum(1)
    ratio = np.exp(log_prob - batch["log_prob"])
    advantage = batch["advantage"]
    surrogate = -np.mean(
        np.minimum(ratio * advantage, np.clip(ratio, 0.8, 1.2) * advantage)
    )
    value_loss = np.mean((value - batch["target"]) ** 2)
    entropy = scipy.stats.norm(0, std).entropy().sum()
    bounds = np.mean(np.maximum(np.abs(mean) - 0.01, 0).sum(1))
    expected = surrogate + 0.7 * value_loss - 0.0025 * entropy + 0.3 * bounds
    assert float(loss) == pytest.approx(expected, rel=1e-4)
    kl = (
        np.log(std / old_std)
        + (old_std**2 + (batch["mean"] - mean) ** 2) / (2 * std**2)
        - 0.5
    ).sum(1)
    assert float(health["ppo/kl"]) == pytest.approx(kl.mean(), rel=1e-4)
    share = np.mean(np.abs(ratio - 1) > 0.2)
    assert float(health["ppo/clip_fraction"]) == pytest.approx(share, abs=1e-6)


def test_clipped_value_loss_against_numpy():
    config = replace(CONFIG, value_clip=0.2)
    params = network.init_params(
        jax.random.key(4), config, {"actor": 3, "critic": 4}, 2
    )
    rng = np.random.default_rng(4)
    n = 60
    obs, old, target = rng.normal(size=(n, 4)), rng.normal(size=n), rng.normal(size=n)
    zeros, ones = jnp.zeros(n), jnp.ones((n, 2))
    samples = Samples(
        actor_obs=jnp.zeros((n, 3)),
        critic_obs=jnp.asarray(obs, jnp.float32),
        action=ones,
        mean=ones,
        log_prob=zeros,
        value=jnp.asarray(old, jnp.float32),
        advantage=zeros,
        target=jnp.asarray(target, jnp.float32),
        done=zeros,
    )
    _, health = ppo_loss(params, jnp.ones(2), samples, config)
    value = numpy_mlp(params["critic"], obs)[:, 0]
    held = old + np.clip(value - old, -0.2, 0.2)
    expected = np.maximum((value - target) ** 2, (held - target) ** 2)
    assert float(health["ppo/value_loss"]) == pytest.approx(expected.mean(), rel=1e-4)
    # Neither of the two alone.
    assert 0.1 < np.mean((held - target) ** 2 > (value - target) ** 2) < 0.9


def test_running_statistics_against_numpy():
    rng = np.random.default_rng(0)
    data = rng.normal(3.0, 2.0, size=(500, 4)).astype(np.float32)
    stats = init_stats(4)
    for part in np.split(data, [10, 11, 200]):
        stats = update_stats(stats, jnp.asarray(part))
    np.testing.assert_allclose(stats.mean, data.mean(0), rtol=1e-5)
    np.testing.assert_allclose(stats.var, data.var(0), rtol=1e-4)
    expected = np.clip((data - data.mean(0)) / (data.std(0) + 0.01), -10, 10)
    np.testing.assert_allclose(
        normalize(stats, jnp.asarray(data)), expected, rtol=1e-3, atol=1e-4
    )
    # 1e6 is far out: clipped.
    assert float(normalize(stats, jnp.full(4, 1e6))[0]) == 10.0


def test_value_scaling_is_undone():
    stats = update_stats(init_stats(), jnp.array([100.0, 140.0, 60.0]))
    x = jnp.array([120.0])
    np.testing.assert_allclose(
        unscale_value(stats, scale_value(stats, x)), x, rtol=1e-5
    )


@pytest.mark.parametrize("cut_off_rows", [(), (3,), (0, 5), (0, 1, 2, 3, 7, 9)])
def test_only_cut_off_rows_are_valued(cut_off_rows):
    rows = 16
    mask = np.zeros(rows, bool)
    mask[list(cut_off_rows)] = True
    obs = jnp.arange(rows, dtype=jnp.float32)[:, None] + 1
    result = _final_values(jnp.asarray(mask), obs, lambda o: 10 * o[:, 0])
    np.testing.assert_allclose(result, np.where(mask, 10 * (np.arange(rows) + 1), 0))
