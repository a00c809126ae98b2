"""Several seeds in one program."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from mimicgym.errors import UserError
from mimicgym.ppo import Learner, PPOConfig
from mimicgym.ppo.seeds import SeedLearner
from tests.ppo.probes import Ring

CONFIG = PPOConfig(num_steps=8, epochs=2, minibatches=2, hidden=(16,))


def test_each_seed_learns_what_it_would_alone():
    learner = Learner(Ring(num_envs=16, fail=0.1), CONFIG)
    seeds = SeedLearner(learner, 3)
    key = jax.random.key(2)
    state = seeds.init(key)
    metrics, alone = {}, []
    for _ in range(3):
        state, metrics = seeds.iterate(state)
    found = []
    for own in jax.random.split(key, 3):
        single = learner.init(own)
        for _ in range(3):
            single, figures = learner.iterate(single)
        found.append(single)
        alone.append({k: float(v) for k, v in figures.items()})
    for number, single in enumerate(found):
        got = seeds.one(state, number)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
            (got.params, got.obs_stats, got.return_stats, got.batch.clock),
            (single.params, single.obs_stats, single.return_stats, single.batch.clock),
        )
    for name in ("ppo/reward", "ppo/kl", "episode/place"):
        mean = np.mean([figures[name] for figures in alone])
        assert float(metrics[name]) == pytest.approx(mean, rel=1e-3)
    rewards = [figures["ppo/reward"] for figures in alone]
    assert np.std(rewards) > 0
    spread = float(metrics["spread/ppo/reward"])
    assert spread == pytest.approx(np.std(rewards, ddof=1), rel=1e-3)
    assert seeds.compilations == 1
    # A seed can be gone on with by itself.
    learner.iterate(seeds.one(state, 1))


def test_what_is_not_several_seeds_is_refused():
    learner = Learner(Ring(num_envs=16), replace(CONFIG))
    with pytest.raises(UserError, match="num_seeds is 1"):
        SeedLearner(learner, 1)
