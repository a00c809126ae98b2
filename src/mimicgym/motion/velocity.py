"""Velocities of a sampled motion by central differences."""

import numpy as np

from mimicgym.motion.resample import continuous_quats


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
    ang_vel_w = _rotvec(_mul(after, _conj(before))) / span_s
    qvel = np.empty((len(qpos), qpos.shape[1] - 1))
    qvel[:, :3] = np.gradient(qpos[:, :3], dt_s, axis=0)
    qvel[:, 3:6] = _rotate(_conj(quats), ang_vel_w)
    qvel[:, 6:] = np.gradient(qpos[:, 7:], dt_s, axis=0)
    return qvel, ang_vel_w


def _conj(q: np.ndarray) -> np.ndarray:
    return q * np.array([1.0, -1.0, -1.0, -1.0])


def _mul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    aw, av, bw, bv = a[:, :1], a[:, 1:], b[:, :1], b[:, 1:]
    w = aw * bw - np.sum(av * bv, axis=1, keepdims=True)
    return np.concatenate([w, aw * bv + bw * av + np.cross(av, bv)], axis=1)


def _rotate(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    t = 2.0 * np.cross(q[:, 1:], v)
    return v + q[:, :1] * t + np.cross(q[:, 1:], t)


def _rotvec(q: np.ndarray) -> np.ndarray:
    """(T, 3) axis times angle, the short way round."""
    q = np.where(q[:, :1] < 0.0, -q, q)
    sin = np.linalg.norm(q[:, 1:], axis=1, keepdims=True)
    still = sin == 0.0
    angle = 2.0 * np.arctan2(sin, q[:, :1])
    return q[:, 1:] * np.where(still, 2.0, angle / np.where(still, 1.0, sin))
