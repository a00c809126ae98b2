"""VideoMimic's training stages, from its configuration files and stage scripts
(hongsukchoi/VideoMimic, commit cfded6d).

All aim at the default pose, not at the reference, as the released configurations do.
Where they differ from those on purpose:
  - Pushes come at random times from 5 to 10 s. The original's come in the step of a
    reset and, with episodes of 10 s, never later.
  - What the original draws once for a run is drawn for each episode.
  - "mocap" punishes sliding feet; the original's sign rewards them.
  - Stages 2 to 4 see the ground through a gate that starts closed, so that a policy of
    stage 1 goes on in them. The ground is that of each clip (its `terrain`), or what
    `terrain.ground` says; the original's scenes come with its recordings.
"""

from dataclasses import replace

from mimicgym.envs.config import (
    AirTime,
    ControlConfig,
    EnvConfig,
    ObservationConfig,
    Push,
    RandomizationConfig,
    ResetConfig,
    RewardConfig,
    Sense,
    TerminationConfig,
    Weight,
)

_BASE = EnvConfig(
    control=ControlConfig(target="default"),
    reset=ResetConfig(sampling="success_rate_adaptive"),
    randomization=RandomizationConfig(friction=(0.1, 1.25)),
)
_TRACKED = _BASE.observation.actor
_TRACKED_CRITIC = _BASE.observation.critic
_ROOT = ("history_torso_real", "torso_xy_rel", "torso_yaw_rel")
_SCAN, _NOISY_SCAN = "gated_terrain_height", "gated_terrain_height_noisy"

STAGE_1 = replace(
    _BASE,
    observation=ObservationConfig(
        projected_gravity=Sense(noise=0.05, offset=0.02),
        joint_pos=Sense(noise=0.01, offset=0.005),
    ),
    reward=RewardConfig(action_rate=Weight(-25.0)),
    termination=TerminationConfig(tracking_error=0.5, foot_force=1000.0, max_steps=500),
    reset=replace(
        _BASE.reset, joint_pos=0.01, root_xy=0.1, root_z=0.02, origin_jitter_m=1.0
    ),
    randomization=RandomizationConfig(
        friction=(0.1, 1.25),
        torso_mass_kg=(-1.0, 3.0),
        kp_std=0.03,
        kd_std=0.03,
        control_delay=(0, 5),
        push=Push(interval_s=(5.0, 10.0)),
    ),
)
# The weights that users quote from the paper, which the released script has not. With
# the script's own, all that a policy does at first costs more than failing does, so it
# learns to fail early; here being alive pays.
STAGE_1_PAPER = replace(
    STAGE_1,
    reward=RewardConfig(action_rate=Weight(-8.0), alive=Weight(300.0)),
    termination=replace(STAGE_1.termination, tracking_error=0.3),
)
STAGE_2 = replace(
    _BASE,
    observation=ObservationConfig(
        actor=(*_TRACKED, _SCAN), critic=(*_TRACKED_CRITIC, _SCAN)
    ),
    reward=RewardConfig(
        action_rate=Weight(-3.0),
        ankle_action=Weight(-3.0),
        alive=Weight(200.0),
        termination=Weight(-2000.0),
    ),
    termination=TerminationConfig(tracking_error=0.5, max_steps=500),
    reset=replace(_BASE.reset, respawn_z_m=0.1),
)
# The student drives, so the policy's observation is the student's.
STAGE_3 = replace(
    _BASE,
    observation=ObservationConfig(
        actor=(*_ROOT, _NOISY_SCAN),
        critic=(*_TRACKED_CRITIC, _NOISY_SCAN),
        student=(*_ROOT, _NOISY_SCAN),
        teacher=(*_TRACKED, _SCAN),
    ),
    termination=TerminationConfig(tracking_error=0.3, max_steps=500),
    reset=replace(_BASE.reset, respawn_z_m=0.1),
)
STAGE_4 = replace(
    _BASE,
    observation=ObservationConfig(
        actor=(*_ROOT, _NOISY_SCAN), critic=(*_TRACKED_CRITIC, _NOISY_SCAN)
    ),
    reward=RewardConfig(alive=Weight(200.0), termination=Weight(-2000.0)),
    termination=TerminationConfig(tracking_error=0.5),
    reset=replace(_BASE.reset, respawn_z_m=0.1),
)
MOCAP = replace(
    _BASE,
    observation=ObservationConfig(noise=False),
    reward=RewardConfig(
        action_rate=Weight(-0.1),
        feet_air_time=AirTime(0.0),
        contact_no_vel=Weight(-5.0),
        dof_pos_limits=Weight(-5.0),
    ),
    termination=TerminationConfig(tracking_error=0.5),
)
