"""Robots in a mirror, body by body and with matrices: nothing of `envs.mirror`."""

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

S = np.diag([1.0, -1.0, 1.0])
# Left and right shoulders are 0.01 mm apart from each other's images.
TOLERANCE = 1e-4


def swapped(name: str) -> str:
    if "left" in name:
        return name.replace("left", "right")
    return name.replace("right", "left")


def twins(mj: mujoco.MjModel) -> list[int]:
    """For each body the one on the other side."""
    names = [mj.body(i).name for i in range(mj.nbody)]
    return [names.index(swapped(name)) for name in names]


def reflected(model, qpos: np.ndarray, qvel: np.ndarray):
    """The state whose bodies turn and move as a mirror in the x-z plane shows it.

    A body's matrix there is S R S of its twin's R, and its angular velocity -S w. The
    turn of a body in its parent is then about their joint's axis, by the joint's angle.
    """
    mj, data = model.mj, mujoco.MjData(model.mj)
    data.qpos[:], data.qvel[:] = qpos, qvel
    mujoco.mj_forward(mj, data)
    turn = S @ data.xmat.reshape(-1, 3, 3)[twins(mj)] @ S
    spin = -data.cvel[twins(mj), :3] @ S  # along world axes
    root = mj.body("pelvis").id
    new_qpos, new_qvel = np.zeros(mj.nq), np.zeros(mj.nv)
    new_qpos[:3], new_qvel[:3] = S @ qpos[:3], S @ qvel[:3]
    new_qpos[3:7] = Rotation.from_matrix(turn[root]).as_quat(scalar_first=True)
    new_qvel[3:6] = turn[root].T @ spin[root]
    for joint in range(1, mj.njnt):
        body, axis = mj.jnt_bodyid[joint], mj.jnt_axis[joint]
        parent = mj.body_parentid[body]
        at_rest = Rotation.from_quat(mj.body_quat[body], scalar_first=True)
        inside = at_rest.inv() * Rotation.from_matrix(turn[parent].T @ turn[body])
        rotvec = inside.as_rotvec()
        np.testing.assert_allclose(rotvec, (rotvec @ axis) * axis, atol=TOLERANCE)
        new_qpos[mj.jnt_qposadr[joint]] = rotvec @ axis
        relative = spin[body] - spin[parent]
        new_qvel[mj.jnt_dofadr[joint]] = (turn[body] @ axis) @ relative
    return new_qpos, new_qvel


def reflected_joints(model, values: np.ndarray) -> np.ndarray:
    """(J,) of less than half a turn."""
    upright = np.concatenate([[0, 0, 1, 1, 0, 0, 0], values])
    return reflected(model, upright, np.zeros(model.mj.nv))[0][7:]


def even_out(mj: mujoco.MjModel) -> None:
    """Make a robot its own mirror image: Unitree's has shoulders 0.01 mm off, a torso's
    centre of mass 0.3 mm off the middle, and knees of unlike inertia."""
    twin = twins(mj)
    mj.body_pos[:] = (mj.body_pos + mj.body_pos[twin] @ S) / 2
    mj.body_ipos[:] = (mj.body_ipos + mj.body_ipos[twin] @ S) / 2
    axes = Rotation.from_quat(mj.body_iquat, scalar_first=True).as_matrix()
    inertia = np.einsum("bij,bj,bkj->bik", axes, mj.body_inertia, axes)
    mj.body_inertia[:], axes = np.linalg.eigh((inertia + S @ inertia[twin] @ S) / 2)
    axes[..., 0] *= np.linalg.det(axes)[:, None]
    mj.body_iquat[:] = Rotation.from_matrix(axes).as_quat(scalar_first=True)
    mujoco.mj_setConst(mj, mujoco.MjData(mj))
