"""`mimicgym motion check`: what is wrong with clips, and what would mend it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from mimicgym.cli.motion.arguments import ReportArgs
from mimicgym.cli.motion.output import empty_table
from mimicgym.cli.motion.selection import require_files
from mimicgym.cli.outputs import check_output, write_json
from mimicgym.cli.show import make_console
from mimicgym.errors import UserError
from mimicgym.motion import Finding, Motion
from mimicgym.motion.check import LEVELS, check_motion
from mimicgym.motion.clip import MIN_FRAMES
from mimicgym.motion.entries import ClipEntry, expand
from mimicgym.motion.library import read_entry
from mimicgym.motion.soles import above_ground, sole_contacts
from mimicgym.terrain import HeightField, terrain_from_spec


@dataclass(frozen=True)
class CheckArgs(ReportArgs):
    """Say what is wrong with clips, and what would mend it."""

    terrain: str = ""
    """The ground under clips that name none, see `env.terrain.ground`."""
    simulate: bool = True
    """Whether to try the first steps of episodes in physics (about 10 s)."""
    preset: str = "default"
    """Whose terminations and physics those steps have."""
    robot: Literal["g1_23dof", "g1_29dof"] = "g1_23dof"
    """Which robot makes them."""


@dataclass
class _Clip:
    """One clip, as far as it could be read, and what was found."""

    name: str
    entry: ClipEntry
    motion: Motion | None
    findings: list[Finding]

    @property
    def verdict(self) -> str:
        """The worst of it; notes are no blemish."""
        levels = {finding.level for finding in self.findings}
        return next((word for word in ("error", "warning") if word in levels), "ok")

    def to_dict(self) -> dict[str, Any]:
        findings = sorted(
            self.findings, key=lambda finding: LEVELS.index(finding.level)
        )
        return {
            "name": self.name,
            "clip": self.entry.clip,
            "verdict": self.verdict,
            "findings": [asdict(finding) for finding in findings],
        }


def check_files(args: CheckArgs) -> int:
    """1 if a clip can not be read or has an error."""
    check_output("--json", args.json_file)
    require_files(args)
    clips = [_read(entry, args) for entry in expand(args.files)]
    if args.simulate:
        _add_first_steps(clips, args)
    rows = [clip.to_dict() for clip in clips]
    table = empty_table("clip", "verdict", "what", "finding", "mended by")
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
    write_json("--json", args.json_file, {"clips": rows})
    return 1 if any(row["verdict"] == "error" for row in rows) else 0


def _read(entry: ClipEntry, args: CheckArgs) -> _Clip:
    try:
        motion = read_entry(entry, fps=args.fps, quat_order=args.quat_order)
        entry = replace(entry, terrain=motion.terrain)
        terrain = entry.terrain or args.terrain
        field = terrain_from_spec(terrain) if terrain else None
        findings = list(check_motion(motion, field))
        if field is not None:
            findings += _ground_notes(motion, field, findings)
    except UserError as error:
        unreadable = Finding("unreadable", "error", str(error))
        return _Clip(entry.clip, entry, None, [unreadable])
    return _Clip(motion.name, entry, motion, findings)


def _ground_notes(
    motion: Motion, field: HeightField, findings: Sequence[Finding]
) -> Iterator[Finding]:
    """What is known of the ground, and where feet are on it if all is well."""
    for note in field.notes:
        yield Finding("terrain", "note", f"{field.name}: {note}")
    soles_w, contact = sole_contacts(motion, field)
    down_m = above_ground(soles_w, field)[..., 2].min(axis=2)[contact]
    warned = any(f.code == "terrain" and f.level != "note" for f in findings)
    if down_m.size and not warned:
        low, middle, high = 100 * np.percentile(down_m, [5, 50, 95])
        yield Finding(
            "terrain",
            "note",
            f"feet that are down are {low:.1f} to {high:.1f} cm above the ground "
            f"({middle:.1f} at the median)",
        )


def _add_first_steps(clips: Sequence[_Clip], args: CheckArgs) -> None:
    """Try clips that have no error yet: a broken one would only say so again."""
    # Imported here: the other commands need neither JAX nor an environment.
    from mimicgym.envs.presets import env_preset
    from mimicgym.first_steps import first_failures, first_steps_finding

    config = replace(env_preset(args.preset), robot=args.robot)
    least_s = MIN_FRAMES * config.dt_s
    tried = [
        clip
        for clip in clips
        if clip.motion is not None
        and clip.verdict != "error"
        and clip.motion.duration_s >= least_s
    ]
    motions = [clip.motion for clip in tried if clip.motion is not None]
    if not motions:
        return
    terrains = [clip.entry.terrain or args.terrain for clip in tried]
    failed = first_failures(config, motions, terrains)
    for clip, failures in zip(tried, failed, strict=True):
        finding = first_steps_finding(failures)
        if finding is not None:
            clip.findings.append(finding)
