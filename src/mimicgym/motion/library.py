"""Many clips at once: files, folders, patterns and YAML lists become one library."""

import glob
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from mimicgym.errors import MotionError, unknown_message
from mimicgym.motion.clip import Finding, Motion
from mimicgym.motion.edit import trim
from mimicgym.motion.load import clip_specs, load_motion, read_motion, split_entry
from mimicgym.motion.scenes import FOLDER_SCENE, is_scene, located, on_its_ground

SUFFIXES = (".npz", ".csv", ".pkl", ".h5", ".hdf5", ".motion")
_YAML = (".yaml", ".yml")
_PATTERN = "*?["
# VideoMimic's lists of captures, in its own words.
_VIDEOMIMIC = {
    "folder_path": "clip",
    "default_data_fps_override": "fps",
    "teacher_checkpoint_run_name": "teacher",
}
_VIDEOMIMIC_FILES = {
    "human_video_data_pattern": "retarget_poses_g1.h5",
    "human_video_terrain_pattern": FOLDER_SCENE,
}


@dataclass(frozen=True)
class ClipEntry:
    """One clip of a library, and how it takes part.

    Attributes:
      clip: an embedded clip, a file, or a clip in a file ("file.pkl#name").
      name: how reports call it; the clip's own by default.
      weight: how often it is drawn, relative to the others.
      start_s, end_s: the part of it that is used.
      fps, quat_order: see `load_motion`.
      repeat: counts as that many clips, so it multiplies the weight.
      terrain, teacher: kept with the clip for the scene under it and for the policy
        that knows it.
    """

    clip: str
    name: str = ""
    weight: float = 1.0
    start_s: float | None = None
    end_s: float | None = None
    fps: float | None = None
    quat_order: str | None = None
    repeat: int = 1
    terrain: str = ""
    teacher: str = ""


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


def expand(specs: Sequence[str]) -> tuple[ClipEntry, ...]:
    """Every clip that `specs` stand for, in order.

    A spec is an embedded clip's name, a file, "file#clip" ("file#*" for all clips of a
    file), a folder (all motion files below it), a pattern such as "data/*.npz", or a
    YAML list. Folders and patterns are sorted by name.

    Raises:
      MotionError: nothing is found, or a YAML list is wrong; it names item and key.
    """
    entries: list[ClipEntry] = []
    for spec in specs:
        entries += _expand_one(str(spec), ClipEntry(clip=str(spec)))
    return tuple(entries)


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


def _read(
    entry: ClipEntry,
    fps: float | None,
    quat_order: str | None,
    read: dict[Any, Motion],
) -> Motion:
    path, part = split_entry(entry.clip)
    told = entry.fps or fps, entry.quat_order or quat_order
    content = (_digest(path), part, *told)
    if content not in read:
        read[content] = read_motion(entry.clip, fps=told[0], quat_order=told[1])
    window = (content, entry.start_s, entry.end_s)
    if window not in read:
        read[window] = trim(read[content], entry.start_s, entry.end_s)
    motion = read[window]
    name = entry.name
    if not name and path != split_entry(motion.path)[0]:
        name = part or path.stem  # another file of the same content
    motion = replace(motion, name=name) if name else motion
    # The list's word goes before that of the clip itself.
    if entry.terrain:
        return replace(motion, terrain=entry.terrain)
    return on_its_ground(motion, path)


def _digest(path: Path) -> bytes | str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return str(path)  # reading it says what is wrong


def _distinct(motions: Iterable[Motion]) -> list[Motion]:
    return list({id(motion.qpos): motion for motion in motions}.values())


def _expand_one(spec: str, entry: ClipEntry) -> list[ClipEntry]:
    path = Path(os.path.expanduser(spec))
    if path.suffix in _YAML:
        return _read_list(path)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES)
        found = [file for file in files if not is_scene(file)]
        if not found:
            raise MotionError(
                f"{path}: the folder has no motion files ({', '.join(SUFFIXES)})"
            )
        return [replace(entry, clip=str(p)) for p in found]
    if any(c in spec.partition("#")[0] for c in _PATTERN) and not path.exists():
        matches = sorted(glob.glob(str(path), recursive=True))
        matches = [match for match in matches if not is_scene(Path(match))]
        if not matches:
            raise MotionError(f"{spec}: matches no file")
        return [replace(entry, clip=match) for match in matches]
    return [replace(entry, clip=clip) for clip in clip_specs(spec)]


