"""Networks in bfloat16, everything else in float32."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym.errors import UserError
from mimicgym.ppo import Learner, PPOConfig, network, policy_of, train
from tests.ppo.probes import Probe

CONFIG = PPOConfig(
    num_steps=8,
    epochs=4,
    minibatches=2,
    hidden=(32, 16),
    init_std=0.5,
    gamma=0.9,
    learning_rate=3e-3,
    entropy_coef=0.0,
    dtype="bfloat16",
)


def test_layers_are_computed_in_bfloat16_with_float32_parameters():
    params = network.init_params(
        jax.random.key(0), CONFIG, {"actor": 12, "critic": 4}, 3
    )
    assert {x.dtype for x in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    obs = jax.random.normal(jax.random.key(1), (50, 12))
    actor = network.actor_network(CONFIG, 3)
    text = str(jax.make_jaxpr(lambda x: network.apply(actor, params["actor"], x))(obs))
    products = [line for line in text.splitlines() if "dot_general" in line]
    assert products and all("bf16" in line for line in products)
    found = network.apply(actor, params["actor"], obs)
    assert found.dtype == jnp.float32
    plain = network.actor_network(replace(CONFIG, dtype="float32"), 3)
    exact = np.asarray(network.apply(plain, params["actor"], obs))
    error = np.abs(found - exact).max() / np.abs(exact).max()
    # 8 bits of mantissa: worse than float32, and not by much.
    assert 1e-6 < error < 3e-2


def test_it_learns():
    learner = Learner(Probe("action"), CONFIG)
    state = train(learner, learner.init(jax.random.key(0)), iterations=150)
    policy = policy_of(state, CONFIG)
    assert float(policy(jnp.zeros(1))[0]) == pytest.approx(0.5, abs=0.1)
    kept = (state.params, state.opt_state, state.obs_stats, state.batch.obs)
    floats = {x.dtype for x in jax.tree.leaves(kept) if x.dtype.kind == "f"}
    assert floats == {jnp.dtype("float32")}


def test_other_types_are_refused():
    with pytest.raises(UserError, match="float16"):
        replace(CONFIG, dtype="float16").check(64)
