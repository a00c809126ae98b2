"""VideoMimic's terms for how the robot moves, whatever the reference does.

But for `alive` they are penalties: values of 0 and more, for negative weights.
"""

import jax
import jax.numpy as jnp

from mimicgym import rotations as rot
from mimicgym.envs.config import Height, Limit
from mimicgym.envs.ground import Ground
from mimicgym.envs.reward.base import reward
from mimicgym.envs.terms import Facts
from mimicgym.physics import RobotState
from mimicgym.reference import RefFrame

STANDING_M_S = 0.1
MOST_SPEED_EXCESS_RAD_S = 1.0


@reward
def alive() -> jax.Array:
    """1 in every step."""
    return jnp.ones(())


@reward
def action_rate(action: jax.Array, last_action: jax.Array) -> jax.Array:
    """Sum of squared changes of the filtered action."""
    return jnp.sum(jnp.square(action - last_action))


@reward
def action_accel(
    action: jax.Array, last_action: jax.Array, last_last_action: jax.Array
) -> jax.Array:
    """Sum of squared second differences of the filtered action."""
    return jnp.sum(jnp.square(action - 2.0 * last_action + last_last_action))


@reward
def ankle_action(action: jax.Array, facts: Facts) -> jax.Array:
    """Sum of the four ankle joints' squared actions."""
    return jnp.sum(jnp.square(action[facts.ankle_joints]))


@reward("rad")
def dof_pos_limits(robot: RobotState, facts: Facts) -> jax.Array:
    """Radians beyond the soft joint limits, summed over joints."""
    below = jnp.maximum(facts.joint_lower_rad - robot.joint_pos, 0.0)
    above = jnp.maximum(robot.joint_pos - facts.joint_upper_rad, 0.0)
    return jnp.sum(below + above)


@reward("rad/s")
def dof_vel_limits(robot: RobotState, facts: Facts, cfg: Limit) -> jax.Array:
    """rad/s beyond that share of the motors' speed limits, summed over joints.

    A joint's excess counts up to 1 rad/s, so that one wild joint does not drown all
    else.
    """
    excess = jnp.abs(robot.joint_vel) - cfg.share * facts.speed_limit_rad_s
    return jnp.sum(jnp.clip(excess, 0.0, MOST_SPEED_EXCESS_RAD_S))


@reward("N m")
def torque_limits(robot: RobotState, facts: Facts, cfg: Limit) -> jax.Array:
    """N m beyond that share of the effort limits, summed over joints.

    The motors' torques end at the limits, so only a share below 1 tells anything.
    """
    excess = jnp.abs(robot.joint_torque) - cfg.share * facts.effort_nm
    return jnp.sum(jnp.maximum(excess, 0.0))


@reward("W^2")
def energy(robot: RobotState) -> jax.Array:
    """Sum of squared joint powers, (torque * velocity)^2."""
    return jnp.sum(jnp.square(robot.joint_torque * robot.joint_vel))


@reward("(N m)^2")
def torques(robot: RobotState) -> jax.Array:
    """Sum of squared joint torques."""
    return jnp.sum(jnp.square(robot.joint_torque))


@reward("(rad/s)^2")
def dof_vel(robot: RobotState) -> jax.Array:
    """Sum of squared joint velocities."""
    return jnp.sum(jnp.square(robot.joint_vel))


@reward("(rad/s^2)^2")
def dof_acc(robot: RobotState, last_joint_vel: jax.Array, dt_s: float) -> jax.Array:
    """Sum of squared joint accelerations, from velocities one control step apart."""
    return jnp.sum(jnp.square((robot.joint_vel - last_joint_vel) / dt_s))


@reward("rad^2")
def hip_pos(robot: RobotState, facts: Facts) -> jax.Array:
    """Sum of the hips' squared roll and yaw angles."""
    return jnp.sum(jnp.square(robot.joint_pos[facts.hip_side_joints]))


@reward("(m/s)^2")
def lin_vel_z(robot: RobotState) -> jax.Array:
    """Squared velocity of the pelvis along its own z axis."""
    return jnp.square(_to_pelvis(robot, robot.root_lin_vel_w)[2])


@reward("(rad/s)^2")
def ang_vel_xy(robot: RobotState) -> jax.Array:
    """Squared angular velocities of the pelvis about its own x and y axes, summed."""
    return jnp.sum(jnp.square(_to_pelvis(robot, robot.root_ang_vel_w)[:2]))


@reward
def orientation(robot: RobotState) -> jax.Array:
    """Squared sine of the pelvis' tilt from upright; 0 to 1."""
    up = _to_pelvis(robot, jnp.array([0.0, 0.0, 1.0]))
    return jnp.sum(jnp.square(up[:2]))


@reward("m^2")
def base_height(robot: RobotState, ground: Ground, cfg: Height) -> jax.Array:
    """(height of the pelvis above the ground right below it - target)^2."""
    pos_w = robot.root_pos_w
    return jnp.square(pos_w[2] - ground.height_at(pos_w[:2]) - cfg.target_m)


@reward("rad")
def stand_still(robot: RobotState, ref: RefFrame, facts: Facts) -> jax.Array:
    """Sum of |q - q_default| while the reference's pelvis is slower than 0.1 m/s.

    In the original it is a random command, hidden from the policy, that has to be
    small.
    """
    stands = jnp.linalg.norm(ref.root_lin_vel_w) < STANDING_M_S
    distance = jnp.sum(jnp.abs(robot.joint_pos - facts.default_pose_rad))
    return jnp.where(stands, distance, 0.0)


def _to_pelvis(robot: RobotState, vector_w: jax.Array) -> jax.Array:
    return rot.quat_rotate_inverse(robot.root_quat_w, vector_w)
