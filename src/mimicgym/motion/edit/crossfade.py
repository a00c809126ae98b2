"""One stretch of motion fading into another."""

import numpy as np

from mimicgym.motion.quaternions import slerp


def smoothstep(fraction: np.ndarray) -> np.ndarray:
    """Weights from 0 to 1 that start and end level: 3 x^2 - 2 x^3."""
    return fraction * fraction * (3.0 - 2.0 * fraction)


def crossfade(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(T, 7+J) coordinates between two stretches, frame by frame.

    Positions and joints are mixed linearly, root rotations along the short way (slerp).

    Args:
      a, b: (T, 7+J), in the same place.
      weight: (T,) of `b`; 0 gives `a` and 1 gives `b`.
    """
    part = weight[:, None]
    mixed = (1.0 - part) * a + part * b
    dots = np.sum(a[:, 3:7] * b[:, 3:7], axis=1, keepdims=True)
    near_b = np.where(dots < 0.0, -b[:, 3:7], b[:, 3:7])
    mixed[:, 3:7] = slerp(a[:, 3:7], near_b, part)
    return mixed


def fade_contact(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(T, 2) foot contacts of the stretch that weighs more.

    Args:
      a, b: (T, 2) bool.
      weight: (T,) of `b`.
    """
    return np.where(weight[:, None] < 0.5, a, b)
