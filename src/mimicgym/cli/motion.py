"""`mimicgym motion ...`: list, show, check, convert and retarget motion clips."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.table import Table

from mimicgym.assets import embedded_motions
from mimicgym.cli.show import make_console
from mimicgym.errors import MotionError, UserError, unknown_name
from mimicgym.motion import (
    Finding,
    Motion,
    load_library,
    load_motion,
    resample,
    save_motion,
)
from mimicgym.motion.check import check_motion
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
from mimicgym.motion.library import expand

QuatOrder = Literal["wxyz", "xyzw"]
_JSON = tyro.conf.arg(name="json", metavar="FILE")


@dataclass(frozen=True)
class ListArgs:
    """List the embedded clips."""


@dataclass(frozen=True)
class FilesArgs:
    """Clips, and how to read them."""

    files: tyro.conf.Positional[tuple[str, ...]]
    """Embedded clips, files, folders, patterns or YAML lists."""
    fps: float | None = None
    """Frame rate, for formats that do not hold it, or instead of the file's."""
    quat_order: QuatOrder | None = None
    """Quaternion order, for formats that do not say it, or instead of the format's."""
    json_file: Annotated[Path | None, _JSON] = None
    """Also write the result to this file."""


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


def main(argv: Sequence[str]) -> int:
    commands: dict[str, tuple[type, Callable[[Any], int]]] = {
        "list": (ListArgs, _list),
        "info": (FilesArgs, _info),
        "check": (FilesArgs, _check),
        "convert": (ConvertArgs, _convert),
        "retarget": (RetargetArgs, _retarget),
    }
    if not argv or argv[0] in ("-h", "--help"):
        for name, (args, _) in commands.items():
            print(f"mimicgym motion {name:<9} {(args.__doc__ or '').splitlines()[0]}")
        return 0
    if argv[0] not in commands:
        raise unknown_name("command", argv[0], commands)
    kind, run = commands[argv[0]]
    return run(tyro.cli(kind, args=list(argv[1:]), prog=f"mimicgym motion {argv[0]}"))


def _list(args: ListArgs) -> int:
    del args
    table = _table("clip", "seconds", "description")
    for name in sorted(embedded_motions()):
        motion = load_motion(name)
        table.add_row(name, f"{motion.duration_s:.1f}", motion.description)
    make_console().print(table)
    return 0


def _info(args: FilesArgs) -> int:
    library = load_library(args.files, fps=args.fps, quat_order=args.quat_order)
    rows = [
        {
            "name": motion.name,
            "frames": motion.num_frames,
            "fps": motion.fps,
            "seconds": motion.duration_s,
            "joints": len(motion.joint_names),
            "contacts": motion.foot_contact is not None,
            "weight": weight,
            "license": motion.license,
            "path": motion.path,
        }
        for motion, weight in zip(library.motions, library.weights, strict=True)
    ]
    table = _table("clip", "frames", "fps", "seconds", "joints", "contacts", "weight")
    for row in rows:
        table.add_row(
            row["name"],
            str(row["frames"]),
            f"{row['fps']:g}",
            f"{row['seconds']:.2f}",
            str(row["joints"]),
            "in the file" if row["contacts"] else "estimated",
            f"{row['weight']:g}",
        )
    console = make_console()
    console.print(table)
    for name, finding in library.findings:
        console.print(f"{name}: {_sentence(finding)}")
    _write_json(args.json_file, {"clips": rows, "seconds": library.duration_s})
    return 0


def _check(args: FilesArgs) -> int:
    """1 if a clip can not be read or has an error."""
    rows: list[dict[str, Any]] = []
    for entry in expand(args.files):
        try:
            library = load_library(
                [entry.clip],
                fps=entry.fps or args.fps,
                quat_order=entry.quat_order or args.quat_order,
            )
            motion = library.motions[0]
            if entry.start_s is not None or entry.end_s is not None:
                motion = trim(motion, entry.start_s, entry.end_s)
            findings = check_motion(motion)
            name = entry.name or motion.name
        except MotionError as error:
            name, findings = entry.clip, (Finding("unreadable", "error", str(error)),)
        worst = "error" if any(f.level == "error" for f in findings) else "ok"
        if worst == "ok" and any(f.level == "warning" for f in findings):
            worst = "warning"
        rows.append(
            {
                "name": name,
                "clip": entry.clip,
                "verdict": worst,
                "findings": [asdict(finding) for finding in findings],
            }
        )
    table = _table("clip", "verdict", "what", "finding", "mended by")
    for row in rows:
        first = True
        for finding in row["findings"] or [{"code": "", "message": "", "mend": ""}]:
            table.add_row(
                row["name"] if first else "",
                row["verdict"] if first else "",
                finding["code"],
                finding["message"],
                finding["mend"],
            )
            first = False
    make_console().print(table)
    _write_json(args.json_file, {"clips": rows})
    return 1 if any(row["verdict"] == "error" for row in rows) else 0


def _convert(args: ConvertArgs) -> int:
    console = make_console()
    motion = load_motion(args.source, fps=args.fps, quat_order=args.quat_order)
    for finding in motion.findings:
        console.print(f"{motion.name}: {_sentence(finding)}")
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
    if args.out_fps is not None:
        if not args.out_fps > 0:
            raise UserError(f"--out-fps is {args.out_fps}; it must be positive")
        motion = resample(motion, 1.0 / args.out_fps)
    save_motion(motion, args.target, format=args.format)
    console.print(_summary(args.target, motion))
    return 0


def _retarget(args: RetargetArgs) -> int:
    from mimicgym.retarget import retarget_file

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
    table = _table("part", "mean mm", "largest mm")
    for error in report.errors:
        table.add_row(error.part, f"{error.mean_mm:.0f}", f"{error.max_mm:.0f}")
    console.print(table)
    for warning in report.warnings:
        console.print(warning)
    console.print(
        f"{_summary(args.target, motion)}; feet that are down slide at "
        f"{report.slip_mm_s:.1f} mm/s, {report.limit_share:.0%} of the frames have a "
        f"joint at its limit"
    )
    return 0


def _summary(target: Path, motion: Motion) -> str:
    return (
        f"{target}: {motion.num_frames} frames at {motion.fps:g} fps, "
        f"{motion.duration_s:.2f} s, {len(motion.joint_names)} joints"
    )


def _sentence(finding: Finding) -> str:
    mend = f" ({finding.mend})" if finding.mend else ""
    return f"{finding.level}: {finding.message}{mend}"


def _table(*heads: str) -> Table:
    table = Table()
    for head in heads:
        table.add_column(head, overflow="fold")
    return table


def _write_json(file: Path | None, data: dict[str, Any]) -> None:
    if file is not None:
        file.write_text(json.dumps(data, indent=2) + "\n")
