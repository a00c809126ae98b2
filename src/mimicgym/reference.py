"""Motions made ready for a simulation: one long device array of frames.

Each clip is brought to the control rate and to the robot's joints. Velocities are
central differences of the resampled coordinates, and bodies get what MuJoCo's own
kinematics says of those positions and velocities: a simulation that is put into the
state of a frame reports exactly the frame.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from flax import struct

from mimicgym.errors import MotionError, UserError, unknown_name
from mimicgym.motion.clip import MIN_FRAMES, Motion, select_joints, validate
from mimicgym.motion.contacts import estimate_contact, floor_height_m
from mimicgym.motion.edit import align_to_ground
from mimicgym.motion.resample import resample
from mimicgym.motion.soles import above_ground
from mimicgym.motion.velocity import velocities
from mimicgym.robot import JOINTS_29, KEY_BODIES, RobotModel
from mimicgym.terrain.field import HeightField

GROUNDS = ("none", "constant", "per_frame")


@struct.dataclass
class RefFrame:
    """One frame, or F of them along a leading axis.

    Positions in m, quaternions wxyz, velocities in m/s and rad/s along world axes.
    Joints are the robot's, bodies its `key_bodies`; a body's velocity is that of its
    frame's origin.
    """

    root_pos_w: jax.Array  # (3,)
    root_quat_w: jax.Array  # (4,)
    root_lin_vel_w: jax.Array  # (3,)
    root_ang_vel_w: jax.Array  # (3,)
    joint_pos: jax.Array  # (J,)
    joint_vel: jax.Array  # (J,)
    body_pos_w: jax.Array  # (B, 3)
    body_quat_w: jax.Array  # (B, 4)
    body_lin_vel_w: jax.Array  # (B, 3)
    body_ang_vel_w: jax.Array  # (B, 3)
    com_pos_w: jax.Array  # (3,)
    foot_contact: jax.Array  # (2,) bool, left and right


@struct.dataclass
class Reference:
    """Clips one after the other.

    Attributes:
      frames: all frames, leading axis F.
      clip_start, clip_end: (C,) int32, a clip's frames are [start, end).
      clip_weight: (C,) how often each is drawn; they add up to 1.
      clip_teacher: (C,) int32, the teacher of each clip among `teachers`; -1 for none.
      clip_names: C names, each once.
      dt_s: time between frames.
      ground_offset_m: C heights that were added to put clips on the ground; with
        "per_frame", their means over the frames.
      filled_joints: for each clip the joints that it lacks and that are zero.
      teachers: names of the policies that know clips, each once.
    """

    frames: RefFrame
    clip_start: jax.Array
    clip_end: jax.Array
    clip_weight: jax.Array
    clip_teacher: jax.Array
    clip_names: tuple[str, ...] = struct.field(pytree_node=False)
    dt_s: float = struct.field(pytree_node=False)
    ground_offset_m: tuple[float, ...] = struct.field(pytree_node=False)
    filled_joints: tuple[tuple[str, ...], ...] = struct.field(pytree_node=False)
    teachers: tuple[str, ...] = struct.field(pytree_node=False)


def build_reference(
    motions: Sequence[Motion],
    robot_model: RobotModel,
    *,
    dt_s: float,
    ground: str | Sequence[str] = "none",
    weights: Sequence[float] | None = None,
    teachers: Sequence[str] | None = None,
    terrains: Sequence[HeightField | None] | None = None,
) -> Reference:
    """Resample, complete and concatenate clips.

    Args:
      motions: at least one. Those that hold the same arrays share their frames.
      robot_model: joints are matched with its robot's by name, wrists that a clip
        lacks are zero, joints that the robot lacks are left out.
      dt_s: time between frames, that of a control step.
      ground: "none" leaves heights alone; "constant" moves each clip as a whole so
        that its lowest sole point (its 2nd percentile over frames) is at z = 0;
        "per_frame" brings the lowest sole point of every frame with a foot on the
        ground there, for clips whose heights drift (see `align_to_ground`). One for
        all, or one for each clip.
      weights: one for each clip, equal if None.
      terrains: for each clip the ground it is on, from which feet's contacts are
        estimated; a plane by default.
      teachers: for each clip the name of the policy that knows it, "" for none.

    Raises:
      MotionError: a clip that can not be used, or lasts less than 3 frames.
      UserError: no clips, an unknown `ground`, unusable weights or `dt_s`.
    """
    if not motions:
        raise UserError("no motions; give at least one")
    if not (math.isfinite(dt_s) and dt_s > 0):
        raise UserError(f"dt_s is {dt_s:g}; it must be a positive number of seconds")
    grounds = [ground] * len(motions) if isinstance(ground, str) else list(ground)
    if len(grounds) != len(motions):
        raise UserError(
            f"{len(grounds)} grounds for {len(motions)} clips; give one each"
        )
    for mode in grounds:
        if mode not in GROUNDS:
            raise unknown_name("ground", mode, GROUNDS)
    clip_weight = _weights(weights, len(motions))
    named = list(teachers or [""] * len(motions))
    if len(named) != len(motions):
        raise UserError(
            f"{len(named)} teachers for {len(motions)} clips; give one each"
        )
    known = tuple(dict.fromkeys(name for name in named if name))
    parts, offsets, filled, spans = [], [], [], {}
    total = 0
    under = list(terrains or [None] * len(motions))
    for motion, mode, terrain in zip(motions, grounds, under, strict=True):
        content = *_content(motion), mode, id(terrain)
        if content in spans:  # the same frames, under another name or weight
            first = spans[content][2]
            offsets.append(offsets[first])
            filled.append(filled[first])
            continue
        clip, missing = select_joints(validate(motion), robot_model.robot.joint_names)
        frames, offset_m = _frames(clip, robot_model, dt_s, mode, terrain)
        length = len(frames.root_pos_w)
        spans[content] = total, total + length, len(offsets)
        total += length
        parts.append(frames)
        offsets.append(offset_m)
        filled.append(missing)
    found = [
        spans[(*_content(motion), mode, id(terrain))]
        for motion, mode, terrain in zip(motions, grounds, under, strict=True)
    ]
    starts, ends = [span[0] for span in found], [span[1] for span in found]
    return Reference(
        frames=jax.tree.map(lambda *x: jnp.asarray(np.concatenate(x)), *parts),
        clip_start=jnp.asarray(starts, jnp.int32),
        clip_end=jnp.asarray(ends, jnp.int32),
        clip_weight=jnp.asarray(clip_weight, jnp.float32),
        clip_teacher=jnp.asarray(
            [known.index(name) if name else -1 for name in named], jnp.int32
        ),
        clip_names=_distinct([motion.name for motion in motions]),
        dt_s=float(dt_s),
        ground_offset_m=tuple(offsets),
        filled_joints=tuple(filled),
        teachers=known,
    )


def _content(motion: Motion) -> tuple[int, float, tuple[str, ...], int]:
    """Equal for motions that are one clip under several names."""
    contact = id(motion.foot_contact)
    return id(motion.qpos), motion.fps, motion.joint_names, contact


def reference_megabytes(duration_s: float, dt_s: float) -> float:
    """About how much memory (10^6 bytes) clips of that length take on the device."""
    bodies, joints = len(KEY_BODIES), len(JOINTS_29)
    numbers = 16 + 2 * joints + 13 * bodies
    return duration_s / dt_s * (4 * numbers + 2) / 1e6


def ref_frame(ref: Reference, index: jax.Array) -> RefFrame:
    """The frame at a global index (); with indices (N,), N frames."""
    return jax.tree.map(lambda x: x[index], ref.frames)


def _frames(
    motion: Motion,
    model: RobotModel,
    dt_s: float,
    ground: str,
    terrain: HeightField | None,
) -> tuple[RefFrame, float]:
    """All frames of one clip in NumPy float32, and how far it was lifted."""
    offset_m = 0.0
    if ground == "per_frame":
        lifted = align_to_ground(motion, ground)
        offset_m = float(np.mean(lifted.qpos[:, 2] - motion.qpos[:, 2]))
        motion = lifted
    clip = resample(motion, dt_s)
    if clip.num_frames < MIN_FRAMES:
        raise MotionError(
            f"{motion.path or motion.name}: {motion.duration_s:.3g} s give "
            f"{clip.num_frames} frames of {dt_s:g} s; at least {MIN_FRAMES} are needed"
        )
    qvel, root_ang_vel_w = velocities(clip.qpos, dt_s)
    bodies, soles_w = _kinematics(model, clip.qpos, qvel)
    if ground == "constant":
        offset_m = -floor_height_m(soles_w)
        for positions_w in (
            clip.qpos,
            bodies["body_pos_w"],
            bodies["com_pos_w"],
            soles_w,
        ):
            positions_w[..., 2] += offset_m
    contact = clip.foot_contact
    if contact is None:
        feet = model.robot.body_index(*model.robot.foot_bodies)
        tilt_xy = bodies["body_quat_w"][:, feet, 1:3]
        foot_up = 1.0 - 2.0 * np.sum(tilt_xy**2, axis=-1)
        contact = estimate_contact(above_ground(soles_w, terrain), foot_up, dt_s)
    arrays = {
        "root_pos_w": clip.qpos[:, :3],
        "root_quat_w": clip.qpos[:, 3:7],
        "root_lin_vel_w": qvel[:, :3],
        "root_ang_vel_w": root_ang_vel_w,
        "joint_pos": clip.qpos[:, 7:],
        "joint_vel": qvel[:, 6:],
    } | bodies
    frames = {name: jnp.asarray(array, jnp.float32) for name, array in arrays.items()}
    return RefFrame(**frames, foot_contact=jnp.asarray(contact)), offset_m


def _kinematics(
    model: RobotModel, qpos: np.ndarray, qvel: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The key bodies' `RefFrame` fields, and (T, 2, P, 3) the soles' lowest points."""
    mj, ids = model.mj, model.key_body_ids
    data = mujoco.MjData(mj)
    root = int(mj.body_rootid[ids[0]])
    geoms = _sole_geoms(model)
    num_frames, num_bodies = len(qpos), len(ids)
    pos_w = np.empty((num_frames, num_bodies, 3))
    quat_w = np.empty((num_frames, num_bodies, 4))
    vel_com_w = np.empty((num_frames, num_bodies, 6))
    com_w = np.empty((num_frames, 1, 3))
    soles_w = np.empty((num_frames, *geoms.shape, 3))
    for i in range(num_frames):
        data.qpos[:] = qpos[i]
        data.qvel[:] = qvel[i]
        mujoco.mj_kinematics(mj, data)
        mujoco.mj_comPos(mj, data)
        mujoco.mj_comVel(mj, data)
        pos_w[i] = data.xpos[ids]
        quat_w[i] = data.xquat[ids]
        vel_com_w[i] = data.cvel[ids]
        com_w[i] = data.subtree_com[root]
        soles_w[i] = data.geom_xpos[geoms]
    soles_w[..., 2] -= mj.geom_size[geoms, 0]
    # MuJoCo's cvel is angular velocity, then the velocity of the point of the body
    # that is at the robot's centre of mass.
    ang_vel_w = vel_com_w[..., :3]
    lin_vel_w = vel_com_w[..., 3:] + np.cross(ang_vel_w, pos_w - com_w)
    bodies = {
        "body_pos_w": pos_w,
        "body_quat_w": quat_w,
        "body_lin_vel_w": lin_vel_w,
        "body_ang_vel_w": ang_vel_w,
        "com_pos_w": com_w[:, 0],
    }
    return bodies, soles_w


def _sole_geoms(model: RobotModel) -> np.ndarray:
    """(2, P) ids of the spheres under the left and the right foot."""
    geoms = [model.mj.geom(name) for name in model.robot.foot_geoms]
    feet = [model.mj.body(name).id for name in model.robot.foot_bodies]
    return np.array([[g.id for g in geoms if g.bodyid[0] == foot] for foot in feet])


def _weights(weights: Sequence[float] | None, count: int) -> np.ndarray:
    """(C,) that add up to 1."""
    values = np.ones(count) if weights is None else np.asarray(weights, np.float64)
    if values.shape != (count,):
        raise UserError(f"{values.size} clip weights for {count} clips; give one each")
    usable = np.isfinite(values) & (values >= 0)
    if not usable.all() or values.sum() == 0:
        raise UserError(
            f"clip weights are {values.tolist()}; they must be finite, none negative "
            f"and not all zero"
        )
    return values / values.sum()


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Names with a number after those that occurred before."""
    taken: list[str] = []
    for name in names:
        candidate, number = name, 2
        while candidate in taken:
            candidate, number = f"{name}-{number}", number + 1
        taken.append(candidate)
    return tuple(taken)
