"""What several commands print."""

from rich.table import Table

from mimicgym.evaluate import Evaluation, format_table


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
