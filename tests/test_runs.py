"""Lists of runs, two runs array by array, and where a run can begin."""

import json
import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym.cli import main
from mimicgym.configs import to_dict
from mimicgym.errors import UserError
from mimicgym.loggers import LoggingConfig, RunInfo, open_loggers
from mimicgym.ppo import Checkpoints, Learner, LearnerState
from mimicgym.run import RunConfig, RunFolder, run_config
from mimicgym.runs import compare, compare_runs, list_runs
from tests.ppo.probes import Probe
from tests.ppo.test_learner import CONFIG

CLIPS = run_config("quick", motion=("wave", "deep/in/folders/kick.npz"), seed=5)


def make_run(path: Path, config: RunConfig = CLIPS) -> RunFolder:
    """A run as its files would be, without training."""
    run = RunFolder.create(path, config)
    for i in (1, 2, 3):
        run.log({"iteration": i, "env_steps": 12_288 * i})
    for i, success in ((2, 0.25), (3, 0.5)):
        mean = {"success": success, "mpkpe_mm": 100.0 - i}
        run.log_evaluation(i, {"clips": [], "mean": mean})
    return run


@pytest.fixture
def folder(tmp_path) -> Path:
    make_run(tmp_path / "b")
    late = make_run(tmp_path / "stages" / "one").path / "config.json"
    data = json.loads(late.read_text()) | {"started": "2031-05-06T07:08:09+00:00"}
    late.write_text(json.dumps(data))
    RunFolder.create(tmp_path / "new", run_config("quick", motion="squat"))
    (tmp_path / "pictures").mkdir()
    return tmp_path


def test_what_became_of_each_run(folder):
    runs, broken = list_runs(folder)
    assert broken == {}
    assert sorted(run.name for run in runs) == ["b", "new", "stages/one"]
    assert runs[-1].name == "stages/one"  # the last to be started
    assert f"{runs[-1].started:%Y-%m-%d %H:%M}" == "2031-05-06 07:08"
    found = {run.name: run for run in runs}
    b, new = found["b"], found["new"]
    assert (b.task, b.clips) == ("quick", ("wave", "deep/in/folders/kick.npz"))
    assert (b.iterations, b.env_steps) == (3, 36_864)
    assert (b.success, b.mpkpe_mm) == (0.5, 97.0)
    assert (new.iterations, new.success, new.mpkpe_mm) == (0, None, None)


def test_broken_runs_are_named_and_others_listed(folder):
    (folder / "torn").mkdir()
    (folder / "torn" / "config.json").write_text('{"preset": "qui')
    (folder / "emptied" / "checkpoints" / "3").mkdir(parents=True)
    other = make_run(folder / "other").path / "config.json"
    other.write_text(json.dumps(json.loads(other.read_text()) | {"colour": "red"}))
    lines = make_run(folder / "lines").path / "metrics.jsonl"
    lines.write_text("no JSON\n" + lines.read_text())
    short = make_run(folder / "short").path / "metrics.jsonl"
    short.write_text('{"loss": 1}\n')
    runs, broken = list_runs(folder)
    assert sorted(run.name for run in runs) == ["b", "new", "stages/one"]
    assert broken.keys() == {"torn", "emptied", "other", "lines", "short"}
    assert "config.json is no JSON" in broken["torn"]
    assert "has no config.json" in broken["emptied"]
    assert "unknown setting 'colour'" in broken["other"]
    assert "metrics.jsonl is damaged" in broken["lines"]
    assert broken["short"] == "KeyError: 'iteration'"


def test_the_list_as_a_table(folder, capsys):
    (folder / "torn").mkdir()
    (folder / "torn" / "metrics.jsonl").write_text("")
    assert main(["runs", "list", str(folder)]) == 0
    out = capsys.readouterr().out
    (line,) = [x for x in out.splitlines() if x.startswith("│ b ")]
    cells = [cell.strip() for cell in line.split("│")[1:-2]]
    assert cells == ["b", "quick", "wave, kick.npz", "3", "0.04", "0.50", "97.0"]
    assert "broken: torn: " in out
    assert main(["runs", "list", str(folder / "pictures")]) == 0
    assert "holds no run" in capsys.readouterr().out
    assert main(["runs", "list", str(folder / "none")]) == 2
    assert "none is no folder" in capsys.readouterr().err


def test_a_line_that_was_cut_off_does_not_count(tmp_path):
    run = make_run(tmp_path / "run")
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"iteration": 4, "env')
    assert [line["iteration"] for line in run.metrics()] == [1, 2, 3]
    run.forget_after(2)
    run.log({"iteration": 3})
    assert [line["iteration"] for line in run.metrics()] == [1, 2, 3]
    assert [line["iteration"] for line in run.evaluations()] == [2]


