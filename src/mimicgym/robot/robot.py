"""A robot as plain data: names and constants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mimicgym.errors import UserError, unknown_name

Pairs = tuple[tuple[str, str], ...]
"""Names of geoms that can touch."""

_OTHER_SIDE = {"left": "right", "right": "left"}


def other_side(name: str) -> str:
    """The joint or body on the other side; one in the middle is its own."""
    side, _, rest = name.partition("_")
    return f"{_OTHER_SIDE[side]}_{rest}" if side in _OTHER_SIDE else name


def by_name(joint: str, table: Sequence[tuple]) -> tuple[float, ...]:
    """The numbers of a table for a joint: those of the last row whose first entry is a
    part of its name. `UserError` if there is none."""
    found = [row[1:] for row in table if row[0] in joint]
    if not found:
        parts = ", ".join(repr(row[0]) for row in table)
        raise UserError(f"joint {joint!r} has none of {parts} in its name")
    return found[-1]


@dataclass(frozen=True)
class Robot:
    """One variant of a robot: names and constants, no compiled model.

    Attributes:
      xml: the model's file among the assets.
      fixed_joints: joints of that file that this variant does not have.
      key_bodies: what terms can see.
      gain_sets: by name, kp (N m/rad) and kd (N m s/rad) by part of a joint's name; the
        last match counts, here and in the other tables.
      poses: by name, the joint positions (rad) that are not 0; without a side, of both.
      speed_limits: of the motors, rad/s.
      collisions: by preset, the pairs of geoms that can touch. "floor" is the ground.
    """

    name: str
    xml: str
    joint_names: tuple[str, ...]
    fixed_joints: tuple[str, ...]
    default_root_height_m: float
    key_bodies: tuple[str, ...]
    tracked_bodies: tuple[str, ...]
    foot_bodies: tuple[str, str]
    hand_bodies: tuple[str, str]
    torso_body: str
    upper_body_joints: tuple[str, ...]
    foot_geoms: tuple[str, ...]
    gain_sets: Mapping[str, tuple[tuple[str, float, float], ...]] = field(hash=False)
    poses: Mapping[str, tuple[tuple[str, float], ...]] = field(hash=False)
    speed_limits: tuple[tuple[str, float], ...]
    collisions: Mapping[str, Pairs] = field(hash=False)

    def pose_rad(self, name: str) -> np.ndarray:
        """(J,) a default pose."""
        if name not in self.poses:
            raise unknown_name("pose", name, self.poses)
        table = dict(self.poses[name])
        angles = []
        for joint in self.joint_names:
            both = joint.removeprefix("left_").removeprefix("right_")
            angles.append(table.get(joint, table.get(both, 0.0)))
        return np.array(angles)

    @property
    def default_pose_rad(self) -> np.ndarray:
        """(J,) the pose "straight"."""
        return self.pose_rad("straight")

    @property
    def speed_limit_rad_s(self) -> np.ndarray:
        """(J,) the motors' largest speeds."""
        limits = [by_name(joint, self.speed_limits)[0] for joint in self.joint_names]
        return np.array(limits)

    def gains(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """(J,) kp in N m/rad and (J,) kd in N m s/rad of a named set of gains."""
        if name not in self.gain_sets:
            raise unknown_name("gains", name, self.gain_sets)
        table = self.gain_sets[name]
        rows = np.array([by_name(joint, table) for joint in self.joint_names])
        return rows[:, 0], rows[:, 1]

    def pairs(self, collisions: str) -> Pairs:
        """The pairs of geoms of a collision preset."""
        if collisions not in self.collisions:
            raise unknown_name("collisions", collisions, self.collisions)
        return self.collisions[collisions]

    def body_index(self, *names: str) -> np.ndarray:
        """Positions of bodies among `key_bodies`."""
        return np.array([self.key_bodies.index(n) for n in names], dtype=np.int32)

    def joint_index(self, *names: str) -> np.ndarray:
        """Positions of joints among `joint_names`."""
        return np.array([self.joint_names.index(n) for n in names], dtype=np.int32)
