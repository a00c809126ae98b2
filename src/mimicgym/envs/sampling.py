"""Which clip and frame an episode starts on, and how outcomes change that.

Weights over clips:
  uniform_clip            every clip alike, times its weight
  uniform_step            every start frame alike, times its clip's weight
  success_rate_adaptive   uniform_clip times a factor of the clip's success rate s:
                          1 / (s + 0.05) over its mean, within 1/limit and limit
                          (VideoMimic)
Weights over bins of a second:
  failure_bins            smoothed failures in the bin, plus a uniform share
                          (BeyondMimic's, over a library instead of one clip). Being
                          drawn more often, a bin has more failures: in the end what
                          can not be learnt is nearly all that is drawn
  failure_rate_bins       a factor of the share r of passes through the bin that fail:
                          r over its mean, within 1/limit and limit. How often a bin
                          is drawn does not matter for it

All state is a pytree and all functions are pure. An outcome counts as a success unless
the episode ended in a failure, be it in the clip's last frame.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from mimicgym.envs.config import ResetConfig
from mimicgym.errors import UserError, unknown_name
from mimicgym.reference import Reference

STARTS = ("random", "linear", "first")
BIN_SAMPLINGS = ("failure_bins", "failure_rate_bins")
SAMPLINGS = (
    "uniform_clip",
    "uniform_step",
    "success_rate_adaptive",
    *BIN_SAMPLINGS,
)
# The last frames of a clip are no starts: an episode needs something to follow.
MIN_FRAMES_LEFT = 3
_SOFT = 0.05
_MEMORY = 0.999  # of the counts by bin, a control step


@struct.dataclass
class SamplerState:
    """What is remembered of episodes. C clips, W outcomes, B bins."""

    outcomes: jax.Array  # (C, W) int8: 1 success, 0 failure, -1 nothing yet
    pointer: jax.Array  # (C,) int32 where the next outcome goes
    successes: jax.Array  # (C,) int32 among the outcomes
    count: jax.Array  # (C,) int32 outcomes
    failed: jax.Array  # (B,) failures a control step, smoothed
    steps: jax.Array  # (B,) environment steps in the bin, fading
    failures: jax.Array  # (B,) failures in the bin, fading alike

    @property
    def success_rate(self) -> jax.Array:
        """(C,) NaN for clips without an outcome."""
        none = self.count == 0
        return jnp.where(none, jnp.nan, self.successes / jnp.maximum(self.count, 1))


class Sampler:
    """Draws starts for one environment, learns from the outcomes of a batch.

    Attributes:
      bin_clip: (B,) the clip that a bin belongs to.
      bin_frames: frames of a bin; the last of a clip may have fewer.
    """

    def __init__(self, config: ResetConfig, reference: Reference):
        _check(config)
        self.config = config
        lengths = np.asarray(reference.clip_end) - np.asarray(reference.clip_start)
        starts = np.maximum(1, lengths - MIN_FRAMES_LEFT)
        self.num_clips = len(lengths)
        longest = float(np.max(lengths))
        self.bin_frames = max(1, round(min(config.bin_s / reference.dt_s, longest)))
        bins = -(-lengths // self.bin_frames)
        self.bin_clip = np.repeat(np.arange(self.num_clips), bins)
        self.bin_second = np.concatenate([np.arange(n) for n in bins])
        self._first_bin = jnp.asarray(np.cumsum(bins) - bins, jnp.int32)
        self._starts = jnp.asarray(starts, jnp.int32)
        room = starts[self.bin_clip] - self.bin_second * self.bin_frames
        self._bin_room = jnp.asarray(np.clip(room, 0, self.bin_frames), jnp.int32)
        left = lengths[self.bin_clip] - self.bin_second * self.bin_frames
        # The last frame is judged twice, the second time in the step that ends there.
        passing = np.where(left > self.bin_frames, self.bin_frames, left + 1)
        self._bin_steps = jnp.asarray(passing, jnp.float32)
        self._weight = reference.clip_weight

    def init(self) -> SamplerState:
        """Nothing remembered."""
        clips, bins = self.num_clips, len(self.bin_clip)
        zeros = jnp.zeros(clips, jnp.int32)
        return SamplerState(
            outcomes=jnp.full((clips, self.config.success_window), -1, jnp.int8),
            pointer=zeros,
            successes=zeros,
            count=zeros,
            failed=jnp.zeros(bins),
            steps=jnp.zeros(bins),
            failures=jnp.zeros(bins),
        )

    def clip_weights(self, state: SamplerState) -> jax.Array:
        """(C,) probabilities of the clips."""
        if self.config.sampling in BIN_SAMPLINGS:
            clips = jnp.asarray(self.bin_clip)
            bins = self.bin_weights(state)
            return jnp.zeros(self.num_clips).at[clips].add(bins)
        weight = self._weight
        if self.config.sampling == "uniform_step":
            weight = weight * self._starts
        if self.config.sampling == "success_rate_adaptive":
            weight = weight * self._factor(state)
        return weight / jnp.sum(weight)

    def bin_weights(self, state: SamplerState) -> jax.Array:
        """(B,) probabilities of the bins, where bins are drawn."""
        if self.config.sampling == "failure_rate_bins":
            failing = 1 - self.survival(state)
            known = ~jnp.isnan(failing) & (self._bin_room > 0)
            weight = self._limited(failing, known)
        else:
            weight = state.failed + self.config.bin_uniform / len(self.bin_clip)
        weight = weight * self._weight[jnp.asarray(self.bin_clip)]
        weight = jnp.where(self._bin_room > 0, weight, 0.0)
        return weight / jnp.sum(weight)

    def draw(self, state: SamplerState, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """() clip and () start frame."""
        clip_key, frame_key, first_key = jax.random.split(key, 3)
        draw = jax.random.uniform(frame_key)
        if self.config.sampling in BIN_SAMPLINGS:
            picked = _pick(self.bin_weights(state), clip_key)
            clip = jnp.asarray(self.bin_clip, jnp.int32)[picked]
            first = jnp.asarray(self.bin_second, jnp.int32)[picked] * self.bin_frames
            room = self._bin_room[picked]
        else:
            clip = _pick(self.clip_weights(state), clip_key)
            first, room = jnp.int32(0), self._starts[clip]
        if self.config.start == "first":
            return clip, jnp.int32(0)
        if self.config.start == "linear":
            # Start i of M has the weight M - i; this is where the sum of weights
            # reaches the drawn share of M (M + 1) / 2.
            m = room.astype(jnp.float32)
            place = m + 0.5 - jnp.sqrt((m + 0.5) ** 2 - draw * m * (m + 1))
        else:
            place = draw * room
        frame = first + jnp.clip(place.astype(jnp.int32), 0, room - 1)
        if self.config.first_frame_prob:
            at_first = jax.random.bernoulli(first_key, self.config.first_frame_prob)
            frame = jnp.where(at_first, 0, frame)
        return clip, frame

    def update(
        self,
        state: SamplerState,
        clip: jax.Array,
        frame: jax.Array,
        stepped: jax.Array,
        done: jax.Array,
        failed: jax.Array,
    ) -> SamplerState:
        """Take in one step of a batch.

        Args:
          clip, frame: (N,) int32 where each environment is after the step.
          stepped: (N,) bool, whether it made a step at all.
          done, failed: (N,) bool, whether its episode ended, and by a failure.
        """
        done, failed = done & stepped, failed & stepped
        state = self._remember(state, clip, done, ~failed)
        bins = self._first_bin[clip] + frame // self.bin_frames
        failures = jnp.zeros_like(state.failed).at[bins].add(failed.astype(jnp.float32))
        steps = jnp.zeros_like(state.steps).at[bins].add(stepped.astype(jnp.float32))
        rate = self.config.bin_rate
        return replace(
            state,
            failed=(1 - rate) * state.failed + rate * failures,
            steps=_MEMORY * state.steps + steps,
            failures=_MEMORY * state.failures + failures,
        )

    def survival(self, state: SamplerState) -> jax.Array:
        """(B,) share of passes through a bin that are survived; NaN where none was."""
        passes = state.steps / self._bin_steps
        rate = jnp.exp(-state.failures / jnp.maximum(passes, 1e-9))
        return jnp.where(state.steps > 0, rate, jnp.nan)

    def _factor(self, state: SamplerState) -> jax.Array:
        known = state.count > 0
        inverse = 1.0 / (jnp.where(known, state.success_rate, 0.0) + _SOFT)
        return self._limited(inverse, known)

    def _limited(self, values: jax.Array, known: jax.Array) -> jax.Array:
        """Values over the mean of those that are known, within `weight_limit`; 1 for
        the others."""
        limit = self.config.weight_limit
        values = jnp.where(known, values, 0.0)
        mean = jnp.sum(values) / jnp.maximum(jnp.sum(known), 1)
        factor = jnp.clip(values / jnp.maximum(mean, 1e-9), 1 / limit, limit)
        return jnp.where(known, factor, 1.0)

    def _remember(
        self, state: SamplerState, clip: jax.Array, done: jax.Array, success: jax.Array
    ) -> SamplerState:
        """Append outcomes; several of one clip in one step each get a place."""
        clips, window = state.outcomes.shape
        row = jnp.where(done, clip, clips)  # rows beyond the last are dropped
        order = jnp.argsort(row, stable=True)
        sorted_row = row[order]
        rank = jnp.arange(len(row)) - jnp.searchsorted(sorted_row, sorted_row)
        new = jnp.zeros(clips, jnp.int32).at[row].add(1, mode="drop")
        # Of more outcomes than there are places, the last count.
        kept = rank >= new[jnp.minimum(sorted_row, clips - 1)] - window
        sorted_row = jnp.where(kept, sorted_row, clips)
        at = jnp.minimum(sorted_row, clips - 1)
        place = (state.pointer[at] + rank) % window
        old = state.outcomes[at, place].astype(jnp.int32)
        now = success[order].astype(jnp.int32)
        gained = now - (old == 1)
        return replace(
            state,
            outcomes=state.outcomes.at[sorted_row, place].set(
                now.astype(jnp.int8), mode="drop"
            ),
            pointer=(state.pointer + new) % window,
            successes=state.successes.at[sorted_row].add(gained, mode="drop"),
            count=state.count.at[sorted_row].add(
                (old < 0).astype(jnp.int32), mode="drop"
            ),
        )


def _pick(weights: jax.Array, key: jax.Array) -> jax.Array:
    """() an index drawn by weights (K,), by the inverse of their running sum: what
    depends on the weights alone is computed once for a whole batch."""
    total = jnp.cumsum(weights)
    picked = jnp.searchsorted(total, jax.random.uniform(key) * total[-1], side="right")
    last = weights.shape[0] - 1 - jnp.argmax(weights[::-1] > 0)
    return jnp.minimum(picked, last).astype(jnp.int32)


def _check(config: ResetConfig) -> None:
    if config.start not in STARTS:
        raise unknown_name("reset.start", config.start, STARTS)
    if config.sampling not in SAMPLINGS:
        raise unknown_name("reset.sampling", config.sampling, SAMPLINGS)
    if config.success_window < 1:
        raise UserError(f"reset.success_window is {config.success_window}; at least 1")
    if not config.weight_limit >= 1:
        raise UserError(f"reset.weight_limit is {config.weight_limit}; at least 1")
    for name in ("bin_s", "bin_uniform"):
        if not 0 < getattr(config, name) < np.inf:
            raise UserError(f"reset.{name} is {getattr(config, name)}; above 0")
    if not 0 < config.bin_rate <= 1:
        raise UserError(f"reset.bin_rate is {config.bin_rate}; above 0, at most 1")