@pytest.fixture(scope="module")
def state() -> LearnerState:
    return Learner(Probe("both", num_envs=16), CONFIG).init(jax.random.key(0))


def saved(path: Path, *states: LearnerState, config: RunConfig = CLIPS) -> RunFolder:
    run = RunFolder.create(path, config)
    for x in states:
        Checkpoints(run.checkpoints).save(x, CONFIG, {})
    return run


def test_equal_runs(state, tmp_path, capsys):
    a = saved(tmp_path / "a", state)
    b = saved(tmp_path / "b", state, config=replace(CLIPS, num_envs=7))
    found = compare_runs(a, b)
    assert found.equal and found.arrays == ()
    leaves = jax.tree.leaves(state)
    assert found.count == len(leaves) > 20
    assert found.settings == ("num_envs: 512, 7",)
    assert main(["runs", "compare", str(a.path), str(b.path)]) == 0
    assert f"{len(leaves)} of {len(leaves)} arrays are the same" in (
        capsys.readouterr().out
    )


def test_other_runs(state, tmp_path, capsys):
    raw_std = np.asarray(state.params["raw_std"])
    params = state.params | {"raw_std": jnp.asarray(raw_std + np.float32(0.25))}
    other = state.replace(
        params=params,
        key=jax.random.key(1),
        learning_rate=jnp.stack([state.learning_rate] * 2),
        held=jnp.zeros(3),
        iteration=jnp.int32(2),
    )
    a, b = saved(tmp_path / "a", state), saved(tmp_path / "b", state, other)
    found = compare_runs(a, b)
    assert not found.equal
    assert found.iterations == (0, 2)
    by_name = {array.name: array for array in found.arrays}
    assert by_name.keys() == {
        "params.raw_std",
        "key",
        "learning_rate",
        "held",
        "iteration",
    }
    assert by_name["params.raw_std"].differing == raw_std.size
    assert by_name["params.raw_std"].largest == 0.25
    keys = [jax.random.key_data(x.key).astype(float) for x in (state, other)]
    assert by_name["key"].differing == 2
    assert by_name["key"].largest == pytest.approx(np.abs(keys[0] - keys[1]).max())
    assert (by_name["held"].there, by_name["held"].here) == ("", "float32(3,)")
    assert by_name["learning_rate"].here == "float32(2,)"
    both = [str(a.path), str(b.path)]
    assert main(["runs", "compare", *both]) == 1
    out = capsys.readouterr().out
    assert "iterations 0 and 2" in out
    for word in ("only in the second", "of other type or shape", "by at most 0.25"):
        assert word in out
    # Another of their checkpoints.
    assert main(["runs", "compare", *both, "--checkpoint", "0"]) == 0
    assert main(["runs", "compare", *both, "--checkpoint", "2"]) == 2
    assert "a has no checkpoint '2'; choose from latest, 0" in capsys.readouterr().err
    assert main(["runs", "compare", *both, "--checkpoint", "best"]) == 2
    assert "has no best checkpoint" in capsys.readouterr().err


def test_bits_are_compared_and_not_numbers():
    nan = np.array([1.0, np.nan], np.float32)
    assert compare("x", nan, nan.copy()) is None
    assert np.isnan(compare("x", nan, np.array([1.0, 2.0], np.float32)).largest)
    zeros = np.zeros((2, 2), np.float32)
    found = compare("x", zeros, -zeros)
    assert (found.differing, found.largest) == (4, 0.0)
    assert compare("x", np.float32(3), np.float32(3)) is None
    assert compare("x", np.zeros((0, 3)), np.zeros((0, 3))) is None
    big = np.array([0, 2**32 - 1], np.uint32)
    assert compare("x", big, big[::-1]).largest == 2**32 - 1
    assert compare("x", np.array([True]), np.array([False])).largest == 1
    assert compare("x", zeros, zeros.astype(np.float64)).here == "float64(2, 2)"


def test_what_is_damaged_is_named(state, tmp_path):
    a, b = saved(tmp_path / "a", state), saved(tmp_path / "b", state)
    for file in (b.checkpoints / "0" / "learner").iterdir():
        if file.is_file():
            file.unlink()
    with pytest.raises(UserError, match="b/checkpoints/0 can not be read"):
        compare_runs(a, b)
    with pytest.raises(UserError, match="holds no checkpoint"):
        compare_runs(a, RunFolder.create(tmp_path / "c", CLIPS))


