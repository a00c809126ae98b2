"""TensorBoard event files, in the folder `tensorboard` of a run."""

import json

from tensorboardX import SummaryWriter

from mimicgym.loggers.logger import Metrics, RunInfo

FOLDER = "tensorboard"


class TensorBoardLogger:
    """Points over environment steps; the configuration is its text `config`.

    Where a run goes on from a checkpoint, what had been logged after it is withdrawn,
    so that no step is shown twice.
    """

    def __init__(self, run: RunInfo):
        # Of files of the same second, the name decides which is read first.
        self._writer = SummaryWriter(
            str(run.folder / FOLDER),
            purge_step=run.resumed_at + 1 if run.resumed_at else None,
            filename_suffix=f".{run.resumed_at:015d}",
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
