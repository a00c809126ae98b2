"""`mimicgym runs`: list runs, and compare two of them.

mimicgym runs list
mimicgym runs compare runs/a runs/b
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.markup import escape
from rich.table import Table

from mimicgym.cli.show import make_console
from mimicgym.run import RunFolder
from mimicgym.runs import ArrayDifference, compare_runs, list_runs

_CLIPS_SHOWN = 4


@dataclass(frozen=True)
class ListArgs:
    """What became of each run in a folder, and in the folders below it."""

    folder: tyro.conf.Positional[Path] = Path("runs")


@dataclass(frozen=True)
class CompareArgs:
    """Whether two runs are the same to the bit: every number that their learners hold,
    random keys as well. The exit status is 0 if they are and 1 if not."""

    a: tyro.conf.Positional[Path]
    """Folder of a run."""
    b: tyro.conf.Positional[Path]
    """Folder of another."""
    checkpoint: str = "latest"
    """latest, best (by the evaluations of the training) or an iteration."""


Command = (
    Annotated[ListArgs, tyro.conf.subcommand("list")]
    | Annotated[CompareArgs, tyro.conf.subcommand("compare")]
)


def main(argv: Sequence[str]) -> int:
    args = tyro.cli(
        Command,  # pyright: ignore[reportArgumentType]
        args=list(argv),
        prog="mimicgym runs",
        description=__doc__,
    )
    return _list(args) if isinstance(args, ListArgs) else _compare(args)


def _list(args: ListArgs) -> int:
    runs, broken = list_runs(args.folder)
    console = make_console()
    table = Table()
    for head in ("run", "task", "clips"):
        table.add_column(head, overflow="fold")
    for head in ("iterations", "M steps", "success", "mpkpe mm", "started"):
        table.add_column(head, justify="right", no_wrap=True)
    for run in runs:
        clips = [Path(clip).name for clip in run.clips[:_CLIPS_SHOWN]]
        table.add_row(
            escape(run.name),
            run.task,
            escape(", ".join(clips)) + ", ..." * (len(run.clips) > _CLIPS_SHOWN),
            str(run.iterations),
            f"{run.env_steps / 1e6:.2f}",
            _figure(run.success, 2),
            _figure(run.mpkpe_mm, 1),
            f"{run.started:%Y-%m-%d %H:%M}",
        )
    if runs:
        console.print(table)
    else:
        console.print(f"{args.folder} holds no run")
    for name, reason in broken.items():
        console.print(f"broken: {name}: {reason}", markup=False)
    return 0


def _compare(args: CompareArgs) -> int:
    a, b = RunFolder.open(args.a), RunFolder.open(args.b)
    found = compare_runs(a, b, args.checkpoint)
    console = make_console()
    if found.settings:
        console.print("settings (setting: first, second)")
    for line in found.settings:
        console.print(f"  {line}", markup=False)
    console.print(f"iterations {found.iterations[0]} and {found.iterations[1]}")
    if not found.equal:
        table = Table("array", "first", "second", "difference")
        for array in found.arrays:
            table.add_row(
                array.name, escape(array.there), escape(array.here), _said(array)
            )
        console.print(table)
    same = found.count - len(found.arrays)
    console.print(f"{same} of {found.count} arrays are the same to the bit")
    return 0 if found.equal else 1


def _said(array: ArrayDifference) -> str:
    if not array.there or not array.here:
        return f"only in the {'first' if array.there else 'second'}"
    if array.there != array.here:
        return "of other type or shape"
    numbers = f"{array.differing} number{'s' * (array.differing > 1)}"
    if math.isnan(array.largest):
        return f"{numbers}, nan among them"
    return f"{numbers}, by at most {array.largest:.3g}"


def _figure(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
