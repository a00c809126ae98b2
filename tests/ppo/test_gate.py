"""Inputs that reach a network through a gate which starts closed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym.ppo import PPOConfig, network

CONFIG = PPOConfig(hidden=(16, 8))
SIZES = {"actor": 5, "critic": 6}
WITH_SCAN = {"actor": 5 + 3, "critic": 6 + 4}
GATED = {"actor": 3, "critic": 4}


def init(sizes, gated=None):
    return network.init_params(jax.random.key(0), CONFIG, sizes, 2, gated)


def with_flat_weights(scanning, flat):
    """The scanning network's parameters with those that a flat one has too."""
    layers = {**scanning["params"], **flat["params"]}
    return {"params": layers}


@pytest.mark.parametrize("group", ["actor", "critic"])
def test_a_flat_policy_goes_on_as_before_with_a_scan(group):
    flat, scanning = init(SIZES)[group], init(WITH_SCAN, GATED)[group]
    loaded = with_flat_weights(scanning, flat)
    assert network.gated_size(flat) == 0
    assert network.gated_size(loaded) == GATED[group]
    net = (
        network.actor_network(CONFIG, 2)
        if group == "actor"
        else network.critic_network(CONFIG)
    )
    rng = np.random.default_rng(1)
    obs = jnp.asarray(rng.normal(size=(40, SIZES[group])), jnp.float32)
    scan = jnp.asarray(rng.normal(size=(40, GATED[group])), jnp.float32)
    before = network.apply(net, flat, obs)
    after = network.apply(net, loaded, jnp.concatenate([obs, scan], axis=-1))
    np.testing.assert_array_equal(before, after)


def test_the_gate_opens_by_learning():
    params = init(WITH_SCAN, GATED)["actor"]
    net = network.actor_network(CONFIG, 2)
    obs = jnp.asarray(np.random.default_rng(2).normal(size=(40, 8)), jnp.float32)

    def loss(params):
        return jnp.sum(jnp.square(network.apply(net, params, obs) - obs[:, -2:]))

    slope = jax.grad(loss)(params)["params"]
    assert np.abs(slope["gate"]).max() > 1e-4
    # Behind a closed gate nothing else can learn yet.
    np.testing.assert_array_equal(slope["gated"]["kernel"], 0)
    moved = jax.tree.map(lambda p, g: p - 0.1 * g, params, jax.grad(loss)(params))
    other = obs.at[:, -3:].add(1.0)
    changed = network.apply(net, moved, other) - network.apply(net, moved, obs)
    assert np.abs(changed).max() > 1e-5
    same = network.apply(net, params, other) - network.apply(net, params, obs)
    np.testing.assert_array_equal(same, 0)


def test_shapes_of_the_parameters():
    layers = init(WITH_SCAN, GATED)["actor"]["params"]
    assert layers["Dense_0"]["kernel"].shape == (5, 16)
    assert layers["gated"]["kernel"].shape == (3, 16)
    assert layers["gate"].shape == (16,)
    np.testing.assert_array_equal(layers["gate"], 0)
