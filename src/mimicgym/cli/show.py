"""What several commands print."""

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from mimicgym.evaluation import Evaluation, format_table

# Wide enough for the tables, for output that goes to a file.
_FILE_WIDTH = 120


def make_console() -> Console:
    """A console as wide as the terminal."""
    console = Console(soft_wrap=True)
    return (
        console if console.is_terminal else Console(width=_FILE_WIDTH, soft_wrap=True)
    )


def evaluation_table(evaluation: Evaluation) -> Table:
    """Scores of each clip, and their means below where there are several."""
    table = Table(title="evaluation: deterministic, from frame 0, no noise")
    table.add_column("clip")
    for head in (
        "frames",
        "completion",
        "success",
        "mpkpe mm",
        "root-rel. mm",
        "joints rad",
        "ended by",
    ):
        table.add_column(head, justify="right")
    rows = format_table(evaluation.clips)
    for row, cause in zip(rows, evaluation.causes, strict=True):
        table.add_row(*row, cause or "the clip's end")
    if len(rows) > 1:
        mean = evaluation.mean
        table.add_section()
        table.add_row(
            "mean",
            f"{mean['frames']:.0f}",
            f"{mean['completion']:.3f}",
            f"{mean['success']:.2f}",
            f"{mean['mpkpe_mm']:.1f}",
            f"{mean['mpkpe_root_mm']:.1f}",
            f"{mean['joint_error_rad']:.3f}",
            "",
        )
    return table


def seed_table(evaluations: Sequence[Evaluation], first: int) -> Table:
    """Means over clips of each seed, and below the mean and the deviation (ddof 1) of
    those."""
    names = ("completion", "success", "mpkpe_mm", "mpkpe_root_mm", "joint_error_rad")
    digits = (3, 2, 1, 1, 3)
    table = Table(title="evaluation: deterministic, from frame 0, no noise")
    table.add_column("seed")
    for head in ("completion", "success", "mpkpe mm", "root-rel. mm", "joints rad"):
        table.add_column(head, justify="right")
    values = np.array([[e.mean[name] for name in names] for e in evaluations])
    rows = {str(first + i): row for i, row in enumerate(values)}
    rows |= {"mean": values.mean(axis=0), "deviation": values.std(axis=0, ddof=1)}
    for head, row in rows.items():
        if head == "mean":
            table.add_section()
        figures = zip(row, digits, strict=True)
        table.add_row(head, *(f"{value:.{places}f}" for value, places in figures))
    return table
