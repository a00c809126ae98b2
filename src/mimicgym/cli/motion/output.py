"""What several `mimicgym motion` commands print and write."""

from pathlib import Path

from rich.table import Table

from mimicgym.motion import Finding, Motion


def saved_line(target: Path, motion: Motion) -> str:
    """What was written to `target`."""
    return (
        f"{target}: {motion.num_frames} frames at {motion.fps:g} fps, "
        f"{motion.duration_s:.2f} s, {len(motion.joint_names)} joints"
    )


def finding_line(finding: Finding) -> str:
    mend = f" ({finding.mend})" if finding.mend else ""
    return f"{finding.level}: {finding.message}{mend}"


def empty_table(*heads: str) -> Table:
    table = Table()
    for head in heads:
        table.add_column(head, overflow="fold")
    return table
