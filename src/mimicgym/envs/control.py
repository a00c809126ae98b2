"""From a policy's action to joint targets."""

import jax
import jax.numpy as jnp
import numpy as np

from mimicgym.envs.config import ControlConfig
from mimicgym.errors import UserError, unknown_name

TARGETS = ("reference", "default")


def check_control(cfg: ControlConfig) -> None:
    """`UserError` for a configuration that can not be run."""
    if cfg.target not in TARGETS:
        raise unknown_name("control.target", cfg.target, TARGETS)
    if not 0 < cfg.low_pass <= 1:
        raise UserError(f"control.low_pass is {cfg.low_pass}; above 0 and up to 1")
    for name in ("action_scale", "action_clip"):
        if not getattr(cfg, name) > 0:
            raise UserError(
                f"control.{name} is {getattr(cfg, name)}; it must be positive"
            )
    if cfg.target_frames_ahead < 0:
        raise UserError(
            f"control.target_frames_ahead is {cfg.target_frames_ahead}; 0 or more"
        )


def filter_action(
    action: jax.Array, last_action: jax.Array, offset: jax.Array, cfg: ControlConfig
) -> jax.Array:
    """(A,) the action that counts: offset, clip, then first-order low-pass.

    offset (A,) is constant over an episode, in units of the action.
    """
    clipped = jnp.clip(action + offset, -cfg.action_clip, cfg.action_clip)
    return cfg.low_pass * clipped + (1.0 - cfg.low_pass) * last_action


def joint_target(
    action: jax.Array, pose: jax.Array | np.ndarray, cfg: ControlConfig
) -> jax.Array:
    """(J,) rad: what the PD controllers hold for one control step.

    The torque of a joint is then (action_scale * a + pose - q) * kp - kd * qd, clipped
    to its effort limit, at every physics step.
    """
    return cfg.action_scale * action + pose


def matched_action(
    joint_pos: jax.Array, pose: jax.Array | np.ndarray, cfg: ControlConfig
) -> jax.Array:
    """(A,) the action that asks for the pose the robot has: what a reset stores as its
    last action, so that the first step starts without a jerk."""
    return (joint_pos - pose) / cfg.action_scale
