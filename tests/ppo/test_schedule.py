"""Learning rates: how they move, and that the optimiser takes them."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mimicgym.ppo import Learner, PPOConfig
from mimicgym.ppo.schedule import adapt_learning_rate, starting_rate
from tests.ppo.probes import Probe

CONFIG = PPOConfig(
    hidden=(8,), init_std=0.6, num_steps=4, epochs=1, minibatches=1, learning_rate=1e-4
)


@pytest.mark.parametrize(
    ("kl", "rate", "expected"),
    [
        (0.001, 1e-3, 1.5e-3),  # below the band: up
        (0.01, 1e-3, 1e-3),  # within: unchanged
        (0.03, 1.5e-3, 1e-3),  # above: down
        (0.001, 9e-3, 1e-2),  # not above the highest
        (0.03, 1.2e-5, 1e-5),  # not below the lowest
    ],
)
def test_learning_rate_follows_the_divergence(kl, rate, expected):
    result = adapt_learning_rate(jnp.float32(rate), jnp.float32(kl), PPOConfig())
    assert float(result) == pytest.approx(expected, rel=1e-5)
    for schedule in ("fixed", "linear"):
        config = replace(PPOConfig(), schedule=schedule)
        result = adapt_learning_rate(jnp.float32(rate), jnp.float32(kl), config)
        assert float(result) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("iteration", "expected"), [(0, 1e-3), (25, 7.75e-4), (100, 1e-4), (400, 1e-4)]
)
def test_linear_schedule(iteration, expected):
    config = replace(
        PPOConfig(), schedule="linear", linear_iterations=100, learning_rate_min=1e-4
    )
    result = starting_rate(jnp.float32(5.0), jnp.int32(iteration), config)
    assert float(result) == pytest.approx(expected, rel=1e-5)
    for schedule in ("fixed", "adaptive"):
        other = replace(config, schedule=schedule)
        result = starting_rate(jnp.float32(5.0), jnp.int32(iteration), other)
        assert float(result) == 5.0


def moved(config: PPOConfig) -> tuple[dict[str, float], float]:
    """How far one update moves each part of the parameters; the rate it ended with."""
    learner = Learner(Probe("both"), config)
    state = learner.init(jax.random.key(0))
    before = jax.device_get(state.params)
    state, metrics = learner.iterate(state)
    change = jax.tree.map(lambda a, b: a - b, jax.device_get(state.params), before)
    assert float(metrics["ppo/learning_rate"]) == float(state.learning_rate)
    return (
        {k: float(optax.tree.norm(v)) for k, v in change.items()},
        float(state.learning_rate),
    )


def test_learning_rate_reaches_the_actor():
    """The direction of Adam's first step does not depend on the rate: the size of the
    change after one minibatch shows which rate was used."""
    fixed, rate = moved(replace(CONFIG, schedule="fixed"))
    assert rate == pytest.approx(1e-4)
    # Before the first minibatch nothing has diverged: the rate rises at once.
    up, rate = moved(replace(CONFIG, learning_rate_factor=4.0))
    assert rate == pytest.approx(4e-4)
    assert up["actor"] / fixed["actor"] == pytest.approx(4.0, rel=1e-2)
    assert up["raw_std"] / fixed["raw_std"] == pytest.approx(4.0, rel=1e-2)
    assert up["critic"] == pytest.approx(fixed["critic"], rel=1e-5)
    # The critic follows as well if it has no rate of its own.
    both, _ = moved(
        replace(CONFIG, learning_rate_factor=4.0, critic_learning_rate=None)
    )
    assert both["critic"] / fixed["critic"] == pytest.approx(4e-4 / 1e-3, rel=1e-2)


def test_learning_rate_falls_with_every_minibatch_that_diverges():
    config = replace(
        CONFIG, epochs=2, minibatches=2, kl_low=0.0, kl_high=1e-7, learning_rate=1e-3
    )
    learner = Learner(Probe("both"), config)
    state = learner.init(jax.random.key(0))
    # Nothing diverges before the first of an iteration's four minibatches.
    for falls in (3, 6):
        state, _ = learner.iterate(state)
        assert float(state.learning_rate) == pytest.approx(1e-3 / 1.5**falls, rel=1e-4)


def test_linear_schedule_in_the_learner():
    config = replace(
        CONFIG, schedule="linear", linear_iterations=4, learning_rate_min=2e-5
    )
    learner = Learner(Probe("both"), config)
    state = learner.init(jax.random.key(0))
    rates = []
    for _ in range(6):
        state, _ = learner.iterate(state)
        rates.append(float(state.learning_rate))
    np.testing.assert_allclose(rates, [1e-4, 8e-5, 6e-5, 4e-5, 2e-5, 2e-5], rtol=1e-5)
