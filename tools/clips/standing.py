"""Clips on two planted feet, and a kick from one."""

import numpy as np

from clips.steps import Step, take_steps
from clips.targets import FPS, Stand, Targets, bump, times


def stand_still(stand: Stand) -> Targets:
    """Stand with a little sway, a slow look around and one breath after another."""
    time_s = times(4.0)
    targets = stand.targets(len(time_s))
    there = bump(time_s, 0.0, 0.9, 3.1, 4.0)
    slow = there * np.sin(2 * np.pi * 0.45 * time_s)
    breath = there * np.sin(2 * np.pi * 0.3 * time_s + 0.4)
    targets.com_xy_w[:, 0] += 0.004 * there * np.sin(2 * np.pi * 0.35 * time_s + 1.0)
    targets.com_xy_w[:, 1] += 0.009 * slow
    targets.pelvis_rpy_rad[:, 0] += 0.008 * slow
    targets.pelvis_height_m -= 0.003 * there * (1 + np.sin(2 * np.pi * 0.3 * time_s))
    stand.add(targets, "waist_yaw", 0.035 * slow)
    stand.add(targets, "waist_pitch", 0.01 * breath)
    stand.add(targets, "waist_roll", -0.01 * slow)
    stand.add(targets, "left_shoulder_roll", 0.02 * breath)
    stand.add(targets, "right_shoulder_roll", -0.02 * breath)
    stand.add(targets, "left_shoulder_pitch", 0.03 * slow)
    stand.add(targets, "right_shoulder_pitch", -0.03 * slow)
    stand.add(targets, "elbow", 0.03 * breath)
    return targets


def wave(stand: Stand) -> Targets:
    """Stand, lift the right arm, wave, and take it down again."""
    time_s = np.arange(5 * FPS + 1) / FPS
    targets = stand.targets(len(time_s))
    raised = bump(time_s, 0.25, 1.35, 3.75, 4.8)
    waving = bump(time_s, 1.05, 1.6, 3.45, 3.95)
    swing = waving * np.sin(2 * np.pi * 1.45 * (time_s - 1.1))

    stand.move(
        targets,
        raised,
        {
            "right_shoulder_pitch": -0.25,
            "right_shoulder_roll": -1.1,
            "right_shoulder_yaw": -1.3,
            "right_elbow": -0.42,
            "left_shoulder_pitch": 0.28,
            "left_elbow": 0.85,
        },
    )
    joint = targets.joint_rad
    joint[:, stand.indices("right_elbow")[0]] += 0.36 * swing
    joint[:, stand.indices("right_shoulder_roll")[0]] += 0.07 * swing
    joint[:, stand.indices("right_wrist_yaw")[0]] += 0.12 * swing
    joint[:, stand.indices("left_shoulder_roll")[0]] += 0.05 * raised - 0.015 * swing

    # The trunk turns and leans a little towards the arm, the weight goes the other way,
    # and the knees give as the arm starts and stops.
    joint[:, stand.indices("waist_yaw")[0]] += -0.10 * raised + 0.02 * swing
    joint[:, stand.indices("waist_roll")[0]] += -0.045 * raised - 0.02 * swing
    joint[:, stand.indices("waist_pitch")[0]] += 0.03 * raised
    targets.pelvis_rpy_rad[:, 0] += 0.02 * raised + 0.006 * swing
    targets.pelvis_rpy_rad[:, 2] += -0.04 * raised
    targets.com_xy_w[:, 1] += 0.012 * raised - 0.002 * swing
    dip = bump(time_s, 0.0, 0.45, 0.45, 1.2) + bump(time_s, 3.7, 4.4, 4.4, 5.0)
    targets.pelvis_height_m -= 0.012 * dip + 0.004 * raised
    return targets


def squat(stand: Stand) -> Targets:
    """Two squats with the arms forward."""
    time_s = np.arange(int(5.6 * FPS) + 1) / FPS
    targets = stand.targets(len(time_s))
    first = bump(time_s, 0.2, 1.35, 1.5, 2.6)
    second = bump(time_s, 2.9, 4.05, 4.2, 5.4)
    down = first + second
    arms = bump(time_s, 0.1, 1.2, 4.3, 5.5)

    stand.move(
        targets,
        arms * (0.75 + 0.25 * down),
        {
            "shoulder_pitch": -1.35,
            "left_shoulder_roll": 0.12,
            "right_shoulder_roll": -0.12,
            "elbow": 1.25,
        },
    )
    targets.joint_rad[:, stand.indices("waist_pitch")[0]] += 0.06 * down
    targets.pelvis_rpy_rad[:, 1] += 0.30 * down
    targets.pelvis_height_m -= 0.25 * down
    return targets


def kick(stand: Stand) -> Targets:
    """Shift the weight to the right, draw the left knee up, kick, and step back."""
    time_s = times(4.6)
    targets = stand.targets(len(time_s))
    foot = stand.feet_pos_w[0]
    lift_s, land_s = 1.1, 3.3
    swing = Step(0, lift_s, land_s, *foot[:2], height_m=0.0, tilt_rad=0.08)
    take_steps(stand, targets, time_s, [swing])

    up = bump(time_s, lift_s, 1.85, 2.3, land_s)
    out = bump(time_s, 1.75, 2.15, 2.25, 2.8)
    position = targets.feet_pos_w[:, 0]
    position[:, 2] += 0.17 * up + 0.13 * out
    position[:, 0] += 0.05 * bump(time_s, 1.2, 1.85, 2.4, 3.15) + 0.41 * out
    position[:, 1] -= 0.03 * bump(time_s, 1.2, 1.85, 2.4, 3.15)
    targets.feet_rpy_rad[:, 0, 1] += 0.2 * up - 0.75 * out

    held = bump(time_s, 0.5, 1.5, 2.8, 4.1)
    targets.pelvis_height_m -= 0.012 * bump(time_s, 0.3, 1.1, 3.3, 4.3)
    targets.pelvis_rpy_rad[:, 1] -= 0.05 * held + 0.1 * out
    targets.pelvis_rpy_rad[:, 2] -= 0.08 * out
    stand.add(targets, "waist_pitch", 0.04 * held + 0.1 * out)
    stand.add(targets, "waist_yaw", 0.16 * out)
    stand.move(
        targets,
        held,
        {
            "left_shoulder_pitch": 0.0,
            "right_shoulder_pitch": -0.1,
            "left_shoulder_roll": 0.4,
            "right_shoulder_roll": -0.4,
            "elbow": 0.6,
        },
    )
    stand.add(targets, "left_shoulder_pitch", 0.45 * out)
    stand.add(targets, "right_shoulder_pitch", -0.45 * out)
    return targets
