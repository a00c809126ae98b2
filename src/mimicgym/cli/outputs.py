"""Files that a command is asked to write, by options such as --json."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mimicgym.errors import UserError
from mimicgym.folders import unwritable


def check_output(option: str, file: Path | None) -> None:
    """`UserError` for a file that can not be written, if one is asked for: said before
    it is worked for. Folders that it lacks are made when it is written."""
    if file is None:
        return
    if os.path.isdir(file):
        reason = "it is a folder"
    elif os.path.exists(file):
        reason = None if os.access(file, os.W_OK) else "it may not be written to"
    else:
        reason = unwritable(file.parent)
    if reason is not None:
        raise _refusal(option, file, reason)


@contextmanager
def writing(option: str, file: Path) -> Iterator[None]:
    """Make the file's folder for what writes it, whose failure is a `UserError`."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise _refusal(option, file, error.strerror or str(error)) from error


def write_json(option: str, file: Path | None, data: Any) -> None:
    """Write `data` if a file is asked for."""
    if file is not None:
        with writing(option, file):
            file.write_text(json.dumps(data, indent=2) + "\n")


def _refusal(option: str, file: Path, reason: str) -> UserError:
    return UserError(f"{option}: {file} can not be written: {reason}")
