"""What a run's folder holds when it is killed at an awkward moment and goes on.

Nothing is trained here: learners are small arrays, and scores are given.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from mimicgym.evaluation import ClipScore, Evaluation
from mimicgym.ppo import Checkpoints, LearnerState, Progress
from mimicgym.ppo.network import init_params
from mimicgym.ppo.normalize import init_stats
from mimicgym.ppo.seeds import over_seeds, stacked
from mimicgym.ppo.update import Update
from mimicgym.recording import recorder as recording
from mimicgym.recording.recorder import Recorder
from mimicgym.recording.seeds import SeedRecorder, newest_of_all, seed_folders
from mimicgym.run import RunConfig, RunFolder, run_config
from mimicgym.training import _created

SIZES = {"actor": 3, "critic": 3}


class Killed(BaseException):
    """Ends what runs, wherever it is."""


def config(num_seeds: int = 1, eval_every: int = 20) -> RunConfig:
    return run_config(
        "quick",
        motion="wave",
        num_envs=8,
        overrides={
            "num_seeds": num_seeds,
            "ppo.hidden": (4,),
            "logging.backends": (),
            "training.checkpoint_every": 100,
            "training.eval_every": eval_every,
            "training.keep": 2,
        },
    )


def learner(ppo: Any, iteration: int) -> LearnerState:
    params = init_params(jax.random.key(iteration), ppo, SIZES, 2)
    return LearnerState(
        params=params,
        opt_state=Update(ppo, rows=8, slices=1).optimizer.init(params),
        obs_stats={group: init_stats(size) for group, size in SIZES.items()},
        return_stats=init_stats(),
        learning_rate=jnp.float32(1e-3),
        key=jax.random.key(iteration),
        batch={"x": jnp.zeros((8, 2))},  # pyright: ignore[reportArgumentType]
        held=None,
        iteration=jnp.int32(iteration),
    )


class Scores:
    """A judge who gives the scores of an iteration, one seed after the other."""

    def __init__(self, scores: Mapping[int, tuple[float, ...]]):
        self._left = {i: list(each) for i, each in scores.items()}

    def __call__(self, state: LearnerState) -> Evaluation:
        each = self._left[int(state.iteration)]
        each.append(score := each.pop(0))
        clip = ClipScore("wave", 9, score, score == 1, 9.0, 9.0, 0.1)
        return Evaluation((replace(clip, success=score),), (), (), ("",))


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    clip = {"name": "wave", "outcomes": 0, "success_rate": None, "share": 1.0}
    monkeypatch.setattr(
        recording, "clip_report", lambda env, state: [clip | {"survival": [None]}]
    )


def recorder(folder: RunFolder, scores: Any, success: float | None = None) -> Any:
    config, nothing = folder.config(), {"config": None}
    kind = SeedRecorder if config.num_seeds > 1 else Recorder
    return kind(folder, config, None, Scores(scores), nothing, success)  # pyright: ignore


def started(path: Path, **options: Any) -> RunFolder:
    return _created(path, config(**options))


def state(folder: RunFolder, iteration: int) -> LearnerState:
    config = folder.config()
    one = learner(config.ppo, iteration)
    return stacked([one] * config.num_seeds) if config.num_seeds > 1 else one


def play(recorder: Any, first: int, last: int) -> None:
    """Record the iterations in which a state rests, of `first` to `last`."""
    seeds = recorder.folder.config().num_seeds
    for i in (i for i in range(first, last + 1) if recorder.rests(i)):
        each = tuple({"ppo/reward": float(seed)} for seed in range(seeds))
        metrics = over_seeds(each) if seeds > 1 else each[0]
        shown = each if seeds > 1 else ()
        progress = Progress(i, 100 * i, 1.0 * i, 0.0, 50.0, 0.2, 0.1, metrics, shown)
        recorder.record(progress, state(recorder.folder, i))


def whole(folder: RunFolder) -> tuple[tuple[int, ...], ...]:
    return Checkpoints(folder.checkpoints).all(), Checkpoints(folder.best).all()


def killed(
    folder: RunFolder, scores: Any, until: int, at: Callable[[Any], None] | None = None
) -> int:
    """Play a new run until it is killed, with all written that was begun. Returns the
    iteration from which it goes on."""
    with pytest.raises(Killed), recorder(folder, scores) as killed:
        killed.begin(state(folder, 0))
        if at is not None:
            at(killed)
        play(killed, 1, until)
        raise Killed
    if folder.config().num_seeds > 1:
        return newest_of_all(seed_folders(folder, folder.config()))
    return Checkpoints(folder.checkpoints).latest()


SCORES = {20 * i: (0.1 * i,) for i in range(1, 5)} | {
    100: (0.2,),
    120: (0.3,),
    140: (0.4,),
    160: (1.0,),
    180: (0.1,),
    200: (0.2,),
}


@pytest.mark.parametrize("until", [140, 160, 180, 200])
def test_the_best_of_a_killed_run_is_that_of_one_that_was_not(tmp_path, until):
    expected = started(tmp_path / "whole")
    with recorder(expected, SCORES) as first:
        first.begin(state(expected, 0))
        play(first, 1, 140)
        first.tidy()
    assert whole(expected) == ((0, 100), (80,))

    found = started(tmp_path / "killed")
    iteration = killed(found, SCORES, until)
    assert iteration == (200 if until == 200 else 100)
    best = 160 if until >= 160 else 80
    assert found.pick("best")[1] == best
    if until == 200:
        # The state of 100 can not come back, but a seed beside this one may have it.
        assert whole(found) == ((100, 200), (80, 160))
    with recorder(found, SCORES) as second:
        second.go_on(state(found, iteration))
        if iteration == 100:
            assert whole(found)[1] == (80,)
            play(second, 101, 140)
        second.tidy()
    assert whole(found)[1] == ((160,) if iteration == 200 else (80,))
    if iteration == 100:
        for name in ("evals.jsonl", "clips.jsonl"):
            text = (expected.path / name).read_text()
            assert (found.path / name).read_text() == text


def test_one_best_is_left_of_a_run_that_ends(tmp_path):
    folder = started(tmp_path / "run")
    with recorder(folder, SCORES) as ended:
        ended.begin(state(folder, 0))
        play(ended, 1, 200)
        assert whole(folder)[1] == (80, 160)
        ended.finish(state(folder, 200))
        assert whole(folder) == ((100, 200), (160,))


def test_lines_of_all_seeds_are_written_before_a_checkpoint(tmp_path):
    folder = started(tmp_path / "run", num_seeds=2, eval_every=50)
    scores = {50 * i: (0.1 * i, 0.2 * i) for i in range(1, 5)}

    def die_after_saving(recorder: Any) -> None:
        last = recorder._recorders[-1]
        save = last.save

        def saved(state: LearnerState) -> None:
            save(state)
            raise Killed

        last.save = saved

    iteration = killed(folder, scores, 100, die_after_saving)
    assert iteration == 100
    with recorder(folder, scores) as second:
        second.go_on(state(folder, 100))
        play(second, 101, 200)
    for each in (folder, *seed_folders(folder, folder.config())):
        for lines in (each.metrics(), each.evaluations()):
            assert [line["iteration"] for line in lines] == [50, 100, 150, 200]


def test_a_seed_that_is_behind_has_its_best(tmp_path):
    """Killed when one seed's checkpoint was whole, the other's not."""
    folder = started(tmp_path / "run", num_seeds=2)
    scores = {i: (v[0], v[0]) for i, v in SCORES.items()}

    def die_between(recorder: Any) -> None:
        last = recorder._recorders[-1]
        save = last.save

        def saved(state: LearnerState) -> None:
            if int(state.iteration) == 200:
                raise Killed
            save(state)

        last.save = saved

    assert killed(folder, scores, 200, die_between) == 100
    first, second = seed_folders(folder, folder.config())
    assert whole(first)[0] == (100, 200) and whole(second)[0] == (0, 100)
    with recorder(folder, scores) as again:
        again.go_on(state(folder, 100))
    for seed in (first, second):
        assert whole(seed)[0][-1] == 100 and whole(seed)[1] == (80,)


@pytest.mark.parametrize("stopped", [False, True])
def test_success_that_was_shown_stays_shown(tmp_path, stopped):
    """Each seed has to show it once, not all of them at the same time."""
    folder = started(tmp_path / "run", num_seeds=2, eval_every=50)
    scores = {50: (0.9, 0.1), 100: (0.2, 0.1), 150: (0.2, 0.9)}
    with recorder(folder, scores, 0.9) as first:
        first.begin(state(folder, 0))
        play(first, 1, 100)
        assert not first.reached
        if not stopped:
            play(first, 101, 150)
            assert first.reached
    if stopped:
        with recorder(folder, scores, 0.9) as second:
            second.go_on(state(folder, 100))
            assert not second.reached
            play(second, 101, 150)
            assert second.reached
