"""Every number of the environment: nested frozen dataclasses.

They hash, so that they can be static arguments of jitted functions, become JSON beside
each checkpoint, and every field is a command-line flag. A term is one field, named as
in its registry: a weight of 0 switches a reward off, a threshold of 0 a termination.

Where nothing else is said the values are those of VideoMimic's G1DeepMimic
configuration (hongsukchoi/VideoMimic).
"""

from dataclasses import dataclass, field
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
    ls_iterations: int = 20
    """Most line-search iterations of the constraint solver."""
    friction: float = 1.0
    """Sliding friction of the contacts with the floor."""


@dataclass(frozen=True)
class ControlConfig:
    """From the policy's action to joint torques."""

    decimation: int = 4
    """Physics steps per control step."""
    gains: str = "videomimic"
    """Named set of PD gains."""
    target: Literal["reference", "default"] = "reference"
    """What action 0 asks for: the reference's pose or the default pose."""
    target_frames_ahead: int = 1
    """With target "reference": which frame, counted from the current one. The state
    after a step is compared with the next frame, so 1 aims at what will be judged; 0 is
    the original's residual mode."""
    action_scale: float = 0.25
    """Radians of joint target per unit of action."""
    action_clip: float = 8.0
    """Actions are clipped to plus or minus this."""
    low_pass: float = 1.0
    """Share of the new action in the filtered one; 1 is no filter."""
    action_offset_std: float = 0.0
    """Deviation of a constant added to the action for a whole episode."""


@dataclass(frozen=True)
class ObservationConfig:
    """Which terms make each group, and their noise."""

    actor: tuple[str, ...] = (
        "history_torso_real",
        "history_torso_xy_rel",
        "history_torso_yaw_rel",
        "target_joints",
        "target_root_roll",
        "target_root_pitch",
    )
    """Terms of the policy's observation, in order."""
    critic: tuple[str, ...] = (
        "torso",
        "deepmimic",
        "history_torso_real",
        "history_torso_xy_rel",
        "history_torso_yaw_rel",
        "target_joints",
        "target_root_roll",
        "target_root_pitch",
    )
    """Terms of the value function's observation, in order."""
    history: int = 5
    """Samples in each history_ term, the newest first."""
    clip: float = 100.0
    """Observations are clipped to plus or minus this."""
    noise: bool = True
    """Whether sensor noise is added; evaluation switches it off."""
    noise_ang_vel: float = 0.2
    """Uniform half width, rad/s."""
    noise_gravity: float = 0.05
    """Uniform half width on the projected gravity."""
    noise_joint_pos: float = 0.01
    """Uniform half width, rad."""
    noise_joint_vel: float = 1.5
    """Uniform half width, rad/s."""
    noise_torso_xy: float = 0.01
    """Gaussian deviation, m."""
    noise_torso_yaw: float = 0.01
    """Gaussian deviation, rad."""
    lin_vel_scale: float = 2.0
    ang_vel_scale: float = 0.25
    joint_vel_scale: float = 0.05


@dataclass(frozen=True)
class Tracking:
    """A reward that is 1 when an error is 0: weight * dt * exp(-scale * error)."""

    weight: float
    scale: float


@dataclass(frozen=True)
class Weight:
    """A reward without a kernel: weight * dt * value."""

    weight: float


@dataclass(frozen=True)
class AirTime:
    """Reward for long steps: (air time - target_s) at each touch-down."""

    weight: float
    target_s: float = 0.25


