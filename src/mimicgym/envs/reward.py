"""Reward terms. Each is worth weight * control step * the value it returns.

Kernels and weights are those of VideoMimic's G1DeepMimic; where that code has a fault
the term's docstring says what is done instead.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import jax
import jax.numpy as jnp

from mimicgym import rotations as rot
from mimicgym.envs.config import AirTime, RewardConfig, Tracking
from mimicgym.envs.terms import (
    CONTACT_THRESHOLD_N,
    Facts,
    FeetState,
    Registry,
    link_pos_error_w,
)
from mimicgym.errors import UserError
from mimicgym.physics import RobotState
from mimicgym.reference import RefFrame

HAND_CONTACT_THRESHOLD_N = 0.1

reward = Registry("reward")


def _kernel(squared_error: jax.Array, cfg: Tracking) -> jax.Array:
    return jnp.exp(-cfg.scale * squared_error)


@reward
def joint_pos_tracking(robot: RobotState, ref: RefFrame, cfg: Tracking) -> jax.Array:
    """exp(-k sum (q - q_ref)^2) over joints; 0 to 1."""
    return _kernel(jnp.sum(jnp.square(robot.joint_pos - ref.joint_pos)), cfg)


@reward
def joint_vel_tracking(robot: RobotState, ref: RefFrame, cfg: Tracking) -> jax.Array:
    """exp(-k sum (qd - qd_ref)^2) over joints; 0 to 1."""
    return _kernel(jnp.sum(jnp.square(robot.joint_vel - ref.joint_vel)), cfg)


@reward
def link_pos_tracking(
    robot: RobotState, ref: RefFrame, facts: Facts, cfg: Tracking
) -> jax.Array:
    """exp(-k sum |p - p_ref|^2) over the tracked bodies (a sum, no mean); 0 to 1."""
    return _kernel(jnp.sum(jnp.square(link_pos_error_w(robot, ref, facts))), cfg)


@reward
def link_vel_tracking(
    robot: RobotState, ref: RefFrame, facts: Facts, cfg: Tracking
) -> jax.Array:
    """exp(-k sum |v - v_ref|^2) over the tracked bodies; 0 to 1."""
    error = robot.body_lin_vel_w[facts.tracked] - ref.body_lin_vel_w[facts.tracked]
    return _kernel(jnp.sum(jnp.square(error)), cfg)


@reward
def torso_pos_tracking(
    robot: RobotState, ref: RefFrame, facts: Facts, cfg: Tracking
) -> jax.Array:
    """exp(-k |p_torso - p_ref|^2); 0 to 1."""
    error = robot.body_pos_w[facts.torso] - ref.body_pos_w[facts.torso]
    return _kernel(jnp.sum(jnp.square(error)), cfg)


@reward
def torso_orientation_tracking(
    robot: RobotState, ref: RefFrame, facts: Facts, cfg: Tracking
) -> jax.Array:
    """exp(-k angle) between the torso and its reference; 0 to 1."""
    angle = rot.quat_angle(robot.body_quat_w[facts.torso], ref.body_quat_w[facts.torso])
    return _kernel(angle, cfg)


@reward
def root_orientation_tracking(
    robot: RobotState, ref: RefFrame, cfg: Tracking
) -> jax.Array:
    """exp(-k angle) between the pelvis and its reference; 0 to 1."""
    return _kernel(rot.quat_angle(robot.root_quat_w, ref.root_quat_w), cfg)


@reward
def feet_contact_matching(feet: FeetState, ref: RefFrame) -> jax.Array:
    """Number of feet (0 to 2) that touch the ground exactly when the reference's do."""
    return jnp.sum(feet.contact == ref.foot_contact).astype(jnp.float32)


@reward
def action_rate(action: jax.Array, last_action: jax.Array) -> jax.Array:
    """Sum of squared changes of the filtered action."""
    return jnp.sum(jnp.square(action - last_action))


