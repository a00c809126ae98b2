"""What is known of a stage beyond its run: STAGE/stage.json."""

import json
from collections.abc import Mapping
from typing import Any

from mimicgym.configs import difference
from mimicgym.errors import UserError
from mimicgym.pipeline.plan import Planned
from mimicgym.run import RunFolder
from mimicgym.whole_file import write_text

FILE = "stage.json"


class Record:
    """The record of a planned stage, whether it has begun or not.

    Attributes:
      data: "stage", what the file said of it; "weights", what was taken from where;
        "seconds" in all; "result", once it is finished.
    """

    def __init__(self, planned: Planned):
        self.planned = planned
        self.path = planned.folder / FILE
        self.data: dict[str, Any] = {}
        if self.path.is_file():
            try:
                self.data = json.loads(self.path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise UserError(f"{self.path}: can not be read: {error}") from error

    @property
    def finished(self) -> bool:
        return "result" in self.data

    @property
    def state(self) -> str:
        if self.finished:
            return "finished"
        return "begun" if self.data else "waiting"

    def check(self) -> None:
        """`UserError` if the stage has begun as another one."""
        folder = self.planned.folder
        if not self.data:
            if (folder / "config.json").exists():
                raise UserError(
                    f"{folder} holds a run that is no stage of a pipeline; name another"
                    " folder by --out"
                )
            return
        changed = differing(self.data.get("stage", {}), self.planned.definition())
        if (folder / "config.json").exists():
            stored = RunFolder.open(folder).config()
            changed += difference(stored, self.planned.config)
        if changed:
            raise UserError(
                f"stage {self.planned.stage.name!r} has begun in {folder} with other"
                f" settings (setting: there, here): {'; '.join(changed)}; undo the"
                " change, remove that folder, or name another by --out"
            )

    def save(self, **entries: Any) -> None:
        """Put entries in; the file is whole at any time."""
        self.data |= {"stage": self.planned.definition(), **entries}
        folder = self.planned.folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or error
            raise UserError(
                f"a pipeline can not be written to {folder}: {reason}"
            ) from error
        write_text(self.path, json.dumps(self.data, indent=2) + "\n")


def differing(there: Any, here: Any, path: str = "") -> list[str]:
    """Lines "key: there, here" of all that differs between two JSON values."""
    here = json.loads(json.dumps(here))
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        lines: list[str] = []
        for key in dict.fromkeys([*there, *here]):
            inner = f"{path}.{key}" if path else str(key)
            lines += differing(there.get(key), here.get(key), inner)
        return lines
    return [] if there == here else [f"{path}: {there!r}, {here!r}"]
