"""`mimicgym motion list` and `info`: which clips there are, and what they hold."""

from dataclasses import dataclass

from mimicgym.assets import embedded_motions
from mimicgym.cli.motion.arguments import ReportArgs
from mimicgym.cli.motion.output import empty_table, finding_line
from mimicgym.cli.motion.selection import require_files
from mimicgym.cli.outputs import check_output, write_json
from mimicgym.cli.show import make_console
from mimicgym.motion import load_library, load_motion


@dataclass(frozen=True)
class ListArgs:
    """List the embedded clips."""


@dataclass(frozen=True)
class InfoArgs(ReportArgs):
    """Show length, joints, contacts and weight of clips."""


def list_embedded(args: ListArgs) -> int:
    del args
    table = empty_table("clip", "seconds", "description")
    for name in sorted(embedded_motions()):
        motion = load_motion(name)
        table.add_row(name, f"{motion.duration_s:.1f}", motion.description)
    make_console().print(table)
    return 0


def show_info(args: InfoArgs) -> int:
    check_output("--json", args.json_file)
    require_files(args)
    library = load_library(args.files, fps=args.fps, quat_order=args.quat_order)
    rows = [
        {
            "name": motion.name,
            "frames": motion.num_frames,
            "fps": motion.fps,
            "seconds": motion.duration_s,
            "joints": len(motion.joint_names),
            "contacts": motion.foot_contact is not None,
            "terrain": motion.terrain,
            "weight": weight,
            "license": motion.license,
            "path": motion.path,
        }
        for motion, weight in zip(library.motions, library.weights, strict=True)
    ]
    table = empty_table(
        "clip", "frames", "fps", "seconds", "joints", "contacts", "ground", "weight"
    )
    for row in rows:
        table.add_row(
            row["name"],
            str(row["frames"]),
            f"{row['fps']:g}",
            f"{row['seconds']:.2f}",
            str(row["joints"]),
            "in the file" if row["contacts"] else "estimated",
            row["terrain"] or "none",
            f"{row['weight']:g}",
        )
    console = make_console()
    console.print(table)
    for name, finding in library.findings:
        console.print(f"{name}: {finding_line(finding)}")
    data = {"clips": rows, "seconds": library.duration_s}
    write_json("--json", args.json_file, data)
    return 0
