"""Observation terms, their noise, their history and the groups they make up."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from mimicgym import rotations as rot
from mimicgym.envs.config import ObservationConfig
from mimicgym.envs.terms import Facts, FeetState, Registry
from mimicgym.errors import UserError
from mimicgym.physics import RobotState
from mimicgym.reference import RefFrame

GRAVITY_W = (0.0, 0.0, -1.0)
HISTORY = "history_"

observation = Registry("observation")


@observation
def torso_real(
    robot: RobotState, action: jax.Array, facts: Facts, cfg: ObservationConfig
) -> jax.Array:
    """What a real robot's sensors give: angular velocity and gravity in the pelvis
    frame, joint positions from the default pose, joint velocities, last action."""
    return jnp.concatenate(
        [
            cfg.ang_vel_scale * _to_base(robot, robot.root_ang_vel_w),
            projected_gravity(robot),
            robot.joint_pos - facts.default_pose_rad,
            cfg.joint_vel_scale * robot.joint_vel,
            action,
        ]
    )


@observation
def torso(
    robot: RobotState, action: jax.Array, facts: Facts, cfg: ObservationConfig
) -> jax.Array:
    """`torso_real` without noise, with the pelvis height and linear velocity."""
    return jnp.concatenate(
        [
            robot.root_pos_w[2:3],
            cfg.lin_vel_scale * _to_base(robot, robot.root_lin_vel_w),
            torso_real(robot, action, facts, cfg),
        ]
    )


@observation
def torso_xy_rel(robot: RobotState, ref: RefFrame, facts: Facts) -> jax.Array:
    """(2,) m: from the torso to its reference, in the torso's heading frame."""
    offset_w = ref.body_pos_w[facts.torso] - robot.body_pos_w[facts.torso]
    heading = rot.heading_quat(robot.body_quat_w[facts.torso])
    return rot.quat_rotate_inverse(heading, offset_w)[:2]


@observation
def torso_yaw_rel(robot: RobotState, ref: RefFrame, facts: Facts) -> jax.Array:
    """(1,) rad: heading of the reference torso minus the torso's, wrapped."""
    difference = rot.heading(ref.body_quat_w[facts.torso]) - rot.heading(
        robot.body_quat_w[facts.torso]
    )
    return rot.wrap_angle(difference)[None]


@observation
def target_joints(ref: RefFrame, facts: Facts) -> jax.Array:
    """(J,) rad: reference joint positions from the default pose."""
    return ref.joint_pos - facts.default_pose_rad


@observation
def target_root_roll(ref: RefFrame) -> jax.Array:
    """(1,) rad: roll of the reference pelvis."""
    return rot.quat_to_euler_xyz(ref.root_quat_w)[0:1]


@observation
def target_root_pitch(ref: RefFrame) -> jax.Array:
    """(1,) rad: pitch of the reference pelvis."""
    return rot.quat_to_euler_xyz(ref.root_quat_w)[1:2]


@observation
def phase(phase: jax.Array) -> jax.Array:
    """(2,) sine and cosine of the share of the clip that has passed."""
    angle = 2 * jnp.pi * phase
    return jnp.stack([jnp.sin(angle), jnp.cos(angle)])


@observation
def deepmimic(
    robot: RobotState, next_ref: RefFrame, feet: FeetState, facts: Facts
) -> jax.Array:
    """The privileged view of the next reference frame, in the pelvis heading frame.

    In order: heights of the 13 tracked bodies; rotation from the pelvis to its
    reference (4, of the sign with w >= 0); root offset (3); joint offsets (J); body
    offsets (39); body velocities (39); contacts measured (2), of the reference (2),
    measured one step before (2), and changed against the reference (2): 129 with 23
    joints. The last two pairs are always 0 in the original, whose buffers had moved on
    before it observed; here they say what their names say.
    """
    heading = rot.heading_quat(robot.root_quat_w)

    def local(vector_w: jax.Array) -> jax.Array:
        return rot.quat_rotate_inverse(heading, vector_w)

    body_pos_w = robot.body_pos_w[facts.tracked]
    turn = rot.quat_mul(next_ref.root_quat_w, rot.quat_conj(robot.root_quat_w))
    turn = jnp.where(turn[0] < 0, -turn, turn)
    changed = (feet.contact != feet.last_contact) & (
        feet.contact != next_ref.foot_contact
    )
    return jnp.concatenate(
        [
            body_pos_w[:, 2],
            turn,
            local(next_ref.root_pos_w - robot.root_pos_w),
            next_ref.joint_pos - robot.joint_pos,
            local(next_ref.body_pos_w[facts.tracked] - body_pos_w).ravel(),
            local(robot.body_lin_vel_w[facts.tracked]).ravel(),
            feet.contact.astype(jnp.float32),
            next_ref.foot_contact.astype(jnp.float32),
            feet.last_contact.astype(jnp.float32),
            changed.astype(jnp.float32),
        ]
    )


