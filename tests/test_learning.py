"""Whole trainings: minutes each, run with `make test-slow`."""

import pytest

from mimicgym.run import run_config
from mimicgym.train import train


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
