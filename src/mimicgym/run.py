"""A run's folder: its configuration, its metrics, its checkpoints and its report.

RUN/config.json        everything that was set, with versions
RUN/metrics.jsonl      one line an iteration
RUN/clips.jsonl        success and share of each clip, a line a checkpoint
RUN/checkpoints/       see `ppo.checkpoint`
RUN/report/            curves.png, clips.png, eval.json
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from mimicgym.configs import from_dict, override, to_dict
from mimicgym.envs.config import EnvConfig
from mimicgym.envs.make import env_config
from mimicgym.errors import UserError
from mimicgym.ppo import Checkpoints, Policy, PPOConfig
from mimicgym.tasks import get_task

_PACKAGES = ("mimicgym", "mujoco", "mujoco-mjx", "jax", "jaxlib", "flax", "optax")


@dataclass(frozen=True)
class RunConfig:
    """Everything that makes a run what it is.

    Attributes:
      preset: the name that `env` and `ppo` started from.
      num_envs: environments in parallel.
      seed: of the whole run.
    """

    preset: str
    env: EnvConfig
    ppo: PPOConfig
    num_envs: int
    seed: int


def run_config(
    preset: str = "quick",
    *,
    motion: str | Sequence[str] | None = None,
    robot: str | None = None,
    engine: str | None = None,
    num_envs: int | None = None,
    seed: int = 0,
    overrides: Mapping[str, Any] | None = None,
) -> RunConfig:
    """A preset of environment and learner with the usual choices made.

    Args:
      motion: an embedded clip or a file, or several.
      num_envs: environments in parallel; the preset's by default.
      overrides: dotted settings of a `RunConfig`, such as {"ppo.epochs": 2}.
    """
    learner = get_task(preset).preset
    config = RunConfig(
        preset=preset,
        env=env_config(preset, motion=motion, robot=robot, engine=engine),
        ppo=learner.ppo,
        num_envs=learner.num_envs if num_envs is None else num_envs,
        seed=seed,
    )
    return override(config, overrides or {})


class RunFolder:
    """Reads and writes the files of a run."""

    def __init__(self, path: Path):
        self.path = path

    @classmethod
    def create(cls, path: Path | None, config: RunConfig) -> "RunFolder":
        """Make the folder and write its configuration.

        Without a path: runs/DATE_TIME_CLIP below the current folder. A folder that
        holds a run already is not overwritten but refused.
        """
        if path is None:
            stem = Path(config.env.motion.clips[0]).stem
            clip = re.sub(r"[^\w.-]+", "", stem) or "clips"
            path = Path("runs") / f"{datetime.now():%Y%m%d_%H%M%S}_{clip}"
        cls.check_free(path)
        path.mkdir(parents=True, exist_ok=True)
        versions = {name: metadata.version(name) for name in _PACKAGES}
        data = to_dict(config) | {"versions": versions}
        (path / "config.json").write_text(json.dumps(data, indent=2) + "\n")
        return cls(path)

    @staticmethod
    def check_free(path: Path | None) -> None:
        """`UserError` for a folder that holds a run already."""
        if path is not None and (path / "config.json").exists():
            raise UserError(
                f"{path} already holds a run; go on with it by --resume {path},"
                " or name another folder"
            )

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """An existing run; `UserError` when there is none."""
        if not (path / "config.json").is_file():
            raise UserError(f"{path} is no run: it has no config.json")
        return cls(path)

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def report(self) -> Path:
        return self.path / "report"

    def config(self) -> RunConfig:
        """The configuration that the run was started with."""
        file = self.path / "config.json"
        try:
            data = json.loads(file.read_text())
        except json.JSONDecodeError as error:
            raise UserError(f"{file} is no JSON: {error}") from error
        data.pop("versions", None)
        try:
            return from_dict(RunConfig, data)
        except UserError as error:
            raise UserError(f"{file}: {error}") from error

    def log(self, metrics: Mapping[str, Any]) -> None:
        """Append one line to metrics.jsonl."""
        with (self.path / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(metrics) + "\n")

    def log_clips(self, iteration: int, clips: Sequence[Mapping[str, Any]]) -> None:
        """Append what is known of each clip to clips.jsonl."""
        with (self.path / "clips.jsonl").open("a") as file:
            file.write(json.dumps({"iteration": iteration, "clips": clips}) + "\n")

    def metrics(self) -> list[dict[str, Any]]:
        """All lines of metrics.jsonl, oldest first."""
        file = self.path / "metrics.jsonl"
        if not file.exists():
            return []
        return [json.loads(line) for line in file.read_text().splitlines()]

    def forget_after(self, iteration: int) -> None:
        """Drop what was logged past a checkpoint from which the run goes on."""
        for name in ("metrics.jsonl", "clips.jsonl"):
            file = self.path / name
            if file.exists():
                lines = [json.loads(line) for line in file.read_text().splitlines()]
                kept = [line for line in lines if line["iteration"] <= iteration]
                file.write_text("".join(json.dumps(line) + "\n" for line in kept))


def load_policy(path: str | Path) -> Policy:
    """The newest policy of a run folder: call it with actor observations (..., D)."""
    folder = RunFolder.open(Path(path))
    config = folder.config()
    checkpoints = Checkpoints(folder.checkpoints)
    return checkpoints.policy(checkpoints.latest(), config.ppo, robot=config.env.robot)
