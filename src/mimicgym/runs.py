"""Many runs: what became of each, and whether two of them are the same to the bit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from mimicgym.errors import UserError
from mimicgym.ppo.stored import read_arrays
from mimicgym.run import RunFolder

_NOTHING = object()
# One of these makes a folder a run, if perhaps a broken one.
_SIGNS = ("config.json", "metrics.jsonl", "checkpoints")


@dataclass(frozen=True)
class RunSummary:
    """A run in a line.

    Attributes:
      name: its folder, relative to where runs were looked for.
      clips: what it was told to train on.
      iterations, env_steps: how far it has come.
      success, mpkpe_mm: of its last evaluation, None if it had none.
      started: when.
    """

    name: str
    task: str
    clips: tuple[str, ...]
    iterations: int
    env_steps: int
    success: float | None
    mpkpe_mm: float | None
    started: datetime


def list_runs(folder: Path) -> tuple[list[RunSummary], dict[str, str]]:
    """The runs in a folder and in those below it, oldest first.

    Returns:
      the runs, and for each folder with a broken one what is wrong with it.

    Raises:
      UserError: there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder")
    found: list[RunSummary] = []
    broken: dict[str, str] = {}
    for path in _run_folders(folder):
        name = str(path.relative_to(folder)) if path != folder else path.name
        try:
            found.append(summary(name, path))
        except UserError as error:
            broken[name] = str(error)
        except (KeyError, OSError, TypeError, ValueError) as error:
            broken[name] = f"{type(error).__name__}: {error}"
    return sorted(found, key=lambda run: run.started.timestamp()), broken


def summary(name: str, path: Path) -> RunSummary:
    """What the files of one run say. Raises whatever broken ones lead to."""
    folder = RunFolder.open(path)
    config = folder.config()
    metrics, evaluations = folder.metrics(), folder.evaluations()
    last = metrics[-1] if metrics else {"iteration": 0, "env_steps": 0}
    mean = evaluations[-1]["mean"] if evaluations else {}
    return RunSummary(
        name=name,
        task=config.preset,
        clips=config.env.motion.clips,
        iterations=int(last["iteration"]),
        env_steps=int(last["env_steps"]),
        success=mean.get("success"),
        mpkpe_mm=mean.get("mpkpe_mm"),
        started=folder.started,
    )


def _run_folders(folder: Path) -> Iterator[Path]:
    """Folders that are runs; there are none within a run."""
    if any((folder / sign).exists() for sign in _SIGNS):
        yield folder
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _run_folders(path)


@dataclass(frozen=True)
class ArrayDifference:
    """One array of two learners' states.

    Attributes:
      name: such as "params.actor.params.Dense_0.kernel".
      there, here: its type and shape in the first and in the second state, "" where it
        is missing.
      differing: how many of its numbers differ, if type and shape are the same.
      largest: by how much at most; nan if it is a matter of what is no number.
    """

    name: str
    there: str
    here: str
    differing: int = 0
    largest: float = 0.0


@dataclass(frozen=True)
class Comparison:
    """Two learners' states.

    Attributes:
      iterations: of the first and of the second.
      count: how many arrays there are in both together.
      arrays: those that are not the same to the bit.
      settings: lines "setting: the first's value, the second's".
    """

    iterations: tuple[int, int]
    count: int
    arrays: tuple[ArrayDifference, ...]
    settings: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether every array is the same to the bit."""
        return not self.arrays


def compare_runs(a: RunFolder, b: RunFolder, which: str | int = "latest") -> Comparison:
    """Every array of two runs' learner states, random keys as well.

    Environments are not needed for that, nor the motions.

    which: a checkpoint, see `RunFolder.pick`.
    """
    picked = [run.pick(which) for run in (a, b)]
    states = [read_arrays(c.folder, iteration, None) for c, iteration in picked]
    names = sorted({*states[0], *states[1]})
    found = [compare(n, *(state.get(n) for state in states)) for n in names]
    return Comparison(
        iterations=(picked[0][1], picked[1][1]),
        count=len(names),
        arrays=tuple(array for array in found if array is not None),
        settings=_other_settings(a.stored(), b.stored()),
    )


def compare(
    name: str, there: np.ndarray | None, here: np.ndarray | None
) -> ArrayDifference | None:
    """How two arrays differ; None if they are the same to the bit."""
    kinds = _kind(there), _kind(here)
    if there is None or here is None or kinds[0] != kinds[1]:
        return ArrayDifference(name, kinds[0], kinds[1])
    # Bits, for numbers say of 0 and -0 that they are equal, and of nan that it is not.
    bits = [
        np.ascontiguousarray(x).reshape(-1, 1).view(np.uint8) for x in (there, here)
    ]
    differs = (bits[0] != bits[1]).any(axis=1)
    if not differs.any():
        return None
    values = [_wide(x).ravel()[differs] for x in (there, here)]
    with np.errstate(invalid="ignore"):
        largest = np.abs(values[0] - values[1]).max()
    return ArrayDifference(name, kinds[0], kinds[1], int(differs.sum()), float(largest))


def _other_settings(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[str, ...]:
    """Of settings as they are stored, so that terms of users need not be known."""
    there, here = dict(_flat(a)), dict(_flat(b))
    return tuple(
        f"{name}: {there.get(name, 'not set')!r}, {here.get(name, 'not set')!r}"
        for name in {**there, **here}
        if there.get(name, _NOTHING) != here.get(name, _NOTHING)
    )


def _flat(settings: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        full = f"{path}.{name}" if path else name
        if isinstance(value, Mapping):
            yield from _flat(value, full)
        else:
            yield full, value


def _kind(x: np.ndarray | None) -> str:
    return "" if x is None else f"{x.dtype}{x.shape}"


def _wide(x: np.ndarray) -> np.ndarray:
    """Numbers whose differences are exact enough and do not overflow."""
    return x.astype(np.int64 if x.dtype.kind in "biu" else np.float64)
