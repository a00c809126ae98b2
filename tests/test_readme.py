"""The README's "a term of your own", run as it stands there."""

import re
from pathlib import Path

import jax
import pytest

from mimicgym.configs import from_dict, to_dict
from mimicgym.envs.make import make_env
from mimicgym.envs.reward import reward
from mimicgym.run import RunConfig
from tests.envs.cases import jit

README = Path(__file__).resolve().parents[1] / "README.md"


@pytest.fixture
def example():
    """What the block defines; its term is forgotten afterwards."""
    before = dict(reward._terms)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)
    (block,) = [text for text in blocks if "@reward" in text]
    names: dict = {"__name__": "example"}
    exec(compile(block, "README.md", "exec"), names)
    yield names
    reward._terms.clear()
    reward._terms.update(before)


def test_a_term_of_your_own(example):
    config = example["config"]
    assert isinstance(config, RunConfig)
    env = make_env(config.env)
    assert "joint_effort" in env.rewards.terms
    state = jit(env.reset)(jax.random.key(0))
    after = jit(env.step)(state, jax.numpy.ones(env.action_size))
    share = after.robot.joint_torque / env.facts.effort_nm
    expected = -0.5 * 0.02 * float((share**2).sum())
    assert expected < -1e-4
    found = float(after.metrics["reward/joint_effort"])
    assert found == pytest.approx(expected, rel=1e-4)
    # All else is the preset's.
    assert env.config.reward.termination.weight == -100.0


def test_a_run_with_such_a_term_is_read_back(example):
    config = example["config"]
    found = from_dict(RunConfig, to_dict(config))
    assert found == config
    assert type(found.env.reward).__name__ == "MyRewards"
