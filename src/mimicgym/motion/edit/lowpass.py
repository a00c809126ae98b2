"""Noise taken out of a clip without shifting anything in time."""

import math
from dataclasses import replace

import numpy as np

from mimicgym.errors import MotionError
from mimicgym.motion.clip import Motion, validate
from mimicgym.motion.edit.arguments import clip_name, require
from mimicgym.motion.quaternions import continuous_quats

# Frames of odd reflection at both ends: three times the filter's 3 coefficients, as in
# scipy.signal.filtfilt.
_PADDING = 9
_SHORTEST_QUATERNION = 0.5


def smooth(motion: Motion, cutoff_hz: float) -> Motion:
    """The clip without what is faster than `cutoff_hz`; foot contacts stay.

    Positions, joints and the root's quaternion go through `lowpass`. The quaternion is
    made continuous, filtered as 4 numbers and brought back to unit length. That needs
    no rotation to refer to, so a robot may turn any number of times, where rotation
    vectors about a mean rotation break at half a turn from it; and a turn at constant
    speed comes out as it was, because filtering scales all 4 numbers alike.

    Raises:
      MotionError: `cutoff_hz` is not between 0 and half the frame rate, or the root
        turns too fast for it, so that little of the rotation would be left.
    """
    motion = validate(motion)
    nyquist_hz = motion.fps / 2.0
    require(
        motion,
        0.0 < cutoff_hz < nyquist_hz,
        "cutoff_hz",
        cutoff_hz,
        f"above 0 and below {nyquist_hz:g} Hz (half the frame rate)",
    )
    rows = motion.qpos.copy()
    rows[:, 3:7] = continuous_quats(rows[:, 3:7])
    qpos = lowpass(rows, motion.fps, cutoff_hz)
    length = np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
    if length.min() < _SHORTEST_QUATERNION:
        raise MotionError(
            f"{clip_name(motion)}: cutoff_hz is {cutoff_hz:g}; around frame "
            f"{int(length.argmin())} the root turns too fast for it, it must be higher"
        )
    qpos[:, 3:7] /= length
    return replace(motion, qpos=qpos)


def lowpass(values: np.ndarray, fps: float, cutoff_hz: float) -> np.ndarray:
    """(T, C) columns through a Butterworth filter of order 2, forwards and backwards.

    The two passes cancel each other's delay. Amplitudes are halved at `cutoff_hz`
    (each pass takes 3 dB). Both ends are continued by reflection in their end point,
    and the filter starts in the state that a constant input would have left.
    """
    b, a = _butterworth(fps, cutoff_hz)
    reach = min(_PADDING, len(values) - 1)
    before = 2.0 * values[:1] - values[reach:0:-1]
    after = 2.0 * values[-1:] - values[-2 : -2 - reach : -1]
    padded = np.concatenate([before, values, after])
    back = _filter(b, a, _filter(b, a, padded)[::-1])[::-1]
    return back[reach : reach + len(values)]


def _butterworth(fps: float, cutoff_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """(3,) numerator b and (3,) denominator a of a low-pass biquad.

    The analogue filter 1 / (s^2 + sqrt(2) s + 1) by the bilinear transform
    s = (1 - z^-1) / (k (1 + z^-1)) with k = tan(pi cutoff / fps), which puts the
    cutoff where it belongs (Oppenheim and Schafer, "Discrete-Time Signal Processing",
    section 7.1).
    """
    k = math.tan(math.pi * cutoff_hz / fps)
    scale = 1.0 + math.sqrt(2.0) * k + k * k
    b = np.array([1.0, 2.0, 1.0]) * (k * k / scale)
    a1 = 2.0 * (k * k - 1.0) / scale
    a2 = (1.0 - math.sqrt(2.0) * k + k * k) / scale
    return b, np.array([1.0, a1, a2])


def _filter(b: np.ndarray, a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(T, C) one pass along the first axis, as if the first row had lasted for ever.

    Transposed direct form II, whose two states follow from input equal to output.
    """
    y = np.empty_like(x)
    state_2 = (b[2] - a[2]) * x[0]
    state_1 = (b[1] - a[1]) * x[0] + state_2
    for i, row in enumerate(x):
        y[i] = b[0] * row + state_1
        state_1 = b[1] * row - a[1] * y[i] + state_2
        state_2 = b[2] * row - a[2] * y[i]
    return y
