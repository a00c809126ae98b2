"""The Unitree G1: its joints, gains, poses and what of it touches what.

Figures: Unitree's g1_description (BSD-3-Clause); gains of "videomimic" from the
G1DeepMimic configuration of hongsukchoi/VideoMimic, with the wrists' (which that
robot does not move) our own.
"""

import math

from mimicgym.robot.robot import Pairs, Robot, by_name

_LEG = ("hip_pitch", "hip_roll", "hip_yaw", "knee", "ankle_pitch", "ankle_roll")
_WAIST = ("waist_yaw_joint", "waist_roll_joint", "waist_pitch_joint")
_ARM = ("shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow")
_WRIST = ("wrist_roll", "wrist_pitch", "wrist_yaw")


def _side(side: str, parts: tuple[str, ...], suffix: str) -> tuple[str, ...]:
    return tuple(f"{side}_{part}_{suffix}" for part in parts)


JOINTS_29 = (
    _side("left", _LEG, "joint")
    + _side("right", _LEG, "joint")
    + _WAIST
    + _side("left", _ARM + _WRIST, "joint")
    + _side("right", _ARM + _WRIST, "joint")
)
WRIST_JOINTS = _side("left", _WRIST, "joint") + _side("right", _WRIST, "joint")
JOINTS_23 = tuple(j for j in JOINTS_29 if j not in WRIST_JOINTS)

# What terms can see. The 13 that VideoMimic tracks and the 14 of BeyondMimic are
# both subsets.
_KEY_LEG = ("hip_pitch", "hip_roll", "knee", "ankle_roll")
_KEY_ARM = ("shoulder_pitch", "shoulder_roll", "elbow", "wrist_yaw")
KEY_BODIES = (
    ("pelvis",)
    + _side("left", _KEY_LEG, "link")
    + _side("right", _KEY_LEG, "link")
    + ("torso_link",)
    + _side("left", _KEY_ARM, "link")
    + _side("right", _KEY_ARM, "link")
)
TRACKED_BODIES = tuple(
    b
    for b in KEY_BODIES
    if b != "torso_link" and "hip_roll" not in b and "shoulder_roll" not in b
)

# Rotor inertia that a joint feels (kg m^2), by part of its name; the last match counts.
# Two motors drive ankles and the waist's roll and pitch together.
_ARMATURE = (
    ("", 0.003609725),
    ("hip_pitch", 0.010177520),
    ("hip_yaw", 0.010177520),
    ("waist_yaw", 0.010177520),
    ("hip_roll", 0.025101925),
    ("knee", 0.025101925),
    ("ankle", 0.00721945),
    ("waist_roll", 0.00721945),
    ("waist_pitch", 0.00721945),
    ("wrist_pitch", 0.00425),
    ("wrist_yaw", 0.00425),
)
_NATURAL_RAD_S = 2 * math.pi * 10.0
_DAMPING_RATIO = 2.0

# (joint-name part) -> (kp N m/rad, kd N m s/rad); the last match wins.
GAINS: dict[str, tuple[tuple[str, float, float], ...]] = {
    "videomimic": (
        ("", 75.0, 2.0),
        ("ankle_pitch", 20.0, 0.2),
        ("ankle_roll", 20.0, 0.1),
        ("wrist", 20.0, 0.5),
    ),
    # A rotor on a spring that swings at 10 Hz, with a damping ratio of 2.
    "beyondmimic": tuple(
        (
            part,
            inertia * _NATURAL_RAD_S**2,
            2 * _DAMPING_RATIO * inertia * _NATURAL_RAD_S,
        )
        for part, inertia in _ARMATURE
    ),
}

# Largest speeds of the motors in rad/s (mjlab 1.6); the last match counts.
SPEED_LIMITS = (
    ("", 37.0),
    ("hip_pitch", 32.0),
    ("hip_yaw", 32.0),
    ("waist_yaw", 32.0),
    ("hip_roll", 20.0),
    ("knee", 20.0),
    ("ankle", 30.0),
    ("waist_roll", 30.0),
    ("waist_pitch", 30.0),
    ("wrist_pitch", 22.0),
    ("wrist_yaw", 22.0),
)

