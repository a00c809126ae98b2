"""Terms of the reference: what the robot should do, alone or seen from the robot."""

import jax
import jax.numpy as jnp

from mimicgym import rotations as rot
from mimicgym.envs.mirror import (
    AXIAL,
    COLUMNS,
    OPPOSITE,
    PLANE,
    SAME,
    VECTOR,
    all_joints,
    each_future_frame,
    from_anchor,
    in_turn,
    upper_body,
)
from mimicgym.envs.observation.registry import observation
from mimicgym.envs.terms import Facts
from mimicgym.physics import RobotState
from mimicgym.reference import RefFrame


@observation("m", mirror=PLANE)
def torso_xy_rel(robot: RobotState, ref: RefFrame, facts: Facts) -> jax.Array:
    """(2,) m: from the torso to its reference, in the torso's heading frame."""
    offset_w = ref.body_pos_w[facts.torso] - robot.body_pos_w[facts.torso]
    heading = rot.heading_quat(robot.body_quat_w[facts.torso])
    return rot.quat_rotate_inverse(heading, offset_w)[:2]


@observation("rad", mirror=OPPOSITE)
def torso_yaw_rel(robot: RobotState, ref: RefFrame, facts: Facts) -> jax.Array:
    """(1,) rad: heading of the reference torso minus the torso's, wrapped."""
    difference = rot.heading(ref.body_quat_w[facts.torso]) - rot.heading(
        robot.body_quat_w[facts.torso]
    )
    return rot.wrap_angle(difference)[None]


@observation("rad", mirror=all_joints)
def target_joints(ref: RefFrame, facts: Facts) -> jax.Array:
    """(J,) rad: reference joint positions from the default pose."""
    return ref.joint_pos - facts.default_pose_rad


@observation("rad/s", mirror=all_joints)
def target_joint_vel(ref: RefFrame) -> jax.Array:
    """(J,) rad/s: reference joint velocities."""
    return ref.joint_vel


@observation("rad", mirror=OPPOSITE)
def target_root_roll(ref: RefFrame) -> jax.Array:
    """(1,) rad: roll of the reference pelvis."""
    return rot.quat_to_euler_xyz(ref.root_quat_w)[0:1]


@observation("rad", mirror=SAME)
def target_root_pitch(ref: RefFrame) -> jax.Array:
    """(1,) rad: pitch of the reference pelvis."""
    return rot.quat_to_euler_xyz(ref.root_quat_w)[1:2]


@observation("rad", mirror=OPPOSITE)
def target_root_yaw(ref: RefFrame) -> jax.Array:
    """(1,) rad: yaw of the reference pelvis in the world."""
    return rot.quat_to_euler_xyz(ref.root_quat_w)[2:3]


@observation("rad", mirror=upper_body)
def upper_body_joint_targets(ref: RefFrame, facts: Facts) -> jax.Array:
    """(11,) rad: `target_joints` of waist, shoulders and elbows."""
    return target_joints(ref, facts)[facts.upper_body_joints]


@observation(mirror=in_turn(SAME, SAME))
def phase(phase: jax.Array) -> jax.Array:
    """(2,) sine and cosine of the share of the clip that has passed."""
    angle = 2 * jnp.pi * phase
    return jnp.stack([jnp.sin(angle), jnp.cos(angle)])


@observation("m/s", mirror=VECTOR)
def target_lin_vel(robot: RobotState, next_ref: RefFrame) -> jax.Array:
    """(3,) m/s: velocity of the next reference pelvis, in the pelvis heading frame."""
    heading = rot.heading_quat(robot.root_quat_w)
    return rot.quat_rotate_inverse(heading, next_ref.root_lin_vel_w)


@observation("rad/s", mirror=AXIAL)
def target_ang_vel(robot: RobotState, next_ref: RefFrame) -> jax.Array:
    """(3,) rad/s: that of the next reference pelvis, in the pelvis heading frame."""
    heading = rot.heading_quat(robot.root_quat_w)
    return rot.quat_rotate_inverse(heading, next_ref.root_ang_vel_w)


@observation("m", mirror=from_anchor(VECTOR))
def anchor_pos_b(robot: RobotState, ref: RefFrame, facts: Facts) -> jax.Array:
    """(3,) m: from the anchor body to its reference, in the anchor's frame."""
    offset_w = ref.body_pos_w[facts.anchor] - robot.body_pos_w[facts.anchor]
    return rot.quat_rotate_inverse(robot.body_quat_w[facts.anchor], offset_w)


@observation(mirror=from_anchor(COLUMNS))
def anchor_ori_b(robot: RobotState, ref: RefFrame, facts: Facts) -> jax.Array:
    """(6,) rotation from the anchor body to its reference, in the anchor's frame, as
    the first two columns of its matrix, row by row."""
    anchor_inverse = rot.quat_conj(robot.body_quat_w[facts.anchor])
    return rot.quat_to_6d(rot.quat_mul(anchor_inverse, ref.body_quat_w[facts.anchor]))


@observation("m, rad", mirror=each_future_frame(in_turn(VECTOR, COLUMNS, all_joints)))
def future_frames(robot: RobotState, future_refs: RefFrame, facts: Facts) -> jax.Array:
    """(K * (9 + J),) the K reference frames of observation.future_steps in turn.

    Of each: from the pelvis to its reference in m, in the pelvis heading frame (3);
    rotation from the pelvis to its reference, in the pelvis frame, as two columns of
    its matrix (6); joint positions from the default pose in rad (J).
    """
    heading = rot.heading_quat(robot.root_quat_w)
    offset = rot.quat_rotate_inverse(heading, future_refs.root_pos_w - robot.root_pos_w)
    turn = rot.quat_mul(rot.quat_conj(robot.root_quat_w), future_refs.root_quat_w)
    joints = future_refs.joint_pos - facts.default_pose_rad
    return jnp.concatenate([offset, rot.quat_to_6d(turn), joints], axis=-1).ravel()
