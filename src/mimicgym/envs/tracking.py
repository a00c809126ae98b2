"""The motion-tracking task for one environment: pure `reset` and `step`.

Order of a step (VideoMimic's, with its faults mended): action offset, clip, filter;
`decimation` physics steps with PD control; the reference moves on; failures, rewards,
observations. Resets are the batch's business (`envs.batch`), and because a reset
recomputes kinematics, targets and history, its first observation is never stale.
"""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from mimicgym import rotations as rot
from mimicgym.envs.config import EnvConfig, ResetConfig
from mimicgym.envs.control import (
    check_control,
    filter_action,
    joint_target,
    matched_action,
)
from mimicgym.envs.observation import Observer
from mimicgym.envs.reward import Rewards
from mimicgym.envs.sampling import Sampler, SamplerState
from mimicgym.envs.termination import Terminations
from mimicgym.envs.terms import (
    Facts,
    FeetState,
    feet_after_step,
    feet_at_reset,
    link_pos_error_w,
)
from mimicgym.errors import UserError
from mimicgym.physics import Engine, PhysicsState, RobotState
from mimicgym.physics.state import all_finite
from mimicgym.reference import Reference, RefFrame, ref_frame


@struct.dataclass
class State:
    """One environment between two steps. Scalars unless a shape is given."""

    physics: PhysicsState
    robot: RobotState
    key: jax.Array
    clip: jax.Array  # int32
    frame: jax.Array  # int32 frame within the clip
    start: jax.Array  # int32 frame at which the episode began
    step: jax.Array  # int32 control steps since the reset
    action: jax.Array  # (A,) filtered actions, the newest first
    last_action: jax.Array  # (A,)
    action_offset: jax.Array  # (A,) constant over the episode
    feet: FeetState
    history: dict[str, jax.Array]
    obs: dict[str, jax.Array]
    reward: jax.Array
    terminated: jax.Array  # bool, a failure
    truncated: jax.Array  # bool, the clip's end or the step limit
    metrics: dict[str, jax.Array]
    sums: dict[str, jax.Array]  # over the episode so far


