"""Saving and going on."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from mimicgym.errors import UserError
from mimicgym.ppo import Checkpoints, Learner, policy_of
from tests.ppo.probes import Probe
from tests.ppo.test_learner import CONFIG


def leaves(state) -> list[np.ndarray]:
    def plain(x):
        is_key = jax.numpy.issubdtype(x.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(x) if is_key else x)

    return [plain(x) for x in jax.tree.leaves(state)]


def iterate(learner, state, times: int):
    for _ in range(times):
        state, _ = learner.iterate(state)
    return state


def test_going_on_equals_not_having_stopped(tmp_path):
    learner = Learner(Probe("both"), CONFIG)
    whole = iterate(learner, learner.init(jax.random.key(0)), 6)

    state = iterate(learner, learner.init(jax.random.key(0)), 3)
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    assert checkpoints.save(state, CONFIG, {"robot": "probe"}) == 3

    fresh = Learner(Probe("both"), CONFIG)
    template = fresh.init(jax.random.key(9))
    restored = Checkpoints(tmp_path / "checkpoints").restore(3, template)
    resumed = iterate(fresh, restored, 3)
    for a, b in zip(leaves(whole), leaves(resumed), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_policy_alone(tmp_path):
    learner = Learner(Probe("both"), CONFIG)
    state = iterate(learner, learner.init(jax.random.key(0)), 2)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state, CONFIG, {"robot": "probe"})
    loaded = checkpoints.policy(checkpoints.latest(), CONFIG, robot="probe")
    obs = jax.numpy.linspace(-1, 1, 5)[:, None]
    np.testing.assert_array_equal(loaded(obs), policy_of(state, CONFIG)(obs))


def test_only_the_newest_are_kept(tmp_path):
    learner = Learner(Probe("constant"), CONFIG)
    state = learner.init(jax.random.key(0))
    checkpoints = Checkpoints(tmp_path)
    for _ in range(5):
        state = iterate(learner, state, 1)
        checkpoints.save(state, CONFIG, {})
    kept = sorted(int(p.name) for p in tmp_path.iterdir() if p.name.isdigit())
    assert kept == [3, 4, 5]
    assert checkpoints.latest() == 5


def test_what_does_not_belong_is_refused(tmp_path):
    learner = Learner(Probe("constant"), CONFIG)
    state = iterate(learner, learner.init(jax.random.key(0)), 1)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state, CONFIG, {"robot": "g1_23dof"})
    with pytest.raises(UserError, match=r"robot 'g1_23dof', here it is 'g1_29dof'"):
        checkpoints.policy(1, CONFIG, robot="g1_29dof")
    wider = Learner(replace(Probe("constant"), action_size=2), CONFIG)
    with pytest.raises(UserError, match="action_size 1, here it is 2"):
        checkpoints.restore(1, wider.init(jax.random.key(0)))


def test_no_checkpoint(tmp_path):
    with pytest.raises(UserError, match="holds no checkpoint"):
        Checkpoints(tmp_path / "none").latest()
