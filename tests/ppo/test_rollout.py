"""The scan against the same steps taken one by one."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from mimicgym.ppo import PPOConfig, network
from mimicgym.ppo.normalize import RunningStats
from mimicgym.ppo.rollout import Acting, collect, next_values
from tests.ppo.probes import Ring

CONFIG = PPOConfig(num_steps=12, hidden=(8,), init_std=0.4)
ENV = Ring(num_envs=16, length=4, fail=0.15)


@cache
def acting() -> Acting:
    params = network.init_params(
        jax.random.key(5), CONFIG, ENV.observation_sizes, ENV.action_size
    )
    return Acting(
        params,
        {
            "actor": RunningStats(jnp.full(3, 0.3), jnp.full(3, 0.5), jnp.float32(9)),
            "critic": RunningStats(jnp.full(5, 0.1), jnp.full(5, 2.0), jnp.float32(9)),
        },
        RunningStats(jnp.float32(3.0), jnp.float32(4.0), jnp.float32(9)),
    )


def numpy_value(obs) -> np.ndarray:
    x = np.clip((np.asarray(obs) - 0.1) / (np.sqrt(2.0) + 0.01), -10, 10)
    layers = jax.device_get(acting().params["critic"]["params"])
    x = x @ layers["Dense_0"]["kernel"] + layers["Dense_0"]["bias"]
    x = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
    x = x @ layers["Dense_1"]["kernel"] + layers["Dense_1"]["bias"]
    return x[..., 0] * (2.0 + 0.01) + 3.0


@cache
def rolled_out():
    start = jax.jit(ENV.reset)(jax.random.split(jax.random.key(1), ENV.num_envs))
    # A GPU's networks are less exact otherwise than what they are compared with.
    with jax.default_matmul_precision("highest"):
        last, _, rollout, metrics = jax.jit(
            lambda acting, batch, key: collect(
                ENV, batch, None, acting, key, CONFIG, slices=4
            )
        )(acting(), start, jax.random.key(2))
    after, batch, step = [start], start, jax.jit(ENV.step)
    for action in rollout.action:
        batch = step(batch, action)
        after.append(batch)
    return last, rollout, metrics, jax.device_get([a.replace(key=0) for a in after])


def test_every_step_is_recorded():
    last, rollout, _, steps = rolled_out()
    for t in range(CONFIG.num_steps):
        for group in ("actor", "critic"):
            np.testing.assert_array_equal(rollout.obs[group][t], steps[t].obs[group])
        for name in ("reward", "terminated", "truncated"):
            wanted = getattr(steps[t + 1], name)
            np.testing.assert_array_equal(getattr(rollout, name)[t], wanted)
    np.testing.assert_array_equal(last.obs["critic"], steps[-1].obs["critic"])
    np.testing.assert_allclose(
        rollout.value, numpy_value(rollout.obs["critic"]), rtol=1e-5
    )


def test_what_follows_is_valued_before_any_reset():
    last, rollout, _, steps = rolled_out()
    last_value = jnp.asarray(numpy_value(last.obs["critic"]), jnp.float32)
    with jax.default_matmul_precision("highest"):
        result = np.asarray(next_values(rollout, last_value))
    expected = np.stack([numpy_value(s.final_obs["critic"]) for s in steps[1:]])
    # After a failure nothing follows, so that what is said there does not matter.
    alive = ~np.asarray(rollout.terminated)
    np.testing.assert_allclose(result[alive], expected[alive], rtol=1e-5)
    # All ways of finding these values were taken: for none, some and many of 16 rows.
    cut_off = np.asarray(rollout.truncated).sum(1)
    assert min(cut_off) == 0
    assert np.any((cut_off > 0) & (cut_off <= 2))
    assert max(cut_off) > 2
    at_reset = np.stack([numpy_value(s.obs["critic"]) for s in steps[1:]])
    assert np.any(np.abs(at_reset - expected)[np.asarray(rollout.truncated)] > 0.1)


def test_actions_are_drawn_around_the_mean():
    _, rollout, _, _ = rolled_out()
    density = scipy.stats.norm(rollout.mean, 0.4).logpdf(rollout.action).sum(-1)
    np.testing.assert_allclose(rollout.log_prob, density, rtol=1e-4, atol=1e-4)
    noise = np.asarray((rollout.action - rollout.mean) / 0.4).ravel()
    assert len(np.unique(noise)) == noise.size  # no draw is used twice
    assert scipy.stats.kstest(noise, "norm").pvalue > 0.01


def test_metrics_are_means_over_steps_and_over_finished_episodes():
    _, _, metrics, steps = rolled_out()
    done = np.stack([s.terminated | s.truncated for s in steps[1:]])
    place = np.stack([s.final_obs["critic"].argmax(-1) for s in steps[1:]])
    failed = np.stack([s.terminated for s in steps[1:]]).sum()
    assert float(metrics["episode/count"]) == done.sum()
    assert float(metrics["error/place"]) == pytest.approx(place.mean(), rel=1e-5)
    assert float(metrics["episode/place"]) == pytest.approx(10 * place[done].mean())
    assert float(metrics["episode/failed"]) == pytest.approx(failed / done.sum())


def test_without_finished_episodes_there_is_no_mean():
    env = replace(ENV, length=1000, fail=0.0)
    start = env.reset(jax.random.split(jax.random.key(1), env.num_envs))
    config = replace(CONFIG, num_steps=2)
    _, _, _, metrics = jax.jit(
        lambda a, b, k: collect(env, b, None, a, k, config, slices=1)
    )(acting(), start, jax.random.key(2))
    assert float(metrics["episode/count"]) == 0
    assert np.isnan(metrics["episode/place"])
