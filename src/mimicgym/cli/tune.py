"""Find what trains fastest on this machine: how many environments, minibatches and
threads.

mimicgym tune --minutes 5
mimicgym tune --preset default --learner quick --motion walk --out mine.toml

Speed is what is compared: environment steps a second, acting and learning together.
How well is learnt depends on the same numbers and is not looked at. So the best is
chosen among those that take as many gradient steps for as many samples as the preset
does; what else is tried is listed, and said if it is faster.
"""

import platform
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro
from rich.table import Table

from mimicgym.bench.suite import surroundings
from mimicgym.cli.arguments import option_in, preset_in
from mimicgym.cli.outputs import check_output, write_json, writing
from mimicgym.cli.show import make_console
from mimicgym.envs.config import EnvConfig
from mimicgym.errors import UserError, unknown_name
from mimicgym.physics import ENGINES
from mimicgym.ppo import PPOConfig
from mimicgym.run import RunConfig
from mimicgym.tasks import get_task
from mimicgym.tuning import Attempt, Trials, best, candidates, sweep
from mimicgym.tuning.file import write_stage

_OWN = ("minutes", "num-envs", "minibatches", "threads", "out", "json")
# Given to `train` by what was found.
_FOUND = ("ppo.minibatches", "env.threads")


@dataclass(frozen=True)
class TuneArgs:
    minutes: float = 5.0
    """What all of it may take, with compiling."""
    preset: str = "quick"
    """A task, see `mimicgym tasks`. It sets the defaults of everything under env and
    ppo."""
    learner: str | None = None
    """Learner of another task; the preset's by default."""
    motion: tuple[str, ...] = ()
    """Clips, instead of the preset's."""
    engine: str | None = None
    """auto, mjx, native or warp; the preset's by default."""
    robot: str | None = None
    """Robot, instead of the preset's."""
    num_envs: tuple[int, ...] = ()
    """Environments to try; by default a quarter of the preset's to four times as
    many."""
    minibatches: tuple[int, ...] = ()
    """Minibatches to try; by default those with which a gradient step has as many
    samples as the preset's, or half or twice as many."""
    threads: tuple[int, ...] = ()
    """Threads of the native engine to try; by default all cores and half of them."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE.toml")] = None
    """Write the best as a pipeline of one stage, for `mimicgym pipeline FILE.toml`."""
    json_file: Annotated[Path | None, tyro.conf.arg(name="json", metavar="FILE")] = None
    """Write all that was tried to this file."""
    env: EnvConfig = field(default_factory=EnvConfig)
    ppo: PPOConfig = field(default_factory=PPOConfig)


def main(argv: Sequence[str]) -> int:
    args = _parse(argv)
    if not args.minutes > 0:
        raise UserError(f"--minutes is {args.minutes}; it must be positive")
    if args.out is not None and args.out.suffix != ".toml":
        raise UserError(f"--out is {args.out}; a .toml file is needed")
    check_output("--out", args.out)
    check_output("--json", args.json_file)
    config = _config(args)
    trials = Trials(config)
    found = candidates(
        config,
        cores=trials.cores,
        num_envs=args.num_envs,
        minibatches=args.minibatches,
        threads=args.threads,
    )
    console = make_console()
    usual = config.num_envs * config.ppo.num_steps // config.ppo.minibatches
    console.print(
        f"{len(found)} candidates in {args.minutes:g} minutes; the preset's gradient"
        f" steps have {usual} samples"
    )
    attempts = sweep(
        found,
        trials,
        60 * args.minutes,
        on_attempt=lambda attempt: console.print(_line(attempt)),
    )
    chosen = best(attempts)
    console.print(_table(attempts, chosen))
    command = _train_command(argv, chosen)
    console.print(f"the fastest{_among(chosen)}:\n{command}", highlight=False)
    fastest = max(attempts, key=lambda attempt: attempt.speed)
    if fastest is not chosen:
        console.print(
            f"{fastest.candidate} are faster, at {fastest.candidate.batch} samples a"
            " gradient step: what that does to learning was not tried"
        )
    tuned = chosen.candidate.applied(config)
    if args.out is not None:
        told = f"{config.preset}, tuned for speed on {platform.node() or 'a machine'}"
        with writing("--out", args.out):
            write_stage(args.out, tuned, args.learner, told)
        console.print(f"mimicgym pipeline {args.out}")
    if args.json_file is not None:
        data = surroundings(shlex.join(["mimicgym", "tune", *argv])) | {
            "train": command,
            "attempts": [asdict(a) | {"speed": a.speed} for a in attempts],
        }
        write_json("--json", args.json_file, data)
    return 0


def _parse(argv: Sequence[str]) -> TuneArgs:
    preset = preset_in(argv) or TuneArgs.preset
    task = get_task(preset)
    learner = option_in(argv, "learner")
    ppo = (task if learner is None else get_task(learner)).preset.ppo
    return tyro.cli(
        TuneArgs,
        args=list(argv),
        default=replace(TuneArgs(), preset=preset, env=task.env, ppo=ppo),
        prog="mimicgym tune",
        description=__doc__,
    )


def _config(args: TuneArgs) -> RunConfig:
    env = args.env
    if args.motion:
        env = replace(env, motion=replace(env.motion, clips=args.motion))
    if args.engine is not None:
        if args.engine not in ENGINES:
            raise unknown_name("engine", args.engine, ENGINES)
        env = replace(env, engine=args.engine)
    if args.robot is not None:
        env = replace(env, robot=args.robot)
    learner = get_task(args.learner or args.preset).preset
    args.ppo.check(learner.num_envs)
    return RunConfig(args.preset, env, args.ppo, learner.num_envs, seed=0)


def _train_command(argv: Sequence[str], chosen: Attempt) -> str:
    """`mimicgym train` with what was given to tune and what was found."""
    kept: list[str] = []
    skipping = False
    for word in argv:
        if word.startswith("--"):
            name = word.removeprefix("--").partition("=")[0].replace("_", "-")
            skipping = name in (*_OWN, *_FOUND)
        if not skipping:
            kept.append(word)
    return shlex.join(["mimicgym", "train", *kept, *chosen.candidate.flags])


def _among(chosen: Attempt) -> str:
    if chosen.candidate.alike:
        return " with the preset's samples a gradient step"
    return f", at {chosen.candidate.batch} samples a gradient step (not the preset's)"


def _line(attempt: Attempt) -> str:
    if attempt.skipped:
        return f"{attempt.candidate}: skipped, {attempt.skipped}"
    return f"{attempt.candidate}: {attempt.speed:,.0f} steps/s"


def _table(attempts: Sequence[Attempt], chosen: Attempt) -> Table:
    table = Table()
    for head in ("envs", "minibatches", "threads", "samples a step", "steps / s"):
        table.add_column(head, justify="right")
    table.add_column("least to most")
    table.add_column("compile", justify="right")
    for attempt in sorted(attempts, key=lambda a: -a.speed):
        c = attempt.candidate
        cells = [
            str(c.num_envs),
            str(c.minibatches),
            "-" if c.threads is None else str(c.threads),
            f"{c.batch}{'' if c.alike else ' *'}",
        ]
        if not attempt.speeds:
            table.add_row(*cells, "-", f"skipped: {attempt.skipped}", "-")
            continue
        spread = f"{min(attempt.speeds):,.0f} to {max(attempt.speeds):,.0f}"
        spread += f" ({len(attempt.speeds)}x)" + (" <-" if attempt is chosen else "")
        table.add_row(
            *cells, f"{attempt.speed:,.0f}", spread, f"{attempt.compile_s:.1f} s"
        )
    table.caption = "* not as many as the preset's"
    return table
