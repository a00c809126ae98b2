"""Learning with mirror images."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym.ppo import Learner, PPOConfig, network, policy_of, train
from mimicgym.ppo.loss import Samples, ppo_loss, with_images
from mimicgym.ppo.normalize import init_stats, normalize, update_stats
from mimicgym.ppo.symmetry import mirrors_of, symmetric
from tests.ppo.probes import Probe

CONFIG = PPOConfig(
    num_steps=4,
    epochs=4,
    minibatches=2,
    hidden=(32,),
    init_std=0.4,
    gamma=0.9,
    learning_rate=5e-3,
    entropy_coef=0.0,
)
MAPS = {
    "actor": (np.array([1, 0, 2]), np.array([1, 1, -1])),
    "critic": (np.array([0, 1]), np.array([1, -1])),
    "action": (np.array([0, 2, 1]), np.array([-1, 1, 1])),
}


@dataclass(frozen=True)
class OneSided(Probe):
    """The action that is best is half of the observation, which is never negative
    here; the mirror image of everything has the other sign."""

    task: str = "both"

    def _observe(self, key, clock):
        return jnp.abs(super()._observe(key, clock))

    def mirrors(self):
        flip = (np.array([0]), np.array([-1]))
        return {"actor": flip, "critic": flip, "action": flip}


def test_mirror_images_by_hand():
    mirrors = mirrors_of(MAPS)
    np.testing.assert_array_equal(
        mirrors["actor"](jnp.array([[1.0, 2.0, 3.0]])), [[2.0, 1.0, -3.0]]
    )
    np.testing.assert_array_equal(
        mirrors["action"](jnp.array([4.0, 5.0, 6.0])), [-4.0, 6.0, 5.0]
    )


def test_a_map_has_to_undo_itself():
    with pytest.raises(ValueError, match="action"):
        mirrors_of({"action": (np.array([1, 2, 0]), np.ones(3))})
    with pytest.raises(ValueError, match="action"):
        mirrors_of({"action": (np.array([1, 0]), np.array([1, -1]))})


def test_symmetric_moments_are_those_of_samples_and_images():
    mirror = mirrors_of(MAPS)["actor"]
    data = np.random.default_rng(0).normal(2.0, [1, 3, 2], size=(400, 3))
    data = jnp.asarray(data, jnp.float32)
    stats = symmetric(update_stats(init_stats(3), data), mirror)
    both = np.concatenate([data, mirror(data)])
    np.testing.assert_allclose(stats.mean, both.mean(0), atol=1e-5)
    np.testing.assert_allclose(stats.var, both.var(0), rtol=1e-5)
    # So normalising and mirroring can change places.
    np.testing.assert_allclose(
        normalize(stats, mirror(data)), mirror(normalize(stats, data)), atol=1e-5
    )


def samples(n: int) -> Samples:
    rng = np.random.default_rng(1)

    def draw(*shape):
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    return Samples(
        actor_obs=draw(n, 3),
        critic_obs=draw(n, 2),
        action=draw(n, 3),
        mean=draw(n, 3),
        log_prob=draw(n),
        value=draw(n),
        advantage=draw(n),
        target=draw(n),
        done=jnp.zeros(n, bool),
        label=draw(n, 3),
        labelled=jnp.ones(n, bool),
    )


def test_images_come_after_the_samples():
    batch = samples(5)
    both = with_images(batch, mirrors_of(MAPS))
    np.testing.assert_array_equal(both.actor_obs[:5], batch.actor_obs)
    np.testing.assert_array_equal(
        both.actor_obs[5:], np.asarray(batch.actor_obs)[:, [1, 0, 2]] * [1, 1, -1]
    )
    for name in ("action", "mean", "label"):
        before = np.asarray(getattr(batch, name))
        after = getattr(both, name)[5:]
        np.testing.assert_array_equal(after, before[:, [0, 2, 1]] * [-1, 1, 1])
    np.testing.assert_array_equal(both.critic_obs[5:, 1], -batch.critic_obs[:, 1])
    np.testing.assert_array_equal(both.advantage[5:], batch.advantage)


def test_symmetry_loss_against_numpy():
    config = replace(CONFIG, symmetry_coef=0.7, bounds_coef=0.0)
    sizes = {"actor": 3, "critic": 2}
    params = network.init_params(jax.random.key(0), config, sizes, 3)
    batch, mirrors = samples(20), mirrors_of(MAPS)
    std = jnp.full(3, 0.4)
    loss, health = ppo_loss(params, std, batch, config, mirrors=mirrors)
    without, _ = ppo_loss(params, std, batch, replace(config, symmetry_coef=0.0))
    actor = network.actor_network(config, 3)
    obs = np.asarray(batch.actor_obs)
    mean = np.asarray(network.apply(actor, params["actor"], batch.actor_obs))
    image = jnp.asarray(obs[:, [1, 0, 2]] * [1, 1, -1], jnp.float32)
    there = np.asarray(network.apply(actor, params["actor"], image))
    away = np.square(there - mean[:, [0, 2, 1]] * [-1, 1, 1]).sum(1).mean()
    assert float(health["ppo/symmetry_loss"]) == pytest.approx(away, rel=1e-4)
    assert float(loss - without) == pytest.approx(0.7 * away, rel=1e-3)


@pytest.mark.parametrize(
    "change", [{"mirror_data": True}, {"symmetry_coef": 5.0}], ids=["data", "loss"]
)
def test_what_was_seen_from_one_side_is_known_from_the_other(change):
    """Only observation 1 is ever seen, for which 0.5 is best. At -1 a policy without
    mirror images does something else than -0.5."""

    def at_the_other_side(config):
        learner = Learner(OneSided("both"), config)
        state = train(learner, learner.init(jax.random.key(0)), iterations=120)
        policy = policy_of(state, config)
        assert float(policy(jnp.array([1.0]))[0]) == pytest.approx(0.5, abs=0.1)
        return float(policy(jnp.array([-1.0]))[0])

    assert at_the_other_side(replace(CONFIG, **change)) == pytest.approx(-0.5, abs=0.15)
    assert at_the_other_side(CONFIG) > 0.0
