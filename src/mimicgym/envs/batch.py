"""Many environments at once: vmap, time limit and autoreset, all pure and jittable.

The Gymnasium adapters and PPO both use this, so that they can not differ. Autoreset is
as in Gymnasium's vector environments: "same_step" resets a finished row in the step
that finishes it, "next_step" in the step after, which ignores the row's action, and
"disabled" leaves it to `reset_where`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from mimicgym.envs.curriculum import Curriculum, CurriculumState
from mimicgym.envs.rows import gathered, next_keys, renew, select_rows
from mimicgym.envs.sampling import SamplerState
from mimicgym.envs.tracking import State, TrackingEnv
from mimicgym.errors import UserError, unknown_name

AUTORESETS = ("same_step", "next_step", "disabled")


@struct.dataclass
class BatchState:
    """B environments after a call. `final_obs` is the observation at the end of the
    step, before any reset in it; elsewhere it equals `obs`."""

    state: State
    obs: dict[str, jax.Array]  # (B, D) what to act on next
    final_obs: dict[str, jax.Array]  # (B, D)
    final: State | None  # the rows at the end of the step, before any reset in it
    reward: jax.Array  # (B,)
    terminated: jax.Array  # (B,) bool
    truncated: jax.Array  # (B,) bool
    done: jax.Array  # (B,) bool
    reset_rows: jax.Array  # (B,) bool: rows that this call has reset
    metrics: dict[str, jax.Array]  # (B,) of this step
    episode: dict[str, jax.Array]  # (B,) sums over the episode, meaningful where done
    sampler: SamplerState  # what all episodes so far say of where to start
    curriculum: CurriculumState  # how lax failures are judged


class BatchedEnv:
    """`num_envs` rows of one `TrackingEnv`.

    Args:
      env: the environment of one row.
      num_envs: B.
      autoreset: one of `AUTORESETS`.
      max_episode_steps: further limit on an episode's steps (a truncation), or None.
      axis: name of the mapped axis over which all rows are spread, where this holds a
        part of them (see `shard`); what episodes teach is then learnt from all.
      keep_final: whether to keep `BatchState.final`, all of it a second time. Without,
        it is None, and its memory is saved.
    """

    def __init__(
        self,
        env: TrackingEnv,
        num_envs: int,
        *,
        autoreset: str = "same_step",
        max_episode_steps: int | None = None,
        axis: str | None = None,
        keep_final: bool = True,
    ):
        if num_envs < 1:
            raise UserError(f"num_envs is {num_envs}; it must be at least 1")
        if env.config.chunk < 0:
            raise UserError(f"env.chunk is {env.config.chunk}; 0 for all, or a number")
        if autoreset not in AUTORESETS:
            raise unknown_name("autoreset mode", autoreset, AUTORESETS)
        if max_episode_steps is not None and max_episode_steps < 1:
            raise UserError(
                f"max_episode_steps is {max_episode_steps}; positive, or None for none"
            )
        self.env = env
        self.num_envs = num_envs
        self.autoreset = autoreset
        self.max_episode_steps = max_episode_steps
        self.axis = axis
        self.keep_final = keep_final
        self._curriculum = Curriculum(env.config.termination.curriculum)

    @property
    def action_size(self) -> int:
        return self.env.action_size

    @property
    def observation_sizes(self) -> Mapping[str, int]:
        return self.env.observation_sizes

    @property
    def gated_sizes(self) -> Mapping[str, int]:
        return self.env.gated_sizes

    def shard(self, count: int, axis: str) -> "BatchedEnv":
        """A `count`-th of the rows, for a program that runs on each of `count` devices
        along the mapped axis `axis`."""
        if self.num_envs % count:
            raise UserError(
                f"num_envs is {self.num_envs}, which {count} devices do not divide"
            )
        return BatchedEnv(
            self.env,
            self.num_envs // count,
            autoreset=self.autoreset,
            max_episode_steps=self.max_episode_steps,
            axis=axis,
            keep_final=self.keep_final,
        )

    def mirrors(self) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        """See `TrackingEnv.mirrors`."""
        return self.env.mirrors()

    def teacher_of(self, batch: BatchState) -> jax.Array:
        """(B,) int32 the teacher of each row's clip; -1 for none."""
        return self.env.reference.clip_teacher[batch.state.clip]

    def untaught(self) -> tuple[SamplerState, CurriculumState]:
        """What there is to know before the first episode."""
        return self.env.sampler.init(), self._curriculum.init()

    def reset(
        self,
        keys: jax.Array,
        sampler: SamplerState | None = None,
        curriculum: CurriculumState | None = None,
    ) -> BatchState:
        """Start every row.

        Args:
          keys: (B,), one typed random key for each row.
          sampler, curriculum: what past episodes taught; nothing if None.
        """
        state = self._rows(lambda key: self.env.reset(key, sampler=sampler), keys)
        return self._fresh(state, sampler, curriculum)

    def reset_at(
        self, keys: jax.Array, clips: jax.Array, frames: jax.Array
    ) -> BatchState:
        """Start row i on frame frames[i] of clip clips[i]; both (B,) int32."""
        state = self._rows(self.env.reset, keys, clips, frames)
        return self._fresh(state)

    def reset_where(
        self, batch: BatchState, mask: jax.Array, keys: jax.Array
    ) -> BatchState:
        """Start the rows of mask (B,) anew, with keys (B,); others stay as they are."""
        state = self._reset_rows(batch.state, mask, keys, batch.sampler)
        none = jnp.zeros(self.num_envs, bool)
        return replace(
            batch,
            state=state,
            obs=state.obs,
            final_obs=state.obs,
            final=self._kept(state),
            reward=jnp.where(mask, 0.0, batch.reward),
            terminated=batch.terminated & ~mask,
            truncated=batch.truncated & ~mask,
            done=batch.done & ~mask,
            reset_rows=none | mask,
            metrics=select_rows(mask, state.metrics, batch.metrics),
            episode=state.sums | {"length": state.step.astype(jnp.float32)},
        )

    def step(self, batch: BatchState, action: jax.Array) -> BatchState:
        """Advance every row. action (B, A)."""
        before = batch.state
        laxity = batch.curriculum.laxity
        final = self._rows(
            lambda row, action: self.env.step(row, action, laxity), before, action
        )
        truncated = final.truncated
        if self.max_episode_steps is not None:
            truncated = truncated | (final.step >= self.max_episode_steps)
        final = replace(final, truncated=truncated)
        done = final.terminated | truncated
        stepped = jnp.ones_like(done)
        if self.autoreset == "next_step":
            stepped = ~batch.done  # the others are reset in place of their step
        sampler, curriculum = self._learn(batch, final, stepped, done)
        if self.autoreset == "next_step":
            return self._next_step(batch, final, sampler, curriculum)
        state = final
        reset_rows = jnp.zeros_like(done)
        if self.autoreset == "same_step":
            state = self._reset_rows(final, done, next_keys(final.key), sampler)
            reset_rows = done
        return BatchState(
            state=state,
            obs=state.obs,
            final_obs=final.obs,
            final=self._kept(final),
            reward=final.reward,
            terminated=final.terminated,
            truncated=truncated,
            done=done,
            reset_rows=reset_rows,
            metrics=final.metrics,
            episode=final.sums | {"length": final.step.astype(jnp.float32)},
            sampler=sampler,
            curriculum=curriculum,
        )

    def _learn(
        self, batch: BatchState, final: State, stepped: jax.Array, done: jax.Array
    ) -> tuple[SamplerState, CurriculumState]:
        """What this step says of where to start and how to judge. All devices see the
        rows of all, so that they stay of one opinion."""
        rows = (final.clip, final.frame, stepped, done, final.terminated)
        if self.axis is not None:
            rows = gathered(rows, self.axis)
        clip, frame, stepped, done, terminated = rows
        return (
            self.env.sampler.update(
                batch.sampler, clip, frame, stepped, done, terminated
            ),
            self._curriculum.update(batch.curriculum, done & stepped, terminated),
        )

    def _next_step(
        self,
        batch: BatchState,
        final: State,
        sampler: SamplerState,
        curriculum: CurriculumState,
    ) -> BatchState:
        """Rows that were done are reset in place of their step."""
        keys = next_keys(batch.state.key)
        state = self._reset_rows(final, batch.done, keys, sampler)
        terminated = final.terminated & ~batch.done
        truncated = final.truncated & ~batch.done
        return BatchState(
            state=state,
            obs=state.obs,
            final_obs=state.obs,
            final=self._kept(state),
            reward=state.reward,
            terminated=terminated,
            truncated=truncated,
            done=terminated | truncated,
            reset_rows=batch.done,
            metrics=state.metrics,
            episode=state.sums | {"length": state.step.astype(jnp.float32)},
            sampler=sampler,
            curriculum=curriculum,
        )

    def _reset_rows(
        self, state: State, mask: jax.Array, keys: jax.Array, sampler: SamplerState
    ) -> State:
        """Reset the rows of the mask, a few at a time: in most steps few episodes end,
        and what a reset takes is only taken for those."""
        row = self._reset_row(sampler)
        return renew(lambda *some: self._rows(row, *some), state, mask, keys)

    def _reset_row(
        self, sampler: SamplerState
    ) -> Callable[[jax.Array, jax.Array], State]:
        return lambda key, row: self.env.reset(key, mask=row, sampler=sampler)

    def _kept(self, final: State) -> State | None:
        return final if self.keep_final else None

    def _rows(self, function: Callable[..., State], *rows: Any) -> State:
        """`function` of each row of its arguments, `EnvConfig.chunk` rows at once."""
        chunk = self.env.config.chunk
        if not 0 < chunk < jax.tree.leaves(rows)[0].shape[0]:
            return jax.vmap(function)(*rows)
        return jax.lax.map(lambda row: function(*row), rows, batch_size=chunk)

    def _fresh(
        self,
        state: State,
        sampler: SamplerState | None = None,
        curriculum: CurriculumState | None = None,
    ) -> BatchState:
        none = jnp.zeros(self.num_envs, bool)
        none_yet = self.untaught()
        return BatchState(
            state=state,
            obs=state.obs,
            final_obs=state.obs,
            final=self._kept(state),
            reward=state.reward,
            terminated=none,
            truncated=none,
            done=none,
            reset_rows=~none,
            metrics=state.metrics,
            episode=state.sums | {"length": state.step.astype(jnp.float32)},
            sampler=none_yet[0] if sampler is None else sampler,
            curriculum=none_yet[1] if curriculum is None else curriculum,
        )
