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
