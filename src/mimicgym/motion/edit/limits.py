"""Joint angles that the robot can not reach."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mimicgym.errors import MotionError, unknown_message
from mimicgym.motion.clip import Motion, validate
from mimicgym.motion.edit.arguments import clip_name
from mimicgym.motion.kinematics import bare_model
from mimicgym.robot import JOINTS_29


@dataclass(frozen=True)
class ClippedJoint:
    """A joint that was beyond its range.

    Attributes:
      joint: its name.
      frames: in how many frames.
      largest_excess_rad: by how much at most.
      frame: where that was.
    """

    joint: str
    frames: int
    largest_excess_rad: float
    frame: int


def clip_joints(
    motion: Motion, ranges: Mapping[str, tuple[float, float]]
) -> tuple[Motion, tuple[ClippedJoint, ...]]:
    """The clip with joints held within ranges, and what that changed.

    Args:
      motion: any clip.
      ranges: lower and upper bound in rad by joint name; other joints are left alone.

    Returns:
      the clip, and its joints that were beyond their range, the worst first.

    Raises:
      MotionError: a name that is no joint of the clip, or bounds the wrong way round.
    """
    motion = validate(motion)
    qpos = motion.qpos.copy()
    clipped = []
    for name, (low, high) in ranges.items():
        column = _column(motion, name)
        if not low <= high:
            raise MotionError(
                f"{clip_name(motion)}: the range of {name} is {low:g} to {high:g}; the "
                f"lower bound must be the smaller"
            )
        angles = motion.qpos[:, column]
        qpos[:, column] = np.clip(angles, low, high)
        excess = np.abs(angles - qpos[:, column])
        if excess.any():
            frame = int(excess.argmax())
            count = int(np.count_nonzero(excess))
            clipped.append(ClippedJoint(name, count, float(excess[frame]), frame))
    clipped.sort(key=lambda joint: -joint.largest_excess_rad)
    return replace(motion, qpos=qpos), tuple(clipped)


def clip_to_limits(motion: Motion) -> tuple[Motion, tuple[ClippedJoint, ...]]:
    """`clip_joints` with the ranges that the robot's joints have."""
    motion = validate(motion)
    ranges = joint_ranges_rad()
    return clip_joints(motion, {name: ranges[name] for name in motion.joint_names})


def joint_ranges_rad() -> dict[str, tuple[float, float]]:
    """Lower and upper bound of each of the 29 joints."""
    model = bare_model()
    bounds = {name: model.jnt_range[model.joint(name).id] for name in JOINTS_29}
    return {name: (float(low), float(high)) for name, (low, high) in bounds.items()}


def _column(motion: Motion, name: str) -> int:
    """Where a joint's angles are in `qpos`."""
    if name not in motion.joint_names:
        message = unknown_message("joint", name, motion.joint_names)
        raise MotionError(f"{clip_name(motion)}: ranges: {message}")
    return 7 + motion.joint_names.index(name)
