"""Where on the floor a clip takes place, and in which direction."""

from dataclasses import dataclass, replace

import numpy as np

from mimicgym.motion.clip import Motion, validate
from mimicgym.motion.quaternions import (
    heading_rad,
    quat_about_z,
    quat_conj,
    quat_mul,
    quat_rotate,
)


def reset_origin(motion: Motion, yaw: bool = True, xy: bool = True) -> Motion:
    """The clip moved as a whole so that it starts at x = y = 0 with heading 0.

    Heading is the direction of the root's x axis in the xy plane. Heights stay.

    Args:
      motion: any clip.
      yaw: turn it about the vertical through its first frame's root.
      xy: shift it.
    """
    motion = validate(motion)
    start_xy = motion.qpos[0, :2]
    move = PlanarMove(
        yaw_rad=-float(heading_rad(motion.qpos[:1, 3:7])[0]) if yaw else 0.0,
        from_xy=start_xy,
        to_xy=np.zeros(2) if xy else start_xy,
    )
    return replace(motion, qpos=move.apply(motion.qpos))


@dataclass(frozen=True, eq=False)
class PlanarMove:
    """A turn about the vertical, then a shift along the floor.

    Attributes:
      yaw_rad: of the turn.
      from_xy, to_xy: (2,) in m, a point and where it goes.
    """

    yaw_rad: float
    from_xy: np.ndarray
    to_xy: np.ndarray

    def apply(self, qpos: np.ndarray) -> np.ndarray:
        """(T, 7+J) coordinates, moved; heights and joints are the same."""
        turn = quat_about_z(np.array([self.yaw_rad]))
        moved = qpos.copy()
        moved[:, :2] -= self.from_xy
        moved[:, :3] = quat_rotate(turn, moved[:, :3])
        moved[:, :2] += self.to_xy
        moved[:, 3:7] = quat_mul(turn, qpos[:, 3:7])
        return moved


def move_onto(row: np.ndarray, target: np.ndarray) -> PlanarMove:
    """The move that puts one frame's root where another's is, as nearly as one can.

    Of all turns about the vertical it is the one that leaves the smallest rotation:
    the twist about z of the rotation between them. Unlike a difference of headings it
    has a meaning for a robot that lies on its back, too.

    Args:
      row, target: (7+J,) coordinates.
    """
    between = quat_mul(target[None, 3:7], quat_conj(row[None, 3:7]))[0]
    yaw_rad = 2.0 * float(np.arctan2(between[3], between[0]))
    return PlanarMove(yaw_rad, from_xy=row[:2], to_xy=target[:2])
