"""One cell of a suite: what is measured, as data that another process can be given."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax

from mimicgym.bench.cell import bench
from mimicgym.configs import from_dict, to_dict
from mimicgym.envs.config import EnvConfig
from mimicgym.envs.make import make_env
from mimicgym.errors import UserError
from mimicgym.ppo import PPOConfig


@dataclass(frozen=True)
class Case:
    """What to measure.

    Attributes:
      preset: the name that `env` started from.
      env, num_envs: the environment and how many of it.
      ppo: a learner to time as well, or None.
      steps, repeats: see `bench`.
    """

    preset: str
    env: EnvConfig
    num_envs: int
    ppo: PPOConfig | None = None
    steps: int = 50
    repeats: int = 5

    @property
    def axes(self) -> dict[str, Any]:
        """What tells it from others of a suite."""
        return {
            "preset": self.preset,
            "engine": self.env.engine,
            "robot": self.env.robot,
            "collisions": self.env.physics.collisions,
            "num_clips": len(self.env.motion.clips),
            "num_envs": self.num_envs,
        }

    def to_dict(self) -> dict[str, Any]:
        """In JSON types."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Case":
        """What `to_dict` made `data` of."""
        return from_dict(cls, data)


def with_clips(env: EnvConfig, count: int) -> EnvConfig:
    """The environment with `count` clips: its own, over and over. Copies take as much
    memory and are drawn as clips of their own, so that only their content is alike."""
    if count < 1:
        raise UserError(f"num_clips is {count}; at least 1")
    clips = env.motion.clips
    many = tuple(clips[i % len(clips)] for i in range(count))
    return replace(env, motion=replace(env.motion, clips=many))


def run_case(case: Case) -> dict[str, Any]:
    """Measure in this process. Returns a row, in JSON types: the case's axes and what
    was found."""
    env = make_env(case.env)
    result = bench(
        env, case.num_envs, steps=case.steps, repeats=case.repeats, learner=case.ppo
    )
    found = {
        "num_clips": env.num_clips,
        "joints": env.action_size,
        "device": jax.devices()[0].device_kind,
        "threads": getattr(env.engine, "threads", None),
    }
    return case.axes | result.to_dict() | found
