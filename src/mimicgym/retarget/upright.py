"""Which way is up in a file, and how long its unit is, told from the person in it."""

import math
from dataclasses import replace

import numpy as np

from mimicgym.errors import MotionError, UserError
from mimicgym.retarget.matrices import unit
from mimicgym.retarget.names import JointMap, find_joints
from mimicgym.retarget.skeleton import HumanMotion

# Thigh and shank by body height: 0.53 H from the floor to the hip less 0.039 H to the
# ankle (Drillis and Contini 1966, as drawn in D. Winter, "Biomechanics and Motor
# Control of Human Movement").
_LEG_BY_HEIGHT = 0.491
_AVERAGE_HEIGHT_M = 1.7
_UNITS_M = (1.0, 0.0254 / 0.45, 0.0254, 0.01, 0.001)  # the second is CMU's
_PLAUSIBLE_M = (1.0, 2.4)
# Columns say where the file's x, y, z point in a world with z up.
_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


def in_metres(motion: HumanMotion, height_m: float | None) -> HumanMotion:
    """The motion in metres, from one in whatever unit its file has.

    The unit is the usual one that makes the person's height most ordinary, or what
    makes it `height_m`, if that is given.

    Raises:
      UserError: `height_m` is no height of a person.
      MotionError: the skeleton lacks joints of a person, or its legs have no length.
    """
    legs = leg_length(motion.rest_w, find_joints(motion))
    if not legs > 0:
        raise MotionError(f"{motion.path}: the legs of the skeleton have no length")
    told = legs / _LEG_BY_HEIGHT
    warnings = motion.warnings
    if height_m is not None:
        check_height(height_m)
        scale = height_m / told
    else:
        scale = min(_UNITS_M, key=lambda m: abs(math.log(told * m / _AVERAGE_HEIGHT_M)))
        if not _PLAUSIBLE_M[0] <= told * scale <= _PLAUSIBLE_M[1]:
            scale = _AVERAGE_HEIGHT_M / told
            warnings += (
                f"no usual unit makes the skeleton a person's size; it is taken to be "
                f"{_AVERAGE_HEIGHT_M} m tall",
            )
    return replace(
        motion,
        pos_w=scale * motion.pos_w,
        rest_w=scale * motion.rest_w,
        warnings=warnings,
    )


def check_height(height_m: float) -> None:
    """Refuse what is no height of a person."""
    if not 0.3 <= height_m <= 3.0:
        raise UserError(f"height_m is {height_m}; a person has 0.3 m to 3 m")


def stand_upright(motion: HumanMotion) -> HumanMotion:
    """The motion with z up, from one with y or z up: the axis people stand along."""
    joints = find_joints(motion)
    shoulders = motion.pos_w[:, joints.pair("shoulder")].mean(axis=1)
    ankles = motion.pos_w[:, joints.pair("ankle")].mean(axis=1)
    along = unit(shoulders - ankles).mean(axis=0)
    if along[2] > along[1]:
        return motion
    return replace(
        motion,
        pos_w=motion.pos_w @ _Y_UP.T,
        rot_w=_Y_UP @ motion.rot_w,
    )


def leg_length(rest_w: np.ndarray, joints: JointMap) -> float:
    """Thigh and shank together, the mean of both legs, in the unit of `rest_w`."""
    hip, knee, ankle = (rest_w[joints.pair(p)] for p in ("hip", "knee", "ankle"))
    thigh, shank = (np.linalg.norm(d, axis=1) for d in (knee - hip, ankle - knee))
    return float((thigh + shank).mean())
