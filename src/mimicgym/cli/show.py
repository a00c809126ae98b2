"""What several commands print."""

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
