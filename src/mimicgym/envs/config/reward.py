"""Weights and kernels of the rewards.

All weights are multiplied by the control step in seconds. A weight of 0 switches a term
off. Where nothing else is said, weights and scales are those of VideoMimic's
G1DeepMimic configuration (hongsukchoi/VideoMimic).
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Tracking:
    """A reward that is 1 when an error e is 0, and falls with it."""

    weight: float
    scale: float
    kernel: Literal["gaussian", "laplacian", "cauchy"] = "gaussian"
    """exp(-scale e^2), exp(-scale e) or 1 / (1 + scale e^2)."""


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
class Height:
    """About a height."""

    weight: float
    target_m: float


@dataclass(frozen=True)
class Force:
    """About contact forces above a threshold."""

    weight: float
    threshold_n: float = 1.0


@dataclass(frozen=True)
class BodyContacts:
    """About contacts of some bodies; none listed means all but feet and hands."""

    weight: float
    threshold_n: float = 1.0
    bodies: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limit:
    """About values beyond a share of their limit."""

    weight: float
    share: float = 1.0


@dataclass(frozen=True)
class Gait:
    """About a clock that says which foot should be down."""

    weight: float
    period_s: float = 0.8
    offset: float = 0.5
    """Of the right foot's clock, as a share of the period."""
    stance: float = 0.55
    """Share of the period that a foot is down."""


@dataclass(frozen=True)
class RewardConfig:
    """The terms of the original, of BeyondMimic and of DeepMimic."""

    # VideoMimic, on by default
    joint_pos_tracking: Tracking = Tracking(120.0, 2.0)
    joint_vel_tracking: Tracking = Tracking(24.0, 0.01)
    link_pos_tracking: Tracking = Tracking(30.0, 5.0)
    link_vel_tracking: Tracking = Tracking(5.0, 0.1)
    torso_pos_tracking: Tracking = Tracking(15.0, 50.0)
    torso_orientation_tracking: Tracking = Tracking(15.0, 3.0, "laplacian")
    root_orientation_tracking: Tracking = Tracking(15.0, 3.0, "laplacian")
    feet_contact_matching: Weight = Weight(1.0)
    action_rate: Weight = Weight(-0.2)
    collision: Weight = Weight(-15.0)
    dof_pos_limits: Weight = Weight(-50.0)
    contact_no_vel: Weight = Weight(-100.0)
    feet_air_time: AirTime = AirTime(2000.0)
    # VideoMimic, off by default
    root_pos_tracking: Tracking = Tracking(0.0, 20.0)
    root_vel_tracking: Tracking = Tracking(0.0, 10.0, "laplacian")
    root_ang_vel_tracking: Tracking = Tracking(0.0, 0.01, "laplacian")
    tracking_lin_vel: Tracking = Tracking(0.0, 4.0)
    tracking_ang_vel: Tracking = Tracking(0.0, 4.0)
    feet_orientation: Tracking = Tracking(0.0, 6.0, "laplacian")
    alive: Weight = Weight(0.0)
    energy: Weight = Weight(0.0)
    torques: Weight = Weight(0.0)
    dof_vel: Weight = Weight(0.0)
    dof_acc: Weight = Weight(0.0)
    action_accel: Weight = Weight(0.0)
    ankle_action: Weight = Weight(0.0)
    hip_pos: Weight = Weight(0.0)
    lin_vel_z: Weight = Weight(0.0)
    ang_vel_xy: Weight = Weight(0.0)
    orientation: Weight = Weight(0.0)
    base_height: Height = Height(0.0, 0.78)
    no_fly: Weight = Weight(0.0)
    contact_smoothness: Weight = Weight(0.0)
    feet_swing_height: Height = Height(0.0, 0.08)
    feet_max_height_for_this_air: Height = Height(0.0, 0.2)
    stumble: Weight = Weight(0.0)
    stand_still: Weight = Weight(0.0)
    feet_contact_forces: Force = Force(0.0, 100.0)
    dof_vel_limits: Limit = Limit(0.0)
    torque_limits: Limit = Limit(0.0)
    gait_contact: Gait = Gait(0.0)
    # BeyondMimic
    anchor_pos: Tracking = Tracking(0.0, 1 / 0.3**2)
    anchor_orientation: Tracking = Tracking(0.0, 1 / 0.4**2)
    body_pos_relative: Tracking = Tracking(0.0, 1 / 0.3**2)
    body_orientation_relative: Tracking = Tracking(0.0, 1 / 0.4**2)
    body_lin_vel: Tracking = Tracking(0.0, 1.0)
    body_ang_vel: Tracking = Tracking(0.0, 1 / 3.14**2)
    undesired_contacts: BodyContacts = BodyContacts(0.0)
    self_collision: Force = Force(0.0, 10.0)
    # DeepMimic (Peng et al. 2018)
    pose: Tracking = Tracking(0.0, 2.0)
    velocity: Tracking = Tracking(0.0, 0.1)
    end_effectors: Tracking = Tracking(0.0, 40.0)
    center_of_mass: Tracking = Tracking(0.0, 10.0)

    termination: Weight = Weight(-500.0)
    """Once, when an episode ends in a failure."""
    soft_joint_limit: float = 0.98
    """Share of each joint's range, about its middle, that is free of penalty."""
    only_positive: bool = False
    """Whether a negative sum becomes 0 (before the termination term is added)."""
