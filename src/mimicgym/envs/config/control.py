"""The simulation, and from the policy's action to torques."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class PhysicsConfig:
    """The simulation between two control steps."""

    timestep_s: float = 0.005
    """Physics step."""
    collisions: str = "body"
    """What touches what: feet, body (also knees, hands, elbows, torso, pelvis, head
    with the floor) or full (also the robot with itself)."""
    iterations: int = 10
    """Most Newton iterations of the constraint solver."""
    ls_iterations: int | None = None
    """Most line-search iterations of the constraint solver; if nothing is given, 8 with
    mjx and 20 with the others."""
    friction: float = 1.0
    """Sliding friction of the contacts with the floor."""


@dataclass(frozen=True)
class ControlConfig:
    """From the policy's action to joint torques."""

    decimation: int = 4
    """Physics steps per control step."""
    gains: str = "videomimic"
    """Named set of PD gains: videomimic, or beyondmimic (10 Hz, damping ratio 2)."""
    pose: str = "straight"
    """The default pose: straight (VideoMimic's, knees 0.3 rad) or knees_bent
    (BeyondMimic's). Observed joint positions count from it."""
    target: Literal["reference", "default", "direct", "torque"] = "reference"
    """What an action means: a change of the reference's pose, a change of the default
    pose, joint positions in rad, or torques in N m."""
    target_frames_ahead: int = 1
    """With target "reference": which frame, counted from the current one. The state
    after a step is compared with the next frame, so 1 aims at what will be judged; 0 is
    the original's residual mode."""
    action_scale: float = 0.25
    """Radians of joint target (N m with target "torque") per unit of action."""
    scale_by_effort: bool = False
    """Whether action_scale is multiplied for each joint by effort limit / kp
    (BeyondMimic), or by the effort limit with target "torque"."""
    action_clip: float = 8.0
    """Actions are clipped to plus or minus this."""
    low_pass: float = 1.0
    """Share of the new action in the filtered one; 1 is no filter."""
    action_offset_std: float = 0.0
    """Deviation of a constant added to the action for a whole episode."""
