"""Show what a task is made of: observations, rewards, failures, randomisation."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.table import Table

from mimicgym.cli.arguments import preset_in
from mimicgym.cli.outputs import check_output, write_json
from mimicgym.cli.show import make_console
from mimicgym.configs import to_dict
from mimicgym.envs.config import EnvConfig, RandomizationConfig
from mimicgym.envs.make import make_env
from mimicgym.envs.reward import reward
from mimicgym.envs.termination import termination
from mimicgym.envs.tracking import TrackingEnv
from mimicgym.tasks import get_task


@dataclass(frozen=True)
class TaskArgs:
    preset: str = "quick"
    """A task, see `mimicgym tasks`."""
    json_file: Annotated[Path | None, tyro.conf.arg(name="json", metavar="FILE")] = None
    """Also write all of it to this file."""
    env: EnvConfig = field(default_factory=EnvConfig)


def main(argv: Sequence[str]) -> int:
    preset = preset_in(argv) or TaskArgs.preset
    default = replace(TaskArgs(), preset=preset, env=get_task(preset).env)
    args = tyro.cli(
        TaskArgs,
        args=list(argv),
        default=default,
        prog="mimicgym task",
        description=__doc__,
    )
    check_output("--json", args.json_file)
    # Terms and sizes do not depend on clips, nor on the engine.
    motion = replace(args.env.motion, clips=("stand",))
    env = make_env(replace(args.env, motion=motion, engine="native"))
    parts = describe(env)
    console = make_console()
    control, collisions = args.env.control, args.env.physics.collisions
    console.print(
        f"{args.preset}: {args.env.robot}, {env.action_size} actions on the "
        f"{control.target}, {1 / env.dt_s:g} control steps a second of "
        f"{control.decimation} physics steps each, collisions {collisions}"
    )
    for title, rows in parts.items():
        if rows:
            console.print(_table(title, rows))
    data = {"preset": args.preset, **parts, "config": to_dict(args.env)}
    write_json("--json", args.json_file, data)
    return 0


def describe(env: TrackingEnv) -> dict[str, list[dict[str, Any]]]:
    """Rows of each table, in JSON types."""
    return {
        "observations": [
            {
                "group": row.group,
                "term": row.term,
                "slice": f"{row.start}:{row.stop}",
                "size": row.stop - row.start,
                "unit": row.unit,
            }
            for row in env.observation_layout()
        ],
        "rewards": [_reward(env, name) for name in env.rewards.terms],
        "failures": [
            {
                "term": name,
                "threshold": _value(getattr(env.config.termination, name)),
                "unit": termination.unit(name),
                "what": termination.summary(name),
            }
            for name in env.terminations.causes
        ],
        "randomisation": [
            {"term": name, "value": value} for name, value in _randomised(env.config)
        ],
    }


def _reward(env: TrackingEnv, name: str) -> dict[str, Any]:
    settings = asdict(getattr(env.config.reward, name))
    weight = settings.pop("weight")
    return {
        "term": name,
        "weight": weight,
        "a step": weight * env.dt_s,
        "settings": ", ".join(f"{k} {_value(v)}" for k, v in settings.items()),
        "what": reward.summary(name),
    }


def _randomised(config: EnvConfig) -> list[tuple[str, str]]:
    """What is not as in a configuration without any randomisation."""
    plain, rows = RandomizationConfig(), []
    for f in fields(config.randomization):
        value = getattr(config.randomization, f.name)
        if value != getattr(plain, f.name):
            rows.append((f.name, _value(value)))
    return rows


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple):
        return " to ".join(_value(v) for v in value) if len(value) == 2 else str(value)
    if hasattr(value, "__dataclass_fields__"):
        return ", ".join(f"{k} {_value(v)}" for k, v in asdict(value).items())
    return str(value)


def _table(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title=title)
    for head, value in rows[0].items():
        right = isinstance(value, int | float)
        table.add_column(head, justify="right" if right else "left", overflow="fold")
    before = None
    for row in rows:
        if before is not None and row.get("group") != before:
            table.add_section()
        before = row.get("group")
        table.add_row(
            *(_value(v) if isinstance(v, float) else str(v) for v in row.values())
        )
    return table
