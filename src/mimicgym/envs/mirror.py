"""What a mirror in the x-z plane makes of observations and actions.

A reflection in y turns a position (x, y, z) into (x, -y, z). It reverses handedness, so
that an axis of rotation or an angular velocity (x, y, z) becomes (-x, y, -z), a
quaternion (w, x, y, z) becomes (w, -x, y, -z), and a matrix R becomes S R S with
S = diag(1, -1, 1). Left and right bodies, joints and feet change places. All that
is an order and signs: an `Image`.

A term says how it is mirrored where it is registered, by a `Mirror`: what finds its
image for a robot and a task. Below are the mirrors that terms are made of. The world is
mirrored with the robot, so headings change sign; a ground that is not its own mirror
image is another ground. The G1 is its own image but for 0.01 mm between its shoulders,
a torso's centre of mass 0.3 mm off the middle, and the inertia of waist and knees.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import mujoco
import numpy as np

from mimicgym.envs.config import EnvConfig
from mimicgym.errors import UserError
from mimicgym.robot import Robot, RobotModel, other_side

# Left and right axes of joints are apart by rounding, far below this.
_AXIS_TOLERANCE = 1e-3


class Image(NamedTuple):
    """mirrored[i] = sign[i] * x[source[i]]; done twice it gives x."""

    source: np.ndarray  # (D,) int32
    sign: np.ndarray  # (D,) float32


@dataclass(frozen=True, eq=False)
class Sides:
    """What the sides of a robot and a task are.

    Attributes:
      joints: image of positions, velocities and torques of joints, and of actions.
    """

    robot: Robot
    config: EnvConfig
    joints: Image

    @classmethod
    def of(cls, model: RobotModel, config: EnvConfig) -> "Sides":
        """
        Raises:
          UserError: a side's axes, default pose, gains or torque limits are not the
            image of the other's.
        """
        joints = joint_image(model)
        _check_pose(model.robot, config.control.pose, joints)
        kp, kd = model.robot.gains(config.control.gains)
        for what, values in (
            (f"kp in control.gains={config.control.gains!r}", kp),
            (f"kd in control.gains={config.control.gains!r}", kd),
            ("the torque limit", model.effort_nm),
        ):
            unsigned = Image(joints.source, np.ones_like(joints.sign))
            _check_same(model.robot, what, values, unsigned)
        return cls(model.robot, config, joints)


Mirror = Callable[[Sides], Image]


def joint_image(model: RobotModel) -> Image:
    """The image of joint angles, from the joints' names and axes.

    A turn about an axis is, in the mirror, one by the same angle about the axis' image;
    where the other side's axis points the opposite way, the angle changes sign.

    Raises:
      UserError: a joint without another side, or whose axis is not mirrored.
    """
    names = model.robot.joint_names
    source = _partners("robot.joint_names", names)
    data = mujoco.MjData(model.mj)
    data.qpos[:] = 0.0
    data.qpos[3] = 1.0  # upright, all joints at 0
    mujoco.mj_kinematics(model.mj, data)
    axes = data.xaxis[[model.mj.joint(name).id for name in names]]
    images = axes[source] * (-1.0, 1.0, -1.0)
    sign = np.where(np.sum(axes * images, axis=1) < 0, -1.0, 1.0)
    apart = np.abs(images - sign[:, None] * axes).max(axis=1)
    worst = int(apart.argmax())
    if apart[worst] > _AXIS_TOLERANCE:
        raise UserError(
            f"robot {model.robot.name} is not its own mirror image: the axis of "
            f"{names[worst]} is {apart[worst]:.2g} off that of {names[source[worst]]}"
        )
    return Image(source, sign.astype(np.float32))


def joined(images: Iterable[Image]) -> Image:
    """The image of values one after the other."""
    images = tuple(images)
    sizes = [len(image.source) for image in images]
    starts = np.cumsum([0, *sizes[:-1]])
    source = [start + image.source for start, image in zip(starts, images, strict=True)]
    return Image(
        np.concatenate(source).astype(np.int32),
        np.concatenate([image.sign for image in images]),
    )


def exchanged(order: Sequence[int] | np.ndarray, image: Image) -> Image:
    """The image of values in blocks: block i is that of block order[i]."""
    starts = np.asarray(order)[:, None] * len(image.source)
    return Image(
        (starts + image.source).ravel().astype(np.int32),
        np.tile(image.sign, len(order)),
    )


def signs(*signs: int) -> Mirror:
    """Values that stay in their places."""
    image = Image(
        np.arange(len(signs), dtype=np.int32), np.array(signs, dtype=np.float32)
    )
    return lambda sides: image


SAME = signs(1)
OPPOSITE = signs(-1)  # an angle about x or z
PLANE = signs(1, -1)  # x and y
VECTOR = signs(1, -1, 1)
AXIAL = signs(-1, 1, -1)  # an angular velocity; roll, pitch and yaw
QUATERNION = signs(1, -1, 1, -1)
# The first two columns of a rotation matrix, row by row.
COLUMNS = signs(1, -1, -1, 1, 1, -1)


def all_joints(sides: Sides) -> Image:
    """One value for each joint that a positive turn makes positive; also actions."""
    return sides.joints


def upper_body(sides: Sides) -> Image:
    """The same of the robot's `upper_body_joints`."""
    names = sides.robot.upper_body_joints
    sign = sides.joints.sign[sides.robot.joint_index(*names)]
    return Image(_partners("robot.upper_body_joints", names), sign)


