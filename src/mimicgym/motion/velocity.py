"""Velocities of a sampled motion by central differences."""

import numpy as np

from mimicgym.motion.quaternions import (
    continuous_quats,
    quat_conj,
    quat_mul,
    quat_rotate,
    quat_to_rotvec,
)


def velocities(qpos: np.ndarray, dt_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Generalised velocities of (T, 7+J) coordinates that are `dt_s` apart.

    Differences reach from the frame before to the frame after, at both ends from the
    end frame to its neighbour. The sign of a quaternion makes no difference.

    Returns:
      qvel: (T, 6+J) as in MuJoCo: root velocity along world axes, root angular velocity
        along the root's own axes, joint velocities.
      ang_vel_w: (T, 3) the root's angular velocity along world axes.
    """
    quats = continuous_quats(qpos[:, 3:7])
    after = np.concatenate([quats[1:], quats[-1:]])
    before = np.concatenate([quats[:1], quats[:-1]])
    span_s = np.full((len(quats), 1), 2.0 * dt_s)
    span_s[[0, -1]] = dt_s
    ang_vel_w = quat_to_rotvec(quat_mul(after, quat_conj(before))) / span_s
    qvel = np.empty((len(qpos), qpos.shape[1] - 1))
    qvel[:, :3] = np.gradient(qpos[:, :3], dt_s, axis=0)
    qvel[:, 3:6] = quat_rotate(quat_conj(quats), ang_vel_w)
    qvel[:, 6:] = np.gradient(qpos[:, 7:], dt_s, axis=0)
    return qvel, ang_vel_w
