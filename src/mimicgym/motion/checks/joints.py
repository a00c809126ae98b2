"""Checks of a clip's numbers: order of the quaternion and the joints, ranges, jumps."""

import math
from collections.abc import Iterator

import numpy as np

from mimicgym.motion.clip import MIN_FRAMES, Finding, Motion
from mimicgym.motion.edit.limits import joint_ranges_rad
from mimicgym.motion.kinematics import breadth_first, full_qpos
from mimicgym.motion.quat_order import CODE, doubt_of
from mimicgym.motion.velocity import velocities
from mimicgym.robot import JOINTS_29, speed_limit_rad_s
from mimicgym.terrain.field import HeightField

_LIMIT_RAD = (0.02, 0.3)  # beyond a joint's range: a warning, an error
_JUMP_RAD, _JUMP_M = 1.0, 0.25  # between neighbouring frames
_ROUNDING = 1e-6  # of a millisecond


def quat_order(motion: Motion, _terrain: HeightField | None) -> Iterator[Finding]:
    """Of clips that come from no file, and of files whose maker had misread another.

    What its reader could tell of a file's own order is among its findings already.
    """
    if any(finding.code == CODE for finding in motion.findings):
        return
    mends = {
        "xyzw": "--quat-order xyzw",
        "wxyz": "--quat-order wxyz, where what it was made from was read",
    }
    for order, mend in mends.items():
        doubt = doubt_of(full_qpos(motion), order)
        if doubt is not None:
            level = "error" if doubt.clear else "warning"
            yield Finding(CODE, level, doubt.message, mend)


def quat_signs(motion: Motion, _terrain: HeightField | None) -> Iterator[Finding]:
    quats = motion.qpos[:, 3:7]
    flips = int(np.count_nonzero(np.sum(quats[1:] * quats[:-1], axis=1) < 0))
    if flips:
        text = f"the root quaternion changes sign {flips} times, which is mended"
        yield Finding("quat-signs", "note", text)


def joint_limits(motion: Motion, _terrain: HeightField | None) -> Iterator[Finding]:
    qpos = full_qpos(motion)
    excess = _excess_rad(qpos[:, 7:])
    worst = int(excess.max(axis=0).argmax())
    most = float(excess[:, worst].max())
    if most <= _LIMIT_RAD[0]:
        return
    wide = breadth_first()[1]
    moved = qpos[:, [7 + wide.index(joint) for joint in JOINTS_29]]
    if most > _LIMIT_RAD[1] and _excess_rad(moved).max() < 0.25 * most:
        yield Finding(
            "joint-order",
            "error",
            f"{JOINTS_29[worst]} is {most:.2f} rad beyond its range, but no joint more "
            f"than {_excess_rad(moved).max():.2f} if they are in breadth-first order "
            f"(IsaacLab's)",
            "reorder the joints by name before saving them",
        )
        return
    frames = float((excess > _LIMIT_RAD[0]).any(axis=1).mean())
    yield Finding(
        "joint-limits",
        "error" if most > _LIMIT_RAD[1] else "warning",
        f"{JOINTS_29[worst]} is up to {most:.2f} rad beyond its range ({frames:.0%} of "
        f"the frames have a joint beyond)",
        "--clip-limits",
    )


def jumps(motion: Motion, _terrain: HeightField | None) -> Iterator[Finding]:
    steps = np.abs(np.diff(motion.qpos[:, 7:], axis=0))
    moved = np.linalg.norm(np.diff(motion.qpos[:, :3], axis=0), axis=1)
    frame, joint = np.unravel_index(steps.argmax(), steps.shape)
    if steps.max() > _JUMP_RAD:
        yield Finding(
            "jump",
            "error",
            f"{motion.joint_names[joint]} jumps by {steps.max():.2f} rad between "
            f"frames {frame} and {frame + 1}",
            _cuts(motion, int(frame)),
        )
    if moved.max() > _JUMP_M:
        frame = int(moved.argmax())
        yield Finding(
            "jump",
            "error",
            f"the root jumps by {moved.max():.2f} m between frames {frame} and "
            f"{frame + 1}",
            _cuts(motion, frame),
        )


def speeds(motion: Motion, _terrain: HeightField | None) -> Iterator[Finding]:
    speed = np.abs(velocities(motion.qpos, 1.0 / motion.fps)[0][:, 6:])
    limit = np.array([speed_limit_rad_s(name) for name in motion.joint_names])
    share = speed / limit
    over = (share > 1).any(axis=1)
    if over.any():
        worst = int(share.max(axis=0).argmax())
        yield Finding(
            "joint-speed",
            "warning",
            f"{motion.joint_names[worst]} moves at up to {speed[:, worst].max():.0f} "
            f"rad/s, its motor at {limit[worst]:.0f} ({over.mean():.1%} of the frames)",
            "--smooth-hz 6 or --speed 0.8",
        )


def _cuts(motion: Motion, frame: int) -> str:
    """What leaves out all after a frame, or it and all before, if enough is left then.

    Times are in whole milliseconds, away from the frame on the other side.
    """
    before_s = math.floor(1e3 * frame / motion.fps + _ROUNDING) / 1e3
    after_s = math.ceil(1e3 * (frame + 1) / motion.fps - _ROUNDING) / 1e3
    cuts = []
    if before_s * motion.fps >= MIN_FRAMES:
        cuts.append(f"--end-s {before_s:.3f}")
    if (motion.duration_s - after_s) * motion.fps >= MIN_FRAMES:
        cuts.append(f"--start-s {after_s:.3f}")
    return " or ".join(cuts)


def _excess_rad(joints: np.ndarray) -> np.ndarray:
    """(T, 29) how far beyond their ranges joints are."""
    ranges = joint_ranges_rad()
    low, high = np.array([ranges[name] for name in JOINTS_29]).T
    return np.maximum(np.maximum(low - joints, joints - high), 0.0)
