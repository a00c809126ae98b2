"""What is written of a training while it goes on: metrics, scores, checkpoints.

`Recorder` keeps a run's folder, `SeedRecorder` that of several seeds; `HostRecorder`
lets the first of several hosts write for all. `write_end` is for when it has ended.
"""

from mimicgym.recording.clips import clip_report
from mimicgym.recording.end import lacks_end, recorded_scores, write_end
from mimicgym.recording.hosts import HostRecorder
from mimicgym.recording.judge import Judge, rank
from mimicgym.recording.recorder import Outcome, Recorder
from mimicgym.recording.seeds import (
    SeedRecorder,
    newest_of_all,
    seed_config,
    seed_folders,
)

__all__ = [
    "HostRecorder",
    "Judge",
    "Outcome",
    "Recorder",
    "SeedRecorder",
    "clip_report",
    "lacks_end",
    "newest_of_all",
    "rank",
    "recorded_scores",
    "seed_config",
    "seed_folders",
    "write_end",
]