def projected_gravity(robot: RobotState) -> jax.Array:
    """(3,) direction of gravity in the pelvis frame."""
    return _to_base(robot, jnp.array(GRAVITY_W))


def _to_base(robot: RobotState, vector_w: jax.Array) -> jax.Array:
    return rot.quat_rotate_inverse(robot.root_quat_w, vector_w)


def _add_noise(
    name: str, value: jax.Array, key: jax.Array, cfg: ObservationConfig
) -> jax.Array:
    """Sensor noise of a term; terms that are not sensor readings have none."""
    if name == "torso_real":
        joints = (value.shape[0] - 6) // 3
        widths = (
            [cfg.ang_vel_scale * cfg.noise_ang_vel] * 3
            + [cfg.noise_gravity] * 3
            + [cfg.noise_joint_pos] * joints
            + [cfg.joint_vel_scale * cfg.noise_joint_vel] * joints
            + [0.0] * joints
        )
        return value + jnp.array(widths) * jax.random.uniform(
            key, value.shape, minval=-1.0, maxval=1.0
        )
    deviations = {
        "torso_xy_rel": cfg.noise_torso_xy,
        "torso_yaw_rel": cfg.noise_torso_yaw,
    }
    if name in deviations:
        return value + deviations[name] * jax.random.normal(key, value.shape)
    return value


class Observer:
    """Computes the observation groups of a configuration."""

    def __init__(self, cfg: ObservationConfig):
        self.cfg = cfg
        self.groups = {"actor": cfg.actor, "critic": cfg.critic}
        for terms in self.groups.values():
            if not terms:
                raise UserError("an observation group has no terms")
            for term in terms:
                observation.check(term.removeprefix(HISTORY))
        used = [t for terms in self.groups.values() for t in terms]
        if cfg.history < 1:
            raise UserError(f"observation.history is {cfg.history}; at least 1")
        self.remembered = tuple(
            dict.fromkeys(t.removeprefix(HISTORY) for t in used if HISTORY in t)
        )
        self.computed = tuple(dict.fromkeys(t.removeprefix(HISTORY) for t in used))

    def reset(
        self, offered: Mapping[str, Any], key: jax.Array
    ) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
        """Groups, and histories filled with the first sample."""
        values = self._values(offered, key)
        history = {
            name: jnp.broadcast_to(
                values[name], (self.cfg.history, *values[name].shape)
            )
            for name in self.remembered
        }
        return self._assemble(values, history), history

    def step(
        self,
        offered: Mapping[str, Any],
        history: Mapping[str, jax.Array],
        key: jax.Array,
    ) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
        """Groups, and histories with the newest sample in front."""
        values = self._values(offered, key)
        pushed = {
            name: jnp.concatenate([values[name][None], history[name][:-1]])
            for name in self.remembered
        }
        return self._assemble(values, pushed), pushed

    def _values(
        self, offered: Mapping[str, Any], key: jax.Array
    ) -> dict[str, jax.Array]:
        offered = {**offered, "cfg": self.cfg}
        values = {name: observation.call(name, offered) for name in self.computed}
        if self.cfg.noise:
            keys = jax.random.split(key, len(self.computed))
            values = {
                name: _add_noise(name, value, keys[i], self.cfg)
                for i, (name, value) in enumerate(values.items())
            }
        return values

    def _assemble(
        self, values: Mapping[str, jax.Array], history: Mapping[str, jax.Array]
    ) -> dict[str, jax.Array]:
        def part(name: str) -> jax.Array:
            if name.startswith(HISTORY):
                return history[name.removeprefix(HISTORY)].ravel()
            return values[name]

        return {
            group: jnp.clip(
                jnp.concatenate([part(t) for t in terms]), -self.cfg.clip, self.cfg.clip
            ).astype(jnp.float32)
            for group, terms in self.groups.items()
        }