@reward
def collision(robot: RobotState, facts: Facts) -> jax.Array:
    """Number of hands (0 to 2) with a contact force above 0.1 N."""
    force = jnp.linalg.norm(robot.contact_force_w[facts.hand_contacts], axis=-1)
    return jnp.sum(force > HAND_CONTACT_THRESHOLD_N).astype(jnp.float32)


@reward
def dof_pos_limits(robot: RobotState, facts: Facts) -> jax.Array:
    """Radians beyond the soft joint limits, summed over joints."""
    below = jnp.maximum(facts.joint_lower_rad - robot.joint_pos, 0.0)
    above = jnp.maximum(robot.joint_pos - facts.joint_upper_rad, 0.0)
    return jnp.sum(below + above)


@reward
def contact_no_vel(robot: RobotState, facts: Facts) -> jax.Array:
    """Speed of each foot (its ankle frame's origin, m/s) that bears more than 1 N."""
    force = jnp.linalg.norm(robot.contact_force_w[facts.foot_contacts], axis=-1)
    speed = jnp.linalg.norm(robot.body_lin_vel_w[facts.feet], axis=-1)
    return jnp.sum(jnp.where(force > CONTACT_THRESHOLD_N, speed, 0.0))


@reward
def feet_air_time(feet: FeetState, cfg: AirTime) -> jax.Array:
    """(air time - target) in seconds, for each foot at its touch-down.

    The original multiplies this by a random velocity command's being large, which the
    policy can not see; here there is no such gate.
    """
    return jnp.sum(jnp.where(feet.touchdown, feet.air_time_s - cfg.target_s, 0.0))


# Not terms of the state: added by `Rewards` itself, or settings of it.
_SPECIAL = ("termination", "soft_joint_limit", "only_positive")


class Rewards:
    """The weighted sum of the terms whose weight is not 0."""

    def __init__(self, cfg: RewardConfig, facts: Facts, dt_s: float):
        if not 0 < cfg.soft_joint_limit <= 1:
            raise UserError(
                f"reward.soft_joint_limit is {cfg.soft_joint_limit}; between 0 and 1"
            )
        self.cfg = cfg
        self.dt_s = dt_s
        terms = [f.name for f in fields(cfg) if f.name not in _SPECIAL]
        for name in terms:
            reward.check(name)
        self.terms = tuple(n for n in terms if getattr(cfg, n).weight != 0)
        if "collision" in self.terms and len(facts.hand_contacts) == 0:
            raise UserError(
                "reward.collision counts contacts of the hands, which"
                " physics.collisions='feet' does not have: choose 'body' or 'full', or"
                " set reward.collision.weight to 0"
            )
        self.facts = _soft_limits(facts, cfg.soft_joint_limit)

    def __call__(
        self, offered: Mapping[str, Any], failed: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """() total and the weighted value of each term.

        Args:
          offered: see `envs.terms`.
          failed: () bool, the episode ends here and not because its time is up.
        """
        parts: dict[str, jax.Array] = {}
        for name in self.terms:
            cfg = getattr(self.cfg, name)
            value = reward.call(name, {**offered, "facts": self.facts, "cfg": cfg})
            parts[name] = cfg.weight * self.dt_s * value
        total = sum(parts.values(), start=jnp.zeros(()))
        if self.cfg.only_positive:
            total = jnp.maximum(total, 0.0)
        weight = self.cfg.termination.weight
        if weight != 0:
            parts["termination"] = weight * self.dt_s * failed.astype(jnp.float32)
            total = total + parts["termination"]
        return total, parts


def _soft_limits(facts: Facts, share: float) -> Facts:
    """Facts with joint limits narrowed about the middle of each range."""
    middle = (facts.joint_lower_rad + facts.joint_upper_rad) / 2
    half = (facts.joint_upper_rad - facts.joint_lower_rad) / 2 * share
    return replace(facts, joint_lower_rad=middle - half, joint_upper_rad=middle + half)
