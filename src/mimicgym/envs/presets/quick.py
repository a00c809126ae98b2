"""Fast to learn on a CPU: the tracking kernels and action rate only, feet the only
contacts, observations without history or noise, a wide failure threshold and a little
start noise."""

from dataclasses import replace

from mimicgym.envs.config import (
    AirTime,
    EnvConfig,
    ObservationConfig,
    PhysicsConfig,
    ResetConfig,
    RewardConfig,
    TerminationConfig,
    Tracking,
    Weight,
)

_ACTOR = (
    "torso_real",
    "torso_xy_rel",
    "torso_yaw_rel",
    "target_joints",
    "target_root_roll",
    "target_root_pitch",
    "phase",
)
QUICK = replace(
    EnvConfig(),
    physics=PhysicsConfig(collisions="feet"),
    reward=RewardConfig(
        joint_pos_tracking=Tracking(50.0, 2.0),
        joint_vel_tracking=Tracking(5.0, 0.01),
        link_pos_tracking=Tracking(50.0, 10.0),
        link_vel_tracking=Tracking(5.0, 0.1),
        torso_pos_tracking=Tracking(50.0, 50.0),
        feet_contact_matching=Weight(0.0),
        collision=Weight(0.0),
        contact_no_vel=Weight(0.0),
        feet_air_time=AirTime(0.0),
        termination=Weight(-100.0),
    ),
    observation=ObservationConfig(
        actor=_ACTOR,
        critic=("torso", "deepmimic", *_ACTOR[1:]),
        noise=False,
    ),
    termination=TerminationConfig(tracking_error=0.5),
    reset=ResetConfig(joint_pos=0.02, root_xy=0.02, root_z=0.005),
)
