"""Pushes and wrenches: what hits the robot while it moves.

A push changes the root's velocity at once, a wrench acts on a body for a while. Both
come at intervals that are drawn anew each time, in whole control steps and at least
one, so that the first step of an episode is always without.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from mimicgym.envs.config import Push, RandomizationConfig, Range, Wrench
from mimicgym.errors import UserError


@struct.dataclass
class Disturbance:
    """What one environment has to remember. None where it is off."""

    push_in: jax.Array | None  # () int32 control steps until the next push
    wrench_in: jax.Array | None  # () int32 control steps until the next wrench
    wrench_left: jax.Array | None  # () int32 control steps that one still acts
    wrench: jax.Array | None  # (6,) N and N m, of the last one


class Disturbances:
    """Draws and applies pushes and wrenches, at the beginning of a control step."""

    def __init__(self, cfg: RandomizationConfig, dt_s: float):
        _check("push", cfg.push)
        _check("wrench", cfg.wrench)
        if not (np.isfinite(cfg.wrench.duration_s) and cfg.wrench.duration_s > 0):
            raise UserError(
                f"randomization.wrench.duration_s is {cfg.wrench.duration_s}; "
                "it must be more than 0"
            )
        push, wrench = cfg.push, cfg.wrench
        lin, ang = push.lin_vel_xy, push.ang_vel_tilt
        velocity = [lin, lin, push.lin_vel_z, ang, ang, push.ang_vel_yaw]
        self._velocity = np.array(velocity, np.float32)
        self._wrench = np.repeat(
            np.array([wrench.force_n, wrench.torque_nm], np.float32), 3
        )
        self._push_steps = _steps(push.interval_s, dt_s)
        self._wrench_steps = _steps(wrench.interval_s, dt_s)
        self._wrench_length = max(round(wrench.duration_s / dt_s), 1)
        self.pushes = push.interval_s[1] > 0 and bool(self._velocity.any())
        self.wrenches = wrench.interval_s[1] > 0 and bool(self._wrench.any())

    def reset(self, key: jax.Array) -> Disturbance:
        """The start of an episode: nothing acts, and nothing will in its first step."""
        push_in = wrench_in = wrench_left = wrench = None
        if self.pushes:
            push_in = _draw(jax.random.fold_in(key, 0), self._push_steps)
        if self.wrenches:
            wrench_in = _draw(jax.random.fold_in(key, 1), self._wrench_steps)
            wrench_left, wrench = jnp.int32(0), jnp.zeros(6)
        return Disturbance(push_in, wrench_in, wrench_left, wrench)

    def step(
        self, state: Disturbance, qvel: jax.Array, key: jax.Array
    ) -> tuple[Disturbance, jax.Array, jax.Array | None]:
        """The new state, (6+J,) the velocities to go on with, and the wrench (6,) that
        acts during this control step, along world axes; None if there never is one."""
        state, qvel = self._push(state, qvel, jax.random.fold_in(key, 0))
        state, wrench = self._press(state, jax.random.fold_in(key, 1))
        return state, qvel, wrench

    def _push(
        self, state: Disturbance, qvel: jax.Array, key: jax.Array
    ) -> tuple[Disturbance, jax.Array]:
        if state.push_in is None:
            return state, qvel
        wait_key, size_key = jax.random.split(key)
        now = state.push_in == 0
        # This step is the first of the next interval.
        next_in = jnp.where(now, _draw(wait_key, self._push_steps), state.push_in) - 1
        change = self._velocity * jax.random.uniform(
            size_key, (6,), minval=-1.0, maxval=1.0
        )
        # Linear along world axes, angular along the root's, as in MuJoCo.
        qvel = qvel.at[:6].add(jnp.where(now, change, 0.0))
        return replace(state, push_in=next_in), qvel

    def _press(
        self, state: Disturbance, key: jax.Array
    ) -> tuple[Disturbance, jax.Array | None]:
        if state.wrench_in is None or state.wrench_left is None or state.wrench is None:
            return state, None
        wait_key, size_key = jax.random.split(key)
        idle = state.wrench_left == 0
        starts = idle & (state.wrench_in == 0)
        drawn = self._wrench * jax.random.normal(size_key, (6,))
        wrench = jnp.where(starts, drawn, state.wrench)
        left = jnp.where(starts, self._wrench_length, state.wrench_left)
        acts = left > 0
        left = left - acts
        ended = acts & (left == 0)
        wait = jnp.maximum(state.wrench_in - 1, 0)
        wait = jnp.where(ended, _draw(wait_key, self._wrench_steps), wait)
        state = replace(state, wrench_in=wait, wrench_left=left, wrench=wrench)
        return state, jnp.where(acts, wrench, 0.0)


_MOST_STEPS = 2**31 - 2


def _draw(key: jax.Array, steps: tuple[int, int]) -> jax.Array:
    return jax.random.randint(key, (), steps[0], steps[1] + 1)


def _steps(interval_s: Range, dt_s: float) -> tuple[int, int]:
    """Least and most whole control steps of an interval, at least 1 and as many as an
    int32 counts."""
    low, high = (min(max(round(b / dt_s), 1), _MOST_STEPS) for b in interval_s)
    return low, high


def _check(name: str, cfg: Push | Wrench) -> None:
    """`UserError` for negative sizes and intervals that are none."""
    low, high = cfg.interval_s
    if not 0 <= low <= high < np.inf:
        raise UserError(
            f"randomization.{name}.interval_s is {cfg.interval_s}; it must be the "
            "least, then the most, 0 or more"
        )
    for field, value in vars(cfg).items():
        if field != "interval_s" and not 0 <= value < np.inf:
            raise UserError(
                f"randomization.{name}.{field} is {value}; it must be 0 or more"
            )