def scan_places(sides: Sides) -> Image:
    """Heights at the places of `envs.scan`: rows from the right to the left."""
    cells = sides.config.observation.scan_cells
    row = Image(np.arange(cells, dtype=np.int32), np.ones(cells, np.float32))
    return exchanged(np.arange(cells)[::-1], row)


def in_turn(*mirrors: Mirror) -> Mirror:
    """Several values one after the other."""
    return lambda sides: joined(mirror(sides) for mirror in mirrors)


def each_foot(mirror: Mirror) -> Mirror:
    """A value for the left and one for the right foot."""

    def image(sides: Sides) -> Image:
        order = _partners("robot.foot_bodies", sides.robot.foot_bodies)
        return exchanged(order, mirror(sides))

    return image


def each_tracked_body(mirror: Mirror) -> Mirror:
    """A value for each of tracking.bodies."""

    def image(sides: Sides) -> Image:
        order = _partners("tracking.bodies", sides.config.tracking.bodies)
        return exchanged(order, mirror(sides))

    return image


def each_future_frame(mirror: Mirror) -> Mirror:
    """A value for each of observation.future_steps."""

    def image(sides: Sides) -> Image:
        return joined([mirror(sides)] * len(sides.config.observation.future_steps))

    return image


def from_anchor(mirror: Mirror) -> Mirror:
    """A value seen from tracking.anchor, which must be in the middle."""

    def image(sides: Sides) -> Image:
        anchor = sides.config.tracking.anchor
        if other_side(anchor) != anchor:
            raise UserError(
                f"it is seen from tracking.anchor, {anchor!r}, which is of one side; "
                f"take a body in the middle, such as {sides.robot.torso_body!r}"
            )
        return mirror(sides)

    return image


def _partners(field: str, names: Sequence[str]) -> np.ndarray:
    """(n,) int32: where among names the other side of each is."""
    for name in names:
        if other_side(name) not in names:
            raise UserError(f"{field} has {name!r} without {other_side(name)!r}")
    return np.array([names.index(other_side(name)) for name in names], np.int32)


def _check_pose(robot: Robot, pose: str, image: Image) -> None:
    angles_rad = robot.pose_rad(pose)
    _check_same(robot, f"the angle in control.pose={pose!r}", angles_rad, image)


def _check_same(robot: Robot, what: str, values: np.ndarray, image: Image) -> None:
    """`UserError` where values of joints are not their own image."""
    expected = image.sign * values[image.source]
    wrong = np.abs(values - expected) > 1e-6
    if wrong.any():
        joint = int(wrong.argmax())
        other = robot.joint_names[image.source[joint]]
        raise UserError(
            f"no mirror images: {what} of {robot.joint_names[joint]} is "
            f"{values[joint]:g}, the image of {other}'s is {expected[joint] + 0.0:g}"
        )
