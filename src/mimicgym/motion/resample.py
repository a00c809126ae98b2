"""A clip on another time base."""

from dataclasses import replace

import numpy as np

from mimicgym.errors import MotionError
from mimicgym.motion.clip import Motion


def resample(motion: Motion, dt_s: float) -> Motion:
    """The clip at t = 0, dt, 2 dt, ... up to its last frame, without stretching.

    Positions and joints are interpolated linearly, the root's rotation along the short
    way (slerp), foot contacts are those of the nearest frame. Quaternions of the result
    do not change sign between frames.

    Raises:
      MotionError: `dt_s` is not positive.
    """
    if not dt_s > 0:
        raise MotionError(f"the time step is {dt_s}; it must be positive")
    last = motion.num_frames - 1
    # The last frame counts even if rounding puts it a hair before its time.
    count = int(np.floor(motion.duration_s / dt_s + 1e-6)) + 1
    at = np.minimum(np.arange(count) * (dt_s * motion.fps), last)
    # An exact multiple stays exact: the frame itself, not a mixture with its neighbour.
    whole = np.rint(at)
    at = np.where(np.abs(at - whole) < 1e-6, whole, at)
    before = np.minimum(at.astype(int), last - 1)
    fraction = (at - before)[:, None]
    quats = continuous_quats(motion.qpos[:, 3:7])
    a, b = motion.qpos[before], motion.qpos[before + 1]
    qpos = a + fraction * (b - a)
    qpos[:, 3:7] = _slerp(quats[before], quats[before + 1], fraction)
    contact = motion.foot_contact
    return replace(
        motion,
        qpos=qpos,
        fps=1.0 / dt_s,
        foot_contact=None if contact is None else contact[whole.astype(int)],
    )


def continuous_quats(quats: np.ndarray) -> np.ndarray:
    """(T, 4) the same rotations with signs chosen so that neighbours are near."""
    flips = np.sum(quats[1:] * quats[:-1], axis=1) < 0.0
    signs = np.concatenate([[1.0], np.cumprod(np.where(flips, -1.0, 1.0))])
    return quats * signs[:, None]


def _slerp(a: np.ndarray, b: np.ndarray, fraction: np.ndarray) -> np.ndarray:
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
