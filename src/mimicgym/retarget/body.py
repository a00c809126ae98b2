"""What retargeting takes from a person: limb joints, and how trunk and feet are turned.

Skeletons differ in what their joint axes mean. The turns here are those of frames that
mean the same for everybody: x forward, y left, z up of the pelvis, of the chest and of
each foot, upright for one who stands upright, flat for a foot on the ground.
"""

from dataclasses import dataclass

import numpy as np

from mimicgym.retarget.matrices import from_left_and_up, nearest_rotations, unit
from mimicgym.retarget.names import ARM, LEG, JointMap, find_joints
from mimicgym.retarget.skeleton import ROUNDING, HumanMotion
from mimicgym.retarget.upright import leg_length

PARTS = (*LEG, "toe", *ARM)
_STANDING = 0.95  # cosine of 18 degrees
# A foot is flat when ankle and toe are within this of where they are when low.
_FLAT_BY_LEG = 0.03
_LOW_PERCENTILE = 5.0


@dataclass(frozen=True, eq=False)
class Body:
    """T frames of a person, in metres, with z up.

    Attributes:
      fps: frames per second.
      points_w: (T, 2, 7, 3) joints of the left and right side, in the order of PARTS.
      pelvis_w, chest_w: (T, 3, 3) from x forward, y left, z up to the world.
      feet_w: (T, 2, 3, 3) the same of the feet.
      leg_m: thigh and shank together.
      hip_width_m: from hip to hip.
      standing_ankle_z_m: how high in the world the ankle of a standing foot is.
    """

    fps: float
    points_w: np.ndarray
    pelvis_w: np.ndarray
    chest_w: np.ndarray
    feet_w: np.ndarray
    leg_m: float
    hip_width_m: float
    standing_ankle_z_m: float

    def part(self, name: str) -> np.ndarray:
        """(T, 2, 3) one kind of joint."""
        return self.points_w[:, :, PARTS.index(name)]


def find_body(motion: HumanMotion) -> Body:
    """The person's limbs, pelvis, chest and feet.

    Raises:
      MotionError: the skeleton lacks joints of a person.
    """
    joints = find_joints(motion)
    index = np.array([joints.pair(part) for part in PARTS]).T
    points = motion.pos_w[:, index]
    hips = motion.rest_w[joints.pair("hip")]
    legs = leg_length(motion.rest_w, joints)
    feet = points[:, :, [PARTS.index("ankle"), PARTS.index("toe")]]
    low = np.percentile(feet[..., 2], _LOW_PERCENTILE, axis=0)
    flat = np.all(np.abs(feet[..., 2] - low) < _FLAT_BY_LEG * legs, axis=2)
    return Body(
        fps=motion.fps,
        points_w=points,
        pelvis_w=_trunk(motion, joints, joints.pelvis, "hip"),
        chest_w=_trunk(motion, joints, joints.chest, "shoulder"),
        feet_w=np.stack(
            [
                _foot(motion.rot_w[:, ankle], feet[:, i], flat[:, i])
                for i, ankle in enumerate(joints.pair("ankle"))
            ],
            axis=1,
        ),
        leg_m=legs,
        hip_width_m=float(np.linalg.norm(hips[0] - hips[1])),
        standing_ankle_z_m=float(low[:, 0].min()),
    )


def _trunk(
    motion: HumanMotion, joints: JointMap, joint: int, across: str
) -> np.ndarray:
    """(T, 3, 3) the frame that moves with `joint` and is upright in a standing person.

    Standing is the file's rest pose where that is one. Rest poses of some programs have
    all bones in one line instead; then the frame is the one that the hips and shoulders
    have on average, seen from the joint.
    """
    turns = motion.rot_w[:, joint]
    rest = {p: motion.rest_w[joints.pair(p)] for p in ("hip", "ankle", "shoulder")}
    middle = {part: pair.mean(axis=0) for part, pair in rest.items()}
    trunk = unit(middle["shoulder"] - middle["hip"])
    legs = unit(middle["hip"] - middle["ankle"])
    up = np.eye(3)[np.argmax(np.abs(trunk))]
    if min(trunk @ up, legs @ up) > _STANDING:
        left = rest["hip"][0] - rest["hip"][1]
        return turns @ from_left_and_up(left, up)
    here = motion.pos_w[:, joints.pair(across)]
    hips = motion.pos_w[:, joints.pair("hip")].mean(axis=1)
    shoulders = motion.pos_w[:, joints.pair("shoulder")].mean(axis=1)
    seen = from_left_and_up(here[:, 0] - here[:, 1], shoulders - hips)
    return turns @ nearest_rotations((turns.swapaxes(1, 2) @ seen).mean(axis=0))


def _foot(turns: np.ndarray, ankle_toe: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """(T, 3, 3) the frame that moves with the ankle and is level when the foot is flat.

    Args:
      turns: (T, 3, 3) of the ankle joint.
      ankle_toe: (T, 2, 3) where ankle and toe are.
      flat: (T,) when the foot stands on the ground with heel and toe.
    """
    if not flat.any():
        lowest = ankle_toe[..., 2].sum(axis=1)
        flat = lowest <= np.percentile(lowest, _LOW_PERCENTILE)
    forward = ankle_toe[:, 1] - ankle_toe[:, 0]
    up = np.array([0.0, 0.0, 1.0])
    level = from_left_and_up(np.cross(up, forward), np.broadcast_to(up, forward.shape))
    seen = turns[flat].swapaxes(1, 2) @ level[flat]
    return turns @ nearest_rotations(seen.mean(axis=0))


def resample_body(body: Body, fps: float) -> Body:
    """The body at another rate, from its first frame up to its last.

    Points are interpolated linearly, turns by the rotation nearest to the mixture of
    their neighbours', which is slerp up to a negligible part of a frame's turn.
    """
    last = len(body.points_w) - 1
    count = int(np.floor(last / body.fps * fps + ROUNDING)) + 1
    at = np.minimum(np.arange(count) * (body.fps / fps), last)
    before = np.minimum(at.astype(int), last - 1)

    def mix(values: np.ndarray) -> np.ndarray:
        fraction = (at - before).reshape(-1, *[1] * (values.ndim - 1))
        return (1.0 - fraction) * values[before] + fraction * values[before + 1]

    return Body(
        fps=fps,
        points_w=mix(body.points_w),
        pelvis_w=nearest_rotations(mix(body.pelvis_w)),
        chest_w=nearest_rotations(mix(body.chest_w)),
        feet_w=nearest_rotations(mix(body.feet_w)),
        leg_m=body.leg_m,
        hip_width_m=body.hip_width_m,
        standing_ankle_z_m=body.standing_ankle_z_m,
    )
