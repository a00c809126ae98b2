"""Compiled environments, shared by the adapters of one process.

Compiling takes seconds, and JAX keeps no program that calls back into Python (the
native engine does) from one process to the next. Adapters with the same configuration
therefore use the same programs: ten environments side by side compile once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax

from mimicgym.envs import rows
from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.config import EnvConfig
from mimicgym.envs.curriculum import CurriculumState
from mimicgym.envs.ground import Fingerprint, fingerprint, ground_fingerprint
from mimicgym.envs.make import library_of, make_env
from mimicgym.envs.sampling import SamplerState
from mimicgym.envs.tracking import TrackingEnv
from mimicgym.errors import MotionError
from mimicgym.motion import Library
from mimicgym.motion.entries import ClipEntry, expand
from mimicgym.motion.load import split_entry
from mimicgym.motion.scenes import scene_beside

next_keys = jax.jit(rows.next_keys)


@dataclass(frozen=True, eq=False)
class Program:
    """An environment of so many rows and its jitted functions, see `BatchedEnv`.

    `reset` is always given what past episodes taught, `untaught` if there were none: it
    is then one function that is compiled once.
    """

    env: TrackingEnv
    untaught: tuple[SamplerState, CurriculumState]
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

    A file of a motion or of a ground that has changed since makes a new one.
    """
    clips = tuple(_clip(entry) for entry in expand(config.motion.clips))
    grounds = _grounds(config, clips)
    return _program(config, clips, grounds, num_envs, autoreset, max_episode_steps)


@dataclass(frozen=True)
class _Clip:
    """A clip, its file, and the file with its ground that lies beside it, if any."""

    entry: ClipEntry
    file: Fingerprint
    scene: Fingerprint


def _clip(entry: ClipEntry) -> _Clip:
    path = split_entry(entry.clip)[0]
    try:
        scene = scene_beside(path)
    except MotionError:
        scene = None  # reading the clip says what is wrong, unless it needs none
    return _Clip(entry, fingerprint(path), fingerprint(scene))


def _grounds(config: EnvConfig, clips: tuple[_Clip, ...]) -> tuple[Fingerprint, ...]:
    """The files of all grounds: some clips name theirs only when they are read."""
    own = [entry.terrain for entry in _library(config, clips).entries]
    return tuple(ground_fingerprint(spec) for spec in (*config.terrain.ground, *own))


@lru_cache(maxsize=16)
def _program(
    config: EnvConfig,
    clips: tuple[_Clip, ...],
    grounds: tuple[Fingerprint, ...],
    num_envs: int,
    autoreset: str,
    max_episode_steps: int | None,
) -> Program:
    env = _env(config, clips, grounds)
    batched = BatchedEnv(
        env, num_envs, autoreset=autoreset, max_episode_steps=max_episode_steps
    )
    return Program(
        env,
        batched.untaught(),
        jax.jit(batched.reset),
        jax.jit(batched.reset_where),
        jax.jit(batched.step),
    )


@lru_cache(maxsize=4)
def _env(
    config: EnvConfig, clips: tuple[_Clip, ...], grounds: tuple[Fingerprint, ...]
) -> TrackingEnv:
    return make_env(config, _library(config, clips))


@lru_cache(maxsize=4)
def _library(config: EnvConfig, clips: tuple[_Clip, ...]) -> Library:
    """Read once, to know the grounds and for the environment."""
    return library_of(config)
