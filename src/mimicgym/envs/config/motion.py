"""What to imitate, and which parts of the robot are compared with it."""

from dataclasses import dataclass
from typing import Literal

from mimicgym.robot import TRACKED_BODIES


@dataclass(frozen=True)
class MotionConfig:
    """What to imitate."""

    clips: tuple[str, ...] = ("wave",)
    """Embedded clips by name, files ("file#clip" for one of several), folders, patterns
    such as "data/*.npz", or YAML lists with weights."""
    fps: float | None = None
    """Frame rate, for formats that do not hold it, or instead of the file's."""
    quat_order: Literal["wxyz", "xyzw"] | None = None
    """Quaternion order, for formats that do not say it."""
    skip_bad: bool = False
    """Whether files that can not be used are left out, instead of being an error."""
    teacher: str = ""
    """Teacher of the clips that name none; only used where teachers are given."""
    ground: Literal["none", "constant", "per_frame"] = "constant"
    """How clips are put on the floor: each shifted as a whole so that its lowest foot
    meets it, or frame by frame wherever a foot is down (for heights that drift)."""


@dataclass(frozen=True)
class TrackingConfig:
    """Which bodies are compared with the reference."""

    bodies: tuple[str, ...] = TRACKED_BODIES
    """Those whose poses and velocities are rewarded, observed and judged."""
    anchor: str = "torso_link"
    """The body about which relative poses are taken."""
    end_effectors: tuple[str, ...] = (
        "left_ankle_roll_link",
        "right_ankle_roll_link",
        "left_wrist_yaw_link",
        "right_wrist_yaw_link",
    )
    """Hands and feet."""
