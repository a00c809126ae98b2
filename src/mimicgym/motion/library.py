"""Libraries of clips: everything that a user names, read once."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mimicgym.errors import MotionError
from mimicgym.motion.clip import Finding, Motion
from mimicgym.motion.edit import trim
from mimicgym.motion.entries import ClipEntry, expand
from mimicgym.motion.load import read_motion, split_entry
from mimicgym.motion.scenes import on_its_ground


@dataclass(frozen=True)
class Library:
    """Clips that have been read.

    Attributes:
      entries: what was asked for; those of skipped files are left out.
      motions: a clip for each entry, with the entry's `terrain`. Entries that want the
        same part of the same content share one `qpos`.
      skipped: a message for each file that could not be used.
    """

    entries: tuple[ClipEntry, ...]
    motions: tuple[Motion, ...]
    skipped: tuple[str, ...] = ()

    @property
    def weights(self) -> tuple[float, ...]:
        """How often each clip is drawn, relative to the others."""
        return tuple(entry.weight * entry.repeat for entry in self.entries)

    @property
    def findings(self) -> tuple[tuple[str, Finding], ...]:
        """What was noticed about clips, with their names."""
        told: dict[tuple[int, Finding], tuple[str, Finding]] = {}
        for motion in self.motions:
            for finding in motion.findings:
                # Shared content is told of once.
                told.setdefault((id(motion.qpos), finding), (motion.name, finding))
        return tuple(told.values())

    @property
    def duration_s(self) -> float:
        """Of all clips together, shared ones counted once."""
        return sum(motion.duration_s for motion in _distinct(self.motions))


def load_library(
    specs: Sequence[str],
    *,
    fps: float | None = None,
    quat_order: str | None = None,
    skip_bad: bool = False,
) -> Library:
    """Read every clip that `specs` stand for, see `expand`.

    Args:
      fps, quat_order: for clips whose list does not say it, see `load_motion`.
      skip_bad: leave out clips that can not be used, instead of stopping at the first.

    Raises:
      MotionError: a clip can not be used (unless skipped), or none can.
    """
    entries: list[ClipEntry] = []
    motions: list[Motion] = []
    skipped: list[str] = []
    read: dict[Any, Motion] = {}
    for entry in expand(specs):
        try:
            motion = _read(entry, fps, quat_order, read)
        except MotionError as error:
            if not skip_bad:
                raise
            skipped.append(str(error))
            continue
        entries.append(replace(entry, terrain=motion.terrain))
        motions.append(motion)
    if not motions:
        reason = f"; the first of {len(skipped)}: {skipped[0]}" if skipped else ""
        raise MotionError(f"no clip of {', '.join(specs)} can be used{reason}")
    return Library(tuple(entries), tuple(motions), tuple(skipped))


def read_entry(
    entry: ClipEntry, *, fps: float | None = None, quat_order: str | None = None
) -> Motion:
    """The clip of an entry as `load_library` reads it."""
    return _read(entry, fps, quat_order, {})


def _read(
    entry: ClipEntry,
    fps: float | None,
    quat_order: str | None,
    read: dict[Any, Motion],
) -> Motion:
    path, part = split_entry(entry.clip)
    fps = fps if entry.fps is None else entry.fps
    quat_order = quat_order if entry.quat_order is None else entry.quat_order
    content = (_digest(path), part, fps, quat_order)
    if content not in read:
        read[content] = read_motion(entry.clip, fps=fps, quat_order=quat_order)
    start_s, end_s = _window(entry, read[content])
    window = (content, start_s, end_s)
    if window not in read:
        read[window] = trim(read[content], start_s, end_s)
    motion = read[window]
    name = entry.name
    if not name and path != split_entry(motion.path)[0]:
        name = part or path.stem  # another file of the same content
    motion = replace(motion, name=name) if name else motion
    # The list's word goes before that of the clip itself.
    if entry.terrain:
        return replace(motion, terrain=entry.terrain)
    return on_its_ground(motion, path)


def _window(entry: ClipEntry, motion: Motion) -> tuple[float | None, float | None]:
    """The part of a clip that is used, in seconds."""
    times = {"start": entry.start_s, "end": entry.end_s}
    frames = {"start": entry.start_frame, "end": entry.end_frame}
    for key, frame in frames.items():
        if frame is None:
            continue
        if frame >= motion.num_frames:
            raise MotionError(
                f"{entry.clip}: {key}_frame is {frame}; the clip has frames 0 to "
                f"{motion.num_frames - 1}"
            )
        times[key] = frame / motion.fps
    return times["start"], times["end"]


def _digest(path: Path) -> bytes | str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except (OSError, ValueError):
        return str(path)  # reading it says what is wrong


def _distinct(motions: Iterable[Motion]) -> list[Motion]:
    return list({id(motion.qpos): motion for motion in motions}.values())
