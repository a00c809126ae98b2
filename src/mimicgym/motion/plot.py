"""A clip as a picture: its joints, speeds, soles, pelvis and path."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mimicgym.errors import MotionError
from mimicgym.motion.clip import Motion, validate
from mimicgym.motion.edit.limits import joint_ranges_rad
from mimicgym.motion.quaternions import quat_conj, quat_rotate
from mimicgym.motion.soles import sole_contacts
from mimicgym.motion.velocity import velocities
from mimicgym.robot import speed_limit_rad_s

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# How the names of a limb's joints begin.
_LIMBS = {
    "left leg": ("left_hip", "left_knee", "left_ankle"),
    "right leg": ("right_hip", "right_knee", "right_ankle"),
    "waist": ("waist",),
    "left arm": ("left_shoulder", "left_elbow", "left_wrist"),
    "right arm": ("right_shoulder", "right_elbow", "right_wrist"),
}
# A joint's limit is drawn where the joint comes nearer than this.
_NEAR_LIMIT_RAD = 0.15
# Least extents of axes, so that millimetres of a clip that stands still look small.
_ANGLE_RAD, _HEIGHT_M, _SOLE_M, _PATH_M = 0.5, 0.1, 0.08, 0.5
_LEFT, _RIGHT, _OTHER = "#1f77b4", "#d95f02", "#3a923a"
_STYLE: Any = {
    "axes.grid": True,
    "axes.titlesize": 10,
    "axes.labelsize": 8,
    "grid.alpha": 0.3,
    "legend.borderaxespad": 0.2,
    "legend.fontsize": 8,
    "legend.handlelength": 1.2,
    "lines.linewidth": 1.2,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}


def plot_motion(motion: Motion, path: Path) -> None:
    """Save a PNG of a clip as it is in its file, without grounding or other mending.

    Raises:
      MotionError: the clip can not be used (see `validate`), lacks a joint that is no
        wrist, or the file can not be written.
    """
    import matplotlib
    from matplotlib.figure import Figure

    motion = validate(motion)
    soles_w, contact = sole_contacts(motion)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(17, 12), layout="constrained")
        axes = figure.subplots(4, 3)
        for axis, limb in zip(axes.flat, _LIMBS, strict=False):
            _plot_limb(axis, motion, limb)
        _plot_tilt(axes[1, 2], motion)
        for foot, side in enumerate(("left", "right")):
            lowest_m = soles_w[:, foot, :, 2].min(axis=1)
            _plot_sole(axes[2, foot], motion, side, lowest_m, contact[:, foot])
        _plot_root_height(axes[2, 2], motion)
        _plot_speeds(axes[3, 0], motion, ("left leg", "right leg", "waist"))
        _plot_speeds(axes[3, 1], motion, ("left arm", "right arm"))
        _plot_path(axes[3, 2], motion)
        for pair in (axes[0, :2], axes[1, :2], axes[2, :2], axes[3, :2]):
            _share_height(pair)
        figure.suptitle(
            f"{motion.name}: {motion.duration_s:.2f} s, {motion.num_frames} frames at "
            f"{motion.fps:g} fps, {len(motion.joint_names)} joints",
            parse_math=False,  # names of clips may have dollars
        )
        try:
            figure.savefig(path, dpi=100)
        except OSError as error:
            raise MotionError(
                f"{path}: can not be written: {error.strerror}"
            ) from error


def _plot_limb(axis: "Axes", motion: Motion, limb: str) -> None:
    ranges_rad = joint_ranges_rad()
    columns = _columns(motion, limb)
    for number, column in enumerate(columns):
        joint = motion.joint_names[column]
        angle_rad = motion.qpos[:, 7 + column]
        colour = f"C{number}"
        axis.plot(_times_s(motion), angle_rad, color=colour, label=_short(joint))
        low, high = ranges_rad[joint]
        for limit, room in (
            (low, angle_rad.min() - low),
            (high, high - angle_rad.max()),
        ):
            if room < _NEAR_LIMIT_RAD:
                axis.axhline(limit, color=colour, linestyle="--", linewidth=1)
    axis.set_title(f"{limb}: joint angles (rad); dashed: limits that are near")
    _finish(axis, motion, _ANGLE_RAD)
    if columns:
        _legend(axis)


def _plot_tilt(axis: "Axes", motion: Motion) -> None:
    """Which way the pelvis leans, by where the vertical is for it."""
    up = quat_rotate(quat_conj(motion.qpos[:, 3:7]), np.array([[0.0, 0.0, 1.0]]))
    tilts_rad = {
        "tilt": np.arccos(np.clip(up[:, 2], -1.0, 1.0)),
        "pitch": np.arcsin(np.clip(-up[:, 0], -1.0, 1.0)),
        "roll": np.unwrap(np.arctan2(up[:, 1], up[:, 2])),
    }
    for (name, angle_rad), colour in zip(
        tilts_rad.items(), ("0.3", _LEFT, _RIGHT), strict=True
    ):
        axis.plot(_times_s(motion), angle_rad, color=colour, label=name)
    axis.set_title("pelvis: tilt from upright, pitch (+ forwards), roll (rad)")
    _finish(axis, motion, _ANGLE_RAD)
    _legend(axis)


def _plot_sole(
    axis: "Axes",
    motion: Motion,
    side: str,
    lowest_m: np.ndarray,
    on_ground: np.ndarray,
) -> None:
    colour = _LEFT if side == "left" else _RIGHT
    axis.plot(_times_s(motion), lowest_m, color=colour)
    axis.fill_between(
        _times_s(motion),
        0.0,
        1.0,
        where=on_ground.tolist(),
        transform=axis.get_xaxis_transform(),
        color=colour,
        alpha=0.15,
        linewidth=0,
        step="mid",
    )
    axis.axhline(0.0, color="0.3", linewidth=0.8)
    origin = "estimated" if motion.foot_contact is None else "of the file"
    axis.set_title(f"{side} sole: lowest point (m); shaded: contacts, {origin}")
    _finish(axis, motion, _SOLE_M)


def _plot_root_height(axis: "Axes", motion: Motion) -> None:
    axis.plot(_times_s(motion), motion.qpos[:, 2], color=_OTHER)
    axis.set_title("root: height (m)")
    _finish(axis, motion, _HEIGHT_M)


def _plot_speeds(axis: "Axes", motion: Motion, limbs: tuple[str, ...]) -> None:
    """At each time the joint of a limb that is nearest to its motor's limit."""
    times_s = _times_s(motion)
    speed_rad_s = np.abs(velocities(motion.qpos, 1.0 / motion.fps)[0][:, 6:])
    limit_rad_s = np.array([speed_limit_rad_s(name) for name in motion.joint_names])
    percent = 100.0 * speed_rad_s / limit_rad_s
    # The first is broad and pale: in symmetric motions both sides can be seen.
    looks: tuple[Any, ...] = (
        {"color": _LEFT, "linewidth": 2.6, "alpha": 0.6},
        {"color": _RIGHT},
        {"color": _OTHER},
    )
    for limb, look in zip(limbs, looks, strict=False):
        columns = _columns(motion, limb)
        if not columns:
            continue
        most = columns[int(percent[:, columns].max(axis=0).argmax())]
        label = (
            f"{limb}:\n{_short(motion.joint_names[most])}\n"
            f"{speed_rad_s[:, most].max():.1f} of {limit_rad_s[most]:g} rad/s"
        )
        fastest = percent[:, columns].max(axis=1)
        axis.plot(times_s, fastest, label=label, **look)
    axis.axhline(100.0, color="0.3", linestyle="--", linewidth=1)
    names = "legs and waist" if "waist" in limbs else "arms"
    axis.set_title(f"{names}: fastest joint (% of its motor's limit)")
    _finish(axis, motion, 0.0)
    axis.set_ylim(bottom=0.0)
    _legend(axis)


