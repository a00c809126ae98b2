"""The reference as seen from where the robot is (BeyondMimic's relative targets)."""

import jax
import jax.numpy as jnp

from mimicgym import rotations as rot
from mimicgym.envs.terms import Facts
from mimicgym.physics import RobotState
from mimicgym.reference import RefFrame


def relative_reference(
    robot: RobotState, ref: RefFrame, facts: Facts
) -> tuple[jax.Array, jax.Array]:
    """(L, 3) m and (L, 4): poses of the tracked reference bodies about the robot.

    The reference is turned about the vertical by the heading of the rotation from its
    anchor to the robot's, and moved so that the anchors agree in x and y. Its heights
    stay, so that drift and heading do not count but a wrong height does.
    """
    robot_pos_w = robot.body_pos_w[facts.anchor]
    ref_pos_w = ref.body_pos_w[facts.anchor]
    between = rot.quat_mul(
        robot.body_quat_w[facts.anchor], rot.quat_conj(ref.body_quat_w[facts.anchor])
    )
    turn = rot.heading_quat(between)
    origin_w = jnp.concatenate([robot_pos_w[:2], ref_pos_w[2:]])
    arm_w = ref.body_pos_w[facts.tracked] - ref_pos_w
    pos_w = origin_w + rot.quat_rotate(turn, arm_w)
    return pos_w, rot.quat_mul(turn, ref.body_quat_w[facts.tracked])
