"""The end of a training: its last scores and its pictures, and whether they are there.

RUN/report/eval.json is written last. A run of which it does not hold the newest scores
was killed before its end was whole.
"""

import json
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from mimicgym.hosts import agreed
from mimicgym.ppo import LearnerState
from mimicgym.recording.recorder import Outcome
from mimicgym.recording.seeds import seed_folders
from mimicgym.report import plot_clips, plot_curves
from mimicgym.run import RunConfig, RunFolder


def write_end(
    folder: RunFolder, config: RunConfig, outcomes: Sequence[Outcome], bin_s: float
) -> None:
    """Draw and write down what a training has led to, for each seed and for all.

    Scores come last: where they are those that were logged last, the end is whole.
    """
    if config.num_seeds > 1:
        plot_curves(folder.metrics(), folder.report / "curves.png", folder.path.name)
    for each, outcome in zip(_run_folders(folder, config), outcomes, strict=True):
        each.report.mkdir(exist_ok=True)
        plot_clips(outcome.clips, each.report / "clips.png", bin_s)
        plot_curves(each.metrics(), each.report / "curves.png", each.path.name)
        _, scores = _newest_scores(each)
        (each.report / "eval.json").write_text(_as_text(scores))


def recorded_scores(folder: RunFolder, iteration: int) -> dict[str, Any] | None:
    """The scores of a run that has ended after that iteration, in JSON types; None if
    it was killed before all that belongs to its end was written."""
    last, scores = _newest_scores(folder)
    if last != iteration:
        return None
    # A report may be that of an earlier end, or half written.
    file = folder.report / "eval.json"
    whole = file.is_file() and file.read_text() == _as_text(scores)
    return scores if whole else None


def _newest_scores(folder: RunFolder) -> tuple[int, dict[str, Any]]:
    """The iteration that was evaluated last, and the scores; -1 if none was."""
    lines = folder.evaluations()
    if not lines:
        return -1, {}
    scores = {key: value for key, value in lines[-1].items() if key != "iteration"}
    return lines[-1]["iteration"], scores


def _as_text(scores: dict[str, Any]) -> str:
    return json.dumps(scores, indent=2) + "\n"


def lacks_end(
    folder: RunFolder, config: RunConfig, state: LearnerState, iterations: int | None
) -> bool:
    """Whether a run has its iterations, but was killed before its end was recorded."""
    done = int(np.max(jax.device_get(state.iteration)))
    if done != iterations:
        return False
    folders = _run_folders(folder, config)
    return agreed(any(recorded_scores(each, done) is None for each in folders))


def _run_folders(folder: RunFolder, config: RunConfig) -> list[RunFolder]:
    """Of each seed, where there are several."""
    return seed_folders(folder, config) if config.num_seeds > 1 else [folder]
