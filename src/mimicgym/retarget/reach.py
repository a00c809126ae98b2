"""A pelvis that is never too high for the legs."""

from dataclasses import replace

import numpy as np

from mimicgym.retarget.proportions import Proportions
from mimicgym.retarget.targets import Targets

# Of the leg's length: a straight leg leaves inverse kinematics no way to move the hip,
# and a knee that leaves straightness does so in a jerk.
_MAX_REACH = 0.995
_SMOOTHING_S = 0.16


def lower_pelvis(targets: Targets, standing: np.ndarray, robot: Proportions) -> Targets:
    """The targets with the pelvis lowered where a standing foot (T, 2) is out of reach.

    People stand and step on legs that are straighter than a robot's can be, from hips
    that are narrower. How far the pelvis goes down is a smooth envelope over time.
    """
    half = 0.5 * robot.hip_width_m * np.array([1.0, -1.0])
    left = targets.pelvis_w[:, None, :, 1] * half[:, None]
    middle = targets.pelvis_pos_w + targets.pelvis_w @ robot.hips_from_pelvis
    leg = middle[:, None] + left - targets.feet_pos_w
    across = np.linalg.norm(leg[..., :2], axis=2)
    most = _MAX_REACH * robot.leg_m
    height = np.sqrt(np.maximum(most**2 - across**2, (0.5 * most) ** 2))
    needed = np.where(standing, np.maximum(0.0, leg[..., 2] - height), 0.0).max(axis=1)
    reach = max(1, round(0.5 * _SMOOTHING_S * targets.fps))
    padded = np.pad(needed, 2 * reach, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    weight = np.hanning(2 * reach + 3)[1:-1]
    drop = np.convolve(windows.max(axis=1), weight / weight.sum(), mode="valid")
    down = drop[:, None] * np.array([0.0, 0.0, 1.0])
    return replace(targets, pelvis_pos_w=targets.pelvis_pos_w - down)
