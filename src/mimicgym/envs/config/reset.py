"""Where and how an episode starts."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ResetConfig:
    """Where and how an episode starts, and how the reference plays.

    Numbers of noise are Gaussian deviations, or half widths with noise "uniform".
    """

    start: Literal["random", "linear", "first"] = "random"
    """A random frame of the clip, one with a weight that falls linearly to the clip's
    end, or its first."""
    first_frame_prob: float = 0.0
    """Share of the episodes that start on the clip's first frame all the same."""
    sampling: Literal[
        "uniform_clip",
        "uniform_step",
        "success_rate_adaptive",
        "failure_bins",
        "failure_rate_bins",
    ] = "uniform_clip"
    """Every clip alike (times its weight), every start frame alike, clips that fail
    more often, or the seconds in which more episodes fail: by their number, which one
    that can not be learnt may fill, or by their share."""
    success_window: int = 1000
    """Outcomes of each clip that its success rate is taken from."""
    weight_limit: float = 3.0
    """success_rate_adaptive, failure_rate_bins: largest factor on the weight of a clip
    or bin; 1 over it the least."""
    bin_s: float = 1.0
    """failure_bins, failure_rate_bins: length of a bin."""
    bin_rate: float = 0.001
    """failure_bins: share of the newest step in the smoothed failures."""
    bin_uniform: float = 0.1
    """failure_bins: failures a step that all bins together are given."""
    init_velocities: bool = True
    """Whether root and joints start with the reference's velocities, or at rest."""
    default_pose_prob: float = 0.0
    """Share of the episodes whose joints start in the default pose, at rest."""
    noise: Literal["gaussian", "uniform"] = "gaussian"
    joint_pos: float = 0.0
    """rad; never beyond the joints' limits."""
    joint_vel: float = 0.0
    """rad/s."""
    root_xy: float = 0.0
    """m."""
    root_z: float = 0.0
    """m."""
    root_tilt: float = 0.0
    """rad, about x and y each."""
    root_yaw: float = 0.0
    """rad, about z."""
    root_lin_vel_xy: float = 0.0
    """m/s."""
    root_lin_vel_z: float = 0.0
    """m/s."""
    root_ang_vel_tilt: float = 0.0
    """rad/s, about x and y each."""
    root_ang_vel_yaw: float = 0.0
    """rad/s, about z."""
    respawn_z_m: float = 0.0
    """Constant added to the root's height."""
    origin_jitter_m: float = 0.0
    """Noise on where in the world robot and reference are, in x and y; never off the
    clip's ground, and none for clips that come with theirs."""
    freeze_prob: float = 0.0
    """Chance in each step that the reference stops."""
    unfreeze_prob: float = 0.1
    """Chance in each step that a reference that stopped goes on."""
