"""Run a pipeline: several trainings in a row, from one file.

mimicgym pipeline cpu --out runs/cpu
mimicgym pipeline videomimic --motions mocap='lafan/*.csv' videos=scenes.yaml
mimicgym pipeline my.toml --dry-run

The same command goes on after an interruption; what is finished is not done again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.table import Table

from mimicgym.cli.interrupt import StopOnInterrupt
from mimicgym.cli.show import make_console
from mimicgym.errors import UserError
from mimicgym.pipeline import (
    COLUMNS,
    Planned,
    Watch,
    plan,
    read_file,
    rows,
    run_pipeline,
    shipped,
)
from mimicgym.pipeline.record import Record
from mimicgym.pipeline.report import report
from mimicgym.pipeline.source import changed_settings
from mimicgym.ppo.matching import match_terms
from mimicgym.ppo.transfer import Transfer
from mimicgym.training import Progress

PRINT_EVERY = 20


@dataclass(frozen=True)
class PipelineArgs:
    file: tyro.conf.Positional[str | None] = None
    """A pipeline that comes with mimicgym, see --list, or a .toml file."""
    out: Path | None = None
    """Folder of the stages and of the report; runs/NAME by default."""
    motions: tuple[str, ...] = ()
    """Clips, files, patterns or lists in place of the file's: NAME=CLIP for one of its
    sets of motions (again for each further clip), CLIP for all of them."""
    num_envs: int | None = None
    """Environments in parallel, in every stage."""
    engine: str | None = None
    """auto, mjx, native or warp, in every stage."""
    seed: int | None = None
    """Of every stage."""
    iterations: int | None = None
    """Of every stage, to try a pipeline out."""
    dry_run: bool = False
    """Check everything and say what would be done."""
    list: bool = False
    """List the pipelines that come with mimicgym."""


def main(argv: Sequence[str]) -> int:
    args = tyro.cli(
        PipelineArgs, args=[*argv], prog="mimicgym pipeline", description=__doc__
    )
    console = make_console()
    if args.list:
        console.print(_shipped_table())
        return 0
    if args.file is None:
        raise UserError(f"name a pipeline ({', '.join(shipped())}) or a .toml file")
    keys = ("num_envs", "engine", "seed", "iterations")
    given: dict[str, Any] = {key: getattr(args, key) for key in keys}
    changes = {key: value for key, value in given.items() if value is not None}
    file = read_file(args.file, motions=args.motions, changes=changes)
    out = Path("runs") / file.name if args.out is None else args.out
    stages = plan(file, out)
    if args.dry_run:
        _print_plan(console, stages)
        return 0
    stop = StopOnInterrupt()
    with stop:
        done = run_pipeline(file.name, stages, out, _watch(console, stop))
    records = [Record(planned) for planned in stages]
    console.print(_stage_table(rows(report(file.name, records))))
    console.print(f"report: {out / 'report.md'}")
    if not done:
        console.print(f"stopped; go on with the same command and --out {out}")
        return 130
    return 0


def _watch(console: Console, stop: StopOnInterrupt) -> Watch:
    def on_stage(planned: Planned, state: str) -> None:
        console.print(
            f"stage {planned.stage.name} {_STATES[state]}: {planned.folder},"
            f" {len(planned.clips)} clip{'s' * (len(planned.clips) > 1)},"
            f" {planned.config.num_envs} environments"
        )

    def on_transfer(planned: Planned, told: Transfer) -> None:
        assert planned.source is not None
        console.print(f"weights from {planned.source.name}")
        for line in told.summary():
            console.print(f"  {line}")

    def on_iteration(planned: Planned, progress: Progress) -> None:
        last = progress.iteration == planned.stage.iterations
        if progress.iteration % PRINT_EVERY and not last:
            return
        found = [f"{progress.steps_per_s:,.0f} steps/s"]
        for name, key, scale, digits in _FIGURES:
            value = progress.metrics.get(key)
            if value is not None:
                found.append(f"{name} {scale * value:.{digits}f}")
        console.print(
            f"{planned.stage.name} {progress.iteration} of {planned.stage.iterations}:"
            f"  {'  '.join(found)}"
        )

    def on_note(planned: Planned, note: str) -> None:
        console.print(f"note on {planned.stage.name}: {note}")

    def on_result(planned: Planned, record: Record) -> None:
        found = record.data.get("result") or record.data["interrupted"]
        mean = found["evaluation"]["mean"]
        console.print(
            f"stage {planned.stage.name}"
            f" {'finished' if record.finished else 'stopped'}: completion"
            f" {mean['completion']:.3f}, success {mean['success']:.2f}, mpkpe"
            f" {mean['mpkpe_mm']:.1f} mm"
        )

    return Watch(on_stage, on_iteration, on_transfer, on_note, on_result, stop)


_LONG = ("stage", "clips", "teachers")
_STATES = {"begins": "begins", "goes on": "goes on", "finished": "is finished already"}
_FIGURES = (
    ("return", "episode/return", 1, 1),
    ("length", "episode/length", 1, 0),
    ("error mm", "error/link_pos_m", 1000, 0),
    ("imitation", "ppo/imitation_loss", 1, 3),
)


def _shipped_table() -> Table:
    table = Table("pipeline", "what it is for", "stages")
    for name in shipped():
        file = read_file(name)
        stages = ", ".join(stage.name for stage in file.stages)
        table.add_row(name, file.description, stages)
    return table


def _stage_table(cells: Sequence[Sequence[str]]) -> Table:
    table = Table(title="stages")
    for head in COLUMNS:
        table.add_column(head, no_wrap=head not in _LONG, overflow="fold")
    for row in cells:
        table.add_row(*row)
    return table


def _print_plan(console: Console, stages: Sequence[Planned]) -> None:
    table = Table(title="plan")
    heads = ("stage", "task", "clips", "envs", "at most", "weights from", "teachers")
    for head in heads:
        table.add_column(head, overflow="fold")
    for planned in stages:
        stage, config = planned.stage, planned.config
        per_iteration = config.num_envs * config.ppo.num_steps
        table.add_row(
            stage.name,
            stage.task,
            ", ".join(planned.clips[:8]) + ", ..." * (len(planned.clips) > 8),
            str(config.num_envs),
            f"{stage.iterations} iterations,"
            f" {stage.iterations * per_iteration / 1e6:.1f} M steps",
            "scratch" if planned.source is None else planned.source.name,
            ", ".join(teacher.name for teacher in planned.teachers) or "-",
        )
    console.print(table)
    for planned in stages:
        source = planned.source
        if source is None:
            continue
        console.print(f"{planned.stage.name}, from {source.name}:")
        for group in ("actor", "critic"):
            terms = match_terms(source.layout[group], planned.layout[group])
            for what, names in (("new", terms.new), ("left", terms.left)):
                if names:
                    console.print(f"  {what} inputs of {group}: {', '.join(names)}")
        anew = ", ".join(planned.stage.reinitialize)
        console.print(f"  starts anew: {anew or 'nothing'}")
        for line in changed_settings(source, planned.config):
            console.print(f"  {line}")
