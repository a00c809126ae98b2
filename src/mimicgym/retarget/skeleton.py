"""A person's motion as joints in space, whatever file it came from."""

import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mimicgym.errors import MotionError, UserError
from mimicgym.motion.clip import MIN_FRAMES

_MAX_FILE_BYTES = 500 * 2**20  # a day of BVH at 120 Hz is larger; nobody retargets it

MIN_FPS, MAX_FPS = 0.1, 1e4  # of a file
ROUNDING = 1e-2  # of a frame: files round the time between frames


@dataclass(frozen=True, eq=False)
class HumanMotion:
    """T frames of J joints, in metres, with z up.

    Attributes:
      name: the file's stem.
      path: the file it came from, for messages.
      fps: frames per second.
      joint_names: J names as the file has them; no two need differ.
      parents: J indices, each less than its own place; -1 for the root.
      pos_w: (T, J, 3) joints in the world.
      rot_w: (T, J, 3, 3) from the joints' own axes to the world's.
      rest_w: (J, 3) joints with every rotation at zero, along the axes that all joints
        then share, which need not be the world's.
      warnings: what the reader had to assume.
    """

    name: str
    path: str
    fps: float
    joint_names: tuple[str, ...]
    parents: tuple[int, ...]
    pos_w: np.ndarray
    rot_w: np.ndarray
    rest_w: np.ndarray
    warnings: tuple[str, ...] = ()

    def ancestors(self, joint: int) -> list[int]:
        """The joint itself, its parent and so on up to the root."""
        line = []
        while joint >= 0:
            line.append(joint)
            joint = self.parents[joint]
        return line

    def common_ancestor(self, first: int, second: int) -> int:
        """The joint nearest to both that moves both."""
        above = set(self.ancestors(second)[1:])
        return next(j for j in [*self.ancestors(first)[1:], 0] if j in above or j == 0)


def forward_kinematics(
    parents: tuple[int, ...], offset_m: np.ndarray, rotation: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Joints in the world from joints relative to their parents.

    Args:
      parents: J indices, parents before children, -1 for a root.
      offset_m: (T, J, 3) or (1, J, 3) from a joint's parent to it, along the parent's
        axes.
      rotation: (T, J, 3, 3) from a joint's axes to its parent's.

    Returns:
      pos_w (T, J, 3) and rot_w (T, J, 3, 3).
    """
    frames, joints = rotation.shape[:2]
    pos_w = np.empty((frames, joints, 3))
    rot_w = np.empty((frames, joints, 3, 3))
    for joint, parent in enumerate(parents):
        if parent < 0:
            pos_w[:, joint] = offset_m[:, joint]
            rot_w[:, joint] = rotation[:, joint]
        else:
            turned = rot_w[:, parent] @ offset_m[:, joint, :, None]
            pos_w[:, joint] = pos_w[:, parent] + turned[..., 0]
            rot_w[:, joint] = rot_w[:, parent] @ rotation[:, joint]
    return pos_w, rot_w


def check_file(path: Path) -> None:
    """Refuse a file that is too large to be one motion."""
    size = os.path.getsize(path)
    if size > _MAX_FILE_BYTES:
        raise MotionError(
            f"{path}: the file has {size / 2**20:.0f} MiB; at most "
            f"{_MAX_FILE_BYTES / 2**20:.0f} MiB are read"
        )


def frame_range(
    path: Path, frames: int, fps: float, start_s: float | None, end_s: float | None
) -> slice:
    """Which frames lie between two times; None means from the first, to the last.

    Raises:
      UserError: a time is no number or negative.
      MotionError: less than three frames are left.
    """
    for name, value in (("start_s", start_s), ("end_s", end_s)):
        if value is not None and not (math.isfinite(value) and value >= 0.0):
            raise UserError(f"{name} is {value}; it must be a time of 0 s or more")
    first = 0 if start_s is None else math.ceil(start_s * fps - ROUNDING)
    last = frames - 1
    if end_s is not None:
        last = min(last, math.floor(end_s * fps + ROUNDING))
    count = max(0, last - first + 1)
    if count < MIN_FRAMES:
        cut = ""
        if start_s is not None or end_s is not None:
            cut = (
                f" from {start_s or 0:g} s to "
                f"{'its end' if end_s is None else f'{end_s:g} s'} (it lasts "
                f"{max(0, frames - 1) / fps:.2f} s)"
            )
        raise MotionError(
            f"{path}: the motion has {count} frame{'s' * (count != 1)}{cut}; at least "
            f"{MIN_FRAMES} are needed"
        )
    return slice(first, last + 1)
