"""The commands, as a user would call them, on a training of seconds."""

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from mimicgym.cli import main
from mimicgym.cli.train import parse, resumed_config
from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.make import make_env
from mimicgym.ppo import Checkpoints, Learner
from mimicgym.run import RunFolder, load_policy
from tests.children import finish

pytestmark = pytest.mark.usefixtures("compile_quickly")

SMALL = [
    "--motion=squat",
    "--num-envs=16",
    "--ppo.num-steps=8",
    "--ppo.minibatches=2",
    "--ppo.epochs=2",
    "--ppo.hidden",
    "32",
    "32",
    "--seed=3",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run of two iterations."""
    path = tmp_path_factory.mktemp("runs") / "small"
    assert main(["train", *SMALL, "--iterations=2", f"--out={path}"]) == 0
    return path


def test_a_run_holds_everything(run):
    config = json.loads((run / "config.json").read_text())
    assert config["env"]["motion"]["clips"] == ["squat"]
    assert config["ppo"]["hidden"] == [32, 32]
    assert config["num_envs"] == 16
    assert config["seed"] == 3
    assert "jax" in config["versions"]
    lines = [json.loads(x) for x in (run / "metrics.jsonl").read_text().splitlines()]
    assert [x["iteration"] for x in lines] == [1, 2]
    assert lines[-1]["env_steps"] == 2 * 16 * 8
    for key in ("ppo/kl", "error/link_pos_m", "reward/joint_pos_tracking"):
        assert np.isfinite(lines[-1][key])
    assert (run / "report" / "curves.png").stat().st_size > 10_000
    assert (run / "report" / "clips.png").stat().st_size > 5_000
    (line,) = (run / "clips.jsonl").read_text().splitlines()
    (clip,) = json.loads(line)["clips"]
    assert clip["name"] == "squat" and clip["share"] == 1.0
    assert len(clip["survival"]) == 6  # 281 frames
    assert (run / "checkpoints" / "2").is_dir()


def test_eval_writes_the_promised_fields(run, tmp_path, capsys):
    file = tmp_path / "new" / "eval.json"
    assert main(["eval", str(run), "--json", str(file)]) == 0
    data = json.loads(file.read_text())
    (clip,) = data["clips"]
    assert set(clip) == {
        "name",
        "frames",
        "completion",
        "success",
        "mpkpe_mm",
        "mpkpe_root_mm",
        "joint_error_rad",
    }
    assert clip["name"] == "squat"
    assert 0 < clip["completion"] <= 1
    assert clip["success"] == (clip["completion"] == 1)
    assert data["mean"]["mpkpe_mm"] == clip["mpkpe_mm"]
    # The same scores that the training ended with.
    assert json.loads((run / "report" / "eval.json").read_text()) == data
    assert "squat" in capsys.readouterr().out


def test_play_saves_pictures(run, tmp_path):
    strip = tmp_path / "new" / "strip.png"
    assert main(["play", str(run), "--video", str(strip)]) == 0
    from PIL import Image

    image = np.asarray(Image.open(strip))
    assert image.shape == (480, 6 * 320, 3)
    # Moments differ: it is no still.
    assert np.abs(image[:, :320].astype(int) - image[:, -320:]).max() > 50


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_play_saves_films(run, tmp_path, suffix):
    film = tmp_path / f"film{suffix}"
    small = ["--width", "64", "--height", "64"]
    assert main(["play", str(run), "--video", str(film), *small]) == 0
    assert film.stat().st_size > 1000


def test_a_policy_from_another_machine_is_played_by_the_engine_at_hand(
    run, tmp_path, monkeypatch, capsys
):
    """Trained by `warp`, say, where that is not installed."""
    there = tmp_path / "run"
    shutil.copytree(run, there)
    config = json.loads((there / "config.json").read_text())
    config["env"]["engine"] = "warp"
    (there / "config.json").write_text(json.dumps(config))
    monkeypatch.setitem(sys.modules, "warp", None)
    strip = tmp_path / "strip.png"
    words = ["play", str(there), "--video", str(strip)]
    assert main(words) == 2
    assert "pip install 'mimicgym[warp]'" in capsys.readouterr().err
    assert main([*words, "--engine", "native"]) == 0
    assert strip.exists()


def final_arrays(path: Path) -> list[np.ndarray]:
    """Every array of a run's newest learner state."""
    config = RunFolder.open(path).config()
    learner = Learner(BatchedEnv(make_env(config.env), config.num_envs), config.ppo)
    checkpoints = Checkpoints(path / "checkpoints")
    state = checkpoints.restore(
        checkpoints.latest(), learner.init(jax.random.key(config.seed))
    )

    def plain(x):
        is_key = jax.numpy.issubdtype(x.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(x) if is_key else x)

    return [plain(x) for x in jax.tree.leaves(state)]


def test_the_policy_acts_by_itself(run):
    policy = load_policy(run)
    observation = np.zeros(
        make_env(RunFolder.open(run).config().env).observation_sizes["actor"],
        np.float32,
    )
    action = np.asarray(policy(observation))
    assert action.shape == (23,)
    assert np.isfinite(action).all()


def test_bench_writes_the_promised_fields(tmp_path):
    file = tmp_path / "new" / "bench.json"
    arguments = ["--engine=native", "--num-envs=8", "--steps=5", "--repeats=2"]
    assert main(["bench", *arguments, f"--json={file}"]) == 0
    data = json.loads(file.read_text())
    assert data["engine"] == "native"
    assert data["num_envs"] == 8
    for key in ("env_steps_per_s", "bare_env_steps_per_s", "ratio", "compile_s"):
        assert data[key] > 0


def test_interrupting_saves_and_says_how_to_go_on(children, tmp_path):
    path = tmp_path / "stopped"
    command = ("train", *SMALL, "--minutes=30", f"--out={path}")
    child = children.start("-m", "mimicgym", *command)
    while not (path / "metrics.jsonl").exists():
        assert child.process.poll() is None, child.errors.read_text()
        time.sleep(0.2)
    child.process.send_signal(signal.SIGINT)
    ((out, _),) = finish(child, returns=130)
    assert f"mimicgym train --resume {path}" in out.replace("\n", "")
    iteration = Checkpoints(path / "checkpoints").latest()
    assert RunFolder.open(path).metrics()[-1]["iteration"] == iteration


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--motion", "wvae"], ["wvae", "wave", "squat"]),
        (["train", "--motion", "missing.npz"], ["missing.npz"]),
        (["train", "--preset", "quik"], ["quik", "quick", "default"]),
        (["train", "--engine", "wrap"], ["wrap", "mjx", "native"]),
        (["train", "--robot", "h1"], ["h1", "g1_23dof", "g1_29dof"]),
        (["train", "--num-envs", "0"], ["num_envs is 0"]),
        (["train", "--minutes", "0"], ["--minutes is 0"]),
        (["train", "--resume", "nowhere"], ["nowhere is no run"]),
        (["train", "--env.observation.actor", "torso_reel"], ["torso_reel"]),
        (["eval", "nowhere"], ["nowhere is no run"]),
        (["bench", "--num-envs", "0"], ["num_envs is 0"]),
        (["fly"], ["fly", "train", "eval"]),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, words, capsys, tmp_path):
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        assert main(arguments) == 2
    finally:
        os.chdir(before)
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    for word in words:
        assert word in error
    assert not any(tmp_path.iterdir()), "a failed command left something behind"


