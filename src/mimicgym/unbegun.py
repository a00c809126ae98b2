"""Runs that ended before their first checkpoint: killed in that second, say, or refused
by a logger. There is nothing to go on with, so they are begun anew."""

import json
import re
import shutil
from pathlib import Path

from mimicgym.loggers.files import WANDB_FOLDER, is_before_figures

# What config.json holds beside the configuration.
BESIDE = ("versions", "started")
LOGS = ("metrics.jsonl", "clips.jsonl", "evals.jsonl")

# How the first checkpoint is called until it is whole.
_PART = "0.orbax-checkpoint-tmp"
_SEED = re.compile(r"seed_-?\d+")


def has_checkpoint(path: Path) -> bool:
    """Whether a run, or the run of one of its seeds, has one to go on from."""
    runs = [path, *path.glob("seed_*")]
    found = [x for run in runs for x in run.glob("checkpoints/*")]
    return any(x.name.isdecimal() for x in found)


def more_than_a_start(path: Path) -> list[str]:
    """Names of what a run's folder holds that is not made before the first checkpoint,
    or that has been written to since."""
    return sorted(x.name for x in path.iterdir() if not _is_of_a_start(x))


def remove_start(path: Path) -> None:
    """Remove what such a run has made. Call it where there is no more than that.

    Its configuration stays, to be replaced: a folder without one is no run. So do the
    files of Weights & Biases, which has its own ways to clear them.
    """
    for entry in path.iterdir():
        if entry.name in ("config.json", WANDB_FOLDER):
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _is_of_a_start(entry: Path) -> bool:
    if entry.name == WANDB_FOLDER:
        return entry.is_dir()
    if _SEED.fullmatch(entry.name) and _is_folder(entry):
        return all(_is_made_by_a_start(x) for x in entry.iterdir())
    return _is_made_by_a_start(entry)


def _is_made_by_a_start(entry: Path) -> bool:
    """Whether it is of a run of one seed, and can be removed."""
    if _is_folder(entry):
        if entry.name == "checkpoints":
            return all(x.name.startswith(_PART) for x in entry.iterdir())
        if entry.name == "best":
            return not any(entry.iterdir())
        return is_before_figures(entry)
    if entry.is_symlink() or not entry.is_file():
        return False
    if entry.name == "config.json":
        return _is_configuration(entry)
    if entry.name in LOGS:
        return entry.stat().st_size == 0
    return entry.name == "config.json.new" or is_before_figures(entry)


def _is_folder(entry: Path) -> bool:
    """Whether it is one, and no link to one elsewhere."""
    return entry.is_dir() and not entry.is_symlink()


def _is_configuration(file: Path) -> bool:
    """Whether a file is of a run, and not of another program that has one of its
    name."""
    try:
        data = json.loads(file.read_text())
    except (OSError, ValueError):
        return False
    return isinstance(data, dict) and set(BESIDE) <= data.keys()
