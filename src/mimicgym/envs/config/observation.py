"""What is observed, and how well.

A group lists terms by name. Prefixes may stand before a name:

  clean_NAME     the term without noise, offset and delay, for what only a simulation
                 knows
  history_NAME   the newest `history` values as they were sensed, the newest first;
                 history_clean_NAME the same without errors
  gated_...      any of these, at a group's end: networks take it through a gate that
                 starts closed, so that a policy trained without it goes on as before

Some terms are others one after the other (`envs.observation.COMPOSITES`): each part is
sensed as its own field says, and what the composite's field says comes on top.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Sense:
    """How a term is sensed: (value + noise + offset) * scale, clipped, and late."""

    scale: float = 1.0
    noise: float = 0.0
    """Half width (uniform) or deviation (gaussian) of what is added anew at each step,
    in the term's unit."""
    noise_kind: Literal["uniform", "gaussian"] = "uniform"
    offset: float = 0.0
    """Deviation of what is added for a whole episode, in the term's unit."""
    shared_offset: float = 0.0
    """Deviation of one number that is added to all values for a whole episode."""
    outliers: float = 0.0
    """Share of the values that are replaced, anew at each step, by anything up to twice
    the reading's mean."""
    delay: tuple[int, int] = (0, 0)
    """Least and most control steps by which it comes late, drawn for each episode."""
    hold: tuple[int, int] = (1, 1)
    """Least and most control steps from one reading to the next, drawn for each
    episode; in between the last one stays."""
    clip: float = 0.0
    """Largest magnitude after scaling; 0 is no limit."""
    history: int = 0
    """Values in history_NAME; 0 is observation.history."""


_ACTOR = (
    "history_torso_real",
    "history_torso_xy_rel",
    "history_torso_yaw_rel",
    "target_joints",
    "target_root_roll",
    "target_root_pitch",
)


@dataclass(frozen=True)
class ObservationConfig:
    """Groups of terms, and how each term is sensed. A group without terms is not
    computed."""

    actor: tuple[str, ...] = _ACTOR
    """What the policy sees."""
    critic: tuple[str, ...] = ("torso", "deepmimic", *_ACTOR)
    """What the value function sees."""
    student: tuple[str, ...] = ()
    """What a policy sees that teachers are distilled into."""
    teacher: tuple[str, ...] = ()
    """What those teachers see."""
    noise: bool = True
    """Whether terms are sensed with noise, offsets and delays; evaluation is
    without."""
    clip: float = 100.0
    """Largest magnitude of any observation."""
    history: int = 5
    """Values in each history_ term."""
    future_steps: tuple[int, ...] = (1, 2, 4, 8)
    """Which reference frames future_frames shows, counted from the current one."""

    # New terms go to the end: a term's place seeds its noise.
    scan_cells: int = 11
    """Places along each side of the terrain scan."""
    scan_size_m: float = 1.0
    """Length of each side."""
    scan_tilt: float = 0.04
    """Deviation of the roll and of the pitch by which terrain_height_noisy is turned
    for a whole episode, rad."""
    scan_yaw: float = 0.08
    """Deviation of its yaw, rad."""

    torso_real: Sense = Sense()
    torso: Sense = Sense()
    root_height: Sense = Sense()
    base_lin_vel: Sense = Sense(scale=2.0)
    base_ang_vel: Sense = Sense(scale=0.25, noise=0.2)
    projected_gravity: Sense = Sense(noise=0.05)
    joint_pos: Sense = Sense(noise=0.01)
    joint_vel: Sense = Sense(scale=0.05, noise=1.5)
    last_action: Sense = Sense()
    torso_xy_rel: Sense = Sense(noise=0.01, noise_kind="gaussian")
    torso_yaw_rel: Sense = Sense(noise=0.01, noise_kind="gaussian")
    torso_xy: Sense = Sense()
    torso_yaw: Sense = Sense()
    target_joints: Sense = Sense()
    target_joint_vel: Sense = Sense()
    target_root_roll: Sense = Sense()
    target_root_pitch: Sense = Sense()
    target_root_yaw: Sense = Sense()
    upper_body_joint_targets: Sense = Sense()
    phase: Sense = Sense()
    deepmimic: Sense = Sense()
    deepmimic_lin_ang_vel: Sense = Sense()
    target_lin_vel: Sense = Sense(noise=0.2)
    target_ang_vel: Sense = Sense(noise=0.05)
    anchor_pos_b: Sense = Sense(noise=0.25)
    anchor_ori_b: Sense = Sense(noise=0.05)
    body_pos_b: Sense = Sense()
    body_ori_b: Sense = Sense()
    future_frames: Sense = Sense()
    foot_contacts: Sense = Sense()
    teacher_checkpoint_index: Sense = Sense()
    terrain_height: Sense = Sense()
    terrain_height_noisy: Sense = Sense(
        noise=0.02,
        noise_kind="gaussian",
        shared_offset=0.02,
        outliers=0.01,
        delay=(0, 2),
        hold=(1, 4),
    )