def test_an_existing_run_is_not_overwritten(run, capsys):
    assert main(["train", *SMALL, "--iterations=1", f"--out={run}"]) == 2
    assert "already holds a run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "refused"),
    [
        (["--seed=4"], "--seed"),
        # What is said counts, though it is what `train` would do if nothing were.
        (["--seed", "0", "--training.keep=3"], "--seed, --training.keep"),
        (["--num_envs=16", "--logging.no-offline"], "--num-envs, --logging.no-offline"),
        (["--preset", "quick"], "--preset"),
    ],
)
def test_resuming_with_other_settings_is_refused(run, arguments, refused, capsys):
    assert main(["train", f"--resume={run}", *arguments, "--iterations=9"]) == 2
    error = capsys.readouterr().err
    assert "only --minutes, --iterations, --success and --hosts" in error
    assert error.endswith(f"and not {refused}\n")


def test_several_hosts_go_on_with_a_run(run):
    """As docs/scaling.md has it."""
    words = ["--hosts", "10.0.0.1:1234/2/0", "--resume", str(run), "--minutes", "60"]
    assert parse(words).hosts == "10.0.0.1:1234/2/0"
    assert resumed_config(words, RunFolder.open(run)).seed == 3


def test_a_checkpoint_of_another_robot_is_refused(run, tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(run, other)
    config = json.loads((other / "config.json").read_text())
    config["env"]["robot"] = "g1_29dof"
    (other / "config.json").write_text(json.dumps(config))
    assert main(["eval", str(other)]) == 2
    error = capsys.readouterr().err
    assert "g1_23dof" in error
    assert "g1_29dof" in error


def test_unknown_flags_end_with_status_2():
    with pytest.raises(SystemExit) as exit_info:
        main(["train", "--no-such-flag"])
    assert exit_info.value.code == 2
