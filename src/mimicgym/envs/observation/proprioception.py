"""Terms of the robot itself, wherever its reference is."""

import jax
import jax.numpy as jnp

from mimicgym import rotations as rot
from mimicgym.envs.mirror import AXIAL, OPPOSITE, PLANE, VECTOR, all_joints
from mimicgym.envs.observation.registry import observation
from mimicgym.envs.terms import Facts
from mimicgym.physics import RobotState

GRAVITY_W = (0.0, 0.0, -1.0)


@observation("m/s", mirror=VECTOR)
def base_lin_vel(robot: RobotState) -> jax.Array:
    """(3,) m/s: velocity of the pelvis in its own frame."""
    return rot.quat_rotate_inverse(robot.root_quat_w, robot.root_lin_vel_w)


@observation("rad/s", mirror=AXIAL)
def base_ang_vel(robot: RobotState) -> jax.Array:
    """(3,) rad/s: angular velocity of the pelvis in its own frame."""
    return rot.quat_rotate_inverse(robot.root_quat_w, robot.root_ang_vel_w)


@observation(mirror=VECTOR)
def projected_gravity(robot: RobotState) -> jax.Array:
    """(3,) direction of gravity in the pelvis frame."""
    return rot.quat_rotate_inverse(robot.root_quat_w, jnp.array(GRAVITY_W))


@observation("rad", mirror=all_joints)
def joint_pos(robot: RobotState, facts: Facts) -> jax.Array:
    """(J,) rad: joint positions from the default pose."""
    return robot.joint_pos - facts.default_pose_rad


@observation("rad/s", mirror=all_joints)
def joint_vel(robot: RobotState) -> jax.Array:
    """(J,) rad/s: joint velocities."""
    return robot.joint_vel


@observation(mirror=all_joints)
def last_action(action: jax.Array) -> jax.Array:
    """(A,) filtered action that led to this state: the last one, for a policy."""
    return action


@observation("m", mirror=PLANE)
def torso_xy(robot: RobotState, facts: Facts) -> jax.Array:
    """(2,) m: where the torso is, along world axes."""
    return robot.body_pos_w[facts.torso, :2]


@observation("rad", mirror=OPPOSITE)
def torso_yaw(robot: RobotState, facts: Facts) -> jax.Array:
    """(1,) rad: heading of the torso in the world."""
    return rot.heading(robot.body_quat_w[facts.torso])[None]
