"""Where the soles of a clip are: four points under each foot."""

import functools

import mujoco
import numpy as np

from mimicgym.motion.clip import Motion
from mimicgym.motion.contacts import estimate_contact
from mimicgym.motion.kinematics import bare_model, full_qpos
from mimicgym.robot import get_robot
from mimicgym.terrain.field import HeightField


def sole_points(qpos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest points of the feet by MuJoCo's kinematics.

    Args:
      qpos: (T, 36) root position in m, unit quaternion wxyz, 29 joints in rad in the
        order of `JOINTS_29`.

    Returns:
      soles_w: (T, 2, 4, 3) in m, left and right; of the four spheres under a foot that
        meet the floor in a simulation, the point below the centre.
      foot_up: (T, 2) height of the feet's unit z axes, 1 with the sole flat.
    """
    model = bare_model()
    data = mujoco.MjData(model)
    geoms, feet = _sole_ids()
    soles_w = np.empty((len(qpos), *geoms.shape, 3))
    foot_up = np.empty((len(qpos), len(feet)))
    for i, row in enumerate(qpos):
        data.qpos[:] = row
        mujoco.mj_kinematics(model, data)
        soles_w[i] = data.geom_xpos[geoms]
        foot_up[i] = data.xmat[feet, 8]
    soles_w[..., 2] -= model.geom_size[geoms, 0]
    return soles_w, foot_up


def sole_contacts(
    motion: Motion, terrain: HeightField | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """A clip's sole points (T, 2, 4, 3), and (T, 2) which foot is on the ground.

    Contacts are those of the clip if it has them, otherwise estimated from the soles'
    heights above the terrain, or above a plane.
    The clip is one that `validate` has passed; wrists it lacks make no difference.
    """
    soles_w, foot_up = sole_points(full_qpos(motion))
    contact = motion.foot_contact
    if contact is None:
        over_w = above_ground(soles_w, terrain)
        contact = estimate_contact(over_w, foot_up, 1.0 / motion.fps)
    return soles_w, contact


def above_ground(points_w: np.ndarray, terrain: HeightField | None) -> np.ndarray:
    """(..., 3) points with their heights above the terrain instead of above z = 0."""
    if terrain is None:
        return points_w
    over_w = points_w.copy()
    over_w[..., 2] -= terrain.at(points_w[..., :2])
    return over_w


@functools.cache
def _sole_ids() -> tuple[np.ndarray, np.ndarray]:
    """(2, 4) geoms of the soles and (2,) the bodies of the feet, left and right."""
    model, robot = bare_model(), get_robot("g1_29dof")
    feet = [model.body(name).id for name in robot.foot_bodies]
    geoms = [model.geom(name) for name in robot.foot_geoms]
    soles = [[geom.id for geom in geoms if geom.bodyid[0] == foot] for foot in feet]
    return np.array(soles), np.array(feet)
