"""What both Gymnasium adapters share: spaces, checked actions, infos and options."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from mimicgym.envs.config import EnvConfig
from mimicgym.envs.make import env_config, make_env
from mimicgym.envs.tracking import State, TrackingEnv
from mimicgym.errors import UserError, unknown_name

OBSERVATIONS = ("actor", "dict")


def make_tracking_env(
    *,
    preset: str,
    motion: str | list[str] | None,
    robot: str | None,
    engine: str | None,
    overrides: Mapping[str, Any] | None,
) -> TrackingEnv:
    """The functional environment that an adapter's options describe."""
    config: EnvConfig = env_config(
        preset, motion=motion, robot=robot, engine=engine, overrides=overrides
    )
    return make_env(config)


def observation_space(env: TrackingEnv, kind: str) -> spaces.Space[Any]:
    """The actor's vector, or with kind "dict" a Dict of "actor" and "critic"."""
    if kind not in OBSERVATIONS:
        raise unknown_name("observation", kind, OBSERVATIONS)

    def box(size: int) -> spaces.Box:
        return spaces.Box(-np.inf, np.inf, (size,), np.float32)

    sizes = env.observation_sizes
    if kind == "actor":
        return box(sizes["actor"])
    return spaces.Dict({group: box(size) for group, size in sizes.items()})


def action_space(env: TrackingEnv) -> spaces.Box:
    """Plus and minus 1, which stand for plus and minus `control.action_clip`.

    Gymnasium's checker asks for a normalised space. The whole range of the task is
    within reach: 1 is `action_clip * action_scale` radians of joint target, 2 rad by
    default.
    """
    return spaces.Box(-1.0, 1.0, (env.action_size,), np.float32)


def task_action(env: TrackingEnv, action: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A Gymnasium action in the task's units; `UserError` for what is none."""
    array = np.asarray(action)
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


def reset_info(state: State) -> dict[str, Any]:
    """Where an episode starts; leaves with or without a leading batch axis."""
    return {"clip": state.clip, "frame": state.frame}


def step_info(state: State) -> dict[str, Any]:
    """Where an episode is, and this step's figures by kind."""
    info: dict[str, Any] = reset_info(state)
    for name, value in state.metrics.items():
        kind, _, term = name.partition("/")
        info.setdefault(kind, {})[term] = value
    return info


def scalars(info: Mapping[str, Any]) -> dict[str, Any]:
    """An info of NumPy scalars as Python numbers, fresh at every call."""
    return {
        k: scalars(v) if isinstance(v, Mapping) else np.asarray(v).item()
        for k, v in info.items()
    }
