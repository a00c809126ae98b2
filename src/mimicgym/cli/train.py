"""Train a policy to perform motion clips.

mimicgym train --motion wave --minutes 8
mimicgym train --motion clip.npz --preset quick --out runs/clip
mimicgym train --resume runs/clip --minutes 5
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from mimicgym.cli.arguments import option_in, options_in, preset_in
from mimicgym.cli.interrupt import StopOnInterrupt
from mimicgym.cli.show import evaluation_table, make_console, seed_table
from mimicgym.envs.config import EnvConfig
from mimicgym.envs.make import library_of
from mimicgym.errors import UserError
from mimicgym.hosts import is_first, join
from mimicgym.loggers import LoggingConfig
from mimicgym.ppo import PPOConfig
from mimicgym.reference import reference_megabytes
from mimicgym.report import sparkline
from mimicgym.run import RunConfig, RunFolder
from mimicgym.tasks import get_task
from mimicgym.training import Progress as TrainProgress
from mimicgym.training import train
from mimicgym.training_config import TrainingConfig

DEFAULT_MINUTES = 10.0
_WITH_RESUME = ("resume", "minutes", "iterations", "success", "hosts")


@dataclass(frozen=True)
class TrainArgs:
    motion: tuple[str, ...] = ()
    """Embedded clips, files, folders, patterns or YAML lists; all are trained
    together."""
    preset: str = "quick"
    """A task, see `mimicgym tasks`; quick is for a CPU. It sets the defaults of
    everything under env and ppo."""
    learner: str | None = None
    """Learner of another task: with quick, any task learns on a CPU. The preset's by
    default."""
    engine: str | None = None
    """auto (native on a CPU, warp on NVIDIA GPUs where it is installed, else mjx), mjx,
    native or warp."""
    robot: str | None = None
    """g1_23dof or g1_29dof."""
    num_envs: int | None = None
    """Environments in parallel; the preset's by default."""
    iterations: int | None = None
    """Stop after this many iterations, counted from the run's beginning."""
    minutes: float | None = None
    """Stop after this much training, without compiling, saving and evaluating. 10 if
    nothing is said."""
    success: float | None = None
    """Stop as soon as this share of clips is completed in an evaluation; see
    --training.eval-every."""
    seed: int = 0
    """Of the whole run."""
    teachers: tuple[str, ...] = ()
    """Run folders of policies to imitate (FOLDER or NAME=FOLDER), with ppo.bc-coef as
    their share in the loss. Clips name theirs; see env.motion.teacher."""
    devices: int = 1
    """GPUs or TPUs over which the environments are spread; 0 for all."""
    hosts: str | None = None
    """Share the run with other machines that are given the same command: auto under
    SLURM, Open MPI or on a TPU pod, else ADDRESS:PORT/COUNT/NUMBER of this one. Needs
    --devices 0 and --out."""
    num_seeds: int = 1
    """Seeds to train at once, from --seed on, each with --num-envs environments: what
    they have learnt is reported with its spread."""
    out: Path | None = None
    """Folder of the run; runs/DATE_CLIP by default."""
    resume: Path | None = None
    """Go on with the run in this folder, with its settings."""
    fps: float | None = None
    """Frame rate of motion files that do not hold it (CSV)."""
    quat_order: Literal["wxyz", "xyzw"] | None = None
    """Quaternion order of motion files that do not say it (CSV)."""
    env: EnvConfig = field(default_factory=EnvConfig)
    ppo: PPOConfig = field(default_factory=PPOConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    logging: LoggingConfig = field(default_factory=LoggingConfig)


def main(argv: Sequence[str]) -> int:
    args = parse(argv)
    if args.hosts is not None:
        join(args.hosts)
    console = make_console()
    console.quiet = not is_first()
    iterations, seconds = args.iterations, None
    if args.minutes is not None:
        if not args.minutes > 0:
            raise UserError(f"--minutes is {args.minutes}; it must be positive")
        seconds = 60 * args.minutes
    elif iterations is None and args.success is None:
        seconds = 60 * DEFAULT_MINUTES
    if args.resume is None:
        resume, config = None, run_config(args)
    else:
        resume = RunFolder.open(args.resume)
        config = resumed_config(argv, resume)
    stop = StopOnInterrupt()
    curve: list[float] = []
    with stop, _progress_bar(console) as bar:
        task = bar.add_task("compiling", total=1.0, figures="")
        first: list[int] = []
        judged: list[float] = []

        library = library_of(config.env)
        console.print(
            f"{len(library.motions)} clip{'s' * (len(library.motions) > 1)},"
            f" {library.duration_s:.1f} s of motion, about"
            f" {reference_megabytes(library.duration_s, config.env.dt_s):.1f} MB"
        )
        for name, finding in library.findings:
            console.print(f"{finding.level}: {name}: {finding.message}")
        for message in library.skipped:
            console.print(f"skipped: {message}")

        def started(folder: RunFolder) -> None:
            console.print(
                f"run folder {folder.path}: {config.env.robot},"
                f" {', '.join(config.env.motion.clips)}, {config.num_envs} environments"
            )

        def show(progress: TrainProgress) -> None:
            metrics = progress.metrics
            first[:] = first or [progress.iteration - 1]
            shares = [0.0]
            if seconds:
                shares.append(progress.seconds / seconds)
            if iterations:
                done = progress.iteration - first[0]
                shares.append(done / max(1, iterations - first[0]))
            share = min(1.0, max(shares))
            left = progress.seconds * (1 - share) / share if share > 0 else 0.0
            value = metrics.get("episode/return")
            if value is not None:
                curve.append(value)
            score = metrics.get("eval/success")
            if score is not None:
                judged[:] = [score]
            deviation = metrics.get("spread/episode/return")
            spread = "" if deviation is None else f" +- {deviation:.1f}"
            figures = (
                f"{progress.env_steps / 1e6:.2f} M steps"
                f"  {progress.steps_per_s:,.0f}/s"
                f"  return {_figure(value, 1)}{spread}"
                f"  length {_figure(metrics.get('episode/length'), 0)}"
                f"  error {_figure(metrics.get('error/link_pos_m'), 0, 1000)} mm"
                f"{f'  success {judged[0]:.2f}' if judged else ''}"
                f"{f'  left {left:.0f} s' if share > 0 else ''}"
            )
            bar.update(
                task,
                completed=share,
                description=f"iteration {progress.iteration}",
                figures=figures,
            )
            if (
                not (console.is_terminal or console.quiet)
                and progress.iteration % 20 == 0
            ):
                print(f"iteration {progress.iteration}: {figures}", flush=True)

        result = train(
            config,
            out=args.out,
            resume=resume,
            iterations=iterations,
            seconds=seconds,
            success=args.success,
            on_iteration=show,
            on_start=started,
            on_note=lambda note: console.print(f"note: {note}"),
            should_stop=stop,
        )
    folder = result.folder.path
    if curve:
        console.print(f"return  {sparkline(curve)}  {curve[0]:.1f} to {curve[-1]:.1f}")
    if len(result.seeds) > 1:
        console.print(seed_table(result.seeds, config.seed))
    else:
        console.print(evaluation_table(result.evaluation))
    console.print(f"saved at iteration {result.iteration}; curves: {folder}/report")
    if stop():
        console.print(f"stopped; go on with: mimicgym train --resume {folder}")
    else:
        shown = folder
        if config.num_seeds > 1:
            best = result.seeds.index(result.evaluation)
            shown = folder / f"seed_{config.seed + best}"
        console.print(f"watch it: mimicgym play {shown} --video wave.mp4")
    return 130 if stop() else 0


def parse(
    argv: Sequence[str], command: str = "train", description: str | None = __doc__
) -> TrainArgs:
    """Arguments, with the preset's values as defaults of env and ppo.

    command, description: what help says, of commands that take the same arguments.
    """
    default = TrainArgs()
    preset = preset_in(argv) or default.preset
    task = get_task(preset)
    learner = option_in(argv, "learner")
    ppo = (task if learner is None else get_task(learner)).preset.ppo
    default = replace(default, preset=preset, env=task.env, ppo=ppo)
    return tyro.cli(
        TrainArgs,
        args=list(argv),
        default=default,
        prog=f"mimicgym {command}",
        description=description,
    )


def run_config(args: TrainArgs) -> RunConfig:
    """What the arguments ask for; the short flags win over those under env."""
    env = args.env
    motion = env.motion
    if args.motion:
        motion = replace(motion, clips=args.motion)
    if args.fps is not None:
        motion = replace(motion, fps=args.fps)
    if args.quat_order is not None:
        motion = replace(motion, quat_order=args.quat_order)
    env = replace(env, motion=motion)
    if args.engine is not None:
        env = replace(env, engine=args.engine)
    if args.robot is not None:
        env = replace(env, robot=args.robot)
    num_envs = args.num_envs
    if num_envs is None:
        num_envs = get_task(args.learner or args.preset).preset.num_envs
    return RunConfig(
        preset=args.preset,
        env=env,
        ppo=args.ppo,
        num_envs=num_envs,
        seed=args.seed,
        teachers=args.teachers,
        devices=args.devices,
        num_seeds=args.num_seeds,
        training=args.training,
        logging=args.logging,
    )


def resumed_config(argv: Sequence[str], folder: RunFolder) -> RunConfig:
    """The run's own settings. Options that may say otherwise are refused: all but how
    long to go on and where."""
    others = [name for name in options_in(argv) if name not in _WITH_RESUME]
    if others:
        raise UserError(
            "--resume goes on with the settings of its run; only --minutes,"
            " --iterations, --success and --hosts can be given with it, and not"
            f" {', '.join(f'--{name}' for name in others)}"
        )
    return folder.config()


def _progress_bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[figures]}"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def _figure(value: float | None, digits: int, scale: float = 1.0) -> str:
    return "-" if value is None else f"{scale * value:.{digits}f}"
