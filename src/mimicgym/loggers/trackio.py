"""Trackio (extra `[trackio]`): figures in a local database, `trackio show` to see."""

import secrets
from pathlib import Path
from typing import Any

from mimicgym.loggers.files import TRACKIO_NAME_FILE
from mimicgym.loggers.logger import Metrics, RunInfo


class TrackioLogger:
    """One run there for a run here: its name is kept in the folder, and a run that goes
    on does so there too, without what had been logged before it was stopped.

    Where the database lies, and whether it is mirrored elsewhere, is for Trackio's own
    variables to say (TRACKIO_DIR, TRACKIO_SPACE_ID).
    """

    def __init__(self, run: RunInfo, *, project: str):
        import trackio  # pyright: ignore[reportMissingImports]

        self._skip_to = run.logged_to
        self._run: Any = trackio.init(
            project=project,
            name=_run_name(run),
            config=dict(run.config),
            resume="allow",
            embed=False,
            auto_log_cpu=False,
            auto_log_gpu=False,
        )

    def log(self, step: int, metrics: Metrics) -> None:
        if step <= self._skip_to:
            return
        known = {name: value for name, value in metrics.items() if value is not None}
        self._run.log(known, step=step)

    def close(self) -> None:
        self._run.finish()


def _run_name(run: RunInfo) -> str:
    """The run's name there, made when it is first asked for. Trackio finds runs by
    name, so that it must not be another's."""
    file: Path = run.folder / TRACKIO_NAME_FILE
    if not file.exists():
        file.write_text(f"{run.name}-{secrets.token_hex(3)}\n")
    return file.read_text().strip()
