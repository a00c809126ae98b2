"""DeepMimic's reward (Peng, Abbeel, Levine and van de Panne 2018, section 5.1): pose,
velocity, end effectors and centre of mass; an episode fails when the trunk touches the
ground.

Observed are, as in the paper, the bodies about the root and the phase; so that the
robot can hold its place in the world, also where the reference is.
"""

from dataclasses import replace

from mimicgym.envs.config import (
    ControlConfig,
    EnvConfig,
    ObservationConfig,
    Sense,
    TerminationConfig,
    Tracking,
)
from mimicgym.envs.presets.silent import SILENT

_ACTOR = (
    "root_height",
    "body_pos_b",
    "body_ori_b",
    "base_lin_vel",
    "base_ang_vel",
    "joint_vel",
    "anchor_pos_b",
    "anchor_ori_b",
    "phase",
)

DEEPMIMIC = EnvConfig(
    control=ControlConfig(target="default"),
    observation=ObservationConfig(
        actor=_ACTOR,
        critic=_ACTOR,
        noise=False,
        base_lin_vel=Sense(),
        base_ang_vel=Sense(),
        joint_vel=Sense(scale=0.1),
    ),
    reward=replace(
        SILENT,
        pose=Tracking(0.65, 2.0),
        velocity=Tracking(0.1, 0.1),
        end_effectors=Tracking(0.15, 40.0),
        center_of_mass=Tracking(0.1, 10.0),
    ),
    termination=TerminationConfig(tracking_error=0.0, contact=("torso_link",)),
)
