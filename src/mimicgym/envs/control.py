"""From a policy's action to joint targets."""

import jax
import jax.numpy as jnp
import numpy as np

from mimicgym.envs.config import ControlConfig
from mimicgym.errors import UserError, unknown_name
from mimicgym.robot import RobotModel

TARGETS = ("reference", "default", "direct", "torque")


class Control:
    """What actions mean for one robot.

    Attributes:
      scale: (A,) rad of joint target, or N m with target "torque", per unit of action.
    """

    def __init__(self, cfg: ControlConfig, model: RobotModel):
        _check(cfg)
        self.cfg = cfg
        scale = np.full(model.num_joints, cfg.action_scale)
        if cfg.scale_by_effort:
            kp, _ = model.robot.gains(cfg.gains)
            scale = scale * model.effort_nm / (1.0 if cfg.target == "torque" else kp)
        self.scale = scale.astype(np.float32)

    @property
    def is_torque(self) -> bool:
        return self.cfg.target == "torque"

    def filter(
        self, action: jax.Array, last_action: jax.Array, offset: jax.Array
    ) -> jax.Array:
        """(A,) the action that counts: offset, clip, then first-order low-pass.

        offset (A,) is constant over an episode, in units of the action.
        """
        cfg = self.cfg
        clipped = jnp.clip(action + offset, -cfg.action_clip, cfg.action_clip)
        return cfg.low_pass * clipped + (1.0 - cfg.low_pass) * last_action

    def target(self, action: jax.Array, pose: jax.Array | np.ndarray) -> jax.Array:
        """(J,) rad that the PD controllers hold for one control step, or N m.

        The torque of a joint is then (scale * a + pose - q) * kp - kd * qd, clipped to
        its effort limit, at every physics step. pose (J,) is what action 0 asks for;
        torques have none.
        """
        change = jnp.asarray(self.scale) * action
        return change if self.is_torque else change + pose

    def matched(self, joint_pos: jax.Array, pose: jax.Array | np.ndarray) -> jax.Array:
        """(A,) the action that asks for the joint positions given: what a reset stores
        as its last action, so that the first step starts without a jerk. For torques
        it is 0."""
        if self.is_torque:
            return jnp.zeros_like(joint_pos)
        return (joint_pos - pose) / self.scale


def _check(cfg: ControlConfig) -> None:
    if cfg.target not in TARGETS:
        raise unknown_name("control.target", cfg.target, TARGETS)
    if not 0 < cfg.low_pass <= 1:
        raise UserError(f"control.low_pass is {cfg.low_pass}; above 0 and up to 1")
    for name in ("action_scale", "action_clip"):
        if not getattr(cfg, name) > 0:
            raise UserError(
                f"control.{name} is {getattr(cfg, name)}; it must be positive"
            )
    for name in ("target_frames_ahead", "action_offset_std"):
        if not getattr(cfg, name) >= 0:
            raise UserError(f"control.{name} is {getattr(cfg, name)}; 0 or more")
