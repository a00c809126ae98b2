"""How lax failures are judged as training goes on: a factor on thresholds, from `start`
down to 1. Its state is a pytree beside the sampler's, so it is saved with it."""

import math

import jax
import jax.numpy as jnp
from flax import struct

from mimicgym.envs.config import CurriculumConfig
from mimicgym.errors import UserError, unknown_name

KINDS = ("none", "linear", "success")
_MEMORY = 0.99  # of the share of successes, an episode


@struct.dataclass
class CurriculumState:
    """Of a batch."""

    laxity: jax.Array  # () the factor, 1 or more
    success: jax.Array  # () share of successes among the last hundred episodes or so


class Curriculum:
    """Updates the factor once for each control step of the batch."""

    def __init__(self, cfg: CurriculumConfig):
        if cfg.kind not in KINDS:
            raise unknown_name("termination.curriculum.kind", cfg.kind, KINDS)
        if not cfg.start >= 1:
            raise UserError(f"termination.curriculum.start is {cfg.start}; at least 1")
        if cfg.steps < 1:
            raise UserError(f"termination.curriculum.steps is {cfg.steps}; at least 1")
        if not 0 < cfg.success < 1:
            raise UserError(
                f"termination.curriculum.success is {cfg.success}; between 0 and 1"
            )
        self.cfg = cfg

    def init(self) -> CurriculumState:
        start = 1.0 if self.cfg.kind == "none" else self.cfg.start
        return CurriculumState(jnp.float32(start), jnp.float32(0.0))

    def update(
        self, state: CurriculumState, done: jax.Array, failed: jax.Array
    ) -> CurriculumState:
        """Take in one step of a batch: (N,) bool episodes that ended, and by a
        failure."""
        count = jnp.sum(done)
        share = jnp.sum(done & ~failed) / jnp.maximum(count, 1)
        kept = _MEMORY ** count.astype(jnp.float32)
        success = kept * state.success + (1 - kept) * share
        cfg = self.cfg
        laxity = state.laxity
        if cfg.kind == "linear":
            laxity = laxity - (cfg.start - 1) / cfg.steps
        elif cfg.kind == "success":
            step = math.log(cfg.start) / cfg.steps
            laxity = laxity * jnp.exp(jnp.where(success > cfg.success, -step, step))
        laxity = jnp.clip(laxity, 1.0, max(cfg.start, 1.0))
        return CurriculumState(laxity.astype(jnp.float32), success.astype(jnp.float32))