class TrackingEnv:
    """The task: a configuration, the motions and a physics engine.

    Attributes:
      sampler: draws clips and start frames.
      action_size: A, joints that are controlled.
      observation_sizes: length of each observation group.
    """

    def __init__(self, config: EnvConfig, reference: Reference, engine: Engine):
        check_control(config.control)
        _check_reset(config.reset)
        self.config = config
        self.reference = reference
        self.engine = engine
        self.dt_s = config.dt_s
        self.sampler = Sampler(config.reset, reference)
        self.facts = Facts.of(engine.model)
        self.action_size = engine.model.num_joints
        self._observer = Observer(config.observation)
        self._rewards = Rewards(config.reward, self.facts, self.dt_s)
        self._terminations = Terminations(config.termination, engine.model)
        shapes = jax.eval_shape(self.reset, jax.random.key(0))
        self.observation_sizes = {k: v.shape[0] for k, v in shapes.obs.items()}

    @property
    def causes(self) -> tuple[str, ...]:
        """Why an episode can fail."""
        return (*self._terminations.causes, "nonfinite")

    @property
    def num_clips(self) -> int:
        return len(self.reference.clip_names)

    def reset(
        self,
        key: jax.Array,
        clip: jax.Array | int | None = None,
        frame: jax.Array | int | None = None,
        mask: jax.Array | bool = True,
        sampler: SamplerState | None = None,
    ) -> State:
        """Start an episode on the reference.

        Args:
          key: this environment's random key; all its randomness follows from it.
          clip, frame: where to start, instead of drawing it.
          mask: () bool; where False nothing is computed by engines that can leave it
            out, and the result has no meaning.
          sampler: what past episodes say of where to start; nothing if None.
        """
        key, sample_key, noise_key, offset_key, obs_key = jax.random.split(key, 5)
        past = self.sampler.init() if sampler is None else sampler
        clip_id, start = self.sampler.draw(past, sample_key)
        clip_id = clip_id if clip is None else jnp.asarray(clip, jnp.int32)
        if frame is not None:
            start = jnp.asarray(frame, jnp.int32)
        ref = self.reference_at(clip_id, start)
        qpos, qvel = self._start_state(noise_key, ref)
        physics, robot = self.engine.forward(qpos, qvel, jnp.asarray(mask))
        action = matched_action(
            robot.joint_pos, self.target_pose(clip_id, start), self.config.control
        )
        feet = feet_at_reset(robot.contact_force_w[self.facts.foot_contacts])
        offered = self._offer(robot, clip_id, start, action, action, feet, jnp.int32(0))
        obs, history = self._observer.reset(offered, obs_key)
        zero = jnp.zeros(())
        names = self._metric_names()
        return State(
            physics=physics,
            robot=robot,
            key=key,
            clip=clip_id,
            frame=start,
            start=start,
            step=jnp.int32(0),
            action=action,
            last_action=action,
            action_offset=self.config.control.action_offset_std
            * jax.random.normal(offset_key, (self.action_size,)),
            feet=feet,
            history=history,
            obs=obs,
            reward=zero,
            terminated=jnp.bool_(False),
            truncated=jnp.bool_(False),
            metrics=dict.fromkeys(names, zero),
            sums=dict.fromkeys(self._sum_names(), zero),
        )

    def step(self, state: State, action: jax.Array) -> State:
        """One control step. action (A,) in units of `control.action_scale` radians."""
        config = self.config
        key, obs_key = jax.random.split(state.key)
        filtered = filter_action(
            action, state.action, state.action_offset, config.control
        )
        ctrl = joint_target(
            filtered, self.target_pose(state.clip, state.frame), config.control
        )
        physics, robot = self.engine.step(state.physics, ctrl)

        # A state that is no longer a number is a failure of its own. What the rest of
        # the step sees is the last state that was one.
        finite = (
            all_finite(physics)
            & jnp.all(jnp.isfinite(filtered))
            & jnp.all(
                jnp.array([jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(robot)])
            )
        )
        physics = _where(finite, physics, state.physics)
        robot = _where(finite, robot, state.robot)
        filtered = jnp.where(finite, filtered, state.action)

        step = state.step + 1
        length = self._clip_length(state.clip)
        frame = jnp.minimum(state.frame + 1, length - 1)
        feet = feet_after_step(
            state.feet, robot.contact_force_w[self.facts.foot_contacts], self.dt_s
        )
        offered = self._offer(
            robot, state.clip, frame, filtered, state.action, feet, step
        )
        offered["last_last_action"] = state.last_action

        causes = self._terminations(offered) | {"nonfinite": ~finite}
        terminated = jnp.any(jnp.stack(list(causes.values())))
        truncated = step >= length - state.start
        if config.termination.max_steps:
            truncated |= step >= config.termination.max_steps
        reward, parts = self._rewards(offered, terminated & ~truncated)
        obs, history = self._observer.step(offered, state.history, obs_key)
        metrics = (
            {f"reward/{k}": v for k, v in parts.items()}
            | {f"termination/{k}": v.astype(jnp.float32) for k, v in causes.items()}
            | self._errors(robot, offered["ref"])
        )
        sums = {f"reward/{k}": state.sums[f"reward/{k}"] + v for k, v in parts.items()}
        return replace(
            state,
            physics=physics,
            robot=robot,
            key=key,
            frame=frame,
            step=step,
            action=filtered,
            last_action=state.action,
            feet=feet,
            history=history,
            obs=obs,
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            metrics=metrics,
            sums=sums | {"return": state.sums["return"] + reward},
        )

    def reference_of(self, state: State) -> RefFrame:
        """The frame that the state is judged against."""
        return self.reference_at(state.clip, state.frame)

    def _offer(
        self, robot, clip, frame, action, last_action, feet, step
    ) -> dict[str, Any]:
        """What terms may ask for, see `envs.terms`."""
        length = self._clip_length(clip)
        return {
            "robot": robot,
            "ref": self.reference_at(clip, frame),
            "next_ref": self.reference_at(clip, frame + 1),
            "facts": self.facts,
            "action": action,
            "last_action": last_action,
            "last_last_action": last_action,
            "feet": feet,
            "phase": frame / length,
            "step": step,
            "dt_s": self.dt_s,
        }

    def _clip_length(self, clip: jax.Array) -> jax.Array:
        return self.reference.clip_end[clip] - self.reference.clip_start[clip]

    def reference_at(self, clip: jax.Array, frame: jax.Array) -> RefFrame:
        """A frame of a clip; past the end, its last."""
        index = self.reference.clip_start[clip] + frame
        return ref_frame(
            self.reference, jnp.minimum(index, self.reference.clip_end[clip] - 1)
        )

    def target_pose(self, clip: jax.Array, frame: jax.Array) -> jax.Array:
        """(J,) rad: what action 0 asks for in a frame of a clip."""
        control = self.config.control
        if control.target == "default":
            return jnp.asarray(self.facts.default_pose_rad)
        return self.reference_at(clip, frame + control.target_frames_ahead).joint_pos

    def _start_state(
        self, key: jax.Array, ref: RefFrame
    ) -> tuple[jax.Array, jax.Array]:
        """(7+J,) qpos and (6+J,) qvel on the reference, with noise."""
        cfg = self.config.reset
        pos_key, vel_key, root_key, turn_key = jax.random.split(key, 4)
        joints = (self.action_size,)
        joint_pos = ref.joint_pos + cfg.joint_pos_std * jax.random.normal(
            pos_key, joints
        )
        # Noise does not start the robot beyond its joints' limits.
        if cfg.joint_pos_std:
            lower = jnp.minimum(self.facts.joint_lower_rad, ref.joint_pos)
            upper = jnp.maximum(self.facts.joint_upper_rad, ref.joint_pos)
            joint_pos = jnp.clip(joint_pos, lower, upper)
        std_m = jnp.array([cfg.root_xy_std, cfg.root_xy_std, cfg.root_z_std])
        root_pos_w = ref.root_pos_w + std_m * jax.random.normal(root_key, (3,))
        root_pos_w = root_pos_w.at[2].add(cfg.respawn_z_m)
        turn = rot.quat_from_rotvec(
            cfg.root_rot_std * jax.random.normal(turn_key, (3,))
        )
        root_quat_w = rot.quat_normalize(rot.quat_mul(turn, ref.root_quat_w))
        moving = 1.0 if cfg.init_velocities else 0.0
        joint_vel = moving * ref.joint_vel
        joint_vel = joint_vel + cfg.joint_vel_std * jax.random.normal(vel_key, joints)
        ang_vel_b = rot.quat_rotate_inverse(root_quat_w, ref.root_ang_vel_w)
        qpos = jnp.concatenate([root_pos_w, root_quat_w, joint_pos])
        qvel = jnp.concatenate(
            [moving * ref.root_lin_vel_w, moving * ang_vel_b, joint_vel]
        )
        return qpos, qvel

    def _errors(self, robot: RobotState, ref: RefFrame) -> dict[str, jax.Array]:
        link_m = jnp.linalg.norm(link_pos_error_w(robot, ref, self.facts), axis=-1)
        root_m = robot.root_pos_w - ref.root_pos_w
        relative = link_pos_error_w(robot, ref, self.facts) - root_m
        return {
            "error/link_pos_m": jnp.mean(link_m),
            "error/link_pos_root_m": jnp.mean(jnp.linalg.norm(relative, axis=-1)),
            "error/joint_pos_rad": jnp.mean(jnp.abs(robot.joint_pos - ref.joint_pos)),
        }

    def _reward_names(self) -> tuple[str, ...]:
        terms = self._rewards.terms
        return (
            (*terms, "termination") if self.config.reward.termination.weight else terms
        )

    def _sum_names(self) -> tuple[str, ...]:
        return ("return", *(f"reward/{n}" for n in self._reward_names()))

    def _metric_names(self) -> tuple[str, ...]:
        return (
            *(f"reward/{n}" for n in self._reward_names()),
            *(f"termination/{n}" for n in self.causes),
            "error/link_pos_m",
            "error/link_pos_root_m",
            "error/joint_pos_rad",
        )


def _check_reset(cfg: ResetConfig) -> None:
    for name in ("joint_pos", "joint_vel", "root_xy", "root_z", "root_rot"):
        value = getattr(cfg, f"{name}_std")
        if not value >= 0:  # NaN too
            raise UserError(f"reset.{name}_std is {value}; it can not be negative")


def _where(condition: jax.Array, new: Any, old: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)
