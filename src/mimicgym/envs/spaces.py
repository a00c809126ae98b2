"""What both Gymnasium adapters share: spaces, and checks of what they are given."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from gymnasium import spaces

from mimicgym.envs.tracking import TrackingEnv
from mimicgym.errors import UserError, unknown_name

OBSERVATIONS = ("actor", "dict")


def metadata(of_class: Mapping[str, Any], env: TrackingEnv) -> dict[str, Any]:
    """An adapter's metadata, with the frame rate that shows `env` in real time."""
    return {**of_class, "render_fps": round(1 / env.dt_s)}


def check_render_mode(mode: str | None, modes: Sequence[str]) -> None:
    """`UserError` for a mode that is neither None nor one of `modes`."""
    if mode is not None and mode not in modes:
        raise unknown_name("render_mode", mode, modes)


def check_options(options: Mapping[str, Any] | None, known: Sequence[str]) -> None:
    """`UserError` for a reset option that would have no effect."""
    for name in options or {}:
        if name not in known:
            raise unknown_name("reset option", name, known)


def reset_mask(mask: Any, num_envs: int) -> np.ndarray:
    """The mask, or the error that Gymnasium's own vector environments raise."""
    name = "`options['reset_mask']`"
    if not isinstance(mask, np.ndarray):
        raise TypeError(f"{name} must be a numpy array, got {type(mask)}")
    if mask.shape != (num_envs,):
        raise ValueError(f"{name} must have shape `({num_envs},)`, got {mask.shape}")
    if mask.dtype != np.bool_:
        raise TypeError(f"{name} must have `dtype=np.bool_`, got {mask.dtype}")
    if not mask.any():
        raise ValueError(
            f"{name} must contain a boolean array with at least one True value, got"
            f" reset_mask={mask}"
        )
    return mask


def seed_keys(seeds: Sequence[int] | np.ndarray) -> jax.Array:
    """(n,) typed random keys; seeds count modulo 2**32."""
    words = np.array([int(s) % 2**32 for s in seeds], np.uint32)
    return jax.vmap(jax.random.key)(words)


def observation_space(env: TrackingEnv, kind: str) -> spaces.Space[Any]:
    """The actor's vector, or with kind "dict" a Dict of "actor" and "critic".

    Bounded by `observation.clip`.
    """
    if kind not in OBSERVATIONS:
        raise unknown_name("observation", kind, OBSERVATIONS)

    bound = env.config.observation.clip

    def box(size: int) -> spaces.Box:
        return spaces.Box(-bound, bound, (size,), np.float32)

    sizes = env.observation_sizes
    if kind == "actor":
        return box(sizes["actor"])
    return spaces.Dict({group: box(size) for group, size in sizes.items()})


def action_space(env: TrackingEnv) -> spaces.Box:
    """Plus and minus 1, which stand for plus and minus `control.action_clip`.

    Gymnasium's checker asks for a normalised space. The whole range of the task is
    within reach: 1 is `action_clip * action_scale` radians of joint target, 2 rad by
    default, far more than tracking needs. A learner that explores the whole space from
    the start does better with less: overrides={"control.action_clip": 2.0}.
    """
    return spaces.Box(-1.0, 1.0, (env.action_size,), np.float32)


def task_action(env: TrackingEnv, action: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A Gymnasium action in the task's units.

    Raises:
      TypeError: a bare number, as of Gymnasium's own vector environments.
      UserError: a wrong shape, no numbers, or numbers that are not finite.
    """
    array = np.asarray(action)
    if array.ndim == 0:
        raise TypeError(f"the action is {action!r}, it should be an array of {shape}")
    if array.shape != shape:
        raise UserError(f"the action has shape {array.shape}, it should be {shape}")
    if not np.issubdtype(array.dtype, np.number):
        raise UserError(f"the action has dtype {array.dtype}, it should be float32")
    array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise UserError("the action holds a number that is not finite")
    return array * np.float32(env.config.control.action_clip)


def pick(obs: Mapping[str, Any], kind: str) -> Any:
    """The observation groups that were asked for."""
    return obs["actor"] if kind == "actor" else dict(obs)
