"""Steps: where each foot goes and when, and from which foot the ground pushes."""

from dataclasses import dataclass

import numpy as np

from clips.targets import Stand, Targets, bump, ramp

# Of a foot, in its own frame: middle of the front and of the rear sole spheres.
TOE_M = np.array([0.12, 0.0, -0.03])
HEEL_M = np.array([-0.05, 0.0, -0.03])
INSET_M = 0.015  # the ZMP is this far inwards of the middle of the sole
ROLL_OFF_S = 0.09  # the heel rises this long before the foot leaves the ground
ROLL_ON_S = 0.1  # the sole is flat this long after the heel has landed
SINGLE_WEIGHT, DOUBLE_WEIGHT = 1.0, 0.1


@dataclass(frozen=True)
class Step:
    """One foot leaves the ground and lands elsewhere.

    Attributes:
      foot: 0 left, 1 right.
      lift_s, land_s: when it leaves and lands.
      x_m, y_m, yaw_rad: where the ankle lands.
      height_m: clearance in mid-swing.
      reach_m: how far ahead of the straight way the foot is in mid-swing.
      toe_rad: how far the heel rises while the toes push off.
      heel_rad: how far the toes are up when the heel lands.
      tilt_rad: how far the sole looks outwards in mid-swing, to go with a leg that is
        out to the side.
    """

    foot: int
    lift_s: float
    land_s: float
    x_m: float
    y_m: float
    yaw_rad: float = 0.0
    height_m: float = 0.05
    reach_m: float = 0.0
    toe_rad: float = 0.0
    heel_rad: float = 0.0
    tilt_rad: float = 0.0


def take_steps(
    stand: Stand,
    targets: Targets,
    time_s: np.ndarray,
    steps: list[Step],
    roll_through_m: float = 0.0,
) -> np.ndarray:
    """Put the steps, in order of time, into the targets, with the ZMP they need.

    The ZMP is in the sole that stands alone, near its middle, or travels along it by
    `roll_through_m`, and crosses over while both feet are down. The clip ends with the
    weight on both feet and the centre of mass between them, as in the stand pose.

    Returns:
      (T,) share of the right foot in the load, from 0 to 1.
    """
    for step in steps:
        _swing(targets, time_s, step)
    left_y_m, right_y_m = stand.feet_pos_w[:, 1] + [-INSET_M, INSET_M]
    evenly = (left_y_m - stand.com_xy_w[1]) / (left_y_m - right_y_m)
    share = np.full(len(time_s), evenly)
    along_m = np.zeros(len(time_s))
    weight = np.full(len(time_s), DOUBLE_WEIGHT)
    left_s, loaded = steps[0].lift_s - 0.5, evenly
    for i, step in enumerate(steps):
        # The load goes over before a foot lifts, and stays where it is when the same
        # foot lifts again.
        stands = 1.0 - step.foot
        share += (stands - loaded) * ramp(time_s, left_s, step.lift_s)
        middle = (step.lift_s + step.land_s) / 2
        after = steps[i + 1].lift_s if i + 1 < len(steps) else step.land_s + 0.5
        along_m += roll_through_m * (
            np.clip((time_s - middle) / (after - middle), -0.5, 0.5)
            * bump(time_s, left_s, step.lift_s, step.land_s, after)
        )
        weight += (SINGLE_WEIGHT - DOUBLE_WEIGHT) * bump(
            time_s, step.lift_s - 0.06, step.lift_s, step.land_s, step.land_s + 0.06
        )
        left_s, loaded = step.land_s, stands
    share += (evenly - loaded) * ramp(time_s, left_s, left_s + 0.5)

    soles = np.zeros((len(time_s), 2, 2))
    ahead_m = stand.com_xy_w[0] - stand.feet_pos_w[0, 0]
    for foot in range(2):
        ground = _ground_xy(stand, time_s, [s for s in steps if s.foot == foot], foot)
        yaw = ground[:, 2]
        forward = np.stack([np.cos(yaw), np.sin(yaw)], axis=1)
        inwards = (2 * foot - 1) * forward[:, ::-1] * [-1, 1]
        soles[:, foot] = (
            ground[:, :2] + (ahead_m + along_m)[:, None] * forward + INSET_M * inwards
        )
    targets.zmp_xy_w = (1 - share)[:, None] * soles[:, 0] + share[:, None] * soles[:, 1]
    targets.zmp_weight = weight
    targets.com_xy_w[-1] = targets.zmp_xy_w[-1]
    return share


def _ground_xy(
    stand: Stand, time_s: np.ndarray, steps: list[Step], foot: int
) -> np.ndarray:
    """(T, 3) x, y and yaw of where a foot stands; it changes while it is in the air."""
    place = np.tile([*stand.feet_pos_w[foot, :2], 0.0], (len(time_s), 1))
    for step in steps:
        place[time_s > step.lift_s + 1e-6] = step.x_m, step.y_m, step.yaw_rad
    return place


def _swing(targets: Targets, time_s: np.ndarray, step: Step) -> None:
    """Move one foot's targets from where they are to where the step ends."""
    lift_s, land_s = step.lift_s, step.land_s
    swing_s = land_s - lift_s
    position = targets.feet_pos_w[:, step.foot]
    rpy = targets.feet_rpy_rad[:, step.foot]
    # Straight up first and straight down last, so that the sole does not scrape.
    gone = ramp(time_s, lift_s + 0.05 * swing_s, land_s - 0.08 * swing_s)
    ends = np.array([step.x_m, step.y_m, position[-1, 2]])
    position += gone[:, None] * (ends - position[-1])
    rpy[:, 2] += gone * (step.yaw_rad - rpy[-1, 2])

    middle = lift_s + 0.48 * swing_s
    position[:, 2] += step.height_m * bump(time_s, lift_s, middle, middle, land_s)
    forward = np.stack([np.cos(rpy[:, 2]), np.sin(rpy[:, 2])], axis=1)
    reach = bump(time_s, lift_s + 0.1 * swing_s, middle, middle, land_s - 0.1 * swing_s)
    rpy[:, 0] += step.tilt_rad * (1 - 2 * step.foot) * reach
    position[:, :2] += step.reach_m * reach[:, None] * forward

    toe = step.toe_rad * bump(
        time_s,
        lift_s - ROLL_OFF_S,
        lift_s + 0.2 * swing_s,
        lift_s + 0.2 * swing_s,
        lift_s + 0.75 * swing_s,
    )
    heel = step.heel_rad * bump(
        time_s, lift_s + 0.5 * swing_s, land_s - 0.04, land_s, land_s + ROLL_ON_S
    )
    rpy[:, 1] += toe - heel
    # Each roll is about its own sphere centres, which therefore stay where they are.
    for angle, pivot in ((toe, TOE_M), (-heel, HEEL_M)):
        along = pivot[0] - (np.cos(angle) * pivot[0] + np.sin(angle) * pivot[2])
        position[:, :2] += along[:, None] * forward
        position[:, 2] += pivot[2] - (
            np.cos(angle) * pivot[2] - np.sin(angle) * pivot[0]
        )
