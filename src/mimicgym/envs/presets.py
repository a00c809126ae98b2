"""Named environment configurations."""

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
from mimicgym.errors import unknown_name

# The original's first training stage as its configuration file has it, with the
# residual control target that mimicgym defaults to.
_DEFAULT = EnvConfig()

# Fast to learn on a CPU: the tracking kernels and action rate only, feet the only
# contacts, observations without history or noise, a wide failure threshold and a little
# start noise.
_QUICK_ACTOR = (
    "torso_real",
    "torso_xy_rel",
    "torso_yaw_rel",
    "target_joints",
    "target_root_roll",
    "target_root_pitch",
    "phase",
)
_QUICK = replace(
    _DEFAULT,
    physics=PhysicsConfig(collisions="feet"),
    reward=RewardConfig(
        joint_pos_tracking=Tracking(50.0, 2.0),
        joint_vel_tracking=Tracking(5.0, 0.01),
        link_pos_tracking=Tracking(50.0, 10.0),
        link_vel_tracking=Tracking(5.0, 0.1),
        torso_pos_tracking=Tracking(50.0, 50.0),
        torso_orientation_tracking=Tracking(15.0, 3.0),
        root_orientation_tracking=Tracking(15.0, 3.0),
        feet_contact_matching=Weight(0.0),
        action_rate=Weight(-0.2),
        collision=Weight(0.0),
        dof_pos_limits=Weight(-50.0),
        contact_no_vel=Weight(0.0),
        feet_air_time=AirTime(0.0),
        termination=Weight(-100.0),
    ),
    observation=ObservationConfig(
        actor=_QUICK_ACTOR,
        critic=("torso", "deepmimic", *_QUICK_ACTOR[1:]),
        noise=False,
    ),
    termination=TerminationConfig(tracking_error=0.5),
    reset=ResetConfig(joint_pos_std=0.02, root_xy_std=0.02, root_z_std=0.005),
)

ENV_PRESETS = {"default": _DEFAULT, "quick": _QUICK}


def env_preset(name: str) -> EnvConfig:
    """The environment configuration of that name."""
    if name not in ENV_PRESETS:
        raise unknown_name("preset", name, ENV_PRESETS)
    return ENV_PRESETS[name]
