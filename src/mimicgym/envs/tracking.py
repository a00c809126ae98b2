"""The motion-tracking task for one environment: pure `reset` and `step`.

Order of a step (VideoMimic's, with its faults mended): pushes; action offset, clip,
filter; `decimation` physics steps with PD control; the reference moves on; failures,
rewards, observations. Resets are the batch's business (`envs.batch`), and because a
reset recomputes kinematics, targets and history, its first observation is never stale.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from mimicgym.envs.actuation import Actuation, Actuators
from mimicgym.envs.config import EnvConfig
from mimicgym.envs.control import Control
from mimicgym.envs.disturbance import Disturbance, Disturbances
from mimicgym.envs.ground import Ground, flat_ground
from mimicgym.envs.mirror import Sides
from mimicgym.envs.observation import Observer, Row, Senses, group_images
from mimicgym.envs.randomization import Randomizer
from mimicgym.envs.reward import Rewards
from mimicgym.envs.sampling import Sampler, SamplerState
from mimicgym.envs.scan import Scans
from mimicgym.envs.start import Starts
from mimicgym.envs.termination import Terminations
from mimicgym.envs.terms import (
    Facts,
    FeetState,
    feet_after_step,
    feet_at_reset,
    link_pos_error_w,
)
from mimicgym.physics import Engine, PhysicsState, RobotState
from mimicgym.physics.state import all_finite, full_float32
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
    played: jax.Array  # int32 frames that the reference has moved since the reset
    frozen: jax.Array  # bool, the reference stands still
    origin_w: jax.Array  # (3,) m, added to the reference's positions
    scan_turn: jax.Array  # (3,) rad, error of the terrain scan's direction
    step: jax.Array  # int32 control steps since the reset
    action: jax.Array  # (A,) filtered actions, the newest first
    last_action: jax.Array  # (A,)
    action_offset: jax.Array  # (A,) constant over the episode
    actuation: Actuation
    fields: dict[str, jax.Array]  # of the model, where this episode's differ
    disturbance: Disturbance
    feet: FeetState
    senses: Senses
    obs: dict[str, jax.Array]
    reward: jax.Array
    terminated: jax.Array  # bool, a failure
    truncated: jax.Array  # bool, the clip's end or the step limit
    metrics: dict[str, jax.Array]
    sums: dict[str, jax.Array]  # over the episode so far


class TrackingEnv:
    """The task: a configuration, the motions, a physics engine and the ground, which
    is that of the engine's model; a plane by default.

    Attributes:
      sampler: draws clips and start frames.
      action_size: A, joints that are controlled.
      observation_sizes: length of each observation group.
      gated_sizes: how many of its last numbers are gated, for groups that have any.
    """

    def __init__(
        self,
        config: EnvConfig,
        reference: Reference,
        engine: Engine,
        ground: Ground | None = None,
    ):
        self.config = config
        self.ground = (
            flat_ground(len(reference.clip_names)) if ground is None else ground
        )
        self.reference = reference
        self.engine = engine
        self.dt_s = config.dt_s
        model = engine.model
        self.facts = Facts.of(model, config.tracking, config.control.pose)
        self.sampler = Sampler(config.reset, reference)
        self.control = Control(config.control, model)
        self.randomizer = Randomizer(config.randomization, model)
        self.action_size = model.num_joints
        self._starts = Starts(config.reset, self.facts)
        self._actuators = Actuators(
            self.randomizer, self.control, decimation=config.control.decimation
        )
        self._disturbances = Disturbances(config.randomization, self.dt_s)
        self.observer = Observer(config.observation)
        self._scans = Scans(config.observation)
        self.rewards = Rewards(config.reward, self.facts, self.dt_s)
        self.terminations = Terminations(config.termination, model)
        shapes = jax.eval_shape(self.reset, jax.random.key(0))
        self.observation_sizes = {k: v.shape[0] for k, v in shapes.obs.items()}
        self.gated_sizes = self._gated_sizes()

    @property
    def causes(self) -> tuple[str, ...]:
        """Why an episode can fail."""
        return (*self.terminations.causes, "nonfinite")

    @property
    def num_clips(self) -> int:
        return len(self.reference.clip_names)

    @full_float32
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
        keys = jax.random.split(key, 11)
        past = self.sampler.init() if sampler is None else sampler
        clip_id, start = self.sampler.draw(past, keys[1])
        clip_id = clip_id if clip is None else jnp.asarray(clip, jnp.int32)
        if frame is not None:
            start = jnp.asarray(frame, jnp.int32)
        shift_w = self._starts.origin(keys[2])
        origin_w = self.ground.origin(keys[9], clip_id, shift_w)
        ref = self.reference_at(clip_id, start, origin_w)
        qpos, qvel = self._starts.state(keys[3], ref)
        fields = self.randomizer.draw(keys[4])
        physics, robot = self.engine.place(qpos, qvel, jnp.asarray(mask), fields)
        pose = self.target_pose(clip_id, start)
        action = self.control.matched(robot.joint_pos, pose)
        actuation = self._actuators.reset(keys[5], action, pose)
        feet = feet_at_reset(*self._feet(robot))
        zero = jnp.int32(0)
        scan_turn = self._scans.turn(keys[10])
        offered = self._offer(robot, clip_id, start, origin_w, scan_turn, zero, feet)
        offered |= {
            "action": action,
            "last_action": action,
            "last_last_action": action,
            "last_joint_vel": robot.joint_vel,
        }
        obs, senses = self.observer.reset(
            offered, keys[6], self._sensor_biases(actuation)
        )
        none = jnp.zeros(())
        return State(
            physics=physics,
            robot=robot,
            key=keys[0],
            clip=clip_id,
            frame=start,
            start=start,
            played=zero,
            frozen=jnp.bool_(False),
            origin_w=origin_w,
            scan_turn=scan_turn,
            step=zero,
            action=action,
            last_action=action,
            action_offset=self.config.control.action_offset_std
            * jax.random.normal(keys[7], (self.action_size,)),
            actuation=actuation,
            fields=fields,
            disturbance=self._disturbances.reset(keys[8]),
            feet=feet,
            senses=senses,
            obs=obs,
            reward=none,
            terminated=jnp.bool_(False),
            truncated=jnp.bool_(False),
            metrics=dict.fromkeys(self._metric_names(), none) | _overflow(robot),
            sums=dict.fromkeys(self._sum_names(), none),
        )

    @full_float32
    def step(
        self, state: State, action: jax.Array, laxity: jax.Array | float = 1.0
    ) -> State:
        """One control step.

        Args:
          state: the state before it.
          action: (A,) in units of `control.scale`.
          laxity: () factor on the thresholds of failures that are distances.
        """
        key, obs_key, push_key, freeze_key = jax.random.split(state.key, 4)
        filtered = self.control.filter(action, state.action, state.action_offset)
        actuation, ctrl = self._actuators.step(
            state.actuation, filtered, self.target_pose(state.clip, state.frame)
        )
        disturbance, qvel, wrench = self._disturbances.step(
            state.disturbance, state.physics.qvel, push_key
        )
        physics, robot = self.engine.step(
            replace(state.physics, qvel=qvel), ctrl, state.fields, wrench
        )

        overflow = _overflow(robot)
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
        frozen = self._freeze(state.frozen, freeze_key)
        played = state.played + jnp.where(frozen, 0, 1)
        length = self._clip_length(state.clip)
        frame = jnp.minimum(state.start + played, length - 1)
        feet = feet_after_step(state.feet, *self._feet(robot), self.dt_s)
        offered = self._offer(
            robot, state.clip, frame, state.origin_w, state.scan_turn, step, feet
        )
        offered |= {
            "action": filtered,
            "last_action": state.action,
            "last_last_action": state.last_action,
            "last_joint_vel": state.robot.joint_vel,
        }

        causes = self.terminations(offered, laxity) | {"nonfinite": ~finite}
        terminated = jnp.any(jnp.stack(list(causes.values())))
        ends = {"clip_end": played >= length - state.start}
        if self.config.termination.max_steps:
            ends["max_steps"] = step >= self.config.termination.max_steps
        truncated = jnp.any(jnp.stack(list(ends.values())))
        reward, parts = self.rewards(offered, terminated & ~truncated)
        obs, senses = self.observer.step(offered, state.senses, obs_key)
        metrics = (
            {f"reward/{k}": v for k, v in parts.items()}
            | {f"termination/{k}": v.astype(jnp.float32) for k, v in causes.items()}
            | {f"truncation/{k}": v.astype(jnp.float32) for k, v in ends.items()}
            | self._errors(robot, offered["ref"])
            | overflow
        )
        sums = {f"reward/{k}": state.sums[f"reward/{k}"] + v for k, v in parts.items()}
        return replace(
            state,
            physics=physics,
            robot=robot,
            key=key,
            frame=frame,
            played=played,
            frozen=frozen,
            step=step,
            action=filtered,
            last_action=state.action,
            actuation=actuation,
            disturbance=disturbance,
            feet=feet,
            senses=senses,
            obs=obs,
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            metrics=metrics,
            sums=sums | {"return": state.sums["return"] + reward},
        )

    def observation_layout(self) -> tuple[Row, ...]:
        """Where each term lies in each group; nothing is computed for it."""
        constants = {"facts": self.facts, "dt_s": self.dt_s}

        def offered(key: jax.Array) -> dict[str, Any]:
            state = self.reset(key)
            found = self._offer(
                state.robot,
                state.clip,
                state.frame,
                state.origin_w,
                state.scan_turn,
                state.step,
                state.feet,
            )
            found |= dict.fromkeys(
                ("action", "last_action", "last_last_action"), state.action
            )
            found["last_joint_vel"] = state.robot.joint_vel
            return {k: v for k, v in found.items() if k not in constants}

        shapes = jax.eval_shape(offered, jax.random.key(0))
        return self.observer.layout(shapes | constants)

    def mirrors(self) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        """What a mirror makes of each observation group and of "action": where each
        number comes from (D,) int32, and its sign (D,) float32.

        Raises:
          UserError: the robot, its default pose or a term has no mirror image.
        """
        sides = Sides.of(self.engine.model, self.config)
        groups = group_images(self.observation_layout(), sides)
        return groups | {"action": sides.joints}

    def _gated_sizes(self) -> dict[str, int]:
        if not any(self.observer.gated.values()):
            return {}
        sizes = dict.fromkeys(self.observer.groups, 0)
        for row in self.observation_layout():
            if row.term in self.observer.gated[row.group]:
                sizes[row.group] += row.stop - row.start
        return {group: size for group, size in sizes.items() if size}

    def reference_of(self, state: State) -> RefFrame:
        """The frame that the state is judged against, where the robot is."""
        return self.reference_at(state.clip, state.frame, state.origin_w)

    def reference_at(
        self,
        clip: jax.Array,
        frame: jax.Array,
        origin_w: jax.Array | None = None,
    ) -> RefFrame:
        """A frame of a clip; before its start, its first, and past its end, its last.

        With frames (K,), K of them along a leading axis. origin_w (3,) is added to
        positions.
        """
        first, last = self.reference.clip_start[clip], self.reference.clip_end[clip] - 1
        found = ref_frame(self.reference, jnp.clip(first + frame, first, last))
        if origin_w is None:
            return found
        return replace(
            found,
            root_pos_w=found.root_pos_w + origin_w,
            body_pos_w=found.body_pos_w + origin_w,
            com_pos_w=found.com_pos_w + origin_w,
        )

    def target_pose(self, clip: jax.Array, frame: jax.Array) -> jax.Array:
        """(J,) rad: what action 0 asks for in a frame of a clip."""
        control = self.config.control
        if control.target == "default":
            return jnp.asarray(self.facts.default_pose_rad)
        if control.target in ("direct", "torque"):
            return jnp.zeros(self.action_size)
        return self.reference_at(clip, frame + control.target_frames_ahead).joint_pos

    def _offer(
        self,
        robot: RobotState,
        clip: jax.Array,
        frame: jax.Array,
        origin_w: jax.Array,
        scan_turn: jax.Array,
        step: jax.Array,
        feet: FeetState,
    ) -> dict[str, Any]:
        """What terms may ask for but for the actions, see `envs.terms`."""
        ahead = jnp.asarray(self.config.observation.future_steps, jnp.int32)
        return {
            "robot": robot,
            "ref": self.reference_at(clip, frame, origin_w),
            "last_ref": self.reference_at(clip, frame - 1, origin_w),
            "next_ref": self.reference_at(clip, frame + 1, origin_w),
            "future_refs": self.reference_at(clip, frame + ahead, origin_w),
            "facts": self.facts,
            "feet": feet,
            "phase": frame / self._clip_length(clip),
            "step": step,
            "time_s": step * self.dt_s,
            "ground": self.ground,
            "scan": self._scans.at(scan_turn),
            "teacher": self.reference.clip_teacher[clip],
            "dt_s": self.dt_s,
        }

    def _feet(self, robot: RobotState) -> tuple[jax.Array, jax.Array]:
        """(2, 3) forces on the feet, (2,) heights of their frames above the ground."""
        force_w = robot.contact_force_w[self.facts.foot_contacts]
        feet_w = robot.body_pos_w[self.facts.feet]
        return force_w, feet_w[:, 2] - self.ground.height_at(feet_w[:, :2])

    def _sensor_biases(self, actuation: Actuation) -> Mapping[str, jax.Array]:
        """Errors of an episode that sensors share with the motors' control."""
        if actuation.encoder_bias is None:
            return {}
        return {"joint_pos": actuation.encoder_bias}

    def _freeze(self, frozen: jax.Array, key: jax.Array) -> jax.Array:
        """Whether the reference stands still in this step."""
        cfg = self.config.reset
        if not cfg.freeze_prob:
            return frozen
        draw = jax.random.uniform(key)
        return jnp.where(frozen, draw >= cfg.unfreeze_prob, draw < cfg.freeze_prob)

    def _clip_length(self, clip: jax.Array) -> jax.Array:
        return self.reference.clip_end[clip] - self.reference.clip_start[clip]

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
        terms = self.rewards.terms
        return (
            (*terms, "termination") if self.config.reward.termination.weight else terms
        )

    def _sum_names(self) -> tuple[str, ...]:
        return ("return", *(f"reward/{n}" for n in self._reward_names()))

    def _metric_names(self) -> tuple[str, ...]:
        ends = ["clip_end"]
        if self.config.termination.max_steps:
            ends.append("max_steps")
        return (
            *(f"reward/{n}" for n in self._reward_names()),
            *(f"termination/{n}" for n in self.causes),
            *(f"truncation/{n}" for n in ends),
            "error/link_pos_m",
            "error/link_pos_root_m",
            "error/joint_pos_rad",
        )


def _overflow(robot: RobotState) -> dict[str, jax.Array]:
    """The metric of engines whose buffers can be too small."""
    if robot.overflow is None:
        return {}
    return {"physics/overflow": robot.overflow.astype(jnp.float32)}


def _where(condition: jax.Array, new: Any, old: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)
