"""What lies between an action and the motors: late commands and biased encoders."""

from dataclasses import replace

import jax
import jax.numpy as jnp
from flax import struct

from mimicgym.envs.control import Control
from mimicgym.envs.randomization import Randomizer


@struct.dataclass
class Actuation:
    """One environment's drawn delays and what is still on its way. None where off."""

    actions: jax.Array | None  # (K + 1, A) the newest first
    action_delay: jax.Array | None  # () int32 control steps
    targets: jax.Array | None  # (H, J) the newest first
    control_delay: jax.Array | None  # () int32 physics steps
    encoder_bias: jax.Array | None  # (J,) rad


class Actuators:
    """Delays of whole actions, in control steps, and of joint targets, in physics
    steps; both keep the order of what they delay. Encoders are off by a constant, so
    that the PD controllers hold positions that are off by as much.

    At a reset everything on its way is what the first action asks for.
    """

    def __init__(self, randomizer: Randomizer, control: Control, *, decimation: int):
        self.cfg = randomizer.cfg
        self.randomizer = randomizer
        self.control = control
        self.decimation = decimation

    def reset(self, key: jax.Array, action: jax.Array, pose: jax.Array) -> Actuation:
        """action (A,): the first; pose (J,): what action 0 asks for then."""
        cfg = self.cfg
        actions = action_delay = targets = control_delay = bias = None
        if cfg.action_delay[1] > 0:
            actions = jnp.broadcast_to(action, (cfg.action_delay[1] + 1, *action.shape))
            action_delay = self.randomizer.action_delay(key)
        if cfg.encoder_bias_rad > 0:
            bias = self.randomizer.encoder_bias(key)
        if cfg.control_delay[1] > 0:
            steps = -(-cfg.control_delay[1] // self.decimation) + 1
            target = self._seen(self.control.target(action, pose), bias)
            targets = jnp.broadcast_to(target, (steps, *target.shape))
            control_delay = self.randomizer.control_delay(key)
        return Actuation(actions, action_delay, targets, control_delay, bias)

    def step(
        self, state: Actuation, action: jax.Array, pose: jax.Array
    ) -> tuple[Actuation, jax.Array]:
        """What the motors are told in one control step: (J,), or (decimation, J) where
        targets come late by physics steps."""
        if state.actions is not None:
            actions = _push(state.actions, action)
            state = replace(state, actions=actions)
            action = actions[state.action_delay]
        target = self._seen(self.control.target(action, pose), state.encoder_bias)
        if state.targets is None or state.control_delay is None:
            return state, target
        targets = _push(state.targets, target)
        # Physics step s still obeys what was told `control_delay` physics steps before,
        # which is this many control steps ago.
        s = jnp.arange(self.decimation)
        ago = jnp.maximum(-((s - state.control_delay) // self.decimation), 0)
        return replace(state, targets=targets), targets[ago]

    def _seen(self, target: jax.Array, bias: jax.Array | None) -> jax.Array:
        """A position that the biased encoder would call `target`."""
        if bias is None or self.control.is_torque:
            return target
        return target - bias


def _push(queue: jax.Array, newest: jax.Array) -> jax.Array:
    return jnp.concatenate([newest[None], queue[:-1]])
