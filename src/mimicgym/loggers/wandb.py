"""Weights & Biases (extra `[wandb]`)."""

import secrets
from pathlib import Path
from typing import Any

from mimicgym.errors import UserError
from mimicgym.loggers.files import WANDB_ID_FILE
from mimicgym.loggers.logger import Metrics, RunInfo


class WandbLogger:
    """One run there for a run here: its id is kept in the folder, and a run that goes
    on does so there too, without what had been logged before it was stopped.

    Raises:
      UserError: nobody is logged in.
    """

    def __init__(self, run: RunInfo, *, project: str, offline: bool):
        import wandb
        from wandb.errors import UsageError

        self._skip_to = run.logged_to
        try:
            self._run: Any = wandb.init(
                project=project,
                name=run.name,
                id=_run_id(run.folder),
                dir=str(run.folder),
                config=dict(run.config),
                mode="offline" if offline else None,
                resume=None if offline else "allow",
                reinit="create_new",
            )
        except UsageError as error:
            raise UserError(
                f"wandb: {error} Or set logging.offline, to log to the run's folder"
            ) from error
        self._run.define_metric("env_steps", hidden=True)
        self._run.define_metric("*", step_metric="env_steps")

    def log(self, step: int, metrics: Metrics) -> None:
        if step <= self._skip_to:
            return
        known = {name: value for name, value in metrics.items() if value is not None}
        self._run.log(known | {"env_steps": step})

    def close(self) -> None:
        self._run.finish()


def _run_id(folder: Path) -> str:
    """The id of the run in that folder, made when it is first asked for."""
    file = folder / WANDB_ID_FILE
    if not file.exists():
        file.write_text(secrets.token_hex(6) + "\n")
    return file.read_text().strip()
