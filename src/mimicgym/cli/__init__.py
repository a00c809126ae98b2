"""The `mimicgym` command. Each subcommand is a module with `main(argv)`.

They are imported when called: a listing of commands does not wait for JAX.
"""

import importlib
import sys
from collections.abc import Sequence

COMMANDS = {
    "train": "train a policy on a motion",
    "pipeline": "run several trainings in a row, from one file",
    "eval": "measure how well a trained policy tracks its motions",
    "play": "show a trained policy: a video, a picture strip or a window",
    "motion": "list, show, check, convert and retarget motion clips",
    "tasks": "list the tasks, which are the presets of a training",
    "task": "show a task: its observations, rewards, failures and randomisation",
    "runs": "list runs, and compare two of them array by array",
    "bench": "measure the speed of the environment and of the bare engine",
    "tune": "find the environments, minibatches and threads that train fastest here",
    "warmup": "compile what a training will need, so that it starts at once",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 2 for what the user can mend, said in one line on stderr."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv or argv[0] in ("-h", "--help"):
        print(_usage())
        return 0
    if argv[0] == "--version":
        from mimicgym import __version__

        print(__version__)
        return 0
    if argv[0] not in COMMANDS:
        print(
            f"mimicgym: unknown command {argv[0]!r}; choose from {', '.join(COMMANDS)}",
            file=sys.stderr,
        )
        return 2
    from mimicgym.errors import UserError

    command = importlib.import_module(f"mimicgym.cli.{argv[0]}")
    try:
        return command.main(argv[1:])
    except UserError as error:
        print(f"mimicgym {argv[0]}: {error}", file=sys.stderr)
        return 2


def _usage() -> str:
    width = max(len(name) for name in COMMANDS)
    lines = [f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "usage: mimicgym COMMAND [options]",
            "",
            *lines,
            "",
            "mimicgym COMMAND --help lists a command's options.",
        ]
    )