# Joint positions that are not 0 in a default pose; without a side, of both. A pose's
# shoulders mirror each other by the sign of their roll.
POSES: dict[str, tuple[tuple[str, float], ...]] = {
    "straight": (
        ("hip_pitch_joint", -0.1),
        ("knee_joint", 0.3),
        ("ankle_pitch_joint", -0.2),
    ),
    # mjlab 1.6, KNEES_BENT_KEYFRAME
    "knees_bent": (
        ("hip_pitch_joint", -0.312),
        ("knee_joint", 0.669),
        ("ankle_pitch_joint", -0.363),
        ("elbow_joint", 0.6),
        ("shoulder_pitch_joint", 0.2),
        ("left_shoulder_roll_joint", 0.2),
        ("right_shoulder_roll_joint", -0.2),
    ),
}

# Which collision geoms meet the floor in each preset, and which body each reports for.
_FLOOR_FEET = tuple(f"{s}_foot_{i}" for s in ("left", "right") for i in range(4))
_FLOOR_BODY = _FLOOR_FEET + (
    "left_knee_collision",
    "right_knee_collision",
    "left_hand_collision",
    "right_hand_collision",
    "left_elbow_collision",
    "right_elbow_collision",
    "torso_collision",
    "torso_back_collision",
    "pelvis_collision",
    "head_collision",
)
_SELF_PAIRS = (
    ("left_thigh_collision", "right_thigh_collision"),
    ("left_shin_collision", "right_shin_collision"),
    ("left_foot_collision", "right_foot_collision"),
    ("left_foot_collision", "right_shin_collision"),
    ("right_foot_collision", "left_shin_collision"),
    ("left_hand_collision", "left_thigh_collision"),
    ("right_hand_collision", "right_thigh_collision"),
    ("left_hand_collision", "pelvis_collision"),
    ("right_hand_collision", "pelvis_collision"),
    ("left_hand_collision", "torso_collision"),
    ("right_hand_collision", "torso_collision"),
    ("left_hand_collision", "right_hand_collision"),
    ("left_forearm_collision", "torso_collision"),
    ("right_forearm_collision", "torso_collision"),
    ("left_forearm_collision", "left_thigh_collision"),
    ("right_forearm_collision", "right_thigh_collision"),
    ("left_forearm_collision", "right_forearm_collision"),
    ("left_hand_collision", "head_collision"),
    ("right_hand_collision", "head_collision"),
)


def _floor(geoms: tuple[str, ...]) -> Pairs:
    return tuple(("floor", geom) for geom in geoms)


COLLISIONS = {
    "feet": _floor(_FLOOR_FEET),
    "body": _floor(_FLOOR_BODY),
    "full": _floor(_FLOOR_BODY) + _SELF_PAIRS,
}


def speed_limit_rad_s(joint: str) -> float:
    """Largest speed of a joint's motor."""
    return by_name(joint, SPEED_LIMITS)[0]


def _g1(name: str, joints: tuple[str, ...], fixed: tuple[str, ...]) -> Robot:
    return Robot(
        name=name,
        xml="g1/g1.xml",
        joint_names=joints,
        fixed_joints=fixed,
        default_root_height_m=0.78,
        key_bodies=KEY_BODIES,
        tracked_bodies=TRACKED_BODIES,
        foot_bodies=("left_ankle_roll_link", "right_ankle_roll_link"),
        hand_bodies=("left_wrist_yaw_link", "right_wrist_yaw_link"),
        torso_body="torso_link",
        upper_body_joints=_WAIST
        + _side("left", _ARM, "joint")
        + _side("right", _ARM, "joint"),
        foot_geoms=_FLOOR_FEET,
        gain_sets=GAINS,
        poses=POSES,
        speed_limits=SPEED_LIMITS,
        collisions=COLLISIONS,
    )


G1_23DOF = _g1("g1_23dof", JOINTS_23, WRIST_JOINTS)
G1_29DOF = _g1("g1_29dof", JOINTS_29, ())
