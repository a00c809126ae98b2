"""`mimicgym play RUN`: show how a trained policy performs a clip.

The reference is drawn as a translucent ghost.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import tyro

from mimicgym.cli.outputs import check_output, writing
from mimicgym.cli.show import evaluation_table, make_console
from mimicgym.envs.make import make_env
from mimicgym.envs.screen import has_screen
from mimicgym.errors import UserError, unknown_name
from mimicgym.evaluation import evaluate, evaluation_config
from mimicgym.play import SUFFIXES, save_film, show_window
from mimicgym.robot import get_robot
from mimicgym.run import RunFolder, load_policy


@dataclass(frozen=True)
class PlayArgs:
    run: tyro.conf.Positional[Path]
    """Folder of a run."""
    checkpoint: str = "latest"
    """latest, best (by the evaluations of the training) or an iteration."""
    motion: tuple[str, ...] = ()
    """Clips, instead of those of the training."""
    clip: str | None = None
    """Which of them to show, by name; the first by default."""
    engine: str | None = None
    """Engine, instead of that of the training."""
    video: Path | None = None
    """Save a film (.mp4 or .gif) or a strip of pictures (.png) instead of opening a
    window."""
    ghost: bool = True
    """Whether to draw the reference."""
    width: int = 640
    height: int = 480


def main(argv: Sequence[str]) -> int:
    args = tyro.cli(
        PlayArgs, args=list(argv), prog="mimicgym play", description=__doc__
    )
    if args.video is None and not has_screen():
        raise UserError("there is no display for a window; give --video FILE.mp4")
    check_output("--video", args.video)
    if args.video is not None and args.video.suffix not in SUFFIXES:
        raise UserError(
            f"--video is {args.video}; choose a name that ends in {', '.join(SUFFIXES)}"
        )
    config = RunFolder.open(args.run).config().env
    if args.motion:
        config = replace(config, motion=replace(config.motion, clips=args.motion))
    if args.engine is not None:
        config = replace(config, engine=args.engine)
    env = make_env(evaluation_config(config))
    names = env.reference.clip_names
    if args.clip is not None and args.clip not in names:
        raise unknown_name("clip of this run", args.clip, names)
    clip = 0 if args.clip is None else names.index(args.clip)
    evaluation = evaluate(env, load_policy(args.run, args.checkpoint))
    console = make_console()
    console.print(evaluation_table(evaluation))
    robot = get_robot(config.robot)
    qpos, ghost = evaluation.qpos[clip], evaluation.reference_qpos[clip]
    if args.video is None:
        show_window(
            robot,
            qpos,
            ghost if args.ghost else None,
            dt_s=env.dt_s,
            terrain=env.engine.model.terrain,
        )
        return 0
    with writing("--video", args.video):
        save_film(
            args.video,
            robot,
            qpos,
            ghost if args.ghost else None,
            dt_s=env.dt_s,
            width=args.width,
            height=args.height,
            terrain=env.engine.model.terrain,
        )
    console.print(f"saved {args.video}")
    return 0