def begun(path: Path, config: RunConfig = CLIPS) -> RunFolder:
    """What is there when a run ends before its first checkpoint."""
    run = RunFolder.create(path, config)
    (run.path / "config.json.new").write_text("{")
    (run.path / "wandb_id.txt").write_text("abc\n")
    (run.path / "trackio_name.txt").write_text("run-abc\n")
    (run.path / "metrics.jsonl").write_text("")
    run.best.mkdir()
    (run.checkpoints / "0.orbax-checkpoint-tmp" / "policy").mkdir(parents=True)
    open_loggers(LoggingConfig(), RunInfo(path, "run", to_dict(config))).close()
    return run


def names(path: Path) -> list[str]:
    return sorted(x.name for x in path.iterdir())


def test_a_run_without_a_checkpoint_is_begun_anew(tmp_path):
    path = tmp_path / "run"
    begun(path)
    (path / "wandb" / "offline-run").mkdir(parents=True)
    RunFolder.check_free(path)
    again = RunFolder.create(path, replace(CLIPS, seed=6))
    assert again.config().seed == 6
    # Files of Weights & Biases do no harm.
    assert names(path) == ["config.json", "wandb"]


def test_several_seeds_without_a_checkpoint_are_begun_anew(tmp_path):
    path = tmp_path / "run"
    begun(path, replace(CLIPS, num_seeds=2))
    begun(path / "seed_5")
    begun(path / "seed_6")
    (path / "seed_6" / "config.json").unlink()
    RunFolder.create(path, replace(CLIPS, num_seeds=2, seed=8))
    assert names(path) == ["config.json"]


def a_checkpoint(run: Path) -> None:
    (run / "checkpoints" / "0").mkdir()


def another_part(run: Path) -> None:
    (run / "checkpoints" / "20.orbax-checkpoint-tmp").mkdir()


def figures(run: Path) -> None:
    RunFolder(run).log({"iteration": 1, "env_steps": 100})


def figures_on_tensorboard(run: Path) -> None:
    loggers = open_loggers(LoggingConfig(), RunInfo(run, "run", {}))
    loggers.log(100, {"iteration": 1})
    loggers.close()


def notes(run: Path) -> None:
    (run / "notes.txt").write_text("mine")


def notes_among_checkpoints(run: Path) -> None:
    (run / "best" / "notes.txt").write_text("mine")


def notes_on_tensorboard(run: Path) -> None:
    (run / "tensorboard" / "notes.txt").write_text("mine")


def another_configuration(run: Path) -> None:
    (run / "config.json").write_text('{"architectures": ["other"]}')


def a_link(run: Path) -> None:
    (run / "best").rmdir()
    (run / "best").symlink_to(run.parent)


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize(
    "more",
    [
        a_checkpoint,
        another_part,
        figures,
        figures_on_tensorboard,
        notes,
        notes_among_checkpoints,
        notes_on_tensorboard,
        another_configuration,
        a_link,
    ],
)
def test_whatever_else_is_there_is_left_alone(tmp_path, seeds, more):
    path = tmp_path / "run"
    begun(path, replace(CLIPS, num_seeds=seeds))
    if seeds == 2:
        begun(path / "seed_5")
    more(path if seeds == 1 else path / "seed_5")
    before = sorted(path.rglob("*"))
    for refused in (RunFolder.check_free, lambda p: RunFolder.create(p, CLIPS)):
        with pytest.raises(UserError, match="already holds a run") as found:
            refused(path)
        # Which helps where there is a checkpoint.
        assert ("--resume" in str(found.value)) == (more is a_checkpoint)
    assert sorted(path.rglob("*")) == before


def test_two_runs_without_a_name_are_not_begun_in_one_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    class Noon(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2031, 5, 6, 12)

    monkeypatch.setattr("mimicgym.run.datetime", Noon)
    RunFolder.create(None, CLIPS)
    with pytest.raises(UserError, match=r"runs/20310506_120000_wave: File exists"):
        RunFolder.create(None, CLIPS)


def test_folders_that_can_not_be_made(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path in (file, file / "run", tmp_path / "link", tmp_path / "link" / "run"):
        with pytest.raises(UserError, match=f"{path}: .* is no folder"):
            RunFolder.check_free(path)
    RunFolder.check_free(tmp_path / "a" / "b")
    assert names(tmp_path) == ["file", "link"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    for path in (tmp_path / "a" / "b", None):
        with pytest.raises(UserError, match=f"{tmp_path} may not be written to"):
            RunFolder.check_free(path)


def test_failures_to_write_are_told(tmp_path):
    with pytest.raises(UserError, match=r"a run can not be written to .*too long"):
        RunFolder.create(tmp_path / ("x" * 300), CLIPS)
    run = make_run(tmp_path / "run")
    (run.path / "metrics.jsonl").unlink()
    (run.path / "metrics.jsonl").symlink_to("/dev/full")
    with pytest.raises(UserError, match=r"to .*run/metrics\.jsonl: No space left"):
        run.log({"iteration": 4})
