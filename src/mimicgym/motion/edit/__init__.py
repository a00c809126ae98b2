"""Clips made into other clips: pure functions, each returns a new `Motion`."""

from mimicgym.motion.edit.cycle import loop, repeat
from mimicgym.motion.edit.ground import GROUND_MODES, align_to_ground
from mimicgym.motion.edit.limits import (
    ClippedJoint,
    clip_joints,
    clip_to_limits,
    joint_ranges_rad,
)
from mimicgym.motion.edit.lowpass import smooth
from mimicgym.motion.edit.placement import reset_origin
from mimicgym.motion.edit.reflection import mirror
from mimicgym.motion.edit.sequence import blend
from mimicgym.motion.edit.timing import change_speed, hold, trim

__all__ = [
    "GROUND_MODES",
    "ClippedJoint",
    "align_to_ground",
    "blend",
    "change_speed",
    "clip_joints",
    "clip_to_limits",
    "hold",
    "joint_ranges_rad",
    "loop",
    "mirror",
    "repeat",
    "reset_origin",
    "smooth",
    "trim",
]
