"""Grounds named in one line of text, as in configurations and on the command line."""

import os
from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from mimicgym.configs import from_dict
from mimicgym.errors import UserError, unknown_message
from mimicgym.terrain import ground, obstacles  # noqa: F401  (they register grounds)
from mimicgym.terrain.arguments import MAX_MEGABYTES
from mimicgym.terrain.arrays import field_from_npz
from mimicgym.terrain.field import HeightField
from mimicgym.terrain.image import field_from_image
from mimicgym.terrain.mesh import CELL_M, field_from_mesh
from mimicgym.terrain.procedural import generators
from mimicgym.terrain.scene_file import MESH_SUFFIXES, require_file


@dataclass(frozen=True)
class MeshOptions:
    """What may be said of a mesh, see `field_from_mesh`."""

    cell_m: float = CELL_M
    up: Literal["z", "y"] = "z"
    scale: float = 1.0


@dataclass(frozen=True)
class ImageOptions:
    """What has to be said of a picture, see `field_from_image`."""

    cell_m: float
    high_m: float
    low_m: float = 0.0


@dataclass(frozen=True)
class NpzOptions:
    """An .npz file says all itself."""


def terrain_from_spec(text: str, max_megabytes: float = MAX_MEGABYTES) -> HeightField:
    """The ground that a line of text stands for.

    It is the name of a procedural ground or a file, then perhaps a colon and settings:

        stairs
        rough:difficulty=2,seed=1
        scene/background_mesh.obj:cell_m=0.025
        hills.png:cell_m=0.05,high_m=0.4

    Files are meshes (.obj, .ply, .stl, .glb), pictures (.png) or arrays (.npz). What
    was odd about a mesh is in the field's `notes`.

    Raises:
      UserError: there is no such ground or file, or a setting is wrong.
    """
    head, settings = _split(text)
    if head in generators:
        cfg = from_dict(generators.parameters(head), settings, head)
        return generators.generate(head, cfg, max_megabytes)
    path = Path(os.path.expanduser(head))
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        if head and path.exists():
            require_file(path)
        if suffix or (head and path.exists()):
            raise UserError(f"{head}: {unknown_message('format', suffix, _READERS)}")
        message = unknown_message("terrain", head, generators)
        raise UserError(f"{message}; or a file ({', '.join(sorted(_READERS))})")
    options, read = _READERS[suffix]
    missing = [
        field.name
        for field in fields(options)
        if field.default is MISSING and field.name not in settings
    ]
    if missing:
        raise UserError(
            f"{head}: {' and '.join(missing)} must be given, as in "
            f"{head}:{','.join(f'{name}=0.1' for name in missing)}"
        )
    given = asdict(from_dict(options, settings, head))
    return read(path, max_megabytes=max_megabytes, **given)


def file_of(text: str) -> Path | None:
    """The file that a ground's line names, be it there or not; None for a procedural
    ground, and for a line that can not be read, which `terrain_from_spec` tells of."""
    try:
        head, _ = _split(text)
    except UserError:
        return None
    return None if head in generators else Path(os.path.expanduser(head))


def with_seeds(text: str, count: int) -> tuple[str, ...]:
    """A ground of chance with its seed and with the next ones, `count` in all; any
    other ground alone, as it is.

    Raises:
      UserError: its seed is no whole number.
    """
    head, settings = _split(text)
    if head not in generators or "seed" not in {
        field.name for field in fields(generators.parameters(head))
    }:
        return (text,)
    first = settings.get("seed", 0)
    if not isinstance(first, int) or isinstance(first, bool):
        raise UserError(f"{text}: seed is {first!r}; a whole number is needed")
    others = "".join(f",{k}={v}" for k, v in settings.items() if k != "seed")
    return tuple(f"{head}:seed={first + i}{others}" for i in range(count))


def _mesh(path: Path, **options: Any) -> HeightField:
    return field_from_mesh(path, **options)[0]


_READERS: dict[str, tuple[type, Callable[..., HeightField]]] = {
    **dict.fromkeys(MESH_SUFFIXES, (MeshOptions, _mesh)),
    ".png": (ImageOptions, field_from_image),
    ".npz": (NpzOptions, field_from_npz),
}


def _split(text: str) -> tuple[str, dict[str, Any]]:
    """The name or path, and the settings after it."""
    head, colon, tail = text.rpartition(":")
    # A path may have colons itself, such as that of a drive.
    if (
        not colon
        or os.path.exists(text)
        or ("=" not in tail and head not in generators)
    ):
        return text, {}
    settings: dict[str, Any] = {}
    for item in tail.split(","):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not (key and equals and value):
            raise UserError(f"{text}: {item!r} is no setting; name=value is needed")
        if key in settings:
            raise UserError(f"{text}: {key} is given twice")
        settings[key] = _number(value)
    return head.strip(), settings


def _number(value: str) -> Any:
    """A whole number, a number or a truth value; other text as it is."""
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            pass
    return value
