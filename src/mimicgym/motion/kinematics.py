"""Where a clip's links are: MuJoCo's kinematics of the robot with all its joints.

For reading and judging clips. What an environment trains on is computed with its own
model, by `mimicgym.reference`.
"""

import functools

import mujoco
import numpy as np

from mimicgym.assets import asset_path
from mimicgym.motion.clip import Motion, select_joints
from mimicgym.robot import JOINTS_29


@functools.cache
def bare_model() -> mujoco.MjModel:
    """The robot alone, with 29 joints in the order of `JOINTS_29`."""
    return mujoco.MjModel.from_xml_path(str(asset_path("g1", "g1.xml")))


@functools.cache
def body_names() -> tuple[str, ...]:
    """All links in MuJoCo's order, which is depth-first."""
    model = bare_model()
    return tuple(model.body(i).name for i in range(1, model.nbody))


@functools.cache
def breadth_first() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of links and of joints level by level down the tree, as PhysX and so
    IsaacLab order them."""
    model = bare_model()
    level, order = [1], []
    while level:
        order += level
        level = [
            child
            for body in level
            for child in range(1, model.nbody)
            if child != body and model.body_parentid[child] == body
        ]
    joints = [
        model.joint(model.body_jntadr[body]).name
        for body in order
        if model.body_jntnum[body] and body != 1
    ]
    return tuple(model.body(body).name for body in order), tuple(joints)


def full_qpos(motion: Motion) -> np.ndarray:
    """(T, 36) of all 29 joints in order; wrists that the clip lacks are 0."""
    return select_joints(motion, JOINTS_29)[0].qpos


def link_poses(qpos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T, 30, 3) positions and (T, 30, 4) wxyz orientations of `body_names`.

    qpos (T, 36): root position, unit quaternion wxyz, joints as in `JOINTS_29`.
    """
    model = bare_model()
    data = mujoco.MjData(model)
    pos_w = np.empty((len(qpos), model.nbody - 1, 3))
    quat_w = np.empty((len(qpos), model.nbody - 1, 4))
    for i, row in enumerate(qpos):
        data.qpos[:] = row
        mujoco.mj_kinematics(model, data)
        pos_w[i] = data.xpos[1:]
        quat_w[i] = data.xquat[1:]
    return pos_w, quat_w


def spread_frames(count: int, most: int) -> np.ndarray:
    """At most `most` frame numbers, evenly over `count` frames."""
    return np.linspace(0, count - 1, min(count, most)).astype(int)
