"""What a library is asked for: clips by name, in files, folders, patterns and lists."""

import glob
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from mimicgym.assets import embedded_motions
from mimicgym.errors import MotionError, unknown_message
from mimicgym.motion.load import clip_specs, divided
from mimicgym.motion.reader import QUAT_ORDERS
from mimicgym.motion.scenes import FOLDER_SCENE, is_scene, located

SUFFIXES = (".npz", ".csv", ".pkl", ".h5", ".hdf5", ".motion")
_YAML = (".yaml", ".yml")
_PATTERN = "*?["
_CLIPS = "clips"
_NUMBER = (int, float)
# What the keys of an item may be, and those that may be empty.
_KINDS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "weight": _NUMBER,
    "start_s": _NUMBER,
    "end_s": _NUMBER,
    "start_frame": (int,),
    "end_frame": (int,),
    "fps": _NUMBER,
    "quat_order": (str,),
    "repeat": (int,),
    "terrain": (str,),
    "teacher": (str,),
}
_CAN_BE_EMPTY = ("start_s", "end_s", "start_frame", "end_frame", "fps", "quat_order")
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
      start_frame, end_frame: instead of these, the first and last frame of it.
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
    start_frame: int | None = None
    end_frame: int | None = None
    fps: float | None = None
    quat_order: str | None = None
    repeat: int = 1
    terrain: str = ""
    teacher: str = ""


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


def _expand_one(
    spec: str, entry: ClipEntry, lists: tuple[str, ...] = ()
) -> list[ClipEntry]:
    if spec in embedded_motions():
        return [replace(entry, clip=spec)]
    path = Path(os.path.expanduser(spec))
    if path.suffix in _YAML:
        return _read_list(path, lists)
    # os.path answers False where pathlib raises: names too long, or with odd bytes.
    if os.path.isdir(path):
        found = [file for file in _files_below(path) if not is_scene(file)]
        if not found:
            raise MotionError(
                f"{path}: the folder has no motion files ({', '.join(SUFFIXES)})"
            )
        return [replace(entry, clip=str(p)) for p in found]
    if _is_pattern(str(path)):
        matches = [match for match in _matches(path) if not is_scene(Path(match))]
        if not matches:
            raise MotionError(f"{spec}: matches no file")
        return [replace(entry, clip=match) for match in matches]
    return [replace(entry, clip=clip) for clip in clip_specs(spec)]


def _files_below(folder: Path) -> list[Path]:
    """The motion files of a folder and of those below it, sorted.

    Links are followed. A folder that is met again, as its own part or by another link,
    is left out the second time.
    """

    def refuse(error: OSError) -> None:
        raise MotionError(f"{error.filename}: can not be read: {error.strerror}")

    files: list[Path] = []
    met: set[str] = set()
    for place, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(place)
        if real in met:
            folders.clear()
            continue
        met.add(real)
        # Links last: what is in the folder itself is called so.
        folders.sort(key=lambda name: (os.path.islink(os.path.join(place, name)), name))
        files += [Path(place, name) for name in names]
    return sorted(file for file in files if file.suffix in SUFFIXES)


def _is_pattern(text: str) -> bool:
    file = divided(text)[0]
    return any(c in file for c in _PATTERN) and not os.path.exists(file)


def _matches(pattern: Path) -> list[str]:
    """The files that a pattern stands for, sorted.

    Folders before it that are there under the very name, such as "[v1]", are meant.
    """
    parts = pattern.parts
    there = [os.path.isdir(Path(*parts[: i + 1])) for i in range(len(parts) - 1)]
    count = next((i for i, is_there in enumerate(there) if not is_there), len(there))
    head, tail = Path(*parts[:count]), Path(*parts[count:])
    return sorted(glob.glob(os.path.join(glob.escape(str(head)), tail), recursive=True))


