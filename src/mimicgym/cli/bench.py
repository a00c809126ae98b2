"""Environment steps a second, and the bare engine's in the same run.

mimicgym bench --engine native --num-envs 512
mimicgym bench --num-envs 64 512 4096 --preset default quick --ppo --chart bench.png
mimicgym bench --motion wave --num-clips 1 10 100 500 --json clips.json
mimicgym bench --num-envs 512 --check earlier.json

Several values make a suite: each combination is measured in a process of its own.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.table import Table

from mimicgym.bench.case import Case, run_case, with_clips
from mimicgym.bench.chart import AXES, plot_suite
from mimicgym.bench.check import TOLERANCE, fallen, read_rows
from mimicgym.bench.suite import Row, report_of, run_suite, surroundings
from mimicgym.cli.arguments import values_in
from mimicgym.cli.outputs import check_output, write_json, writing
from mimicgym.cli.show import make_console
from mimicgym.envs.config import EnvConfig
from mimicgym.envs.presets import env_preset
from mimicgym.errors import UserError, unknown_name
from mimicgym.physics import ENGINES
from mimicgym.robot import get_robot
from mimicgym.tasks import get_task


@dataclass(frozen=True)
class BenchArgs:
    engine: tuple[str, ...] = ()
    """auto, mjx, native or warp; the preset's by default."""
    num_envs: tuple[int, ...] = (512,)
    """Environments in parallel."""
    preset: tuple[str, ...] = ("default",)
    """Tasks, see `mimicgym tasks`. Each sets the defaults of everything under env."""
    robot: tuple[str, ...] = ()
    """Robots, instead of the presets'."""
    collisions: tuple[str, ...] = ()
    """feet, body or full; the presets' by default."""
    motion: tuple[str, ...] = ()
    """Clips, instead of the presets'; all at once."""
    num_clips: tuple[int, ...] = ()
    """How many clips there are: those of --motion, over and over."""
    ppo: bool = False
    """Also time iterations of acting and learning."""
    learner: str | None = None
    """Learner of another task for --ppo, such as quick; each preset's by default."""
    steps: int = 50
    """Control steps of one timed stretch."""
    repeats: int = 5
    """Timed stretches; medians are shown, with the least and the most of ratios."""
    env: EnvConfig = field(default_factory=EnvConfig)
    json_file: Annotated[Path | None, tyro.conf.arg(name="json", metavar="FILE")] = None
    """Also write the results to this file."""
    chart: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Also draw them, as a PNG."""
    check: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Compare ratios with those of an earlier --json FILE; status 1 if one has fallen
    by more than --tolerance."""
    tolerance: float = TOLERANCE
    """Share of an earlier ratio by which one may fall short, for --check."""


def main(argv: Sequence[str]) -> int:
    presets = values_in(argv, "preset") or BenchArgs.preset
    parsed = {name: _parse(argv, name) for name in presets}
    args = next(iter(parsed.values()))
    cases = [case for name in parsed for case in _cases(name, parsed[name])]
    earlier = None if args.check is None else read_rows(args.check)
    check_output("--json", args.json_file)
    check_output("--chart", args.chart)
    if args.chart is not None and args.chart.suffix.lower() != ".png":
        raise UserError(f"--chart is {args.chart}; a .png file is needed")
    console = make_console()
    if len(cases) == 1:
        rows = [run_case(cases[0])]
    else:
        rows = run_suite(cases, lambda row: console.print(_line(row)))
    console.print(_details(rows[0]) if len(rows) == 1 else _table(rows))
    command = shlex.join(["mimicgym", "bench", *argv])
    if args.json_file:
        single = len(rows) == 1
        data = rows[0] | surroundings(command) if single else report_of(rows, command)
        write_json("--json", args.json_file, data)
    good = [row for row in rows if "error" not in row]
    if args.chart and good:
        with writing("--chart", args.chart):
            plot_suite(good, args.chart, good[0]["device"])
    slower = [] if earlier is None else fallen(rows, earlier, args.tolerance)
    for line in slower:
        console.print(line)
    return 0 if len(good) == len(rows) and not slower else 1


def _parse(argv: Sequence[str], preset: str) -> BenchArgs:
    return tyro.cli(
        BenchArgs,
        args=list(argv),
        default=replace(BenchArgs(), env=env_preset(preset)),
        prog="mimicgym bench",
        description=__doc__,
    )


