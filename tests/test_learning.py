"""Learning on the real task. Whole trainings take minutes: `make test-slow`."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.make import make_env
from mimicgym.ppo import Learner
from mimicgym.run import run_config
from mimicgym.training import train

pytestmark = pytest.mark.usefixtures("compile_quickly")


def test_an_iteration_is_compiled_once_and_moves_the_policy():
    config = run_config("quick", motion="wave", engine="native")
    ppo = replace(config.ppo, hidden=(16,), num_steps=4, epochs=1, minibatches=2)
    learner = Learner(BatchedEnv(make_env(config.env), 4), ppo)
    state = learner.init(jax.random.key(0))
    before = jax.device_get(state.params["actor"])
    for _ in range(3):
        state, metrics = learner.iterate(state)
    assert learner.compilations == 1
    moved = jax.tree.map(
        lambda a, b: float(np.abs(a - b).max()),
        before,
        jax.device_get(state.params["actor"]),
    )
    assert min(jax.tree.leaves(moved)) > 0
    assert np.isfinite([float(x) for x in metrics.values() if x == x]).all()
    # Three iterations of four steps each.
    assert int(state.iteration) == 3
    assert int(state.batch.state.step.max()) <= 12


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_embedded_wave_is_learned(tmp_path):
    """What `make train` promises for two cores."""
    result = train(run_config("quick", motion="wave"), out=tmp_path, seconds=480)
    (score,) = result.evaluation.clips
    assert score.completion == 1.0
    assert score.mpkpe_mm <= 25


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize(
    ("clip", "minutes", "most_mm"), [("kimodo_wave", 10, 25), ("kimodo_walk", 20, 60)]
)
def test_real_clips_are_learned(real_motions, tmp_path, clip, minutes, most_mm):
    config = run_config("quick", motion=str(real_motions / "curated" / f"{clip}.npz"))
    result = train(config, out=tmp_path, seconds=60 * minutes)
    (score,) = result.evaluation.clips
    assert score.completion == 1.0
    assert score.mpkpe_mm <= most_mm
