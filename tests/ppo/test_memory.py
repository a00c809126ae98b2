"""Actors that remember."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from mimicgym.errors import UserError
from mimicgym.ppo import Learner, PPOConfig, network, policy_of, train
from mimicgym.ppo.rollout import Acting, collect
from tests.ppo.probes import Recall

CONFIG = PPOConfig(
    num_steps=12,
    epochs=4,
    minibatches=2,
    hidden=(32,),
    init_std=0.3,
    gamma=0.9,
    learning_rate=5e-3,
    entropy_coef=0.0,
    memory=16,
)


def test_unit_against_numpy():
    """r, z = sigmoid(W x + U h + b); n = tanh(W x + b + r (U h + b)); h' = (1 - z) n +
    z h (Cho et al. 2014, as flax has it), then the layers on h' and x."""
    config = replace(CONFIG, memory=3, hidden=(4,))
    sizes = {"actor": 2, "critic": 2}
    params = network.init_params(jax.random.key(1), config, sizes, 1)["actor"]
    rng = np.random.default_rng(0)
    x, h = rng.normal(size=(5, 2)), rng.normal(size=(5, 3))
    actor = network.actor_network(config, 1)
    out, held = network.act(actor, params, jnp.asarray(x, "f4"), jnp.asarray(h, "f4"))
    layers = jax.device_get(params["params"])

    def dense(layer, x):
        return x @ layer["kernel"] + layer.get("bias", 0.0)

    unit = layers["memory"]
    r = scipy.special.expit(dense(unit["ir"], x) + dense(unit["hr"], h))
    z = scipy.special.expit(dense(unit["iz"], x) + dense(unit["hz"], h))
    n = np.tanh(dense(unit["in"], x) + r * dense(unit["hn"], h))
    after = (1 - z) * n + z * h
    np.testing.assert_allclose(held, after, atol=1e-5)
    y = dense(layers["Dense_0"], np.concatenate([after, x], axis=1))
    y = dense(layers["Dense_1"], np.where(y > 0, y, np.expm1(y)))
    np.testing.assert_allclose(out, y, atol=1e-5)


def test_learning_sees_what_acting_saw():
    """Running through a rollout again, forgetting where episodes ended, gives the mean
    actions that were taken in it."""
    env = Recall(num_envs=8)
    learner = Learner(env, CONFIG)
    state = learner.init(jax.random.key(0))
    state, _ = learner.iterate(state)
    acting = Acting(state.params, state.obs_stats, state.return_stats)
    config = replace(CONFIG, num_steps=7)
    run = jax.jit(lambda b, h, k: collect(env, b, h, acting, k, config, slices=2))
    batch, held, _, _ = run(state.batch, state.held, jax.random.key(3))
    assert float(jnp.abs(held).max()) > 0  # in the middle of an episode
    _, _, rollout, _ = run(batch, held, jax.random.key(4))
    np.testing.assert_array_equal(rollout.held, held)
    assert 0 < int(rollout.done.sum()) < rollout.done.size
    seen = jnp.clip(
        (rollout.obs["actor"] - acting.obs_stats["actor"].mean)
        / (jnp.sqrt(acting.obs_stats["actor"].var) + 0.01),
        -10,
        10,
    )
    actor = network.actor_network(config, 1)
    mean = network.act_along(
        actor, state.params["actor"], seen, rollout.held, rollout.done
    )
    np.testing.assert_allclose(mean, rollout.mean, atol=1e-5)


def test_who_remembers_does_better():
    """-0.25 a step is the best without a memory in two of the three steps."""
    config = replace(CONFIG, gamma=0.5)

    def learnt(config):
        learner = Learner(Recall(), config)
        state = train(learner, learner.init(jax.random.key(0)), iterations=150)
        return policy_of(state, config)

    policy = learnt(config)
    signs = jnp.array([1.0, -1.0])
    held = policy.start(2)
    for clock in range(3):
        shown = signs if clock == 0 else jnp.zeros(2)
        obs = jnp.stack([shown, jnp.full(2, float(clock))], axis=1)
        action, held = policy.act(obs, held)
        np.testing.assert_allclose(action[:, 0], signs / 2, atol=0.15)
    with pytest.raises(UserError, match="has a memory"):
        policy(obs)
    forgetful = learnt(replace(config, memory=0))
    last = forgetful(jnp.array([0.0, 2.0]))
    assert float(last[0]) == pytest.approx(0.0, abs=0.15)


def test_what_a_memory_does_not_go_with():
    with pytest.raises(UserError, match="can not be combined"):
        replace(CONFIG, mirror_data=True).check(64)
    with pytest.raises(UserError, match="63 environments, which"):
        CONFIG.check(63)
