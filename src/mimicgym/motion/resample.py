"""A clip on another time base."""

from dataclasses import replace

import numpy as np

from mimicgym.errors import MotionError
from mimicgym.motion.clip import Motion
from mimicgym.motion.quaternions import continuous_quats, slerp


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
    qpos[:, 3:7] = slerp(quats[before], quats[before + 1], fraction)
    contact = motion.foot_contact
    return replace(
        motion,
        qpos=qpos,
        fps=1.0 / dt_s,
        foot_contact=None if contact is None else contact[whole.astype(int)],
    )
