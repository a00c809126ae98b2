"""Arguments that several `mimicgym motion` commands share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

QuatOrder = Literal["wxyz", "xyzw"]
_JSON = tyro.conf.arg(name="json", metavar="FILE")


@dataclass(frozen=True)
class FilesArgs:
    """Clips, and how to read them."""

    files: tyro.conf.Positional[tuple[str, ...]]
    """Embedded clips, files, folders, patterns or YAML lists."""
    fps: float | None = None
    """Frame rate, for formats that do not hold it, or instead of the file's."""
    quat_order: QuatOrder | None = None
    """Quaternion order, for formats that do not say it, or instead of the format's."""


@dataclass(frozen=True)
class ReportArgs(FilesArgs):
    """Clips, how to read them, and where to write what is found."""

    json_file: Annotated[Path | None, _JSON] = None
    """Also write the result to this file."""


@dataclass(frozen=True)
class ClipArgs(FilesArgs):
    """Clips, how to read them, and which of them is meant."""

    clip: str | None = None
    """The clip of that name only."""
