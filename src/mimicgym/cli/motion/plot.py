"""`mimicgym motion plot`: pictures of clips over time."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mimicgym.cli.motion.arguments import ClipArgs
from mimicgym.cli.motion.output import finding_line
from mimicgym.cli.motion.selection import read_clips
from mimicgym.cli.show import make_console
from mimicgym.errors import UserError
from mimicgym.motion import Motion
from mimicgym.motion.plot import plot_motion

_SUFFIX = ".png"


@dataclass(frozen=True, kw_only=True)
class PlotArgs(ClipArgs):
    """Draw joints, speeds, soles, pelvis and path of clips over time."""

    out: Path
    """A .png, or a folder that gets a picture of each clip."""


def plot_clips(args: PlotArgs) -> int:
    # Where to is checked first: reading a folder of clips takes a while.
    is_folder = args.out.is_dir() or not args.out.suffix
    if not is_folder and args.out.suffix != _SUFFIX:
        raise UserError(
            f"--out is {args.out}; it must be a name that ends in {_SUFFIX}, or a "
            f"folder"
        )
    motions = read_clips(args)
    if is_folder:
        try:
            args.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"--out is {args.out}: {error.strerror}") from error
        paths = list(_picture_paths(args.out, motions))
    elif len(motions) > 1:
        raise UserError(
            f"--out is {args.out}, one picture, for {len(motions)} clips: give a "
            f"folder, or one of {', '.join(motion.name for motion in motions)} as "
            f"--clip"
        )
    else:
        paths = [args.out]
    console = make_console()
    for motion, path in zip(motions, paths, strict=True):
        for finding in motion.findings:
            console.print(f"{motion.name}: {finding_line(finding)}")
        plot_motion(motion, path)
        console.print(f"saved {path}")
    return 0


def _picture_paths(folder: Path, motions: Sequence[Motion]) -> Iterator[Path]:
    """A file for each clip by its name; clips of the same name are numbered."""
    taken: set[str] = set()
    for motion in motions:
        stem = re.sub(r"[^\w.-]+", "_", motion.name) or "clip"
        name, number = stem, 1
        while name in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name)
        yield folder / f"{name}{_SUFFIX}"
