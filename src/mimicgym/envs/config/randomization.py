"""What differs between a simulation and the next robot. Everything is drawn for each
episode; None, 0 and zeros switch a term off, and what is off costs nothing. Frictions
and factors of 0 are refused."""

from dataclasses import dataclass, field

Range = tuple[float, float]
"""Least and most of a uniform distribution."""


@dataclass(frozen=True)
class Push:
    """A sudden change of the root's velocity, uniform within plus or minus each."""

    interval_s: Range = (0.0, 0.0)
    """Time from one push to the next, and from the start to the first."""
    lin_vel_xy: float = 0.25
    """m/s."""
    lin_vel_z: float = 0.1
    """m/s."""
    ang_vel_tilt: float = 0.0
    """rad/s, about x and y each."""
    ang_vel_yaw: float = 0.0
    """rad/s, about z."""


@dataclass(frozen=True)
class Wrench:
    """A force and a torque on the anchor body for a while, along world axes."""

    interval_s: Range = (0.0, 0.0)
    """Time from the end of one to the next, and from the start to the first."""
    duration_s: float = 0.2
    force_n: float = 0.0
    """Deviation of each component of the force."""
    torque_nm: float = 0.0
    """Deviation of each component of the torque."""


@dataclass(frozen=True)
class RandomizationConfig:
    """Physics, actuators, delays and disturbances."""

    friction: Range | None = None
    """Sliding friction of all contacts with the floor."""
    torso_mass_kg: Range | None = None
    """Added to the torso; its inertia grows alike."""
    mass_scale: Range | None = None
    """Factor on every body's mass and inertia, one for all."""
    torso_com_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Half widths of the shift of the torso's centre of mass along its axes."""
    kp_std: float = 0.0
    """Relative deviation of each joint's stiffness."""
    kd_std: float = 0.0
    """Relative deviation of each joint's damping."""
    torque_noise: float = 0.0
    """Deviation of a constant torque on each joint, as a share of its effort limit."""
    motor_strength: Range | None = None
    """Factor on each joint's torque and on its limit."""
    joint_friction_nm: Range | None = None
    """Dry friction added to every joint, the same for all."""
    armature_scale: Range | None = None
    """Factor on every joint's rotor inertia, one for all."""
    encoder_bias_rad: float = 0.0
    """Half width of each joint sensor's error, for the policy and the PD control."""
    gravity_tilt_rad: float = 0.0
    """Half width of a tilt of gravity about x and about y."""
    action_delay: tuple[int, int] = (0, 0)
    """Least and most control steps by which actions come late."""
    control_delay: tuple[int, int] = (0, 0)
    """Least and most physics steps by which joint targets come late."""
    push: Push = field(default_factory=Push)
    wrench: Wrench = field(default_factory=Wrench)
