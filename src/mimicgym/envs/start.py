"""The state in which an episode starts: the reference's, with noise."""

import jax
import jax.numpy as jnp

from mimicgym import rotations as rot
from mimicgym.envs.config import ResetConfig
from mimicgym.envs.terms import Facts
from mimicgym.errors import UserError, unknown_name
from mimicgym.reference import RefFrame

NOISES = ("gaussian", "uniform")
_AMOUNTS = (
    "joint_pos",
    "joint_vel",
    "root_xy",
    "root_z",
    "root_tilt",
    "root_yaw",
    "root_lin_vel_xy",
    "root_lin_vel_z",
    "root_ang_vel_tilt",
    "root_ang_vel_yaw",
    "origin_jitter_m",
)
_CHANCES = ("first_frame_prob", "default_pose_prob", "freeze_prob", "unfreeze_prob")


class Starts:
    """Draws start states for one environment."""

    def __init__(self, cfg: ResetConfig, facts: Facts):
        if cfg.noise not in NOISES:
            raise unknown_name("reset.noise", cfg.noise, NOISES)
        for name in _AMOUNTS:
            if not getattr(cfg, name) >= 0:  # NaN too
                raise UserError(
                    f"reset.{name} is {getattr(cfg, name)}; it can not be negative"
                )
        for name in _CHANCES:
            if not 0 <= getattr(cfg, name) <= 1:
                raise UserError(f"reset.{name} is {getattr(cfg, name)}; from 0 to 1")
        self.cfg = cfg
        self.facts = facts

    def origin(self, key: jax.Array) -> jax.Array:
        """(3,) m: where in the world the motion's origin is."""
        jitter = self.cfg.origin_jitter_m
        return self._noise(key, jnp.array([jitter, jitter, 0.0]))

    def state(self, key: jax.Array, ref: RefFrame) -> tuple[jax.Array, jax.Array]:
        """(7+J,) qpos and (6+J,) qvel, as MuJoCo has them."""
        cfg = self.cfg
        keys = jax.random.split(key, 7)
        joint_pos, joint_vel = self._joints(keys[0], keys[1], keys[2], ref)
        away_m = jnp.array([cfg.root_xy, cfg.root_xy, cfg.root_z])
        root_pos_w = ref.root_pos_w + self._noise(keys[3], away_m)
        root_pos_w = root_pos_w.at[2].add(cfg.respawn_z_m)
        turn = jnp.array([cfg.root_tilt, cfg.root_tilt, cfg.root_yaw])
        root_quat_w = rot.quat_normalize(
            rot.quat_mul(
                rot.quat_from_rotvec(self._noise(keys[4], turn)), ref.root_quat_w
            )
        )
        moving = 1.0 if cfg.init_velocities else 0.0
        push = jnp.array([cfg.root_lin_vel_xy, cfg.root_lin_vel_xy, cfg.root_lin_vel_z])
        spin = jnp.array(
            [cfg.root_ang_vel_tilt, cfg.root_ang_vel_tilt, cfg.root_ang_vel_yaw]
        )
        lin_vel_w = moving * ref.root_lin_vel_w + self._noise(keys[5], push)
        ang_vel_w = moving * ref.root_ang_vel_w + self._noise(keys[6], spin)
        ang_vel_b = rot.quat_rotate_inverse(root_quat_w, ang_vel_w)
        qpos = jnp.concatenate([root_pos_w, root_quat_w, joint_pos])
        return qpos, jnp.concatenate([lin_vel_w, ang_vel_b, joint_vel])

    def _joints(
        self, pos_key: jax.Array, vel_key: jax.Array, default_key: jax.Array, ref
    ) -> tuple[jax.Array, jax.Array]:
        cfg, facts = self.cfg, self.facts
        moving = 1.0 if cfg.init_velocities else 0.0
        joint_pos, joint_vel = ref.joint_pos, moving * ref.joint_vel
        if cfg.default_pose_prob:
            default = jax.random.bernoulli(default_key, cfg.default_pose_prob)
            joint_pos = jnp.where(default, facts.default_pose_rad, joint_pos)
            joint_vel = jnp.where(default, 0.0, joint_vel)
        if cfg.joint_pos:
            # Noise does not start the robot beyond its joints' limits.
            lower = jnp.minimum(facts.joint_lower_rad, joint_pos)
            upper = jnp.maximum(facts.joint_upper_rad, joint_pos)
            amount = jnp.full(joint_pos.shape, cfg.joint_pos)
            joint_pos = jnp.clip(joint_pos + self._noise(pos_key, amount), lower, upper)
        amount = jnp.full(joint_vel.shape, cfg.joint_vel)
        return joint_pos, joint_vel + self._noise(vel_key, amount)

    def _noise(self, key: jax.Array, amount: jax.Array) -> jax.Array:
        if self.cfg.noise == "uniform":
            return amount * jax.random.uniform(
                key, amount.shape, minval=-1.0, maxval=1.0
            )
        return amount * jax.random.normal(key, amount.shape)
