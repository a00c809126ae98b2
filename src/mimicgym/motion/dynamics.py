"""What a clip asks of the motors and of the ground, by inverse dynamics.

MuJoCo's `mj_inverse` gives the generalised forces that the clip's accelerations need.
The root has no motor, so its six must come from the ground: forces at the soles that
are down, within a friction pyramid, are fitted to them. What the fit leaves over nobody
provides; what it gives is taken off the joints' torques.
"""

import copy
import functools
from dataclasses import dataclass

import mujoco
import numpy as np

from mimicgym.motion.clip import Motion
from mimicgym.motion.edit.lowpass import lowpass
from mimicgym.motion.kinematics import bare_model, full_qpos, spread_frames
from mimicgym.motion.quaternions import continuous_quats
from mimicgym.motion.soles import sole_contacts
from mimicgym.motion.velocity import velocities
from mimicgym.robot import get_robot
from mimicgym.terrain.field import HeightField

# Differentiating twice turns a millimetre of noise between frames into metres per
# second squared; people's and the robot's own movements are slower than this.
CUTOFF_HZ = 6.0
FRICTION = 1.0
_SOLE_M = 0.02  # how far above its foot's lowest point a sole point still bears
_SPREAD = 1e-6  # prefers forces that are shared between points
_MOST_N = 1e5


@dataclass(frozen=True, eq=False)
class Dynamics:
    """F frames of a clip, evenly spread.

    Attributes:
      frames: (F,) frame numbers.
      torque_nm: (F, 29) joint torques, in the order of `JOINTS_29`.
      effort_nm: (29,) the motors' limits.
      residual_n: (F,) force on the root that neither motors nor ground provide.
      supported: (F,) bool, a foot is down.
      weight_n: the robot's.
    """

    frames: np.ndarray
    torque_nm: np.ndarray
    effort_nm: np.ndarray
    residual_n: np.ndarray
    supported: np.ndarray
    weight_n: float


def inverse_dynamics(
    motion: Motion, most_frames: int = 200, terrain: HeightField | None = None
) -> Dynamics:
    """Torques and ground forces of at most `most_frames` frames.

    The clip is low-passed at `CUTOFF_HZ` before it is differentiated, so that a figure
    tells of the movement and not of the recording's noise. `motion` has passed
    `validate`; terrain is the ground under it, a plane if None.
    """
    qpos = full_qpos(motion)
    qpos[:, 3:7] = continuous_quats(qpos[:, 3:7])
    cutoff_hz = min(CUTOFF_HZ, 0.4 * motion.fps)
    qpos = lowpass(qpos, motion.fps, cutoff_hz)
    qpos[:, 3:7] /= np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
    dt_s = 1.0 / motion.fps
    qvel = velocities(qpos, dt_s)[0]
    qacc = np.gradient(qvel, dt_s, axis=0)
    soles_w, contact = sole_contacts(motion, terrain)
    frames = spread_frames(motion.num_frames, most_frames)
    model = _free_model()
    data = mujoco.MjData(model)
    torque_nm = np.empty((len(frames), model.nv - 6))
    residual_n = np.empty(len(frames))
    for row, frame in enumerate(frames):
        data.qpos[:], data.qvel[:], data.qacc[:] = qpos[frame], qvel[frame], qacc[frame]
        mujoco.mj_inverse(model, data)
        height = soles_w[frame, ..., 2]
        bearing = contact[frame][:, None] & (
            height < height.min(axis=1, keepdims=True) + _SOLE_M
        )
        ground = _ground_force(
            model, data, soles_w[frame], bearing, data.qfrc_inverse[:6]
        )
        left = data.qfrc_inverse - ground
        residual_n[row] = np.linalg.norm(left[:3])
        torque_nm[row] = left[6:]
    return Dynamics(
        frames=frames,
        torque_nm=torque_nm,
        effort_nm=model.jnt_actfrcrange[1:, 1].copy(),
        residual_n=residual_n,
        supported=np.any(contact[frames], axis=1),
        weight_n=float(model.body_mass.sum() * -model.opt.gravity[2]),
    )


def _ground_force(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    soles_w: np.ndarray,
    bearing: np.ndarray,
    wanted: np.ndarray,
) -> np.ndarray:
    """(nv,) generalised force of the ground that comes closest to `wanted` (6,)."""
    feet = [model.body(name).id for name in get_robot("g1_29dof").foot_bodies]
    edges_w = np.array(
        [(FRICTION, 0, 1), (-FRICTION, 0, 1), (0, FRICTION, 1), (0, -FRICTION, 1)]
    )
    columns = []
    jacobian = np.empty((3, model.nv))
    for foot, point in zip(*np.nonzero(bearing), strict=True):
        mujoco.mj_jac(model, data, jacobian, None, soles_w[foot, point], feet[foot])
        columns.append(jacobian.T @ edges_w.T)
    if not columns:
        return np.zeros(model.nv)
    forces = np.concatenate(columns, axis=1)  # (nv, 4 P) of a unit along each edge
    count = forces.shape[1]
    fit = forces[:6]
    hessian = fit.T @ fit + _SPREAD * np.eye(count)
    share = np.zeros(count)
    mujoco.mju_boxQP(
        share,
        np.zeros((count, count + 7)),
        None,
        hessian,
        -fit.T @ wanted,
        np.zeros(count),
        np.full(count, _MOST_N),
    )
    return forces @ share


@functools.cache
def _free_model() -> mujoco.MjModel:
    """The bare robot without forces of limits, friction or contacts of its own."""
    model = copy.copy(bare_model())
    model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_CONSTRAINT)
    return model
