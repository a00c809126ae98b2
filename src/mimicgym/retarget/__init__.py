"""Retargeting: motion clips for the robot from motions of people."""

from mimicgym.retarget.pipeline import retarget_file
from mimicgym.retarget.report import RetargetReport, TargetError

__all__ = ["RetargetReport", "TargetError", "retarget_file"]
