"""What backends show afterwards, read back with their own readers."""

import json
import os
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mimicgym.configs import from_dict, override
from mimicgym.errors import UserError
from mimicgym.loggers import Loggers, LoggingConfig, RunInfo, open_loggers
from mimicgym.ppo import Progress
from mimicgym.recording import Recorder
from mimicgym.run import RunFolder, run_config

CONFIG = {"preset": "quick", "ppo": {"clip": 0.2}}


def metrics(iteration: int) -> dict[str, float | None]:
    return {
        "iteration": iteration,
        "ppo/kl": iteration / 100,
        "episode/return": None if iteration == 1 else 2.0 * iteration,
    }


def run_info(folder: Path, **resumed: int) -> RunInfo:
    return RunInfo(folder, "wave", CONFIG, **resumed)


def read_tensorboard(folder: Path):
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    events = accumulator.EventAccumulator(str(folder / "tensorboard"))
    return events.Reload()


def points(events, name: str) -> list[tuple[int, float]]:
    return [(e.step, round(e.value, 6)) for e in events.Scalars(name)]


class Broken:
    """Fails from its second figure on, and counts what it is asked for."""

    def __init__(self):
        self.calls = 0

    def log(self, step, metrics):
        self.calls += 1
        if self.calls > 1:
            raise OSError("network is\nunreachable")

    def close(self):
        raise AssertionError("a failed logger is left alone")


class Kept:
    def __init__(self):
        self.steps = []
        self.closed = False

    def log(self, step, metrics):
        self.steps.append(step)

    def close(self):
        self.closed = True


def test_tensorboard_shows_figures_over_environment_steps(tmp_path):
    loggers = open_loggers(LoggingConfig(), run_info(tmp_path))
    for i in (1, 2, 3):
        loggers.log(100 * i, metrics(i))
    loggers.close()
    events = read_tensorboard(tmp_path)
    assert points(events, "ppo/kl") == [(100, 0.01), (200, 0.02), (300, 0.03)]
    assert points(events, "iteration") == [(100, 1), (200, 2), (300, 3)]
    # What had nothing to average has no point.
    assert points(events, "episode/return") == [(200, 4.0), (300, 6.0)]


def test_tensorboard_has_the_configuration_as_text(tmp_path):
    open_loggers(LoggingConfig(), run_info(tmp_path)).close()
    (event,) = read_tensorboard(tmp_path).Tensors("config/text_summary")
    (text,) = event.tensor_proto.string_val
    assert json.loads(text) == CONFIG


def test_tensorboard_shows_no_step_twice_after_a_resume(tmp_path):
    first = open_loggers(LoggingConfig(), run_info(tmp_path))
    for i in (1, 2, 3):
        first.log(100 * i, metrics(i))
    first.close()
    # Killed after iteration 3; the newest checkpoint is that of iteration 2.
    again = open_loggers(
        LoggingConfig(), run_info(tmp_path, resumed_at=200, logged_to=300)
    )
    for i in (3, 4):
        again.log(100 * i, metrics(i) | {"ppo/kl": i / 10})
    again.close()
    assert points(read_tensorboard(tmp_path), "ppo/kl") == [
        (100, 0.01),
        (200, 0.02),
        (300, 0.3),
        (400, 0.4),
    ]


@pytest.mark.parametrize("logged_to", [300, 0])
def test_tensorboard_shows_no_step_twice_after_a_kill_before_a_checkpoint(
    tmp_path, logged_to
):
    first = open_loggers(LoggingConfig(), run_info(tmp_path))
    for i in (1, 2, 3):
        first.log(100 * i, metrics(i))
    first.close()
    (file,) = (tmp_path / "tensorboard").iterdir()
    file.rename(file.with_name("events.out.tfevents.1000000000.here"))
    # Gone on with from the beginning; for the second time if lines were dropped before.
    again = open_loggers(LoggingConfig(), run_info(tmp_path, logged_to=logged_to))
    for i in (1, 2):
        again.log(100 * i, metrics(i) | {"ppo/kl": i / 10})
    again.close()
    assert points(read_tensorboard(tmp_path), "ppo/kl") == [(100, 0.1), (200, 0.2)]


