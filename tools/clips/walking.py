"""Clips that go from foot to foot: walking, marching, side steps and a turn."""

import numpy as np

from clips.steps import Step, take_steps
from clips.targets import Stand, Targets, bump, smooth, times

START_S = 0.9  # the first foot leaves the ground
END_S = 1.0  # from the last landing to the end


def _schedule(count: int, swing_s: float, both_s: float) -> list[tuple[float, float]]:
    """Lift and landing times of steps that follow each other."""
    lifts = [START_S + i * (swing_s + both_s) for i in range(count)]
    return [(lift, lift + swing_s) for lift in lifts]


def _swing_arms(stand: Stand, targets: Targets, left_ahead: np.ndarray) -> None:
    """Swing arms and trunk against the legs; `left_ahead` (T,) in [-1, 1]."""
    stand.add(targets, "left_shoulder_pitch", 0.32 * left_ahead - 0.06)
    stand.add(targets, "right_shoulder_pitch", -0.32 * left_ahead - 0.06)
    stand.add(targets, "left_elbow", -0.2 * left_ahead)
    stand.add(targets, "right_elbow", 0.2 * left_ahead)
    targets.pelvis_rpy_rad[:, 2] -= 0.07 * left_ahead
    stand.add(targets, "waist_yaw", 0.16 * left_ahead)


def _sway(stand: Stand, targets: Targets, share: np.ndarray, amount_rad: float) -> None:
    """Let the pelvis drop on the side that swings; the trunk stays upright."""
    drop = amount_rad * smooth(2 * (share - share[0]), 0.14)
    targets.pelvis_rpy_rad[:, 0] -= drop
    stand.add(targets, "waist_roll", 0.8 * drop)


def walk(stand: Stand) -> Targets:
    """Walk straight ahead, left foot first, and stop."""
    length_m, half_width_m, count = 0.37, 0.09, 12
    swing_s, both_s = 0.46, 0.14
    feet = stand.feet_pos_w
    steps = []
    for i, (lift_s, land_s) in enumerate(_schedule(count, swing_s, both_s)):
        side = 1 if i % 2 == 0 else -1
        ahead_m = length_m * min(i + 1, count - 1)
        steps.append(
            Step(
                foot=i % 2,
                lift_s=lift_s,
                land_s=land_s,
                x_m=feet[0, 0] + ahead_m,
                y_m=side * (feet[0, 1] if i >= count - 2 else half_width_m),
                height_m=0.045,
                toe_rad=0.12 if i == 0 else 0.35,
                heel_rad=0.0 if i == count - 1 else 0.12,
            )
        )
    time_s = times(steps[-1].land_s + END_S)
    targets = stand.targets(len(time_s))
    share = take_steps(stand, targets, time_s, steps, roll_through_m=0.04)
    targets.zmp_play_m = np.array([0.045, 0.0])
    _sway(stand, targets, share, 0.03)

    apart_m = targets.feet_pos_w[:, 0, 0] - targets.feet_pos_w[:, 1, 0]
    going = bump(time_s, 0.3, 1.4, steps[-1].land_s - 0.5, time_s[-1] - 0.3)
    _swing_arms(stand, targets, smooth(apart_m, 0.2) / length_m)
    stand.add(targets, "shoulder_pitch", 0.06 * (1 - going))
    stand.add(targets, "elbow", -0.15 * going)
    # Lowest with the legs apart, highest over the foot that stands.
    targets.pelvis_height_m -= 0.042 * going + 0.006 * smooth(
        np.abs(apart_m) / length_m, 0.14
    )
    targets.pelvis_rpy_rad[:, 1] += 0.03 * going
    return targets


def march(stand: Stand) -> Targets:
    """Eight steps on the spot with the knees up."""
    swing_s, both_s, count = 0.54, 0.16, 8
    feet = stand.feet_pos_w
    steps = [
        Step(
            foot=i % 2,
            lift_s=lift_s,
            land_s=land_s,
            x_m=feet[i % 2, 0],
            y_m=feet[i % 2, 1],
            height_m=0.14,
            reach_m=0.08,
            toe_rad=0.25,
        )
        for i, (lift_s, land_s) in enumerate(_schedule(count, swing_s, both_s))
    ]
    time_s = times(steps[-1].land_s + END_S)
    targets = stand.targets(len(time_s))
    share = take_steps(stand, targets, time_s, steps)
    _sway(stand, targets, share, 0.025)
    raised_m = targets.feet_pos_w[:, 0, 2] - targets.feet_pos_w[:, 1, 2]
    _swing_arms(stand, targets, smooth(raised_m, 0.18) / 0.16)
    going = bump(time_s, 0.2, 1.0, steps[-1].land_s, time_s[-1] - 0.1)
    stand.add(targets, "shoulder_pitch", 0.06 - 0.1 * going)
    stand.add(targets, "elbow", 0.15 * going)
    targets.pelvis_height_m -= 0.015 * going
    return targets


