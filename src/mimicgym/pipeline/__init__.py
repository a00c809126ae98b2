"""Pipelines: several trainings in a row, from one file."""

from mimicgym.pipeline.file import PipelineFile, read_file, shipped
from mimicgym.pipeline.plan import Planned, plan
from mimicgym.pipeline.report import COLUMNS, report, rows
from mimicgym.pipeline.runner import Watch, run_pipeline

__all__ = [
    "COLUMNS",
    "PipelineFile",
    "Planned",
    "Watch",
    "plan",
    "read_file",
    "report",
    "rows",
    "run_pipeline",
    "shipped",
]