def _plot_path(axis: "Axes", motion: Motion) -> None:
    x_m, y_m = motion.qpos[:, :2].T
    seconds = np.arange(int(motion.duration_s) + 1)
    at = np.rint(seconds * motion.fps).astype(int)
    axis.plot(x_m, y_m, color=_OTHER)
    axis.plot(x_m[at], y_m[at], ".", color=_OTHER, label="each second")
    axis.plot(x_m[0], y_m[0], "o", color="0.2", markerfacecolor="white", label="start")
    axis.plot(x_m[-1], y_m[-1], "s", color="0.2", label="end")
    axis.set_aspect("equal", adjustable="datalim")
    corners_m = np.array([[-0.5, -0.5], [0.5, 0.5]]) * _PATH_M
    middle_m = [(x_m.min() + x_m.max()) / 2, (y_m.min() + y_m.max()) / 2]
    axis.update_datalim(middle_m + corners_m)
    axis.autoscale_view()
    axis.set_title("root: path from above, x and y (m)")
    axis.set_xlabel("x (m)")
    _legend(axis)


def _finish(axis: "Axes", motion: Motion, least: float) -> None:
    # A spike in the first or last frame would hide in the panel's border.
    axis.set_xlim(-0.01 * motion.duration_s, 1.01 * motion.duration_s)
    axis.set_xlabel("time (s)")
    low, high = axis.get_ylim()
    room = max(0.0, least - (high - low)) / 2
    axis.set_ylim(low - room, high + room)


def _share_height(axes: np.ndarray) -> None:
    """The same scale for both sides of the body."""
    limits = [axis.get_ylim() for axis in axes]
    for axis in axes:
        axis.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))


def _legend(axis: "Axes") -> None:
    """Beside the curves, where it hides none."""
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def _columns(motion: Motion, limb: str) -> list[int]:
    names = enumerate(motion.joint_names)
    return [i for i, name in names if name.startswith(_LIMBS[limb])]


def _short(joint: str) -> str:
    """Without what its panel says: "hip pitch" for "left_hip_pitch_joint"."""
    words = joint.removesuffix("_joint").split("_")
    return " ".join(word for word in words if word not in ("left", "right", "waist"))


def _times_s(motion: Motion) -> np.ndarray:
    return np.arange(motion.num_frames) / motion.fps
