"""The motions of a stage: as a configuration has them, or as a list in its folder."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from mimicgym.assets import embedded_motions
from mimicgym.errors import UserError
from mimicgym.motion.entries import ClipEntry, read_item
from mimicgym.motion.load import split_entry
from mimicgym.pipeline.file import PipelineFile
from mimicgym.pipeline.stage import Stage


@dataclass(frozen=True)
class StageMotions:
    """Every clip that a stage trains on."""

    entries: tuple[ClipEntry, ...]

    @property
    def clips(self) -> tuple[str, ...] | None:
        """The clips, if nothing else is said of them."""
        if all(item.keys() == {"clip"} for item in self.items):
            return tuple(entry.clip for entry in self.entries)
        return None

    @property
    def items(self) -> list[dict[str, Any]]:
        """What a YAML list of them holds."""
        return [_item(entry) for entry in self.entries]

    def text(self) -> str:
        """That list, as a file."""
        return yaml.safe_dump(self.items, sort_keys=False, allow_unicode=True)


def stage_motions(file: PipelineFile, stage: Stage) -> StageMotions | None:
    """The motions of a stage; None if it leaves them to its task.

    Raises:
      UserError: there is no such clip, or a key of one is wrong.
    """
    if not stage.motions:
        return None
    entries: list[ClipEntry] = []
    for number, item in enumerate(stage.motions, 1):
        at = f"{file.path}: stage {stage.name!r}: motions {number}"
        clip = item.get("clip") if isinstance(item, Mapping) else item
        given = isinstance(clip, str) and clip in file.given
        folder = Path() if given else file.path.parent
        try:
            entries += read_item(at, folder, item)
        except UserError as error:
            text = str(error)
            raise UserError(text if text.startswith(at) else f"{at}: {text}") from error
    return StageMotions(tuple(entries))


def _item(entry: ClipEntry) -> dict[str, Any]:
    """What differs from a clip of which nothing is said, wherever the list will be."""
    item = {
        field.name: value
        for field in fields(ClipEntry)
        if (value := getattr(entry, field.name)) != field.default
    }
    path, part = split_entry(entry.clip)
    if entry.clip not in embedded_motions():
        item["clip"] = f"{path.absolute()}#{part}" if part else str(path.absolute())
    head = entry.terrain.rpartition(":")[0] or entry.terrain
    if entry.terrain and os.path.isfile(os.path.expanduser(head)):
        item["terrain"] = str(Path(os.path.expanduser(entry.terrain)).absolute())
    return item