def side_step(stand: Stand) -> Targets:
    """Two side steps to the left, and two back to the right."""
    swing_s, both_s, length_m = 0.5, 0.16, 0.12
    feet = stand.feet_pos_w
    # Which foot goes, and how many lengths to the left it lands.
    order = [(0, 1), (1, 1), (0, 2), (1, 2), (1, 1), (0, 1), (1, 0), (0, 0)]
    starts = _schedule(len(order), swing_s, both_s)
    # The foot that closed goes first on the way back; the load has to cross over.
    pause_s = np.where(np.arange(len(order)) >= 4, 0.5, 0.0)
    steps = [
        Step(
            foot=foot,
            lift_s=lift_s + pause,
            land_s=land_s + pause,
            x_m=feet[foot, 0],
            y_m=feet[foot, 1] + length_m * lengths,
            height_m=0.05,
            tilt_rad=0.16,
        )
        for (foot, lengths), (lift_s, land_s), pause in zip(
            order, starts, pause_s, strict=True
        )
    ]
    time_s = times(steps[-1].land_s + END_S)
    targets = stand.targets(len(time_s))
    take_steps(stand, targets, time_s, steps)
    going = bump(time_s, 0.2, 1.0, steps[-1].land_s, time_s[-1] - 0.1)
    apart_m = smooth(targets.feet_pos_w[:, 0, 1] - targets.feet_pos_w[:, 1, 1], 0.2)
    apart_m -= apart_m[0]
    stand.add(targets, "left_shoulder_roll", 0.06 * going + 0.9 * apart_m)
    stand.add(targets, "right_shoulder_roll", -0.06 * going - 0.9 * apart_m)
    stand.add(targets, "elbow", 0.1 * going)
    targets.pelvis_height_m -= 0.03 * going + 0.06 * apart_m
    return targets


def turn(stand: Stand) -> Targets:
    """Turn on the spot to the left by half a turn, in small steps."""
    swing_s, both_s, pairs = 0.46, 0.16, 6
    angle_rad = np.pi / pairs
    feet = stand.feet_pos_w[:, :2]
    centre = feet.mean(axis=0)
    steps = []
    for i, (lift_s, land_s) in enumerate(_schedule(2 * pairs, swing_s, both_s)):
        yaw = angle_rad * (i // 2 + 1)
        turned = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
        x_m, y_m = centre + turned @ (feet[i % 2] - centre)
        steps.append(Step(i % 2, lift_s, land_s, x_m, y_m, yaw, height_m=0.05))
    time_s = times(steps[-1].land_s + END_S)
    targets = stand.targets(len(time_s))
    share = take_steps(stand, targets, time_s, steps)
    _sway(stand, targets, share, 0.015)

    yaw = smooth(targets.feet_rpy_rad[:, :, 2].mean(axis=1), 0.3)
    targets.pelvis_rpy_rad[:, 2] += yaw
    # The trunk turns first, and the arms swing a little with the steps.
    ahead = smooth(np.gradient(yaw, time_s), 0.3)
    stand.add(targets, "waist_yaw", 0.15 * ahead)
    going = bump(time_s, 0.2, 1.0, steps[-1].land_s, time_s[-1] - 0.1)
    side = going * smooth(2 * (share - share[0]), 0.2)
    stand.add(targets, "left_shoulder_pitch", 0.1 * side)
    stand.add(targets, "right_shoulder_pitch", -0.1 * side)
    stand.add(targets, "left_shoulder_roll", 0.08 * going)
    stand.add(targets, "right_shoulder_roll", -0.08 * going)
    stand.add(targets, "elbow", 0.1 * going)
    targets.pelvis_height_m -= 0.02 * going
    return targets
