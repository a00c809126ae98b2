"""BeyondMimic's tracking terms (HybridRobotics/whole_body_tracking). All are 0 to 1.

K stands for the kernel of the term's configuration, a function of the error e: where a
mean of squares is given, that mean is e^2. With K gaussian and a scale of 1 / sigma^2
they are the source's exp(-mean / sigma^2). The relative terms compare with the
reference brought to the robot's place and heading, see `envs.relative`.
"""

import jax
import jax.numpy as jnp

from mimicgym import rotations as rot
from mimicgym.envs.config import Tracking
from mimicgym.envs.relative import relative_reference
from mimicgym.envs.reward.base import kernel, reward
from mimicgym.envs.terms import Facts
from mimicgym.physics import RobotState
from mimicgym.reference import RefFrame


@reward
def anchor_pos(
    robot: RobotState, ref: RefFrame, facts: Facts, cfg: Tracking
) -> jax.Array:
    """K(|p - p_ref|^2) of the anchor (m); 0 to 1."""
    error = robot.body_pos_w[facts.anchor] - ref.body_pos_w[facts.anchor]
    return kernel(jnp.sum(jnp.square(error)), cfg)


@reward
def anchor_orientation(
    robot: RobotState, ref: RefFrame, facts: Facts, cfg: Tracking
) -> jax.Array:
    """K of the angle between the anchor and its reference (rad); 0 to 1."""
    angle = rot.quat_angle(
        robot.body_quat_w[facts.anchor], ref.body_quat_w[facts.anchor]
    )
    return kernel(jnp.square(angle), cfg)


@reward
def body_pos_relative(
    robot: RobotState, ref: RefFrame, facts: Facts, cfg: Tracking
) -> jax.Array:
    """K(mean |p - p_relative|^2) over the tracked bodies (m); 0 to 1."""
    target_w, _ = relative_reference(robot, ref, facts)
    return kernel(_mean_square(robot.body_pos_w[facts.tracked] - target_w), cfg)


@reward
def body_orientation_relative(
    robot: RobotState, ref: RefFrame, facts: Facts, cfg: Tracking
) -> jax.Array:
    """K(mean angle^2 to the relative reference) over the tracked bodies; 0 to 1."""
    _, target_w = relative_reference(robot, ref, facts)
    angle = rot.quat_angle(robot.body_quat_w[facts.tracked], target_w)
    return kernel(jnp.mean(jnp.square(angle)), cfg)


@reward
def body_lin_vel(
    robot: RobotState, ref: RefFrame, facts: Facts, cfg: Tracking
) -> jax.Array:
    """K(mean |v - v_ref|^2) over the tracked bodies (m/s, world axes); 0 to 1."""
    error = robot.body_lin_vel_w[facts.tracked] - ref.body_lin_vel_w[facts.tracked]
    return kernel(_mean_square(error), cfg)


@reward
def body_ang_vel(
    robot: RobotState, ref: RefFrame, facts: Facts, cfg: Tracking
) -> jax.Array:
    """K(mean |w - w_ref|^2) over the tracked bodies (rad/s, world axes); 0 to 1."""
    error = robot.body_ang_vel_w[facts.tracked] - ref.body_ang_vel_w[facts.tracked]
    return kernel(_mean_square(error), cfg)


def _mean_square(error: jax.Array) -> jax.Array:
    """The mean over rows of each row's squared length."""
    return jnp.mean(jnp.sum(jnp.square(error), axis=-1))
