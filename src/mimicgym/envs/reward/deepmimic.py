"""The four imitation terms of DeepMimic (Peng et al. 2018, section 5.1), 0 to 1.

K stands for the kernel of the term's configuration, a function of the error e; the
paper's is gaussian, exp(-scale e^2), and the sum that is given is e^2. Its weights are
0.65, 0.1, 0.15 and 0.1 in the order below.
"""

import jax
import jax.numpy as jnp

from mimicgym.envs.config import Tracking
from mimicgym.envs.reward.base import kernel, reward
from mimicgym.envs.terms import Facts
from mimicgym.physics import RobotState
from mimicgym.reference import RefFrame


@reward
def pose(robot: RobotState, ref: RefFrame, cfg: Tracking) -> jax.Array:
    """K(sum of squared joint rotations to the reference) (rad); 0 to 1.

    The paper's joints are balls and it takes the angle of the quaternion between two
    rotations; for a hinge that is the difference of two angles.
    """
    return kernel(jnp.sum(jnp.square(robot.joint_pos - ref.joint_pos)), cfg)


@reward
def velocity(robot: RobotState, ref: RefFrame, cfg: Tracking) -> jax.Array:
    """K(sum (qd - qd_ref)^2) over joints (rad/s); 0 to 1."""
    return kernel(jnp.sum(jnp.square(robot.joint_vel - ref.joint_vel)), cfg)


@reward
def end_effectors(
    robot: RobotState, ref: RefFrame, facts: Facts, cfg: Tracking
) -> jax.Array:
    """K(sum |p - p_ref|^2) over hands and feet, in the world (m); 0 to 1."""
    rows = facts.end_effectors
    return kernel(
        jnp.sum(jnp.square(robot.body_pos_w[rows] - ref.body_pos_w[rows])), cfg
    )


@reward
def center_of_mass(robot: RobotState, ref: RefFrame, cfg: Tracking) -> jax.Array:
    """K(|c - c_ref|^2) of the whole robot's centre of mass (m); 0 to 1."""
    return kernel(jnp.sum(jnp.square(robot.com_pos_w - ref.com_pos_w)), cfg)
