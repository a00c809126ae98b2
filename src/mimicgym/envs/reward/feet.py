"""VideoMimic's terms for the feet: contacts, steps and forces.

A foot's position and velocity are those of its frame, the ankle's.
"""

import jax
import jax.numpy as jnp

from mimicgym import rotations as rot
from mimicgym.envs.config import AirTime, Force, Gait, Height, Tracking
from mimicgym.envs.ground import Ground
from mimicgym.envs.reward.base import kernel, reward
from mimicgym.envs.terms import CONTACT_THRESHOLD_N, Facts, FeetState
from mimicgym.physics import RobotState
from mimicgym.reference import RefFrame

FIRST_SMOOTH_STEP = 10
STUMBLE_RATIO = 5.0


@reward
def feet_contact_matching(feet: FeetState, ref: RefFrame) -> jax.Array:
    """Number of feet (0 to 2) that touch the ground exactly when the reference's do."""
    return _count(feet.contact == ref.foot_contact)


@reward
def contact_smoothness(
    feet: FeetState, ref: RefFrame, last_ref: RefFrame, step: jax.Array
) -> jax.Array:
    """Number of feet (0 to 2) whose contact changes and is wrong, a penalty.

    A change that the reference makes in the same step does not count, nor does any of
    the first steps (before the 10th), in which the robot settles.
    """
    changed = feet.contact != feet.last_contact
    called_for = ref.foot_contact != last_ref.foot_contact
    wrong = feet.contact != ref.foot_contact
    return _count(changed & ~called_for & wrong & (step >= FIRST_SMOOTH_STEP))


@reward
def no_fly(feet: FeetState, ref: RefFrame) -> jax.Array:
    """1 while no foot touches the ground but one of the reference's does, a penalty.

    The original excuses a flight only while both feet of the reference are down, so
    that it punishes every jump of the reference.
    """
    flies = ~jnp.any(feet.contact)
    return (flies & jnp.any(ref.foot_contact)).astype(jnp.float32)


@reward
def gait_contact(feet: FeetState, time_s: jax.Array, cfg: Gait) -> jax.Array:
    """Number of feet (0 to 2) that are down exactly when a clock says so.

    The clock runs from 0 to 1 in every period, the right foot's ahead by the offset; a
    foot should be down in the first part of it, the stance.
    """
    clock = jnp.mod(time_s / cfg.period_s + jnp.array([0.0, cfg.offset]), 1.0)
    return _count(feet.contact == (clock < cfg.stance))


@reward("m/s")
def contact_no_vel(robot: RobotState, facts: Facts) -> jax.Array:
    """Speed of each foot that bears more than 1 N, summed: sliding, a penalty."""
    force = jnp.linalg.norm(robot.contact_force_w[facts.foot_contacts], axis=-1)
    speed = jnp.linalg.norm(robot.body_lin_vel_w[facts.feet], axis=-1)
    return jnp.sum(jnp.where(force > CONTACT_THRESHOLD_N, speed, 0.0))


@reward("s")
def feet_air_time(feet: FeetState, cfg: AirTime) -> jax.Array:
    """(air time - target) in seconds, for each foot at its touch-down.

    The original multiplies this by a random velocity command's being large, which the
    policy can not see; here there is no such gate.
    """
    return jnp.sum(jnp.where(feet.touchdown, feet.air_time_s - cfg.target_s, 0.0))


@reward("m")
def feet_max_height_for_this_air(feet: FeetState, cfg: Height) -> jax.Array:
    """Metres by which a flight's peak misses the target, at its touch-down, a penalty.

    In the original this term and `feet_air_time` write to one contact buffer and spoil
    each other; here each flight's peak is kept on its own.
    """
    missing = jnp.maximum(cfg.target_m - feet.peak_m, 0.0)
    return jnp.sum(jnp.where(feet.touchdown, missing, 0.0))


@reward("m^2")
def feet_swing_height(
    robot: RobotState, feet: FeetState, ground: Ground, facts: Facts, cfg: Height
) -> jax.Array:
    """(height above the ground - target)^2 of each foot in the air, summed, a penalty.

    The original adds the target itself for each foot on the ground; here those are
    left out.
    """
    pos_w = robot.body_pos_w[facts.feet]
    error = pos_w[:, 2] - ground.height_at(pos_w[:, :2]) - cfg.target_m
    return jnp.sum(jnp.where(feet.contact, 0.0, jnp.square(error)))


@reward
def feet_orientation(robot: RobotState, facts: Facts, cfg: Tracking) -> jax.Array:
    """Kernel of the summed |heading of a foot - heading of the pelvis| (rad); 0 to 1.

    The original does not wrap the differences, so that walking towards -x costs a
    turn.
    """
    headings = rot.heading(robot.body_quat_w[facts.feet])
    difference = rot.wrap_angle(headings - rot.heading(robot.root_quat_w))
    return kernel(jnp.square(jnp.sum(jnp.abs(difference))), cfg)


@reward
def stumble(robot: RobotState, facts: Facts) -> jax.Array:
    """1 while a foot is pushed sideways more than 5 times as hard as up, a penalty.

    Pushes of up to 1 N do not count.
    """
    force_w = robot.contact_force_w[facts.foot_contacts]
    sideways = jnp.linalg.norm(force_w[:, :2], axis=-1)
    hits = sideways > STUMBLE_RATIO * jnp.abs(force_w[:, 2])
    return jnp.any(hits & (sideways > CONTACT_THRESHOLD_N)).astype(jnp.float32)


@reward("N")
def feet_contact_forces(robot: RobotState, facts: Facts, cfg: Force) -> jax.Array:
    """Newtons above the threshold in each foot's contact force, summed, a penalty."""
    force = jnp.linalg.norm(robot.contact_force_w[facts.foot_contacts], axis=-1)
    return jnp.sum(jnp.maximum(force - cfg.threshold_n, 0.0))


def _count(which: jax.Array) -> jax.Array:
    return jnp.sum(which).astype(jnp.float32)
