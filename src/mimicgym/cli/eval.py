"""`mimicgym eval RUN`: how well a trained policy tracks its motions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from mimicgym.cli.outputs import check_output, write_json
from mimicgym.cli.show import evaluation_table, make_console
from mimicgym.envs.make import make_env
from mimicgym.evaluation import evaluate, evaluation_config
from mimicgym.run import RunFolder, load_policy


@dataclass(frozen=True)
class EvalArgs:
    run: tyro.conf.Positional[Path]
    """Folder of a run."""
    checkpoint: str = "latest"
    """latest, best (by the evaluations of the training) or an iteration."""
    motion: tuple[str, ...] = ()
    """Clips, instead of those of the training."""
    engine: str | None = None
    """Engine, instead of that of the training."""
    json_file: Annotated[Path | None, tyro.conf.arg(name="json", metavar="FILE")] = None
    """Also write the scores to this file."""


def main(argv: Sequence[str]) -> int:
    args = tyro.cli(
        EvalArgs, args=list(argv), prog="mimicgym eval", description=__doc__
    )
    check_output("--json", args.json_file)
    config = RunFolder.open(args.run).config().env
    if args.motion:
        config = replace(config, motion=replace(config.motion, clips=args.motion))
    if args.engine is not None:
        config = replace(config, engine=args.engine)
    evaluation = evaluate(
        make_env(evaluation_config(config)), load_policy(args.run, args.checkpoint)
    )
    make_console().print(evaluation_table(evaluation))
    write_json("--json", args.json_file, evaluation.to_dict())
    return 0
