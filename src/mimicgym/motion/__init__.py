"""Motion clips on the host: read, check, resample, write."""

from mimicgym.motion.clip import Finding, Motion, select_joints, validate
from mimicgym.motion.entries import ClipEntry
from mimicgym.motion.library import Library, load_library
from mimicgym.motion.load import load_motion, save_motion
from mimicgym.motion.resample import resample

__all__ = [
    "ClipEntry",
    "Finding",
    "Library",
    "Motion",
    "load_library",
    "load_motion",
    "resample",
    "save_motion",
    "select_joints",
    "validate",
]
