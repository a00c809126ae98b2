"""`mimicgym tasks`: the tasks there are, each an environment with a learner."""

from collections.abc import Sequence
from dataclasses import dataclass

import tyro
from rich.table import Table

from mimicgym.cli.show import make_console
from mimicgym.tasks import TASKS


@dataclass(frozen=True)
class TasksArgs:
    """List the tasks."""


def main(argv: Sequence[str]) -> int:
    tyro.cli(TasksArgs, args=list(argv), prog="mimicgym tasks")
    table = Table()
    for head in ("task", "what it is for", "robot", "actions on", "learner", "envs"):
        table.add_column(head, justify="right" if head == "envs" else "left")
    for task in TASKS.values():
        table.add_row(
            task.name,
            task.summary,
            task.env.robot,
            task.env.control.target,
            task.learner,
            str(task.preset.num_envs),
        )
    make_console().print(table)
    return 0
