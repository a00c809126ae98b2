"""How lax failures are judged over time."""

import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym.envs.config import CurriculumConfig
from mimicgym.envs.curriculum import Curriculum
from mimicgym.errors import UserError

DONE = jnp.ones(8, bool)
NONE = jnp.zeros(8, bool)


def run(found: Curriculum, steps: int, done=NONE, failed=NONE):
    state = found.init()
    for _ in range(steps):
        state = found.update(state, done, failed)
    return state


def test_none_is_one_for_ever():
    found = Curriculum(CurriculumConfig())
    assert float(run(found, 5, DONE, DONE).laxity) == 1.0


def test_linear_goes_to_one_and_stays():
    found = Curriculum(CurriculumConfig(kind="linear", start=3.0, steps=10))
    assert float(found.init().laxity) == 3.0
    # (3 - 1) / 10 a step.
    assert float(run(found, 4).laxity) == pytest.approx(2.2)
    assert float(run(found, 10).laxity) == pytest.approx(1.0)
    assert float(run(found, 25).laxity) == 1.0


def test_success_tightens_and_failure_loosens():
    cfg = CurriculumConfig(kind="success", start=4.0, steps=100, success=0.7)
    found = Curriculum(cfg)
    # Nothing has succeeded yet: as lax as can be.
    assert float(run(found, 20).laxity) == 4.0
    # 8 successes a step: 1 - 0.99^(8 n) passes 0.7 at n = 15; each of the 85 steps from
    # then on divides by 4^(1/100).
    state = run(found, 99, DONE, NONE)
    assert float(state.success) == pytest.approx(1 - 0.99 ** (8 * 99), rel=1e-4)
    assert float(state.laxity) == pytest.approx(4.0 ** (1 - 85 / 100), rel=1e-3)
    tight = run(found, 300, DONE, NONE)
    assert float(tight.laxity) == 1.0
    looser = tight
    for _ in range(30):
        looser = found.update(looser, DONE, DONE)
    assert float(looser.success) < 0.7
    assert float(looser.laxity) > 1.0


def test_half_the_episodes_count_as_half():
    found = Curriculum(CurriculumConfig(kind="success"))
    half = jnp.asarray(np.arange(8) % 2 == 0)
    state = run(found, 400, DONE, half)
    assert float(state.success) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "steps"}, r"curriculum\.kind 'steps'.*linear, none, success"),
        ({"start": 0.5}, r"curriculum\.start is 0\.5"),
        ({"steps": 0}, r"curriculum\.steps is 0"),
        ({"success": 1.0}, r"curriculum\.success is 1\.0"),
    ],
)
def test_bad_settings(changes, message):
    with pytest.raises(UserError, match=message):
        Curriculum(CurriculumConfig(**changes))
