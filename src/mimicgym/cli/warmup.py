"""Compile what `mimicgym train` with the same arguments will need, without training.

mimicgym warmup --preset beyondmimic --motion walk --num-envs 4096
mimicgym warmup --resume runs/walk

Programs are kept in JAX's compilation cache, where `train`, `eval` within it and any
later `train` of the same shapes find them. Arguments that change no program (such as
--minutes, --out and --logging) are taken and have no effect.
"""

from collections.abc import Sequence

from rich.table import Table

from mimicgym.cli.show import make_console
from mimicgym.cli.train import parse, resumed_config, run_config
from mimicgym.errors import UserError
from mimicgym.run import RunFolder
from mimicgym.warmup import Warmth, warm_up

_SHOWN_S = 0.5


def main(argv: Sequence[str]) -> int:
    args = parse(argv, "warmup", __doc__)
    if args.hosts is not None:
        raise UserError("--hosts: warming up for several hosts is not supported")
    if args.resume is None:
        config = run_config(args)
    else:
        config = resumed_config(argv, RunFolder.open(args.resume))
    console = make_console()
    warmth = warm_up(config, lambda note: console.print(f"note: {note}"))
    console.print(_table(warmth))
    if not warmth.kept:
        console.print(
            "note: programs of the native engine can not be kept with this jaxlib;"
            " train will compile them again"
        )
    console.print(f"kept in {warmth.folder}")
    return 0


def _table(warmth: Warmth) -> Table:
    """Programs that took their time, and below what there is in all."""
    table = Table()
    table.add_column("program")
    table.add_column("seconds", justify="right")
    table.add_column("")
    for program in warmth.programs:
        if program.seconds >= _SHOWN_S:
            state = "was there" if program.from_cache else "compiled"
            table.add_row(program.name, f"{program.seconds:.1f}", state)
    new = [program for program in warmth.programs if not program.from_cache]
    table.add_section()
    table.add_row(
        f"{len(warmth.programs)} programs",
        f"{sum(program.seconds for program in warmth.programs):.1f}",
        f"{len(new)} compiled",
    )
    return table
