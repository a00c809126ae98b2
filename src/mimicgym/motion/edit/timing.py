"""When things happen: parts of a clip, pauses, another speed."""

from dataclasses import replace

import numpy as np

from mimicgym.motion.clip import Motion, validate
from mimicgym.motion.edit.arguments import require, require_frames
from mimicgym.motion.resample import resample

# Of a frame: what a time may be off by rounding and still mean the frame.
_ROUNDING = 1e-6
_LONGEST_HOLD_S = 3600.0
_SLOWEST = 0.01


def trim(
    motion: Motion, start_s: float | None = None, end_s: float | None = None
) -> Motion:
    """The frames at times within [start_s, end_s], unchanged.

    Args:
      motion: any clip; its first frame is at 0 s.
      start_s, end_s: in seconds; the first and the last frame if None.

    Raises:
      MotionError: a time is outside the clip, the end before the start, or fewer than
        3 frames are left.
    """
    validate(motion)
    last_s = motion.duration_s
    slack_s = _ROUNDING / motion.fps
    start = 0.0 if start_s is None else float(start_s)
    end = last_s if end_s is None else float(end_s)
    whole = f"the clip lasts {last_s:.4g} s"
    require(
        motion,
        -slack_s <= start <= last_s + slack_s,
        "start_s",
        start,
        f"from 0 to {last_s:.4g} s ({whole})",
    )
    require(
        motion,
        start - slack_s <= end <= last_s + slack_s,
        "end_s",
        end,
        f"from start_s, {start:.4g}, to {last_s:.4g} s ({whole})",
    )
    first = max(0, int(np.ceil(start * motion.fps - _ROUNDING)))
    stop = min(motion.num_frames, int(np.floor(end * motion.fps + _ROUNDING)) + 1)
    require_frames(
        motion, max(0, stop - first), f"trimming to {start:.4g}..{end:.4g} s"
    )
    return _pick(motion, np.arange(first, stop))


def hold(motion: Motion, first_s: float = 0.0, last_s: float = 0.0) -> Motion:
    """The clip with its first and last frame held for that long.

    Each time is rounded to whole frames, which are added before and after.

    Raises:
      MotionError: a time is negative or more than an hour.
    """
    validate(motion)
    for argument, value in (("first_s", first_s), ("last_s", last_s)):
        require(
            motion,
            0.0 <= value <= _LONGEST_HOLD_S,
            argument,
            value,
            f"from 0 to {_LONGEST_HOLD_S:g} s",
        )
    last = motion.num_frames - 1
    before, after = round(first_s * motion.fps), round(last_s * motion.fps)
    return _pick(motion, np.clip(np.arange(-before, last + after + 1), 0, last))


def change_speed(motion: Motion, factor: float) -> Motion:
    """The clip `factor` times as fast, at the frame rate it had.

    Frames `factor` apart are taken, interpolated as in `resample` and not stretched to
    end on the last frame: of T frames (T - 1) / factor + 1, rounded down, are left.

    Raises:
      MotionError: `factor` is less than 0.01, or leaves fewer than 3 frames.
    """
    motion = validate(motion)
    fastest = (motion.num_frames - 1) / 2.0
    require(
        motion,
        _SLOWEST <= factor <= fastest * (1.0 + _ROUNDING),
        "factor",
        factor,
        f"from {_SLOWEST:g} to {fastest:g} (which leaves 3 frames)",
    )
    faster = resample(replace(motion, fps=motion.fps * factor), 1.0 / motion.fps)
    return replace(faster, fps=motion.fps)


def _pick(motion: Motion, frames: np.ndarray) -> Motion:
    """The clip made of these of its frames."""
    contact = motion.foot_contact
    return replace(
        motion,
        qpos=motion.qpos[frames],
        foot_contact=None if contact is None else contact[frames],
    )
