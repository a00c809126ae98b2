"""A suite as a picture: speeds above, ratios with their spread below."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
AXES = ("num_envs", "num_clips", "robot", "collisions", "engine", "preset")
"""Of these the first that has the most values runs from left to right; what else
differs makes lines."""
_NUMBERS = ("num_envs", "num_clips")
# Kind of line, name and key of the speeds, and of the ratios.
_SPEEDS = (
    ("-", "environment", ("env_steps_per_s",)),
    ("--", "bare engine", ("bare_env_steps_per_s",)),
    (":", "acting and learning", ("ppo", "env_steps_per_s")),
)
_RATIOS = (
    ("-", "environment / bare engine", ("ratio",)),
    ("--", "... on the same motion", ("ratio_same_motion",)),
    (":", "acting and learning / environment", ("ppo", "ratio")),
)


def plot_suite(rows: Sequence[Row], path: Path, title: str) -> None:
    """Save the chart as a PNG. Rows that failed are left out."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D

    good = [row for row in rows if "error" not in row]
    figure, (upper, lower) = plt.subplots(
        2, 1, figsize=(9, 8), sharex=True, layout="constrained"
    )
    across, lines = layout(good)
    names = list(lines)
    for number, name in enumerate(names):
        for axis, kinds in ((upper, _SPEEDS), (lower, _RATIOS)):
            for style, _, key in kinds:
                points = [(row[across], *_figures(row, key)) for row in lines[name]]
                points = [p for p in points if p[1] is not None]
                if not points:
                    continue
                x, y, low, high = zip(*points, strict=True)
                x = x if across in _NUMBERS else [str(value) for value in x]
                errors = [
                    [a - b for a, b in zip(y, low, strict=True)],
                    [b - a for a, b in zip(y, high, strict=True)],
                ]
                axis.errorbar(
                    x, y, errors, color=f"C{number}", ls=style, marker="o", capsize=3
                )
    if across in _NUMBERS:
        values = sorted({row[across] for row in good})
        upper.set_xscale("log", base=2)
        upper.set_xticks(values, [str(value) for value in values])
        upper.minorticks_off()
    upper.set_yscale("log")
    upper.set_ylabel("control steps / s")
    lower.set_ylabel("ratio")
    lower.set_ylim(bottom=0)
    lower.set_xlabel(across)
    for axis, kinds in ((upper, _SPEEDS), (lower, _RATIOS)):
        keys = [
            Line2D([], [], color="black", ls=style, label=label)
            for style, label, key in kinds
            if any(_figures(row, key)[0] is not None for row in good)
        ]
        if len(names) > 1:
            keys += [
                Line2D([], [], color=f"C{i}", lw=4, label=name)
                for i, name in enumerate(names)
            ]
        axis.legend(handles=keys, fontsize=8)
        axis.grid(alpha=0.3)
    figure.suptitle(title)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def layout(rows: Sequence[Row]) -> tuple[str, dict[str, list[Row]]]:
    """What runs from left to right, and the rows of each line by its name."""
    counts = {axis: len({row[axis] for row in rows}) for axis in AXES}
    across = max(AXES, key=lambda axis: counts[axis])
    others = [axis for axis in AXES if axis != across and counts[axis] > 1]
    lines: dict[str, list[Row]] = {}
    for row in rows:
        name = ", ".join(_told(axis, row[axis]) for axis in others)
        lines.setdefault(name, []).append(row)
    if across in _NUMBERS:
        for line in lines.values():
            line.sort(key=lambda row: row[across])
    return across, lines


def _told(axis: str, value: Any) -> str:
    words = {"num_envs": "environments", "num_clips": "clips"}
    if axis in words:
        return f"{value} {words[axis]}"
    return f"collisions {value}" if axis == "collisions" else str(value)


def _figures(row: Row, key: tuple[str, ...]) -> tuple[Any, Any, Any]:
    """A figure with its least and most, which are itself where no spread is known."""
    for part in key[:-1]:
        row = row.get(part) or {}
    value = row.get(key[-1])
    low, high = row.get(f"{key[-1]}_spread") or (value, value)
    return value, low, high
