"""Runs that were killed when all but their end was done: going on makes up for it."""

import functools
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

from mimicgym import training
from mimicgym.errors import UserError
from mimicgym.evaluation import ClipScore, Evaluation
from mimicgym.ppo import Checkpoints, LearnerState, Progress
from mimicgym.ppo import train as learn
from mimicgym.ppo.network import init_params
from mimicgym.ppo.normalize import init_stats
from mimicgym.ppo.seeds import over_seeds, stacked
from mimicgym.ppo.update import Update
from mimicgym.recording import end, recorded_scores, recorder
from mimicgym.run import RunConfig, RunFolder, run_config

SIZES = {"actor": 3, "critic": 3}
CLIPS = [
    {
        "name": "wave",
        "outcomes": 0,
        "success_rate": None,
        "share": 1.0,
        "survival": [None],
    }
]


class Killed(BaseException):
    """In place of a signal."""


def kill(*arguments):
    raise Killed


class Judge:
    """Scores that get better with each iteration.

    Attributes:
      deaths: in which evaluation from now on, by any of them, the training is killed; 0
        for none.
    """

    deaths = 0

    def __init__(self, *made_from):
        pass

    def __call__(self, state) -> Evaluation:
        if Judge.deaths:
            Judge.deaths -= 1
            if not Judge.deaths:
                kill()
        number = int(state.iteration)
        mm = 90 / number + float(state.params["raw_std"][0])
        return Evaluation((ClipScore("wave", 9, 0.5, False, mm, mm, 0.1),), (), (), ())


def config(**more) -> RunConfig:
    settings = {"ppo.hidden": (4,), "logging.backends": ()}
    return run_config("quick", motion="wave", num_envs=8, overrides=settings | more)


@functools.cache
def beginning(config: RunConfig) -> LearnerState:
    def one(seed):
        params = init_params(jax.random.key(seed), config.ppo, SIZES, 2)
        return LearnerState(
            params=params | {"raw_std": params["raw_std"] + seed},
            opt_state=Update(config.ppo, rows=8, slices=1).optimizer.init(params),
            obs_stats={group: init_stats(size) for group, size in SIZES.items()},
            return_stats=init_stats(),
            learning_rate=jnp.float32(1e-3),
            key=jax.random.key(seed),
            batch={"x": jnp.zeros((8, 2))},
            held=None,
            iteration=jnp.int32(0),
        )

    states = [one(config.seed + number) for number in range(config.num_seeds)]
    return states[0] if config.num_seeds == 1 else stacked(states)


def iterate(runner, state, *, iterations, on_iteration, rests, **ends) -> LearnerState:
    """In place of the learner's loop, which compiles: counts, and learns nothing."""
    seeds = state.iteration.size
    done = int(state.iteration.max())
    if iterations <= done:
        return learn(runner, state, iterations=iterations)
    for number in range(done + 1, iterations + 1):
        state = state.replace(iteration=jnp.full_like(state.iteration, number))
        each = [{"ppo/reward": float(number)}] * seeds
        progress = Progress(number, 32 * number * seeds, 1, 1, 1, 1, 1, each[0])
        if seeds > 1:
            progress = replace(progress, metrics=over_seeds(each), seeds=tuple(each))
        on_iteration(progress, state if rests(number) else None)
    return state


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch):
    """For everything that takes long."""
    env = SimpleNamespace(sampler=SimpleNamespace(config=SimpleNamespace(bin_s=1.0)))

    def prepare(config, on_note):
        return SimpleNamespace(
            library=None,
            env=env,
            teachers=(),
            runner=None,
            state=beginning(config),
        )

    monkeypatch.setattr(training, "prepare", prepare)
    monkeypatch.setattr(training, "identity", lambda *a: {"versions": {}})
    monkeypatch.setattr(training, "Judge", Judge)
    monkeypatch.setattr(training, "run_learner", iterate)
    monkeypatch.setattr(training, "check_identity", lambda *a: [])
    for name in ("plot_curves", "plot_clips"):
        monkeypatch.setattr(end, name, drawn)
    monkeypatch.setattr(recorder, "clip_report", lambda env, state: CLIPS)
    monkeypatch.setattr(recorder, "memory_metrics", dict)
    monkeypatch.setattr(Judge, "deaths", 0)


def drawn(told, path: Path, *how) -> None:
    path.parent.mkdir(exist_ok=True)
    path.touch()


def files(path: Path) -> dict[str, str]:
    """What a run consists of; the content of files that do not tell when it was."""
    found = {}
    for file in path.rglob("*"):
        name = file.relative_to(path)
        told = file.suffix == ".jsonl" or file.name == "eval.json"
        # What is in a checkpoint has names by chance.
        if not any(folder.name.isdecimal() for folder in name.parents):
            found[str(name)] = file.read_text() if told else ""
    return found


@pytest.mark.parametrize("seeds", [1, 2])
def test_what_a_killed_run_lacks_is_made_up_for(tmp_path, monkeypatch, seeds):
    settings = config(num_seeds=seeds)
    whole = training.train(settings, out=tmp_path / "whole", iterations=4)
    path = tmp_path / "killed"
    seen = []

    def go_on(to=4):
        return training.train(
            settings, resume=RunFolder(path), iterations=to, on_iteration=seen.append
        )

    # Of several seeds, while the last one is evaluated.
    monkeypatch.setattr(Judge, "deaths", seeds)
    with pytest.raises(Killed):
        training.train(settings, out=path, iterations=4)
    with pytest.raises(UserError, match="4 iterations are done already; iterations=3"):
        go_on(to=3)
    # Killed again, first in drawing and then in writing scores down.
    for name in ("plot_curves", "_as_text"):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(end, name, kill)
            go_on()
    last = path if seeds == 1 else path / "seed_1"
    (last / "report").mkdir(exist_ok=True)
    (last / "report" / "eval.json").write_text('{\n  "clips": [')
    result = go_on()
    assert not seen and result.iteration == 4
    assert files(path) == files(tmp_path / "whole")
    assert [e.to_dict() for e in result.seeds] == [e.to_dict() for e in whole.seeds]
    # Now nothing is left to do.
    with pytest.raises(UserError, match="4 iterations are done already; iterations=4"):
        go_on()
    assert files(path) == files(tmp_path / "whole")


def test_a_report_of_an_earlier_end_is_not_taken_for_the_last(tmp_path):
    run = training.train(config(), out=tmp_path / "run", iterations=2).folder
    scores = recorded_scores(run, 2)
    assert scores == json.loads((run.report / "eval.json").read_text())
    Judge.deaths = 1
    with pytest.raises(Killed):
        training.train(config(), resume=run, iterations=4)
    assert (run.report / "eval.json").exists()
    assert recorded_scores(run, 4) is None
    # Killed as well when it was about to be judged once more.
    Judge.deaths = 1
    with pytest.raises(Killed):
        training.train(config(), resume=run, iterations=4)
    training.train(config(), resume=run, iterations=4)
    assert Checkpoints(run.best).all() == (4,)
    assert recorded_scores(run, 4) != scores
    assert recorded_scores(run, 2) is None
