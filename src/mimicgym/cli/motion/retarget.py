"""`mimicgym motion retarget`: a person's motion becomes a clip of the robot."""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from mimicgym.cli.motion.output import empty_table, saved_line
from mimicgym.cli.show import make_console
from mimicgym.motion import save_motion
from mimicgym.motion.load import require_target


@dataclass(frozen=True)
class RetargetArgs:
    """Turn a person's motion (BVH, or SMPL parameters as in AMASS) into a clip."""

    source: tyro.conf.Positional[Path]
    """A .bvh or .npz file."""
    target: tyro.conf.Positional[Path]
    """Where to; .npz or .csv."""
    fps: float = 50.0
    """Frame rate of the clip."""
    height_m: float | None = None
    """Height of the person, if the file's units do not tell it."""
    lock_feet: bool = True
    """Keep feet that are down from sliding."""
    start_s: float | None = None
    end_s: float | None = None


def retarget_person(args: RetargetArgs) -> int:
    from mimicgym.retarget import retarget_file

    # First: solving takes minutes.
    require_target(args.target)

    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty():
            end = "\n" if done == total else ""
            print(f"\rframe {done} of {total}", end=end, file=sys.stderr)

    motion, report = retarget_file(
        args.source,
        fps=args.fps,
        height_m=args.height_m,
        lock_feet=args.lock_feet,
        start_s=args.start_s,
        end_s=args.end_s,
        progress=progress,
    )
    save_motion(motion, args.target)
    console = make_console()
    table = empty_table("part", "mean mm", "largest mm")
    for error in report.errors:
        table.add_row(error.part, f"{error.mean_mm:.0f}", f"{error.max_mm:.0f}")
    console.print(table)
    for warning in report.warnings:
        console.print(warning)
    console.print(
        f"{saved_line(args.target, motion)}; feet that are down slide at "
        f"{report.slip_mm_s:.1f} mm/s, {report.limit_share:.0%} of the frames have a "
        f"joint at its limit"
    )
    return 0
