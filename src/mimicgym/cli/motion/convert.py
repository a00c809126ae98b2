"""`mimicgym motion convert`: read a clip, change it and write it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from mimicgym.cli.motion.arguments import QuatOrder
from mimicgym.cli.motion.output import finding_line, saved_line
from mimicgym.cli.show import make_console
from mimicgym.errors import UserError
from mimicgym.motion import Motion, load_motion, resample, save_motion
from mimicgym.motion.edit import (
    align_to_ground,
    change_speed,
    clip_to_limits,
    hold,
    mirror,
    reset_origin,
    smooth,
    trim,
)
from mimicgym.motion.formats.arrays import MAX_BYTES
from mimicgym.motion.load import require_target

_FASTEST_FPS = 1000.0


@dataclass(frozen=True)
class ConvertArgs:
    """Read a clip, change it in the order of these options, and write it."""

    source: tyro.conf.Positional[str]
    """An embedded clip or a file."""
    target: tyro.conf.Positional[Path]
    """Where to; .npz or .csv."""
    format: Literal["mimicgym", "csv", "mjlab"] | None = None
    """mimicgym (.npz), csv (Unitree's, xyzw) or mjlab (.npz); by the suffix if not
    given."""
    fps: float | None = None
    """Frame rate to read with, for files that do not hold it, or instead of theirs."""
    quat_order: QuatOrder | None = None
    """Quaternion order to read with."""
    start_s: float | None = None
    """Leave out what is before this time."""
    end_s: float | None = None
    """Leave out what is after this time."""
    speed: float = 1.0
    """Play it so much faster."""
    smooth_hz: float | None = None
    """Low-pass without delay, at this frequency."""
    clip_limits: bool = False
    """Bring joints back into their ranges."""
    ground: Literal["none", "constant", "per_frame"] = "none"
    """Put the soles on the floor: the clip as a whole, or wherever a foot is down."""
    mirror: bool = False
    """Swap left and right."""
    origin: bool = False
    """Start at x = y = 0, facing x."""
    hold_first_s: float = 0.0
    """Hold the first frame for so long."""
    hold_last_s: float = 0.0
    """Hold the last frame for so long."""
    out_fps: float | None = None
    """Frame rate to write with."""


def convert_file(args: ConvertArgs) -> int:
    require_target(args.target, args.format)
    console = make_console()
    motion = load_motion(args.source, fps=args.fps, quat_order=args.quat_order)
    for finding in motion.findings:
        console.print(f"{motion.name}: {finding_line(finding)}")
    if args.start_s is not None or args.end_s is not None:
        motion = trim(motion, args.start_s, args.end_s)
    if args.speed != 1.0:
        motion = change_speed(motion, args.speed)
    if args.smooth_hz is not None:
        motion = smooth(motion, args.smooth_hz)
    if args.clip_limits:
        motion, clipped = clip_to_limits(motion)
        for joint in clipped:
            console.print(
                f"{joint.joint}: clipped in {joint.frames} frames, by up to "
                f"{joint.largest_excess_rad:.3f} rad"
            )
    if args.ground != "none":
        motion = align_to_ground(motion, args.ground)
    if args.mirror:
        motion = mirror(motion)
    if args.origin:
        motion = reset_origin(motion)
    if args.hold_first_s or args.hold_last_s:
        motion = hold(motion, args.hold_first_s, args.hold_last_s)
    if motion.terrain and (args.mirror or args.origin or args.ground != "none"):
        console.print(f"{motion.name}: moved, but not its ground, {motion.terrain}")
    if args.out_fps is not None:
        _check_rate(motion, args.out_fps)
        motion = resample(motion, 1.0 / args.out_fps)
    save_motion(motion, args.target, format=args.format)
    console.print(saved_line(args.target, motion))
    return 0


def _check_rate(motion: Motion, out_fps: float) -> None:
    """`UserError` for a rate that no clip has, or that makes one too long to read."""
    if not 0 < out_fps <= _FASTEST_FPS:
        raise UserError(
            f"--out-fps is {out_fps:g}; it must be above 0 and at most {_FASTEST_FPS:g}"
        )
    frames = motion.duration_s * out_fps
    most = MAX_BYTES // motion.qpos[0].nbytes
    if frames > most:
        raise UserError(
            f"--out-fps is {out_fps:g}, which makes {frames:.3g} frames of "
            f"{motion.duration_s:g} s; at most {most} can be read again"
        )