def _read_list(path: Path, lists: tuple[str, ...]) -> list[ClipEntry]:
    """The items of a YAML list: a list, or a mapping with it under "clips".

    Args:
      path: the list.
      lists: those that it is in, as `os.path.realpath` has them.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise MotionError(f"{path}: can not be read: {error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise MotionError(f"{path}: is no YAML: {error}") from error
    items = data.get(_CLIPS) if isinstance(data, Mapping) else data
    if not isinstance(items, list) or not items:
        raise MotionError(f"{path}: a list of clips is needed, or one under 'clips'")
    others = [key for key in data if key != _CLIPS] if items is not data else []
    if others:
        message = unknown_message("key", others[0], (_CLIPS,))
        raise MotionError(f"{path}: {message}; what is said of a clip goes to its item")
    lists = (*lists, os.path.realpath(path))
    entries: list[ClipEntry] = []
    for number, item in enumerate(items, 1):
        at = f"{path}: item {number}"
        entries += read_item(at, path.parent, item, lists)
    return entries


def read_item(
    at: str, folder: Path, item: Any, lists: tuple[str, ...] = ()
) -> list[ClipEntry]:
    """What an item of a list stands for.

    Args:
      at: what errors call the item.
      folder: what paths are relative to.
      item: a clip, or a mapping of keys. If its clip is a list in turn, what the item
        says goes before what that list says.
      lists: the lists that it is in, see `_read_list`.
    """
    if isinstance(item, str):
        item = {"clip": item}
    if not isinstance(item, Mapping):
        raise MotionError(f"{at} is {item!r}; a clip or keys are needed")
    values = _values(at, folder, item)
    entry = ClipEntry(**values)
    _check(at, entry)
    entry = replace(entry, terrain=located(folder, entry.terrain))
    clip = _located(folder, entry.clip)
    if os.path.exists(clip) and os.path.realpath(clip) in lists:
        raise MotionError(f"{at}: clip is {entry.clip!r}, a list that this item is in")
    given = {
        key: getattr(entry, key)
        for key, value in values.items()
        if key != "clip" and value is not None
    }
    for key in ("start", "end"):
        pair = f"{key}_s", f"{key}_frame"
        if not given.keys().isdisjoint(pair):
            given |= {name: getattr(entry, name) for name in pair}
    return [replace(e, **given) for e in _expand_one(clip, entry, lists)]


def _values(at: str, folder: Path, item: Mapping[Any, Any]) -> dict[str, Any]:
    """What an item says, by our names."""
    known = {field.name for field in fields(ClipEntry)}
    other = {*_VIDEOMIMIC, *_VIDEOMIMIC_FILES}
    values: dict[str, Any] = {}
    for key, value in item.items():
        if key not in known | other:
            raise MotionError(f"{at}: {unknown_message('key', key, known | other)}")
        name = _VIDEOMIMIC.get(str(key), str(key))
        if name in values:
            both = " and ".join(k for k in item if name in (k, _VIDEOMIMIC.get(k)))
            raise MotionError(f"{at}: {both} are both given; one is enough")
        values[name] = value
    files = {key: values.pop(key, name) for key, name in _VIDEOMIMIC_FILES.items()}
    for key, value in files.items():
        if not isinstance(value, str):
            raise MotionError(f"{at}: {key} is {value!r}; str is needed")
        if key in item and "folder_path" not in item:
            raise MotionError(f"{at}: {key} is given without folder_path")
    if not isinstance(values.get("clip"), str):
        raise MotionError(f"{at}: lacks clip, a name or a path")
    if "folder_path" in item:
        scene = Path(values["clip"])
        values["clip"] = str(scene / files["human_video_data_pattern"])
        terrain = scene / files["human_video_terrain_pattern"]
        if os.path.isfile(folder / terrain):
            values.setdefault("terrain", str(terrain))
    return values


def _located(folder: Path, clip: str) -> str:
    """Paths in a list are relative to the list."""
    if clip in embedded_motions():
        return clip
    beside = str(folder / os.path.expanduser(clip))
    there = os.path.exists(divided(beside)[0])
    if not there and not _is_pattern(clip):
        return clip
    # Of the list's own folder "walk/" is no embedded clip.
    return os.path.join(beside, "") if beside in embedded_motions() else beside


def _check(at: str, entry: ClipEntry) -> None:
    for key, kinds in _KINDS.items():
        value = getattr(entry, key)
        if value is None and key in _CAN_BE_EMPTY:
            continue
        if type(value) not in kinds:
            found = "left empty" if value is None else repr(value)
            names = " or ".join(kind.__name__ for kind in kinds)
            raise MotionError(f"{at}: {key} is {found}; {names} is needed")
    if not 0 <= entry.weight < math.inf:
        raise MotionError(f"{at}: weight is {entry.weight}; at least 0")
    if entry.repeat < 1:
        raise MotionError(f"{at}: repeat is {entry.repeat}; at least 1")
    if entry.fps is not None and not 0 < entry.fps < math.inf:
        raise MotionError(f"{at}: fps is {entry.fps:g}; it must be a positive number")
    if entry.quat_order is not None and entry.quat_order not in QUAT_ORDERS:
        message = unknown_message("quat_order", entry.quat_order, QUAT_ORDERS)
        raise MotionError(f"{at}: {message}")
    for key in ("start", "end"):
        frame = getattr(entry, f"{key}_frame")
        if frame is not None and frame < 0:
            raise MotionError(f"{at}: {key}_frame is {frame}; at least 0")
        if frame is not None and getattr(entry, f"{key}_s") is not None:
            both = f"{key}_s and {key}_frame"
            raise MotionError(f"{at}: {both} are both given; one is enough")
