"""`mimicgym motion terrain`: the ground that a clip must have been on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from mimicgym.cli.motion.arguments import QuatOrder
from mimicgym.cli.motion.output import finding_line, saved_line
from mimicgym.cli.show import make_console
from mimicgym.errors import UserError
from mimicgym.motion import load_motion
from mimicgym.motion.formats.mimicgym_npz import write_with_ground
from mimicgym.motion.kinematics import full_qpos
from mimicgym.motion.soles import above_ground, sole_points
from mimicgym.terrain import save_field
from mimicgym.terrain.from_contacts import CELL_M, MARGIN_M, ground_from_soles

_SUFFIX = ".npz"


@dataclass(frozen=True, kw_only=True)
class TerrainArgs:
    """Estimate the ground under a clip from where its feet rest."""

    source: tyro.conf.Positional[str]
    """An embedded clip or a file."""
    out: Path
    """The clip with its ground in it, .npz."""
    fps: float | None = None
    """Frame rate to read with, for files that do not hold it, or instead of theirs."""
    quat_order: QuatOrder | None = None
    """Quaternion order to read with."""
    cell_m: float = CELL_M
    """Size of a cell; edges between steps are so wide."""
    margin_m: float = MARGIN_M
    """How far the ground goes on beyond all that feet pass over."""
    field: Path | None = None
    """Also write the ground alone to this .npz."""


def estimate_terrain(args: TerrainArgs) -> int:
    for name, path in (("out", args.out), ("field", args.field)):
        if path is not None and path.suffix != _SUFFIX:
            raise UserError(f"--{name} is {path}; its name must end in {_SUFFIX}")
    console = make_console()
    motion = load_motion(args.source, fps=args.fps, quat_order=args.quat_order)
    for finding in motion.findings:
        console.print(f"{motion.name}: {finding_line(finding)}")
    if motion.terrain:
        console.print(f"{motion.name}: instead of its own ground, {motion.terrain}")
    soles_w, foot_up = sole_points(full_qpos(motion))
    found = ground_from_soles(
        soles_w,
        foot_up,
        1.0 / motion.fps,
        cell_m=args.cell_m,
        margin_m=args.margin_m,
        name=motion.name,
    )
    lowest_m = above_ground(soles_w, found.field)[..., 2].min(axis=2)
    rest_m = [lowest_m[rest.start : rest.stop, rest.foot] for rest in found.rests]
    low, middle, high = 1e3 * np.percentile(np.concatenate(rest_m), [5, 50, 95])
    levels = ", ".join(f"{level:.3f}" for level in found.levels_m)
    rows, columns = found.field.height_m.shape
    console.print(
        f"{len(found.rests)} rests of the feet at {levels} m; {found.in_air} in the air"
    )
    console.print(
        f"{columns} x {rows} cells of {args.cell_m:g} m; resting soles are {low:.0f} to"
        f" {high:.0f} mm above it (5 % to 95 %; {middle:.0f} at the median)"
    )
    write_with_ground(motion, found.field, args.out)
    if args.field is not None:
        save_field(found.field, args.field)
        console.print(f"saved {args.field}")
    console.print(saved_line(args.out, motion))
    return 0
