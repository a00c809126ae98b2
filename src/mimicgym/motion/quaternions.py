"""Quaternion mathematics in NumPy, one rotation a row.

Quaternions are wxyz rows (T, 4) of unit length; q and -q are the same rotation. A
single row broadcasts against many. (`mimicgym.rotations` is the same for the device.)
"""

import numpy as np


def continuous_quats(quats: np.ndarray) -> np.ndarray:
    """(T, 4) the same rotations with signs chosen so that neighbours are near."""
    flips = np.sum(quats[1:] * quats[:-1], axis=1) < 0.0
    signs = np.concatenate([[1.0], np.cumprod(np.where(flips, -1.0, 1.0))])
    return quats * signs[:, None]


def quat_conj(q: np.ndarray) -> np.ndarray:
    """(T, 4) the inverse rotations."""
    return q * np.array([1.0, -1.0, -1.0, -1.0])


def quat_mul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(T, 4) the rotations `b` followed by `a`."""
    aw, av, bw, bv = a[:, :1], a[:, 1:], b[:, :1], b[:, 1:]
    w = aw * bw - np.sum(av * bv, axis=1, keepdims=True)
    return np.concatenate([w, aw * bv + bw * av + np.cross(av, bv)], axis=1)


def quat_rotate(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(T, 3) the vectors `v` turned by `q`."""
    t = 2.0 * np.cross(q[:, 1:], v)
    return v + q[:, :1] * t + np.cross(q[:, 1:], t)


def quat_to_rotvec(q: np.ndarray) -> np.ndarray:
    """(T, 3) axis times angle in rad, the short way round."""
    q = np.where(q[:, :1] < 0.0, -q, q)
    sin = np.linalg.norm(q[:, 1:], axis=1, keepdims=True)
    still = sin == 0.0
    angle = 2.0 * np.arctan2(sin, q[:, :1])
    return q[:, 1:] * np.where(still, 2.0, angle / np.where(still, 1.0, sin))


def heading_rad(q: np.ndarray) -> np.ndarray:
    """(T,) direction in the xy plane of the turned x axis, in [-pi, pi].

    It has no meaning where that axis is vertical.
    """
    w, x, y, z = q.T
    return np.arctan2(2.0 * (x * y + w * z), w * w + x * x - y * y - z * z)


def quat_about_z(angle_rad: np.ndarray) -> np.ndarray:
    """(T, 4) rotations about the vertical by angles (T,)."""
    half, zero = angle_rad / 2.0, np.zeros_like(angle_rad)
    return np.stack([np.cos(half), zero, zero, np.sin(half)], axis=1)


def slerp(a: np.ndarray, b: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    """(T, 4) between unit quaternions of matching sign; fraction (T, 1)."""
    # The half angle between them, exact for small ones too.
    apart = np.linalg.norm(b - a, axis=1, keepdims=True)
    together = np.linalg.norm(b + a, axis=1, keepdims=True)
    angle = 2.0 * np.arctan2(apart, together)
    # Ratios of sines by way of sinc, which is defined at 0.
    sine = np.sinc(angle / np.pi)
    weight_a = (1.0 - fraction) * np.sinc((1.0 - fraction) * angle / np.pi) / sine
    weight_b = fraction * np.sinc(fraction * angle / np.pi) / sine
    quats = weight_a * a + weight_b * b
    return quats / np.linalg.norm(quats, axis=1, keepdims=True)
