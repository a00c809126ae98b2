"""Compiled environments, shared by the adapters of one process.

Compiling takes seconds, and JAX keeps no program that calls back into Python (the
native engine does) from one process to the next. Adapters with the same configuration
therefore use the same programs: ten environments side by side compile once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax

from mimicgym.envs import rows
from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.config import EnvConfig
from mimicgym.envs.make import make_env
from mimicgym.envs.tracking import TrackingEnv
from mimicgym.motion.library import expand

next_keys = jax.jit(rows.next_keys)


@dataclass(frozen=True, eq=False)
class Program:
    """An environment of so many rows and its jitted functions, see `BatchedEnv`."""

    env: TrackingEnv
    reset: Callable[..., Any]
    reset_where: Callable[..., Any]
    step: Callable[..., Any]


def program(
    config: EnvConfig,
    num_envs: int,
    *,
    autoreset: str,
    max_episode_steps: int | None = None,
) -> Program:
    """The program of a configuration, made when it is first asked for.

    A motion file that has changed since makes a new one.
    """
    entries = expand(config.motion.clips)
    files = tuple((entry, _fingerprint(entry.clip)) for entry in entries)
    return _program(config, files, num_envs, autoreset, max_episode_steps)


@lru_cache(maxsize=16)
def _program(
    config: EnvConfig,
    files: tuple[Any, ...],
    num_envs: int,
    autoreset: str,
    max_episode_steps: int | None,
) -> Program:
    env = _env(config, files)
    batched = BatchedEnv(
        env, num_envs, autoreset=autoreset, max_episode_steps=max_episode_steps
    )
    return Program(
        env,
        jax.jit(batched.reset),
        jax.jit(batched.reset_where),
        jax.jit(batched.step),
    )


@lru_cache(maxsize=4)
def _env(config: EnvConfig, files: tuple[Any, ...]) -> TrackingEnv:
    return make_env(config)


def _fingerprint(clip: str) -> tuple[str, int, int] | None:
    """What tells one content of a file from another; None where there is no file."""
    path = Path(clip.partition("#")[0]).expanduser()
    if not path.is_file():
        return None
    stat = path.stat()
    return str(path.resolve()), stat.st_mtime_ns, stat.st_size