def test_every_so_many_iterations(tmp_path):
    loggers = open_loggers(LoggingConfig(every=2), run_info(tmp_path))
    for i in range(1, 6):
        loggers.log(100 * i, metrics(i))
    loggers.close()
    assert [s for s, _ in points(read_tensorboard(tmp_path), "ppo/kl")] == [200, 400]


def test_a_logger_that_fails_is_told_once_and_left_out():
    broken, kept = Broken(), Kept()
    loggers = Loggers({"broken": broken, "kept": kept})
    loggers.log(100, metrics(1))
    with pytest.warns(RuntimeWarning, match="broken failed.*network is unreachable"):
        loggers.log(200, metrics(2))
    loggers.log(300, metrics(3))
    assert loggers.names == ("kept",)
    loggers.close()
    assert broken.calls == 2
    assert kept.steps == [100, 200, 300] and kept.closed


def test_a_backend_that_can_not_be_opened_is_left_out(tmp_path):
    (tmp_path / "tensorboard").write_text("in the way")
    with pytest.warns(RuntimeWarning, match="tensorboard failed"):
        loggers = open_loggers(LoggingConfig(), run_info(tmp_path))
    assert loggers.names == ()


@pytest.mark.parametrize("name", ["wandb", "trackio"])
@pytest.mark.parametrize("folder", [False, True])
def test_a_backend_that_is_not_installed_names_its_extra(
    tmp_path, monkeypatch, name, folder
):
    # Nothing is installed where only that folder is looked through; one that has the
    # package's name and no more does not count.
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, name, raising=False)
    if folder:
        (tmp_path / name).mkdir()
    with pytest.raises(UserError, match=rf"mimicgym\[{name}\]"):
        LoggingConfig(backends=(name,)).check()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (LoggingConfig(backends=("tensorbord",)), "did you mean 'tensorboard'"),  # pyright: ignore[reportArgumentType]
        (LoggingConfig(backends=("wandb", "wandb")), "twice"),
        (LoggingConfig(every=0), "logging.every is 0"),
        (LoggingConfig(project=""), "logging.project"),
        (LoggingConfig(offline=True), "logging.offline"),
    ],
)
def test_settings_that_can_not_be_used(config, said):
    with pytest.raises(UserError, match=said):
        config.check()


def test_settings_come_from_json_and_overrides():
    config = override(LoggingConfig(), {"backends": ["tensorboard", "trackio"]})
    assert config.backends == ("tensorboard", "trackio")
    assert from_dict(LoggingConfig, {}) == LoggingConfig()
    with pytest.raises(UserError, match="backends"):
        override(LoggingConfig(), {"backends": ["mlflow"]})


def test_a_run_logs_each_iteration_once_though_it_was_killed(tmp_path):
    config = run_config("quick", motion="wave", num_envs=8)
    folder = RunFolder.create(tmp_path / "run", config)

    def record(recorder: Recorder, *iterations: int) -> None:
        for i in iterations:
            progress = Progress(i, 100 * i, 1.0 * i, 0.0, 50.0, 0.2, 0.1, {"ppo/kl": i})
            recorder.record(progress, None)

    for resumed_at, iterations in ((0, (1, 2, 3)), (2, (3, 4))):
        # Nothing else of a state is looked at.
        state: Any = SimpleNamespace(iteration=resumed_at)
        with Recorder(folder, config, None, None, {}) as recorder:  # pyright: ignore
            recorder.go_on(state)
            record(recorder, *iterations)
    lines = folder.metrics()
    assert [line["iteration"] for line in lines] == [1, 2, 3, 4]
    assert all(any(key.startswith("memory/") for key in line) for line in lines)
    events = read_tensorboard(folder.path)
    steps = [(100 * i, i) for i in (1, 2, 3, 4)]
    assert points(events, "iteration") == points(events, "ppo/kl") == steps
    assert points(events, "rollout_s")[0] == (100, 0.2)


