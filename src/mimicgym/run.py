"""A run's folder: its configuration, its metrics, its checkpoints and its report.

RUN/config.json        everything that was set, with versions
RUN/metrics.jsonl      one line an iteration
RUN/clips.jsonl        success and share of each clip, a line a checkpoint
RUN/evals.jsonl        scores of each clip, a line an evaluation
RUN/checkpoints/       the newest, see `ppo.checkpoint`
RUN/best/              the one that evaluated best
RUN/tensorboard/       metrics.jsonl for TensorBoard, unless switched off
RUN/report/            curves.png, clips.png, eval.json
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from mimicgym.configs import from_dict, override, to_dict
from mimicgym.envs.config import EnvConfig
from mimicgym.envs.make import Clips, env_config
from mimicgym.errors import UserError
from mimicgym.folders import unwritable
from mimicgym.loggers import LoggingConfig
from mimicgym.ppo import Checkpoints, Policy, PPOConfig
from mimicgym.tasks import get_task
from mimicgym.training_config import TrainingConfig
from mimicgym.unbegun import (
    BESIDE,
    LOGS,
    has_checkpoint,
    more_than_a_start,
    remove_start,
)
from mimicgym.whole_file import write_text

_PACKAGES = (
    "mimicgym",
    "mujoco",
    "mujoco-mjx",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "numpy",
    "orbax-checkpoint",
)
# Where runs are that are given no folder.
_RUNS = Path("runs")


@dataclass(frozen=True)
class RunConfig:
    """Everything that makes a run what it is.

    Attributes:
      preset: the name that `env` and `ppo` started from.
      num_envs: environments in parallel.
      seed: of the whole run.
      teachers: run folders of the policies to imitate, each FOLDER or NAME=FOLDER; see
        `mimicgym.teaching`.
      devices: over how many the environments are spread; 0 for all there are.
      num_seeds: how many seeds, from `seed` on, are trained at once, each with
        `num_envs` environments.
      training: what is saved and judged meanwhile.
      logging: where it is logged besides the run's folder.
    """

    preset: str
    env: EnvConfig
    ppo: PPOConfig
    num_envs: int
    seed: int
    teachers: tuple[str, ...] = ()
    devices: int = 1
    num_seeds: int = 1
    training: TrainingConfig = field(default_factory=TrainingConfig)
    logging: LoggingConfig = field(default_factory=LoggingConfig)


def run_config(
    preset: str = "quick",
    *,
    motion: Clips | None = None,
    robot: str | None = None,
    engine: str | None = None,
    num_envs: int | None = None,
    seed: int = 0,
    overrides: Mapping[str, Any] | None = None,
) -> RunConfig:
    """A preset of environment and learner with the usual choices made.

    Args:
      motion: an embedded clip or a file, as text or a path, or several.
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

        Without a path: runs/DATE_TIME_CLIP below the current folder, which must not be
        there. A folder that holds a run already is not overwritten but refused, unless
        that run has ended before its first checkpoint.
        """
        named = path is not None
        if path is None:
            stem = Path(config.env.motion.clips[0]).stem
            clip = re.sub(r"[^\w.-]+", "", stem) or "clips"
            path = _RUNS / f"{datetime.now():%Y%m%d_%H%M%S}_{clip}"
        cls.check_free(path)
        started = datetime.now().astimezone().isoformat(timespec="seconds")
        data = to_dict(config) | {"versions": versions(), "started": started}
        with _writing("a run", path):
            # Others may begin in the same second.
            path.mkdir(parents=True, exist_ok=named)
            if (path / "config.json").exists():
                remove_start(path)
            write_text(path / "config.json", json.dumps(data, indent=2) + "\n")
        return cls(path)

    @staticmethod
    def check_free(path: Path | None) -> None:
        """`UserError` for a folder that can not be made or written to, or that holds a
        run already. One that ended before its first checkpoint is begun anew."""
        place = _RUNS if path is None else path
        reason = unwritable(place)
        if reason is not None:
            raise UserError(f"a run can not be written to {place}: {reason}")
        if path is None or not os.path.exists(path / "config.json"):
            return
        found = more_than_a_start(path)
        if found and has_checkpoint(path):
            raise UserError(
                f"{path} already holds a run; go on with it by --resume {path},"
                " or name another folder"
            )
        if found:
            raise UserError(
                f"{path} already holds a run, of which there is no checkpoint to go on"
                f" from, and {', '.join(found)}; name another folder"
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
    def best(self) -> Path:
        return self.path / "best"

    @property
    def report(self) -> Path:
        return self.path / "report"

    def config(self) -> RunConfig:
        """The configuration that the run was started with."""
        try:
            return from_dict(RunConfig, self.stored())
        except (TypeError, UserError) as error:
            raise UserError(f"{self.path / 'config.json'}: {error}") from error

    @property
    def started(self) -> datetime:
        """When the run began; for old ones, when its configuration was written."""
        text = self._config_json().get("started")
        if text is not None:
            return datetime.fromisoformat(text)
        return datetime.fromtimestamp((self.path / "config.json").stat().st_mtime)

    def stored(self) -> dict[str, Any]:
        """The configuration in JSON types, whether it is one of today or not."""
        return {k: v for k, v in self._config_json().items() if k not in BESIDE}

    def _config_json(self) -> dict[str, Any]:
        file = self.path / "config.json"
        try:
            data = json.loads(file.read_text())
        except ValueError as error:
            raise UserError(f"{file} is no JSON: {error}") from error
        if not isinstance(data, dict):
            raise UserError(f"{file} holds no settings")
        return data

    def log(self, metrics: Mapping[str, Any]) -> None:
        """Append one line to metrics.jsonl."""
        self._append("metrics.jsonl", metrics)

    def log_clips(self, iteration: int, clips: Sequence[Mapping[str, Any]]) -> None:
        """Append what is known of each clip to clips.jsonl."""
        self._append("clips.jsonl", {"iteration": iteration, "clips": clips})

    def log_evaluation(self, iteration: int, scores: Mapping[str, Any]) -> None:
        """Append an evaluation's scores to evals.jsonl."""
        self._append("evals.jsonl", {"iteration": iteration, **scores})

    def _append(self, name: str, line: Mapping[str, Any]) -> None:
        file = self.path / name
        with _writing("what is logged", file), file.open("a") as lines:
            lines.write(json.dumps(line) + "\n")

    def metrics(self) -> list[dict[str, Any]]:
        """All lines of metrics.jsonl, oldest first."""
        return self._lines("metrics.jsonl")

    def evaluations(self) -> list[dict[str, Any]]:
        """All lines of evals.jsonl, oldest first."""
        return self._lines("evals.jsonl")

    def _lines(self, name: str) -> list[dict[str, Any]]:
        file = self.path / name
        if not file.exists():
            return []
        lines = file.read_text().split("\n")
        # Behind the last line's end there is nothing, or what was being written when
        # the run was killed.
        try:
            return [json.loads(line) for line in lines[:-1]]
        except ValueError as error:
            raise UserError(f"{file} is damaged: {error}") from error

    def forget_after(self, iteration: int) -> None:
        """Drop what was logged past a checkpoint from which the run goes on."""
        for name in LOGS:
            if (self.path / name).exists():
                kept = [x for x in self._lines(name) if x["iteration"] <= iteration]
                text = "".join(json.dumps(line) + "\n" for line in kept)
                with _writing("what is logged", self.path / name):
                    write_text(self.path / name, text)

    def pick(self, which: str | int = "latest") -> tuple[Checkpoints, int]:
        """One of the run's checkpoints: where it is, and its iteration.

        Args:
          which: "latest", "best" by evaluation, or an iteration.

        Raises:
          UserError: there is no such checkpoint; it names those there are.
        """
        seeds = sorted(x.name for x in self.path.glob("seed_*") if x.is_dir())
        if seeds and not self.checkpoints.exists():
            raise UserError(
                f"{self.path} has several seeds; choose a run of it: {', '.join(seeds)}"
            )
        newest, best = Checkpoints(self.checkpoints), Checkpoints(self.best)
        if which == "latest":
            return newest, newest.latest()
        if which == "best":
            if not best.all():
                raise UserError(f"{self.path} has no best checkpoint: none was judged")
            return best, best.latest()
        for checkpoints in (newest, best):
            if str(which) in map(str, checkpoints.all()):
                return checkpoints, int(which)
        known = ["latest", *(["best"] if best.all() else [])]
        iterations = sorted({*newest.all(), *best.all()})
        raise UserError(
            f"{self.path} has no checkpoint {which!r}; choose from"
            f" {', '.join([*known, *map(str, iterations)])}"
        )


def versions() -> dict[str, str]:
    """The versions of packages that results depend on."""
    return {name: metadata.version(name) for name in _PACKAGES}


def load_policy(path: str | Path, which: str | int = "latest") -> Policy:
    """The policy of a run folder: call it with actor observations (..., D).

    which: "latest", "best" by evaluation, or an iteration of which there is a
    checkpoint.
    """
    folder = RunFolder.open(Path(path))
    config = folder.config()
    checkpoints, iteration = folder.pick(which)
    return checkpoints.policy(iteration, config.ppo, robot=config.env.robot)


@contextmanager
def _writing(what: str, where: Path) -> Iterator[None]:
    """Failures to write as what users can mend."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{what} can not be written to {where}: {reason}") from error
