"""What loggers make in a run's folder. No backend is imported to tell."""

import struct
from pathlib import Path

TENSORBOARD_FOLDER = "tensorboard"
WANDB_FOLDER = "wandb"
WANDB_ID_FILE = "wandb_id.txt"
TRACKIO_NAME_FILE = "trackio_name.txt"

# Of a new run: the format's version and the configuration.
_FIRST_EVENTS = 2


def is_before_figures(entry: Path) -> bool:
    """Whether something in a run's folder is what loggers make there before they are
    given a figure, other than the folder in which wandb keeps its own files."""
    if entry.name == TENSORBOARD_FOLDER:
        return entry.is_dir() and all(_is_begun(file) for file in entry.iterdir())
    return entry.name in (WANDB_ID_FILE, TRACKIO_NAME_FILE) and entry.is_file()


def _is_begun(file: Path) -> bool:
    named = file.name.startswith("events.out.tfevents.") and file.is_file()
    return named and _events(file.read_bytes()) <= _FIRST_EVENTS


def _events(data: bytes) -> int:
    """How many events there are: each is its length in 8 bytes, a checksum of that, the
    event and a checksum of it, of 4 bytes each."""
    at = count = 0
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        at += 8 + 4 + length + 4
        count += 1
    return count
