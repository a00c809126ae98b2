"""Learning curves: as a picture in the run's report and as a line in a terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_BLOCKS = "▁▂▃▄▅▆▇█"

# What the picture shows: title and the key in metrics.jsonl.
PANELS = (
    ("episode return", "episode/return"),
    ("episode length (steps)", "episode/length"),
    ("body position error (m)", "error/link_pos_m"),
    ("joint error (rad)", "error/joint_pos_rad"),
    ("failures by tracking error (per step)", "termination/tracking_error"),
    ("KL divergence", "ppo/kl"),
)


def sparkline(values: Sequence[float], width: int = 60) -> str:
    """Values as a row of blocks, the smallest lowest; "" for no finite values."""
    data = np.asarray(values, float)
    data = data[np.isfinite(data)]
    if data.size == 0:
        return ""
    parts = np.array_split(data, min(width, data.size))
    means = np.array([part.mean() for part in parts])
    span = means.max() - means.min()
    scaled = (means - means.min()) / span if span > 0 else np.zeros_like(means)
    return "".join(_BLOCKS[round(x * (len(_BLOCKS) - 1))] for x in scaled)


def plot_curves(metrics: Sequence[Mapping[str, Any]], path: Path, title: str) -> None:
    """Save the learning curves of a run, against environment steps, as a PNG.

    Panels for which the run has no numbers are left out.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    panels = [p for p in PANELS if any(p[1] in m for m in metrics)]
    rows = max(1, (len(panels) + 1) // 2)
    figure, axes = plt.subplots(
        rows, 2, figsize=(10, 2.6 * rows), squeeze=False, layout="constrained"
    )
    for axis, (label, key) in zip(axes.flat, panels, strict=False):
        points = [(m["env_steps"], m[key]) for m in metrics if m.get(key) is not None]
        axis.plot([p[0] / 1e6 for p in points], [p[1] for p in points], color="#2f6f9f")
        axis.set_title(label, fontsize=10)
        axis.set_xlabel("million environment steps", fontsize=8)
        axis.grid(alpha=0.3)
    for axis in list(axes.flat)[len(panels) :]:
        axis.set_visible(False)
    figure.suptitle(title)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def plot_clips(
    clips: Sequence[Mapping[str, Any]], path: Path, bin_s: float, most: int = 60
) -> None:
    """Save a heat map of the share of passes that are survived, by clip and bin.

    clips: as `training.clip_report` gives them; of more than `most`, those with the
    least success are shown.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    def success(clip: Mapping[str, Any]) -> float:
        return 2.0 if clip["success_rate"] is None else clip["success_rate"]

    shown = sorted(clips, key=success)[:most]
    columns = max(len(clip["survival"]) for clip in shown)
    grid = np.full((len(shown), columns), np.nan)
    for row, clip in enumerate(shown):
        for column, value in enumerate(clip["survival"]):
            grid[row, column] = np.nan if value is None else value
    height = 1.5 + 0.28 * len(shown)
    figure, axis = plt.subplots(
        figsize=(max(7.0, 3 + 0.25 * columns), height), layout="constrained"
    )
    extent = (0, columns * bin_s, len(shown) - 0.5, -0.5)
    image = axis.imshow(
        grid, aspect="auto", cmap="RdYlGn", vmin=0.0, vmax=1.0, extent=extent
    )
    labels = []
    for clip in shown:
        rate = clip["success_rate"]
        known = "-" if rate is None else f"{rate:.0%}"
        labels.append(f"{clip['name']}  {known}  drawn {clip['share']:.0%}")
    axis.set_yticks(range(len(shown)), labels, fontsize=8)
    axis.set_xlabel("second of the clip", fontsize=8)
    axis.set_title("share of passes survived; success and share of each clip")
    figure.colorbar(image, ax=axis)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
