"""The best of a sweep as a pipeline of one stage, which `mimicgym pipeline` runs."""

import json
import os
from pathlib import Path
from typing import Any

from mimicgym.configs import difference, to_dict
from mimicgym.errors import UserError
from mimicgym.run import RunConfig
from mimicgym.tasks import get_task

_ITERATIONS = 500


def stage_text(
    config: RunConfig, learner: str | None, description: str, iterations: int
) -> str:
    """A pipeline file.

    Args:
      config: what to train. What differs from its preset's is written down.
      learner: of another task.
      iterations: how long; a file has to say it.
    """
    task = get_task(config.preset)
    preset = task if learner is None else get_task(learner)
    changed = [
        *_changed("env", task.env, config.env),
        *_changed("ppo", preset.preset.ppo, config.ppo),
    ]
    own = ("env.engine", "env.robot", "env.motion.clips")
    lines = [
        f"description = {_toml('description', description)}",
        "",
        "[[stage]]",
        'name = "train"',
        f"task = {_toml('task', config.preset)}",
    ]
    if learner is not None:
        lines.append(f"learner = {_toml('learner', learner)}")
    lines += [
        f"motions = {_toml('motions', [_found(c) for c in config.env.motion.clips])}",
        f"engine = {_toml('engine', config.env.engine)}",
        f"robot = {_toml('robot', config.env.robot)}",
        f"num_envs = {config.num_envs}",
        f"iterations = {iterations}  # as many as you like",
        "",
        "[stage.overrides]",
        *(
            f"{_toml(name, name)} = {_toml(name, value)}"
            for name, value in changed
            if name not in own
        ),
    ]
    return "\n".join(lines) + "\n"


def write_stage(path: Path, config: RunConfig, learner: str | None, told: str) -> None:
    """Write such a file. The iterations are for it to say."""
    try:
        path.write_text(stage_text(config, learner, told, _ITERATIONS))
    except OSError as error:
        raise UserError(f"{path} can not be written: {error.strerror}") from error


def _changed(group: str, preset: Any, config: Any) -> list[tuple[str, Any]]:
    """Dotted settings that are not the preset's, with their values."""
    names = [line.partition(":")[0] for line in difference(preset, config)]
    found = []
    for name in names:
        value: Any = to_dict(config)
        for part in name.split("."):
            value = value[part]
        found.append((f"{group}.{name}", value))
    return found


def _found(clip: str) -> str:
    """A clip by a path that holds from any folder; embedded ones have a name."""
    plain = "/" not in clip and os.sep not in clip and not Path(clip).suffix
    return clip if plain and not Path(clip).exists() else os.path.abspath(clip)


def _toml(name: str, value: Any) -> str:
    """A value; TOML writes as JSON does, but has no null and other tables."""
    parts = value if isinstance(value, list | tuple) else [value]
    if any(part is None or isinstance(part, dict) for part in parts):
        raise UserError(f"{name} is {value!r}, which is not written to such a file")
    return json.dumps(value)
