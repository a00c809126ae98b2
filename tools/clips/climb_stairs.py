"""A clip that climbs stairs: those of `mimicgym.terrain` that `STAIRS` describes.

The ground's cells are 0.05 m, and a riser fills the first cell of its step: the tread
is flat only on what is left of the depth. Each foot stands in the middle of that.
"""

import numpy as np

from clips.solve import GRAVITY_M_S2, acceleration, plan_com
from clips.steps import TOE_M, Step, take_steps
from clips.targets import Stand, Targets, bump, ramp, smooth, times

HEIGHT_M, DEPTH_M, STEPS, FLAT_M, CELL_M = 0.12, 0.3, 4, 0.45, 0.05
STAIRS = (
    f"stairs:step_height_m={HEIGHT_M},step_depth_m={DEPTH_M},steps={STEPS},"
    f"flat_radius_m={FLAT_M},down=false"
)
DESCRIPTION = f"climb {STEPS} steps of the ground {STAIRS}"

START_S, SWING_S, BOTH_S, END_S = 0.9, 0.76, 0.3, 1.2
HALF_WIDTH_M = 0.1
SOLE_MIDDLE_M = 0.035  # ahead of the ankle
OVER_M, OVER_LEVEL_M = 0.08, 0.05  # how high a foot comes over the place it lands on
LEAN_RAD = 0.07
CROUCH_M = 0.07
ROLL_OFF_S = 0.2  # the heel rises this long before the foot leaves the ground


def climb_stairs(stand: Stand) -> Targets:
    """Walk up to the stairs, climb them with one foot on each tread, stand up there."""
    feet = stand.feet_pos_w
    treads = [*range(STEPS + 1), STEPS]
    steps = []
    for i, tread in enumerate(treads):
        lift_s = START_S + i * (SWING_S + BOTH_S)
        last = i >= len(treads) - 2
        foot = i % 2
        steps.append(
            Step(
                foot=foot,
                lift_s=lift_s,
                land_s=lift_s + SWING_S,
                x_m=_middle_x_m(tread) - SOLE_MIDDLE_M,
                y_m=feet[foot, 1] if last else (1 - 2 * foot) * HALF_WIDTH_M,
                height_m=OVER_M if tread else OVER_LEVEL_M,
                toe_rad=0.65 if i > 0 else 0.12,
                tilt_rad=0.14,
            )
        )
    time_s = times(steps[-1].land_s + END_S)
    targets = stand.targets(len(time_s))
    share = _balance(stand, targets, time_s, steps, treads)

    level = [0, 0]
    for step, tread in zip(steps, treads, strict=True):
        rise_m = HEIGHT_M * (tread - level[step.foot])
        level[step.foot] = tread
        _swing(targets, time_s, step, rise_m)

    # The body goes up on the leg that stands, after the load has come over to it.
    going = bump(time_s, 0.3, 1.4, steps[-1].land_s, time_s[-1] - 0.3)
    targets.pelvis_height_m -= CROUCH_M * going
    for i, step in enumerate(steps[2:]):
        rise_m = HEIGHT_M * (treads[i + 1] - treads[i])
        targets.pelvis_height_m += rise_m * ramp(
            time_s, step.lift_s - 0.14, step.lift_s + 0.5
        )
    targets.pelvis_rpy_rad[:, 1] += LEAN_RAD * going
    stand.add(targets, "waist_pitch", 0.04 * going)
    drop_rad = 0.02 * smooth(2 * (share - share[0]), 0.2)
    targets.pelvis_rpy_rad[:, 0] -= drop_rad
    stand.add(targets, "waist_roll", 0.8 * drop_rad)
    apart_m = targets.feet_pos_w[:, 0, 0] - targets.feet_pos_w[:, 1, 0]
    ahead = smooth(apart_m, 0.25) / DEPTH_M
    stand.add(targets, "left_shoulder_pitch", 0.2 * ahead)
    stand.add(targets, "right_shoulder_pitch", -0.2 * ahead)
    stand.add(targets, "left_elbow", -0.12 * ahead)
    stand.add(targets, "right_elbow", 0.12 * ahead)
    stand.add(targets, "elbow", -0.1 * going)
    stand.add(targets, "waist_yaw", 0.08 * ahead)
    return targets


def _middle_x_m(tread: int) -> float:
    """Middle of the flat part of a tread; the floor before the stairs is tread 0."""
    return FLAT_M + (tread - 1) * DEPTH_M + (CELL_M + DEPTH_M) / 2


def _balance(
    stand: Stand,
    targets: Targets,
    time_s: np.ndarray,
    steps: list[Step],
    treads: list[int],
) -> np.ndarray:
    """Put the ZMP into the targets; returns the right foot's share in the load.

    `solve` looks for it in the plane z = 0. The push that goes through a point on the
    stairs comes from where its line meets that plane: less far ahead, where the centre
    of mass gets faster.
    """
    flat = stand.targets(len(time_s))
    share = take_steps(stand, flat, time_s, steps)
    wanted = flat.zmp_xy_w
    level_m = np.zeros((len(time_s), 2))
    for step, tread in zip(steps, treads, strict=True):
        level_m[time_s > step.lift_s + 1e-6, step.foot] = HEIGHT_M * tread
    under_m = (1 - share) * level_m[:, 0] + share * level_m[:, 1]
    com = plan_com(
        wanted, flat.zmp_weight, stand.com_w[2], flat.com_xy_w[0], wanted[-1]
    )
    targets.zmp_xy_w = wanted - (under_m / GRAVITY_M_S2)[:, None] * acceleration(com)
    targets.zmp_weight = flat.zmp_weight
    targets.zmp_play_m = np.array([0.02, 0.0])
    targets.com_xy_w[-1] = wanted[-1]
    return share


def _swing(targets: Targets, time_s: np.ndarray, step: Step, rise_m: float) -> None:
    """Move one foot up, over the edges, and down onto its tread."""
    lift_s, land_s = step.lift_s, step.land_s
    swing_s = land_s - lift_s
    position = targets.feet_pos_w[:, step.foot]
    gone = ramp(time_s, lift_s + 0.12 * swing_s, land_s - 0.06 * swing_s)
    position[:, :2] += gone[:, None] * ([step.x_m, step.y_m] - position[-1, :2])
    up = ramp(time_s, lift_s, lift_s + 0.55 * swing_s)
    down = ramp(time_s, lift_s + 0.55 * swing_s, land_s)
    position[:, 2] += (rise_m + step.height_m) * up - step.height_m * down
    middle_s = lift_s + 0.45 * swing_s
    start_s, end_s = lift_s + 0.1 * swing_s, land_s - 0.1 * swing_s
    tilt = bump(time_s, start_s, middle_s, middle_s, end_s)
    targets.feet_rpy_rad[:, step.foot, 0] += step.tilt_rad * (1 - 2 * step.foot) * tilt
    toe = step.toe_rad * bump(
        time_s,
        lift_s - ROLL_OFF_S,
        lift_s + 0.25 * swing_s,
        lift_s + 0.35 * swing_s,
        lift_s + 0.9 * swing_s,
    )
    targets.feet_rpy_rad[:, step.foot, 1] += toe
    # It rolls about the centres of its front spheres.
    turned = np.stack([np.cos(toe), np.sin(toe), -np.sin(toe), np.cos(toe)], axis=1)
    pivot = TOE_M[[0, 2]]
    position[:, [0, 2]] += pivot - turned.reshape(-1, 2, 2) @ pivot
