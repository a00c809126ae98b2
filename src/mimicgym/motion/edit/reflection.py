"""Left and right exchanged."""

from dataclasses import replace

import numpy as np

from mimicgym.errors import MotionError
from mimicgym.motion.clip import Motion, validate
from mimicgym.motion.edit.arguments import clip_name
from mimicgym.robot import other_side

_ROOT_SIGNS = (1, -1, 1, 1, -1, 1, -1)  # x, y, z and w, x, y, z


def mirror(motion: Motion) -> Motion:
    """The clip as a mirror in the x-z plane shows it. Twice is the clip itself.

    A reflection in y turns a position (x, y, z) into (x, -y, z) and a rotation about
    an axis (x, y, z) into one about (-x, y, -z): it reverses handedness, so the axis'
    part within the mirror changes sign. Roll (x) and yaw (z) joints so change sign,
    pitch joints (y; knees and elbows are such) do not, and the quaternion (w, x, y, z)
    becomes (w, -x, y, -z). Left and right joints and foot contacts change places.

    Raises:
      MotionError: the clip has a joint of one side only.
    """
    validate(motion)
    names = motion.joint_names
    columns = list(range(7))
    signs = [float(sign) for sign in _ROOT_SIGNS]
    for name in names:
        other = other_side(name)
        if other not in names:
            raise MotionError(
                f"{clip_name(motion)}: joint_names has {name!r} without {other!r}; a "
                f"clip must have the joints of both sides to be mirrored"
            )
        columns.append(7 + names.index(other))
        signs.append(-1.0 if "roll" in name or "yaw" in name else 1.0)
    contact = motion.foot_contact
    return replace(
        motion,
        qpos=motion.qpos[:, columns] * np.array(signs),
        foot_contact=None if contact is None else contact[:, ::-1].copy(),
    )
