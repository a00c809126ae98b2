"""The `.npz` of BeyondMimic and mjlab, and holosoma's variant of it.

fps (1,)                frames per second
joint_pos (T, 29)       rad; holosoma: (T, 36) root position, quaternion wxyz, joints
joint_vel               rad/s
body_pos_w, body_quat_w (T, B, 3), (T, B, 4) wxyz, with the pelvis first
joint_names, body_names holosoma only

Files written by mjlab order joints and bodies as MuJoCo does, those written by IsaacLab
breadth-first, and neither says so: it is found out by comparing kinematics.
"""

from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np

from mimicgym.errors import MotionError
from mimicgym.motion.clip import Finding, Motion, validate
from mimicgym.motion.formats.arrays import Fields, read_arrays
from mimicgym.motion.kinematics import bare_model, body_names, full_qpos
from mimicgym.motion.quat_order import otherwise
from mimicgym.motion.reader import QUAT_ORDERS, Options, Probe, Reader, Writer
from mimicgym.motion.stored_links import (
    compare_links,
    compare_velocities,
    resolve_orders,
)
from mimicgym.motion.velocity import velocities
from mimicgym.robot import JOINTS_29
from mimicgym.whole_file import whole_file

_KEYS = (
    "fps",
    "joint_pos",
    "joint_vel",
    "body_pos_w",
    "body_quat_w",
    "joint_names",
    "body_names",
)
_ORDER = "wxyz"


def _accepts(probe: Probe) -> bool:
    return {"joint_pos.npy", "body_pos_w.npy"} <= set(probe.members)


def _read(probe: Probe, options: Options) -> Motion:
    at = str(probe.path)
    fields = Fields(at, read_arrays(probe.path, _KEYS))
    fields.need("joint_pos", "body_pos_w", "body_quat_w")
    if options.fps is None and "fps" not in fields:
        raise MotionError(f"{at}: lacks fps; give fps (--fps)")
    fps = options.fps if options.fps is not None else fields.number("fps")
    columns = fields.numbers("joint_pos", None, None)
    frames = len(columns)
    link_pos_w = fields.numbers("body_pos_w", frames, None, 3)
    link_quat_w = _links_wxyz(fields.numbers("body_quat_w", frames, None, 4), options)
    if not link_pos_w.shape[1] or link_pos_w.shape[1] != link_quat_w.shape[1]:
        raise MotionError(
            f"{at}: body_pos_w has {link_pos_w.shape[1]} bodies and body_quat_w "
            f"{link_quat_w.shape[1]}; as many are needed, the pelvis first"
        )
    root_pos, root_quat = link_pos_w[:, 0], link_quat_w[:, 0]
    joints = columns
    with_root = columns.shape[1] == 7 + len(JOINTS_29)
    if with_root:
        root_quat = options.quats_wxyz(columns[:, 3:7], _ORDER)
        root_pos, joints = columns[:, :3], columns[:, 7:]
    findings: tuple[Finding, ...] = ()
    if "joint_names" in fields:
        joint_names = fields.texts("joint_names")
        link_names = fields.texts("body_names") if "body_names" in fields else ()
        if link_names and len(link_names) != link_pos_w.shape[1]:
            raise MotionError(
                f"{at}: body_names has {len(link_names)} names and body_pos_w "
                f"{link_pos_w.shape[1]} bodies; as many are needed"
            )
    else:
        fits = (
            joints.shape[1] == len(JOINTS_29),
            (link_pos_w.shape[1] == len(body_names())),
        )
        if not all(fits):
            raise MotionError(
                f"{at}: joint_pos has {joints.shape[1]} columns and body_pos_w "
                f"{link_pos_w.shape[1]} bodies; without joint_names and body_names "
                f"{len(JOINTS_29)} and {len(body_names())} are needed"
            )
        # Bad values are named by the checks that every clip passes.
        checked = validate(_motion(probe, fps, root_pos, root_quat, joints, JOINTS_29))
        joint_names, link_names, findings = _orders(
            checked, joints, link_pos_w, options.quat_order or _ORDER
        )
    motion = validate(_motion(probe, fps, root_pos, root_quat, joints, joint_names))
    if link_names:
        findings += compare_links(motion, link_names, link_pos_w, link_quat_w)
    if "joint_vel" in fields:
        joint_vel = fields.numbers("joint_vel", frames, None)
        findings += compare_velocities(motion, joint_vel[:, 6 if with_root else 0 :])
    return replace(motion, findings=findings)


def _links_wxyz(quats: np.ndarray, options: Options) -> np.ndarray:
    """(T, B, 4) in the order of the root, which is one of the links."""
    by_rows = options.quats_wxyz(quats.reshape(-1, 4), _ORDER)
    return by_rows.reshape(quats.shape)


def _orders(
    motion: Motion, joints: np.ndarray, link_pos_w: np.ndarray, read: str
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[Finding, ...]]:
    """`resolve_orders`; if all fail with quaternions as `read`, the other is tried."""
    at, root_pos, root_quat = motion.path, motion.qpos[:, :3], motion.qpos[:, 3:7]
    try:
        return resolve_orders(at, root_pos, root_quat, joints, link_pos_w)
    except MotionError as error:
        order = next(order for order in QUAT_ORDERS if order != read)
        other = otherwise(root_quat, order)
        try:
            resolve_orders(at, root_pos, other, joints, link_pos_w)
        except MotionError:
            raise error from None
        raise MotionError(
            f"{at}: the root quaternions look like {order}, not {read}: read so, "
            f"joint_pos and body_pos_w belong together; give quat_order {order} "
            f"(--quat-order {order})"
        ) from None


def _motion(probe, fps, root_pos, root_quat, joints, joint_names) -> Motion:
    return Motion(
        qpos=np.concatenate([root_pos, root_quat, joints], axis=1),
        fps=fps,
        joint_names=joint_names,
        name=probe.path.stem,
        path=str(probe.path),
    )


def _write(motion: Motion, path: Path) -> None:
    """In MuJoCo's order, velocities by central differences; float64 keeps it exact."""
    model = bare_model()
    data = mujoco.MjData(model)
    qpos = full_qpos(motion)
    qvel, _ = velocities(qpos, 1.0 / motion.fps)
    shape = (len(qpos), model.nbody - 1)
    pos_w, quat_w = np.empty((*shape, 3)), np.empty((*shape, 4))
    lin_w, ang_w = np.empty((*shape, 3)), np.empty((*shape, 3))
    for i in range(len(qpos)):
        data.qpos[:], data.qvel[:] = qpos[i], qvel[i]
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_comVel(model, data)
        pos_w[i], quat_w[i] = data.xpos[1:], data.xquat[1:]
        ang_w[i] = data.cvel[1:, :3]
        # cvel is the velocity of the point at the whole robot's centre of mass.
        arm = data.xpos[1:] - data.subtree_com[1]
        lin_w[i] = data.cvel[1:, 3:] + np.cross(ang_w[i], arm)
    with whole_file(path) as file:
        np.savez_compressed(
            file,
            fps=np.array([motion.fps]),
            joint_pos=qpos[:, 7:],
            joint_vel=qvel[:, 6:],
            body_pos_w=pos_w,
            body_quat_w=quat_w,
            body_lin_vel_w=lin_w,
            body_ang_vel_w=ang_w,
        )


READER = Reader("BeyondMimic / mjlab .npz", _accepts, _read, quat_order=_ORDER)
WRITER = Writer("mjlab", ".npz", _write)
