"""Several seeds in one program."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from mimicgym.errors import UserError
from mimicgym.ppo import Learner, PPOConfig
from mimicgym.ppo.seeds import SeedLearner, one, over_seeds, stacked
from tests.ppo.probes import Ring

CONFIG = PPOConfig(num_steps=8, epochs=2, minibatches=2, hidden=(16,))


def test_each_seed_learns_what_it_would_alone():
    learner = Learner(Ring(num_envs=16, fail=0.1), CONFIG)
    seeds = SeedLearner(learner, 3)
    keys = jax.random.split(jax.random.key(2), 3)
    state = seeds.init(keys)
    metrics, alone = {}, []
    for _ in range(3):
        state, metrics = seeds.iterate(state)
    found = []
    for own in keys:
        single = learner.init(own)
        for _ in range(3):
            single, figures = learner.iterate(single)
        found.append(single)
        alone.append({k: float(v) for k, v in figures.items()})
    for number, single in enumerate(found):
        got = one(state, number)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
            (got.params, got.obs_stats, got.return_stats, got.batch.clock),
            (single.params, single.obs_stats, single.return_stats, single.batch.clock),
        )
    for name in ("ppo/reward", "ppo/kl", "episode/place"):
        expected = [figures[name] for figures in alone]
        np.testing.assert_allclose(metrics[name], expected, rtol=1e-3)
        assert np.std(expected) > 0
    assert seeds.compilations == 1
    jax.tree.map(
        np.testing.assert_array_equal,
        stacked([one(state, i).params for i in range(3)]),
        state.params,
    )
    # A seed can be gone on with by itself.
    learner.iterate(one(state, 1))


def test_what_is_not_several_seeds_is_refused():
    learner = Learner(Ring(num_envs=16), replace(CONFIG))
    with pytest.raises(UserError, match="num_seeds is 1"):
        SeedLearner(learner, 1)


def test_means_and_deviations_over_seeds():
    seeds = [
        {"episode/return": 1.0, "ppo/kl": 0.1, "ppo/reward": 2.0},
        {"episode/return": 4.0, "ppo/kl": 0.3, "ppo/reward": None},
    ]
    found = over_seeds(seeds)
    assert found == {
        "episode/return": 2.5,
        "spread/episode/return": pytest.approx(np.sqrt(4.5)),
        "ppo/kl": pytest.approx(0.2),
        "ppo/reward": None,
        "spread/ppo/reward": None,
    }