@dataclass(frozen=True)
class RewardConfig:
    """The default terms of the original; all weights are multiplied by the control
    step in seconds."""

    joint_pos_tracking: Tracking = Tracking(120.0, 2.0)
    joint_vel_tracking: Tracking = Tracking(24.0, 0.01)
    link_pos_tracking: Tracking = Tracking(30.0, 5.0)
    link_vel_tracking: Tracking = Tracking(5.0, 0.1)
    torso_pos_tracking: Tracking = Tracking(15.0, 50.0)
    torso_orientation_tracking: Tracking = Tracking(15.0, 3.0)
    root_orientation_tracking: Tracking = Tracking(15.0, 3.0)
    feet_contact_matching: Weight = Weight(1.0)
    action_rate: Weight = Weight(-0.2)
    collision: Weight = Weight(-15.0)
    dof_pos_limits: Weight = Weight(-50.0)
    contact_no_vel: Weight = Weight(-100.0)
    feet_air_time: AirTime = AirTime(2000.0)
    termination: Weight = Weight(-500.0)
    soft_joint_limit: float = 0.98
    """Share of each joint's range, about its middle, that is free of penalty."""
    only_positive: bool = False
    """Whether a negative sum becomes 0 (before the termination term is added)."""


@dataclass(frozen=True)
class TerminationConfig:
    """Thresholds; 0 (or no bodies) switches a cause off. A non-finite state always ends
    an episode."""

    contact: tuple[str, ...] = ()
    """Bodies whose contact (above 1 N) is a failure."""
    tracking_error: float = 0.3
    """Largest distance in m of any tracked body from the reference, from the second
    step of an episode on."""
    foot_force: float = 0.0
    """Largest contact force in N of a foot."""
    max_steps: int = 0
    """Control steps after which an episode is cut (a truncation); 0 is never."""


@dataclass(frozen=True)
class ResetConfig:
    """Where and how an episode starts."""

    start: Literal["random", "linear", "first"] = "random"
    """A random frame of the clip, one with a weight that falls linearly to the clip's
    end, or its first."""
    sampling: Literal[
        "uniform_clip", "uniform_step", "success_rate_adaptive", "failure_bins"
    ] = "uniform_clip"
    """Every clip alike (times its weight), every start frame alike, clips that fail
    more often, or the seconds in which episodes fail more often."""
    success_window: int = 1000
    """Outcomes of each clip that its success rate is taken from."""
    weight_limit: float = 3.0
    """success_rate_adaptive: largest factor on a clip's weight; 1 over it the least."""
    bin_s: float = 1.0
    """failure_bins: length of a bin."""
    bin_rate: float = 0.001
    """failure_bins: share of the newest step in the smoothed failures."""
    bin_uniform: float = 0.1
    """failure_bins: failures a step that all bins together are given."""
    init_velocities: bool = True
    """Whether root and joints start with the reference's velocities, or at rest."""
    joint_pos_std: float = 0.0
    """Gaussian noise on joint positions, rad."""
    joint_vel_std: float = 0.0
    """Gaussian noise on joint velocities, rad/s."""
    root_xy_std: float = 0.0
    """Gaussian noise on the root's horizontal position, m."""
    root_z_std: float = 0.0
    """Gaussian noise on the root's height, m."""
    root_rot_std: float = 0.0
    """Gaussian noise on the root's orientation, rad about each axis."""
    respawn_z_m: float = 0.0
    """Constant added to the root's height."""


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
    ground: Literal["none", "constant", "per_frame"] = "constant"
    """How clips are put on the floor: each shifted as a whole so that its lowest foot
    meets it, or frame by frame wherever a foot is down (for heights that drift)."""


@dataclass(frozen=True)
class EnvConfig:
    """One environment, whole."""

    robot: str = "g1_23dof"
    """g1_23dof (wrists fixed) or g1_29dof."""
    engine: str = "auto"
    """auto (native on a CPU, else mjx), mjx, or native."""
    threads: int = 0
    """Threads of the native engine; 0 is one per core."""
    motion: MotionConfig = field(default_factory=MotionConfig)
    physics: PhysicsConfig = field(default_factory=PhysicsConfig)
    control: ControlConfig = field(default_factory=ControlConfig)
    observation: ObservationConfig = field(default_factory=ObservationConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    termination: TerminationConfig = field(default_factory=TerminationConfig)
    reset: ResetConfig = field(default_factory=ResetConfig)

    @property
    def dt_s(self) -> float:
        """Control step in seconds."""
        return self.physics.timestep_s * self.control.decimation