def _read_list(path: Path) -> list[ClipEntry]:
    """The items of a YAML list: a list, or a mapping with it under "clips"."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise MotionError(f"{path}: can not be read: {error}") from error
    except yaml.YAMLError as error:
        raise MotionError(f"{path}: is no YAML: {error}") from error
    items = data.get("clips") if isinstance(data, Mapping) else data
    if not isinstance(items, list) or not items:
        raise MotionError(f"{path}: a list of clips is needed, or one under 'clips'")
    entries: list[ClipEntry] = []
    for number, item in enumerate(items, 1):
        entries += read_item(f"{path}: item {number}", path.parent, item)
    return entries


def read_item(at: str, folder: Path, item: Any) -> list[ClipEntry]:
    """What an item of a list stands for.

    Args:
      at: what errors call the item.
      folder: what paths are relative to.
      item: a clip, or a mapping of keys. If its clip is a list in turn, what the item
        says goes before what that list says.
    """
    if isinstance(item, str):
        item = {"clip": item}
    if not isinstance(item, Mapping):
        raise MotionError(f"{at} is {item!r}; a clip or keys are needed")
    known = {field.name for field in fields(ClipEntry)}
    other = {"start_frame", "end_frame", *_VIDEOMIMIC, *_VIDEOMIMIC_FILES}
    for key in item:
        if key not in known | other:
            raise MotionError(f"{at}: {unknown_message('key', key, known | other)}")
    values: dict[str, Any] = {
        _VIDEOMIMIC.get(str(key), str(key)): value for key, value in item.items()
    }
    files = {key: values.pop(key, name) for key, name in _VIDEOMIMIC_FILES.items()}
    if not isinstance(values.get("clip"), str):
        raise MotionError(f"{at}: lacks clip, a name or a path")
    if "folder_path" in item:
        scene = Path(values["clip"])
        values["clip"] = str(scene / files["human_video_data_pattern"])
        terrain = scene / files["human_video_terrain_pattern"]
        if (folder / terrain).is_file():
            values.setdefault("terrain", str(terrain))
    frames = {key: values.pop(f"{key}_frame", None) for key in ("start", "end")}
    entry = ClipEntry(**values)
    _check(at, entry)
    entry = replace(entry, terrain=located(folder, entry.terrain))
    given = {key: getattr(entry, key) for key in values if key != "clip"}
    found = _expand_one(_located(folder, entry.clip), entry)
    return [_with_frames(at, replace(e, **given), frames) for e in found]


def _with_frames(at: str, entry: ClipEntry, frames: dict[str, Any]) -> ClipEntry:
    """VideoMimic's frame numbers in seconds, by the file's own rate."""
    if frames["start"] is None and frames["end"] is None:
        return entry
    fps = load_motion(entry.clip, fps=entry.fps, quat_order=entry.quat_order).fps
    for key, frame in frames.items():
        if frame is None:
            continue
        if isinstance(frame, bool) or not isinstance(frame, int) or frame < 0:
            raise MotionError(f"{at}: {key}_frame is {frame!r}; a frame number")
        entry = replace(entry, **{f"{key}_s": frame / fps})
    return entry


def _located(folder: Path, clip: str) -> str:
    """Paths in a list are relative to the list."""
    file = clip.partition("#")[0]
    beside = folder / os.path.expanduser(clip)
    there = (folder / os.path.expanduser(file)).exists()
    return str(beside) if there or any(c in file for c in _PATTERN) else clip


def _check(at: str, entry: ClipEntry) -> None:
    kinds = {"weight": (int, float), "repeat": (int,), "start_s": (int, float)}
    kinds |= {"end_s": (int, float), "fps": (int, float), "quat_order": (str,)}
    kinds |= {"name": (str,), "terrain": (str,), "teacher": (str,)}
    for key, kind in kinds.items():
        value = getattr(entry, key)
        if value is not None and (isinstance(value, bool) or type(value) not in kind):
            names = " or ".join(k.__name__ for k in kind)
            raise MotionError(f"{at}: {key} is {value!r}; {names} is needed")
    if not 0 <= entry.weight < float("inf"):
        raise MotionError(f"{at}: weight is {entry.weight}; at least 0")
    if entry.repeat < 1:
        raise MotionError(f"{at}: repeat is {entry.repeat}; at least 1")