# Weights & Biases and Trackio start threads and processes: each in one of its own.
SESSION = """
import json, sys
from pathlib import Path
from mimicgym.loggers import LoggingConfig, RunInfo, open_loggers

backend, folder, resumed_at, logged_to, *iterations = sys.argv[1:]
config = LoggingConfig(backends=(backend,), offline=backend == "wandb", project="tests")
run = RunInfo(
    Path(folder), "wave", {"preset": "quick"}, int(resumed_at), int(logged_to)
)
loggers = open_loggers(config, run)
for i in map(int, iterations):
    loggers.log(100 * i, {"iteration": i, "ppo/kl": i / 100, "episode/return": None})
assert loggers.names == (backend,)
loggers.close()
"""


def session(backend: str, folder: Path, *numbers: int) -> None:
    environment = os.environ | {
        "TRACKIO_DIR": str(folder / "trackio"),
        "WANDB_SILENT": "true",
        "WANDB_ERROR_REPORTING": "false",
    }
    words = [backend, str(folder), *map(str, numbers)]
    subprocess.run(
        [sys.executable, "-c", SESSION, *words],
        check=True,
        env=environment,
        timeout=120,
        capture_output=True,
    )


def wandb_records(file: Path) -> Iterator[bytes]:
    """Records of an offline file: a header, then LevelDB's log format, without the
    parts of records that are longer than a block (32 KiB)."""
    data = file.read_bytes()
    assert data[:4] == b":W&B"
    at = 7
    while at < min(len(data), 32 * 1024):
        _, length, kind = struct.unpack_from("<IHB", data, at)
        assert kind == 1  # whole
        at += 7
        yield data[at : at + length]
        at += length


def read_wandb(folder: Path) -> list[tuple[str, list[dict]]]:
    """Id and points of each offline part of a run, oldest first."""
    from wandb.proto.wandb_internal_pb2 import Record

    parts = []
    for file in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        rows = []
        for data in wandb_records(file):
            record = Record.FromString(data)
            if record.HasField("history"):
                items = record.history.item
                rows.append(
                    {
                        item.key or ".".join(item.nested_key): json.loads(
                            item.value_json
                        )
                        for item in items
                    }
                )
        parts.append((file.stem.removeprefix("run-"), rows))
    return parts


def test_wandb_goes_on_with_its_run(tmp_path):
    pytest.importorskip("wandb")
    session("wandb", tmp_path, 0, 0, 1, 2, 3)
    session("wandb", tmp_path, 200, 300, 3, 4)
    (id_1, rows_1), (id_2, rows_2) = read_wandb(tmp_path)
    assert id_1 == id_2 == (tmp_path / "wandb_id.txt").read_text().strip()
    assert [(r["env_steps"], r["ppo/kl"]) for r in rows_1] == [
        (100, 0.01),
        (200, 0.02),
        (300, 0.03),
    ]
    # Iteration 3 had been logged already.
    assert [(r["env_steps"], r["iteration"]) for r in rows_2] == [(400, 4)]
    assert "episode/return" not in rows_1[0]


def test_trackio_goes_on_with_its_run(tmp_path):
    pytest.importorskip("trackio")
    session("trackio", tmp_path, 0, 0, 1, 2, 3)
    session("trackio", tmp_path, 200, 300, 3, 4)
    name = (tmp_path / "trackio_name.txt").read_text().strip()
    with sqlite3.connect(tmp_path / "trackio" / "tests.db") as database:
        rows = database.execute(
            "SELECT run_name, step, metrics FROM metrics ORDER BY step"
        ).fetchall()
    assert [(run, step) for run, step, _ in rows] == [
        (name, step) for step in (100, 200, 300, 400)
    ]
    assert json.loads(rows[3][2])["ppo/kl"] == 0.04
