"""Where the robot's parts should be: the person's motion in the robot's proportions."""

from dataclasses import dataclass

import numpy as np

from mimicgym.retarget.body import Body
from mimicgym.retarget.matrices import about_axis, unit, yaw_pitch_roll
from mimicgym.retarget.proportions import LIMBS, Proportions


@dataclass(frozen=True, eq=False)
class Targets:
    """T frames in the world, in m; the first is over the origin and faces along x.

    Attributes:
      fps: frames per second.
      pelvis_pos_w: (T, 3) origin of the pelvis.
      pelvis_w, torso_w: (T, 3, 3) turns of pelvis and torso.
      feet_pos_w: (T, 2, 3) origins of the ankle_roll frames, left and right.
      feet_w: (T, 2, 3, 3) turns of the feet.
      limbs_w: (T, L, 2, 3) unit vectors along the LIMBS, left and right.
    """

    fps: float
    pelvis_pos_w: np.ndarray
    pelvis_w: np.ndarray
    torso_w: np.ndarray
    feet_pos_w: np.ndarray
    feet_w: np.ndarray
    limbs_w: np.ndarray


def scale_body(body: Body, robot: Proportions) -> Targets:
    """The person's motion as the robot could make it, without regard to the ground.

    Paths of hips and ankles are scaled by leg length, so that a foot that stands still
    goes on doing so. The robot's hips are wider than a person's: its feet keep to the
    outside by half the difference. Other bones keep their directions.
    """
    scale = robot.leg_m / body.leg_m
    hips = body.part("hip").mean(axis=1)
    start_yaw = yaw_pitch_roll(body.pelvis_w[0])[0]
    turn = about_axis(2, -start_yaw)
    origin = np.array([*hips[0, :2], body.standing_ankle_z_m])
    sole = np.array([0.0, 0.0, robot.sole_m])

    pelvis = turn @ body.pelvis_w
    hips = scale * (hips - origin) @ turn.T + sole
    ankles = scale * (body.part("ankle") - origin) @ turn.T + sole
    wider = 0.5 * (robot.hip_width_m - scale * body.hip_width_m)
    heading = about_axis(2, yaw_pitch_roll(pelvis)[:, 0])
    ankles[:, 0] += wider * heading[:, :, 1]
    ankles[:, 1] -= wider * heading[:, :, 1]
    ends = [[body.part(part) @ turn.T for part in limb.part] for limb in LIMBS]
    return Targets(
        fps=body.fps,
        pelvis_pos_w=hips - pelvis @ robot.hips_from_pelvis,
        pelvis_w=pelvis,
        torso_w=turn @ body.chest_w,
        feet_pos_w=ankles,
        feet_w=turn @ body.feet_w,
        limbs_w=np.stack([unit(end - start) for start, end in ends], axis=1),
    )
