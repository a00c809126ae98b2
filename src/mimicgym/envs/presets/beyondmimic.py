"""BeyondMimic's task, from mjlab 1.6 (tasks/tracking): relative body rewards, few
failures that leave the place in the world free, wide start noise, bins that fail are
tried more often.

Different on purpose: a clip's end ends the episode (a truncation), where mjlab moves
the robot to another frame without ending it.
"""

from dataclasses import replace

from mimicgym.envs.config import (
    ControlConfig,
    EnvConfig,
    Force,
    ObservationConfig,
    PhysicsConfig,
    Push,
    RandomizationConfig,
    ResetConfig,
    Sense,
    TerminationConfig,
    Tracking,
    TrackingConfig,
    Weight,
)
from mimicgym.envs.presets.silent import SILENT

_SIDES = ("left", "right")
BODIES = (
    "pelvis",
    *(f"{side}_{part}_link" for side in _SIDES for part in ("hip_roll", "knee")),
    *(f"{side}_ankle_roll_link" for side in _SIDES),
    "torso_link",
    *(f"{side}_shoulder_roll_link" for side in _SIDES),
    *(f"{side}_elbow_link" for side in _SIDES),
    *(f"{side}_wrist_yaw_link" for side in _SIDES),
)
_ACTOR = (
    "target_joints",
    "target_joint_vel",
    "anchor_pos_b",
    "anchor_ori_b",
    "base_lin_vel",
    "base_ang_vel",
    "joint_pos",
    "joint_vel",
    "last_action",
)

BEYONDMIMIC = EnvConfig(
    robot="g1_29dof",
    tracking=TrackingConfig(bodies=BODIES),
    physics=PhysicsConfig(collisions="full"),
    control=ControlConfig(
        gains="beyondmimic",
        pose="knees_bent",
        target="default",
        scale_by_effort=True,
        action_clip=100.0,
    ),
    observation=ObservationConfig(
        actor=_ACTOR,
        critic=(*(f"clean_{term}" for term in _ACTOR), "body_pos_b", "body_ori_b"),
        base_lin_vel=Sense(noise=0.5),
        base_ang_vel=Sense(noise=0.2),
        joint_vel=Sense(noise=0.5),
    ),
    reward=replace(
        SILENT,
        anchor_pos=Tracking(0.5, 1 / 0.3**2),
        anchor_orientation=Tracking(0.5, 1 / 0.4**2),
        body_pos_relative=Tracking(1.0, 1 / 0.3**2),
        body_orientation_relative=Tracking(1.0, 1 / 0.4**2),
        body_lin_vel=Tracking(1.0, 1.0),
        body_ang_vel=Tracking(1.0, 1 / 3.14**2),
        action_rate=Weight(-0.1),
        dof_pos_limits=Weight(-10.0),
        self_collision=Force(-10.0, 10.0),
        soft_joint_limit=0.9,
    ),
    termination=TerminationConfig(
        tracking_error=0.0,
        anchor_height=0.25,
        anchor_tilt=0.8,
        end_effector_height=0.25,
        max_steps=500,
    ),
    reset=ResetConfig(
        sampling="failure_bins",
        noise="uniform",
        joint_pos=0.1,
        root_xy=0.05,
        root_z=0.01,
        root_tilt=0.1,
        root_yaw=0.2,
        root_lin_vel_xy=0.5,
        root_lin_vel_z=0.2,
        root_ang_vel_tilt=0.52,
        root_ang_vel_yaw=0.78,
    ),
    randomization=RandomizationConfig(
        friction=(0.3, 1.2),
        torso_com_m=(0.025, 0.05, 0.05),
        encoder_bias_rad=0.01,
        push=Push(
            interval_s=(1.0, 3.0),
            lin_vel_xy=0.5,
            lin_vel_z=0.2,
            ang_vel_tilt=0.52,
            ang_vel_yaw=0.78,
        ),
    ),
)