def _cases(preset: str, args: BenchArgs) -> list[Case]:
    """All combinations; what can be said to be wrong is said before any is run."""
    config = args.env
    if args.motion:
        config = replace(config, motion=replace(config.motion, clips=args.motion))
    if args.learner is not None and not args.ppo:
        raise UserError(f"--learner {args.learner} is for --ppo, which was not given")
    ppo = get_task(args.learner or preset).preset.ppo if args.ppo else None
    for engine in args.engine:
        if engine not in ENGINES:
            raise unknown_name("engine", engine, ENGINES)
    for name in args.robot or [config.robot]:
        robot = get_robot(name)
        for collisions in args.collisions:
            robot.pairs(collisions)
    if not args.num_envs:
        raise UserError("--num-envs is empty; give one number or more")
    for count in args.num_envs:
        if count < 1:
            raise UserError(f"num_envs is {count}; it must be at least 1")
        if ppo is not None:
            ppo.check(count)
    cases = []
    for engine, robot, collisions, clips, num_envs in product(
        args.engine or (config.engine,),
        args.robot or (config.robot,),
        args.collisions or (config.physics.collisions,),
        args.num_clips or (None,),
        args.num_envs,
    ):
        physics = replace(config.physics, collisions=collisions)
        env = replace(config, engine=engine, robot=robot, physics=physics)
        if clips is not None:
            env = with_clips(env, clips)
        cases.append(Case(preset, env, num_envs, ppo, args.steps, args.repeats))
    return cases


def _line(row: Row) -> str:
    told = ", ".join(str(row[axis]) for axis in AXES)
    if "error" in row:
        return f"{told}: {row['error']}"
    return f"{told}: {row['env_steps_per_s']:,.0f} steps/s, ratio {row['ratio']:.2f}"


def _details(row: Row) -> Table:
    table = Table(title=f"{row['engine']}, {row['num_envs']} environments")
    table.add_column("")
    table.add_column("steps / s", justify="right")
    table.add_column("ratio", justify="right")
    table.add_row("environment, all terms", f"{row['env_steps_per_s']:,.0f}", "")
    for name, key in (
        ("bare engine, robots standing", ""),
        ("bare engine, the same motion", "_same_motion"),
    ):
        speed = row[f"bare{key}_env_steps_per_s"]
        table.add_row(name, f"{speed:,.0f}", _ratio(row, f"ratio{key}"))
    if row["ppo"]:
        speed = f"{row['ppo']['env_steps_per_s']:,.0f}"
        ratio = _ratio(row["ppo"], "ratio")
        table.add_row("acting and learning (of the environment)", speed, ratio)
    table.add_section()
    table.add_row("compile", _seconds(row), "")
    programs = f"{row['programs']}, {row['from_cache']} from the cache"
    table.add_row("programs", programs, "")
    table.add_row("most memory", _memory(row), "")
    return table


def _table(rows: Sequence[Row]) -> Table:
    varied = [axis for axis in AXES if len({row[axis] for row in rows}) > 1]
    learning = any(row.get("ppo") for row in rows)
    heads = ["steps / s", "bare", "ratio", "same motion"]
    heads += ["learning", "of env"] if learning else []
    table = Table()
    for head in (*varied, *heads, "compile", "memory"):
        table.add_column(head, justify="right" if head not in varied else "left")
    for row in rows:
        cells = [str(row[axis]) for axis in varied]
        if "error" in row:
            table.add_row(*cells, "failed")
            continue
        cells += [
            f"{row['env_steps_per_s']:,.0f}",
            f"{row['bare_env_steps_per_s']:,.0f}",
            _ratio(row, "ratio"),
            _ratio(row, "ratio_same_motion"),
        ]
        if learning:
            ppo = row["ppo"]
            cells += [f"{ppo['env_steps_per_s']:,.0f}", _ratio(ppo, "ratio")]
        table.add_row(*cells, _seconds(row), _memory(row))
    return table


def _ratio(row: Row, key: str) -> str:
    if row[key] is None:
        return "-"
    low, high = row[f"{key}_spread"]
    return f"{row[key]:.2f} ({low:.2f} to {high:.2f})"


def _seconds(row: Row) -> str:
    ppo: Any = row["ppo"]
    return f"{row['compile_s'] + (ppo['compile_s'] if ppo else 0.0):.1f} s"


def _memory(row: Row) -> str:
    """The device's where it has its own, else the process's."""
    found = row["device_peak_mb"] or row["host_peak_mb"]
    return "-" if found is None else f"{found:,.0f} MB"
