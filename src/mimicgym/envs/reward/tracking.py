"""VideoMimic's terms for being where the reference is. All are 0 to 1.

K stands for the kernel of the term's configuration, a function of the error e: where a
sum of squares is given, that sum is e^2.
"""

import jax
import jax.numpy as jnp

from mimicgym import rotations as rot
from mimicgym.envs.config import Tracking
from mimicgym.envs.reward.base import kernel, reward
from mimicgym.envs.terms import Facts, link_pos_error_w
from mimicgym.physics import RobotState
from mimicgym.reference import RefFrame


@reward
def joint_pos_tracking(robot: RobotState, ref: RefFrame, cfg: Tracking) -> jax.Array:
    """K(sum (q - q_ref)^2) over joints (rad); 0 to 1."""
    return kernel(jnp.sum(jnp.square(robot.joint_pos - ref.joint_pos)), cfg)


@reward
def joint_vel_tracking(robot: RobotState, ref: RefFrame, cfg: Tracking) -> jax.Array:
    """K(sum (qd - qd_ref)^2) over joints (rad/s); 0 to 1."""
    return kernel(jnp.sum(jnp.square(robot.joint_vel - ref.joint_vel)), cfg)


@reward
def link_pos_tracking(
    robot: RobotState, ref: RefFrame, facts: Facts, cfg: Tracking
) -> jax.Array:
    """K(sum |p - p_ref|^2) over the tracked bodies (m; a sum, no mean); 0 to 1."""
    return kernel(jnp.sum(jnp.square(link_pos_error_w(robot, ref, facts))), cfg)


@reward
def link_vel_tracking(
    robot: RobotState, ref: RefFrame, facts: Facts, cfg: Tracking
) -> jax.Array:
    """K(sum |v - v_ref|^2) over the tracked bodies (m/s; a sum, no mean); 0 to 1."""
    error = robot.body_lin_vel_w[facts.tracked] - ref.body_lin_vel_w[facts.tracked]
    return kernel(jnp.sum(jnp.square(error)), cfg)


@reward
def torso_pos_tracking(
    robot: RobotState, ref: RefFrame, facts: Facts, cfg: Tracking
) -> jax.Array:
    """K(|p - p_ref|^2) of the torso (m); 0 to 1."""
    error = robot.body_pos_w[facts.torso] - ref.body_pos_w[facts.torso]
    return kernel(jnp.sum(jnp.square(error)), cfg)


@reward
def torso_orientation_tracking(
    robot: RobotState, ref: RefFrame, facts: Facts, cfg: Tracking
) -> jax.Array:
    """K of the angle between the torso and its reference (rad); 0 to 1."""
    angle = rot.quat_angle(robot.body_quat_w[facts.torso], ref.body_quat_w[facts.torso])
    return kernel(jnp.square(angle), cfg)


@reward
def root_orientation_tracking(
    robot: RobotState, ref: RefFrame, cfg: Tracking
) -> jax.Array:
    """K of the angle between the pelvis and its reference (rad); 0 to 1."""
    return kernel(jnp.square(rot.quat_angle(robot.root_quat_w, ref.root_quat_w)), cfg)


@reward
def root_pos_tracking(robot: RobotState, ref: RefFrame, cfg: Tracking) -> jax.Array:
    """K(|p - p_ref|^2) of the pelvis (m); 0 to 1."""
    return kernel(jnp.sum(jnp.square(robot.root_pos_w - ref.root_pos_w)), cfg)


@reward
def root_vel_tracking(robot: RobotState, ref: RefFrame, cfg: Tracking) -> jax.Array:
    """K(|v - v_ref|^2) of the pelvis (m/s); 0 to 1."""
    return kernel(jnp.sum(jnp.square(robot.root_lin_vel_w - ref.root_lin_vel_w)), cfg)


@reward
def root_ang_vel_tracking(robot: RobotState, ref: RefFrame, cfg: Tracking) -> jax.Array:
    """K(|w - w_ref|^2) of the pelvis' angular velocity (rad/s); 0 to 1."""
    return kernel(jnp.sum(jnp.square(robot.root_ang_vel_w - ref.root_ang_vel_w)), cfg)


@reward
def tracking_lin_vel(robot: RobotState, ref: RefFrame, cfg: Tracking) -> jax.Array:
    """K(|v_xy - v_ref_xy|^2), each pelvis in its own heading frame (m/s); 0 to 1.

    In the original the command is random and hidden from the policy; here it is the
    reference's velocity.
    """
    error = _forward_and_left(robot) - _forward_and_left(ref)
    return kernel(jnp.sum(jnp.square(error)), cfg)


@reward
def tracking_ang_vel(robot: RobotState, ref: RefFrame, cfg: Tracking) -> jax.Array:
    """K of the difference between the pelvis' yaw rate and its reference; 0 to 1.

    In the original the command is random and hidden from the policy; here it is the
    reference's rate. Both are about the vertical, in rad/s.
    """
    return kernel(jnp.square(robot.root_ang_vel_w[2] - ref.root_ang_vel_w[2]), cfg)


def _forward_and_left(body: RobotState | RefFrame) -> jax.Array:
    """(2,) m/s: the pelvis' velocity along its heading and to the left of it."""
    heading = rot.heading_quat(body.root_quat_w)
    return rot.quat_rotate_inverse(heading, body.root_lin_vel_w)[:2]
