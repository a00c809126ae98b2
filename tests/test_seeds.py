"""Several seeds in one training: their folders, going on, and what is reported."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mimicgym.errors import UserError
from mimicgym.run import RunConfig, RunFolder, load_policy, run_config
from mimicgym.runs import compare_runs, list_runs
from mimicgym.training import TrainResult, train

pytestmark = pytest.mark.usefixtures("compile_quickly")
SETTINGS = {
    "num_seeds": 2,
    "ppo.num_steps": 8,
    "ppo.minibatches": 2,
    "ppo.epochs": 1,
    "ppo.hidden": (16,),
    "training.checkpoint_every": 2,
    "training.keep": 2,
    "training.eval_every": 2,
}


def config(**more) -> RunConfig:
    return run_config(
        "quick",
        motion="squat",
        engine="native",
        num_envs=16,
        seed=5,
        overrides=SETTINGS | more,
    )


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def whole(out) -> TrainResult:
    """Two seeds, four iterations without a stop."""
    return train(config(), out=out / "whole", iterations=4)


def seeds_of(run: RunFolder) -> list[RunFolder]:
    return [RunFolder.open(run.path / name) for name in ("seed_5", "seed_6")]


def test_what_is_written(whole):
    seeds = seeds_of(whole.folder)
    assert [run.config().seed for run in seeds] == [5, 6]
    assert [run.config().num_seeds for run in seeds] == [1, 1]
    mine, theirs = whole.folder.metrics(), [run.metrics() for run in seeds]
    assert [line["iteration"] for line in mine] == [1, 2, 3, 4]
    assert mine[-1]["env_steps"] == 2 * theirs[0][-1]["env_steps"] == 2 * 4 * 8 * 16
    for i, line in enumerate(mine):
        each = [lines[i]["ppo/reward"] for lines in theirs]
        assert line["ppo/reward"] == pytest.approx(np.mean(each))
        assert line["spread/ppo/reward"] == pytest.approx(np.std(each, ddof=1))
        assert each[0] != each[1]
    evaluations = whole.folder.evaluations()
    assert [line["iteration"] for line in evaluations] == [2, 4]
    own = [run.evaluations()[-1]["mean"] for run in seeds]
    assert evaluations[-1]["seeds"] == own
    assert evaluations[-1]["mean"]["mpkpe_mm"] == pytest.approx(
        np.mean([mean["mpkpe_mm"] for mean in own])
    )
    for run in seeds:
        scores = json.loads((run.report / "eval.json").read_text())
        assert scores["mean"] == run.evaluations()[-1]["mean"]
    assert (whole.folder.report / "curves.png").exists()


def test_the_best_seed_is_given_back(whole):
    scores = [(e.mean["success"], -e.mean["mpkpe_mm"]) for e in whole.seeds]
    best = int(scores[1] > scores[0])
    assert whole.evaluation is whole.seeds[best]
    policy = load_policy(seeds_of(whole.folder)[best].path)
    np.testing.assert_array_equal(policy.stats.mean, whole.policy.stats.mean)
    with pytest.raises(UserError, match="choose a run of it: seed_5, seed_6"):
        load_policy(whole.folder.path)
    runs, broken = list_runs(whole.folder.path.parent)
    assert not broken
    (shown,) = [run for run in runs if run.name == "whole"]
    mean = whole.folder.evaluations()[-1]["mean"]
    assert (shown.iterations, shown.mpkpe_mm) == (4, mean["mpkpe_mm"])


def test_going_on_is_the_same_as_not_having_stopped(whole, out):
    parts = train(config(), out=out / "parts", iterations=2)
    # As if it had been killed when one seed had written what the other had not.
    _, behind = seeds_of(parts.folder)
    shutil.rmtree(behind.checkpoints / "2")
    parts = train(config(), resume=parts.folder, iterations=4)
    for one, other in zip(seeds_of(whole.folder), seeds_of(parts.folder), strict=True):
        assert compare_runs(one, other).equal
        assert len(one.metrics()) == len(other.metrics()) == 4


def test_a_seed_goes_on_by_itself(whole, out):
    shutil.copytree(whole.folder.path, out / "copy")
    run = RunFolder.open(out / "copy" / "seed_6")
    result = train(run.config(), resume=run, iterations=5)
    assert result.iteration == 5 and len(result.seeds) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_seeds": 0}, "num_seeds is 0"),
        ({"training.keep": 1}, "training.keep is 1; with several seeds at least 2"),
    ],
)
def test_what_can_not_be_had(settings, message, tmp_path):
    with pytest.raises(UserError, match=message):
        train(config(**settings), out=tmp_path / "run", iterations=1)
