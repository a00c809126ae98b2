"""Late commands and biased encoders, against queues kept by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym.envs.actuation import Actuators
from mimicgym.envs.config import ControlConfig, RandomizationConfig
from mimicgym.envs.control import Control
from mimicgym.envs.randomization import Randomizer
from tests.envs.cases import body_model

DECIMATION = 4
JOINTS = 23
CONTROL = Control(ControlConfig(), body_model())


def actuators(**settings) -> Actuators:
    drawn = Randomizer(RandomizationConfig(**settings), body_model())
    return Actuators(drawn, CONTROL, decimation=DECIMATION)


def play(found: Actuators, seed: int, steps: int = 6):
    """Targets of actions 1, 2, ... after a first one of 0, with a pose of 0."""
    pose = jnp.zeros(JOINTS)
    state = found.reset(jax.random.key(seed), jnp.zeros(JOINTS), pose)
    told = []
    for i in range(steps):
        state, ctrl = found.step(state, jnp.full(JOINTS, i + 1.0), pose)
        told.append(np.asarray(ctrl))
    return state, told


def test_nothing_on_is_the_plain_target():
    state, told = play(actuators(), 0)
    assert jax.tree.leaves(state) == []
    for i, ctrl in enumerate(told):
        np.testing.assert_allclose(ctrl, 0.25 * (i + 1))


@pytest.mark.parametrize("delay", [0, 1, 3, 4, 5, 9])
def test_targets_come_late_by_physics_steps(delay):
    state, told = play(actuators(control_delay=(delay, delay or 1)), 0)
    drawn = int(state.control_delay)
    assert delay <= drawn <= max(delay, 1)
    # The command of every physics step, shifted by so many steps; before the first
    # there was the matched action, 0.
    issued = np.repeat(np.arange(1, len(told) + 1), DECIMATION)
    expected = np.concatenate([np.zeros(drawn), issued])[: len(issued)]
    np.testing.assert_allclose(np.concatenate(told)[:, 0], 0.25 * expected)


@pytest.mark.parametrize("delay", [1, 2, 4])
def test_actions_come_late_by_control_steps(delay):
    state, told = play(actuators(action_delay=(delay, delay)), 0)
    assert int(state.action_delay) == delay
    issued = np.arange(1, len(told) + 1)
    expected = np.concatenate([np.zeros(delay), issued])[: len(issued)]
    np.testing.assert_allclose([ctrl[0] for ctrl in told], 0.25 * expected)


def test_both_delays_add_up():
    found = actuators(action_delay=(1, 1), control_delay=(4, 4))
    _, told = play(found, 0)
    issued = np.repeat(np.arange(1, 7), DECIMATION)
    expected = np.concatenate([np.zeros(8), issued])[: len(issued)]
    np.testing.assert_allclose(np.concatenate(told)[:, 0], 0.25 * expected)


def test_delays_are_drawn_for_each_episode_with_both_ends():
    found = actuators(control_delay=(1, 3), action_delay=(0, 2))
    reset = jax.vmap(found.reset, in_axes=(0, None, None))
    keys = jax.random.split(jax.random.key(1), 300)
    state = reset(keys, jnp.zeros(JOINTS), jnp.zeros(JOINTS))
    counts = np.bincount(state.control_delay, minlength=4)
    assert counts[0] == 0 and counts[1:].min() > 60
    assert np.bincount(state.action_delay).min() > 60


def test_a_biased_encoder_shifts_what_is_held():
    found = actuators(encoder_bias_rad=0.01)
    state, told = play(found, 3)
    bias = np.asarray(state.encoder_bias)
    assert np.abs(bias).max() <= 0.01 and np.ptp(bias) > 0.005
    for i, ctrl in enumerate(told):
        # The encoder reads q + bias, and the controller brings that to its target.
        np.testing.assert_allclose(ctrl + bias, 0.25 * (i + 1), atol=1e-6)


def test_torques_know_no_encoder():
    torque = Control(ControlConfig(target="torque"), body_model())
    drawn = Randomizer(RandomizationConfig(encoder_bias_rad=0.01), body_model())
    found = Actuators(drawn, torque, decimation=DECIMATION)
    state = found.reset(jax.random.key(0), jnp.zeros(JOINTS), jnp.zeros(JOINTS))
    _, ctrl = found.step(state, jnp.ones(JOINTS), jnp.zeros(JOINTS))
    np.testing.assert_allclose(ctrl, 0.25)
