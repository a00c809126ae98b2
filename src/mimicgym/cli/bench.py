"""`mimicgym bench`: environment steps a second, and the bare engine's."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro
from rich.table import Table

from mimicgym.bench import bench
from mimicgym.cli.arguments import preset_in
from mimicgym.cli.show import make_console
from mimicgym.envs.config import EnvConfig
from mimicgym.envs.make import make_env
from mimicgym.envs.presets import env_preset


@dataclass(frozen=True)
class BenchArgs:
    engine: str | None = None
    """auto, mjx or native; the preset's by default."""
    num_envs: int = 512
    """Environments in parallel."""
    preset: str = "default"
    """A task, see `mimicgym tasks`. It sets the defaults of everything under env."""
    robot: str | None = None
    """Robot, instead of the preset's."""
    motion: tuple[str, ...] = ()
    """Clips, instead of the preset's."""
    steps: int = 50
    """Control steps of one timed stretch."""
    repeats: int = 5
    """Timed stretches; medians are shown."""
    env: EnvConfig = field(default_factory=EnvConfig)
    json_file: Annotated[Path | None, tyro.conf.arg(name="json", metavar="FILE")] = None
    """Also write the result to this file."""


def main(argv: Sequence[str]) -> int:
    preset = preset_in(argv) or BenchArgs.preset
    args = tyro.cli(
        BenchArgs,
        args=list(argv),
        default=replace(BenchArgs(), preset=preset, env=env_preset(preset)),
        prog="mimicgym bench",
        description=__doc__,
    )
    config = args.env
    if args.motion:
        config = replace(config, motion=replace(config.motion, clips=args.motion))
    if args.robot is not None:
        config = replace(config, robot=args.robot)
    if args.engine is not None:
        config = replace(config, engine=args.engine)
    result = bench(
        make_env(config), args.num_envs, steps=args.steps, repeats=args.repeats
    )
    table = Table(title=f"{result.engine}, {result.num_envs} environments")
    table.add_column("")
    table.add_column("steps / s", justify="right")
    table.add_row("environment, all terms", f"{result.env_steps_per_s:,.0f}")
    table.add_row("bare engine", f"{result.bare_env_steps_per_s:,.0f}")
    low, high = result.ratio_spread
    table.add_row("ratio", f"{result.ratio:.2f}  ({low:.2f} to {high:.2f})")
    table.add_row("compile", f"{result.compile_s:.1f} s")
    make_console().print(table)
    if args.json_file:
        args.json_file.write_text(json.dumps(result.to_dict(), indent=2) + "\n")
    return 0
