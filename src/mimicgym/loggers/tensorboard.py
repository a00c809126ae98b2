"""TensorBoard event files, in the folder `tensorboard` of a run."""

import json

from tensorboardX import SummaryWriter

from mimicgym.loggers.files import TENSORBOARD_FOLDER
from mimicgym.loggers.logger import Metrics, RunInfo


class TensorBoardLogger:
    """Points over environment steps; the configuration is its text `config`.

    Where a run goes on from a checkpoint, what had been logged after it is withdrawn,
    so that no step is shown twice.
    """

    def __init__(self, run: RunInfo):
        folder = run.folder / TENSORBOARD_FOLDER
        # Not by what `run` says was logged: one that was killed soon after it had been
        # resumed has dropped those lines, but may not have withdrawn them here.
        earlier = len(list(folder.glob("events.*")))
        # Of files of the same second, the name decides which is read first.
        self._writer = SummaryWriter(
            str(folder),
            purge_step=run.resumed_at + 1 if earlier else None,
            filename_suffix=f".{earlier:06d}",
        )
        text = json.dumps(run.config, indent=2)
        indented = text.replace("\n", "\n    ")  # shown as it is by Markdown
        self._writer.add_text("config", f"    {indented}", run.resumed_at)

    def log(self, step: int, metrics: Metrics) -> None:
        for name, value in metrics.items():
            if value is not None:
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()
