"""`mimicgym motion ...`: what can be done with motion clips."""

from collections.abc import Callable, Sequence
from typing import Any

import tyro

from mimicgym.cli.motion.check import CheckArgs, check_files
from mimicgym.cli.motion.convert import ConvertArgs, convert_file
from mimicgym.cli.motion.listing import InfoArgs, ListArgs, list_embedded, show_info
from mimicgym.cli.motion.plot import PlotArgs, plot_clips
from mimicgym.cli.motion.retarget import RetargetArgs, retarget_person
from mimicgym.cli.motion.terrain import TerrainArgs, estimate_terrain
from mimicgym.cli.motion.view import ViewArgs, view_clip
from mimicgym.errors import unknown_name

COMMANDS: dict[str, tuple[type, Callable[[Any], int]]] = {
    "list": (ListArgs, list_embedded),
    "info": (InfoArgs, show_info),
    "check": (CheckArgs, check_files),
    "convert": (ConvertArgs, convert_file),
    "plot": (PlotArgs, plot_clips),
    "view": (ViewArgs, view_clip),
    "retarget": (RetargetArgs, retarget_person),
    "terrain": (TerrainArgs, estimate_terrain),
}


def main(argv: Sequence[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        for name, (args, _) in COMMANDS.items():
            print(f"mimicgym motion {name:<9} {(args.__doc__ or '').splitlines()[0]}")
        return 0
    if argv[0] not in COMMANDS:
        raise unknown_name("command", argv[0], COMMANDS)
    kind, run = COMMANDS[argv[0]]
    return run(tyro.cli(kind, args=list(argv[1:]), prog=f"mimicgym motion {argv[0]}"))
