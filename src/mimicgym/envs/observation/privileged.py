"""Terms of what no robot can sense, for value functions and teachers."""

import jax
import jax.numpy as jnp

from mimicgym import rotations as rot
from mimicgym.envs.ground import Ground
from mimicgym.envs.mirror import (
    COLUMNS,
    QUATERNION,
    SAME,
    VECTOR,
    all_joints,
    each_foot,
    each_tracked_body,
    from_anchor,
    in_turn,
)
from mimicgym.envs.observation.registry import observation
from mimicgym.envs.terms import Facts, FeetState
from mimicgym.physics import RobotState
from mimicgym.reference import RefFrame


@observation("m", mirror=SAME)
def root_height(robot: RobotState, ground: Ground) -> jax.Array:
    """(1,) m: height of the pelvis above the ground right below it."""
    return robot.root_pos_w[2:3] - ground.height_at(robot.root_pos_w[None, :2])


@observation("m", mirror=from_anchor(each_tracked_body(VECTOR)))
def body_pos_b(robot: RobotState, facts: Facts) -> jax.Array:
    """(3 L,) m: tracked bodies of the robot in its anchor's frame."""
    offset_w = robot.body_pos_w[facts.tracked] - robot.body_pos_w[facts.anchor]
    anchor = robot.body_quat_w[facts.anchor]
    return rot.quat_rotate_inverse(anchor, offset_w).ravel()


@observation(mirror=from_anchor(each_tracked_body(COLUMNS)))
def body_ori_b(robot: RobotState, facts: Facts) -> jax.Array:
    """(6 L,) rotations of tracked bodies of the robot in its anchor's frame, each as
    the first two columns of its matrix, row by row."""
    anchor_inverse = rot.quat_conj(robot.body_quat_w[facts.anchor])
    turn = rot.quat_mul(anchor_inverse, robot.body_quat_w[facts.tracked])
    return rot.quat_to_6d(turn).ravel()


@observation(mirror=each_foot(SAME))
def foot_contacts(feet: FeetState) -> jax.Array:
    """(2,) 1 for the left and the right foot if it touches the floor, else 0."""
    return feet.contact.astype(jnp.float32)


@observation(mirror=SAME)
def teacher_checkpoint_index(teacher: jax.Array) -> jax.Array:
    """(1,) index of the clip's teacher; -1 for none."""
    return teacher.astype(jnp.float32)[None]


@observation(
    "m, rad, m/s",
    mirror=in_turn(
        each_tracked_body(SAME),
        QUATERNION,
        VECTOR,
        all_joints,
        each_tracked_body(VECTOR),
        each_tracked_body(VECTOR),
        each_foot(SAME),
        each_foot(SAME),
        each_foot(SAME),
        each_foot(SAME),
    ),
)
def deepmimic(
    robot: RobotState, next_ref: RefFrame, feet: FeetState, facts: Facts, ground: Ground
) -> jax.Array:
    """The privileged view of the next reference frame, in the pelvis heading frame.

    In order: heights of the L tracked bodies above the ground; rotation from the
    pelvis to its reference (4, along world axes, of the sign with w >= 0); root offset
    (3); joint offsets (J); body offsets (3 L); body velocities (3 L); contacts measured
    (2), of the reference (2), measured one step before (2), and changed against the
    reference (2): 129 with 23 joints and 13 bodies. The last two pairs are always 0 in
    the original, whose buffers had moved on before it observed; here they say what
    their names say.
    """
    heading = rot.heading_quat(robot.root_quat_w)

    def local(vector_w: jax.Array) -> jax.Array:
        return rot.quat_rotate_inverse(heading, vector_w)

    body_pos_w = robot.body_pos_w[facts.tracked]
    turn = rot.quat_mul(next_ref.root_quat_w, rot.quat_conj(robot.root_quat_w))
    turn = jnp.where(turn[0] < 0, -turn, turn)
    changed = (feet.contact != feet.last_contact) & (
        feet.contact != next_ref.foot_contact
    )
    return jnp.concatenate(
        [
            body_pos_w[:, 2] - ground.height_at(body_pos_w[:, :2]),
            turn,
            local(next_ref.root_pos_w - robot.root_pos_w),
            next_ref.joint_pos - robot.joint_pos,
            local(next_ref.body_pos_w[facts.tracked] - body_pos_w).ravel(),
            local(robot.body_lin_vel_w[facts.tracked]).ravel(),
            feet.contact.astype(jnp.float32),
            next_ref.foot_contact.astype(jnp.float32),
            feet.last_contact.astype(jnp.float32),
            changed.astype(jnp.float32),
        ]
    )
