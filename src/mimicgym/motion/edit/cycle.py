"""Clips that can go on for ever."""

from dataclasses import replace

import numpy as np

from mimicgym.errors import MotionError
from mimicgym.motion.clip import Motion, validate
from mimicgym.motion.edit.arguments import (
    clip_name,
    require,
    require_blend,
    require_frames,
)
from mimicgym.motion.edit.crossfade import crossfade, fade_contact, smoothstep
from mimicgym.motion.edit.placement import move_onto
from mimicgym.motion.quaternions import (
    continuous_quats,
    quat_conj,
    quat_mul,
    quat_to_rotvec,
)

# What rounding to float32 on the way through a file can not reach.
_GAP = 1e-3  # m or rad


def loop(motion: Motion, blend_s: float) -> Motion:
    """The clip made periodic by fading its last `blend_s` seconds into its first.

    The end is moved along the floor onto the start, so that the frames in the middle of
    both stretches meet, and faded into it. The result is shorter by `blend_s`. Its last
    frame is its first, the next cycle's beginning: joints, height, roll and pitch are
    the same, x, y and yaw are what a cycle adds to them. `repeat` chains such cycles.

    Raises:
      MotionError: `blend_s` is less than a frame or more than half the clip, or the
        clip has only 3 frames.
    """
    motion = validate(motion)
    require_frames(motion, motion.num_frames - 1, "making it periodic")
    longest_s = ((motion.num_frames - 1) // 2) / motion.fps
    overlap = require_blend(motion, blend_s, longest_s)
    rows, contact = motion.qpos, motion.foot_contact
    end = motion.num_frames - overlap
    middle = overlap // 2
    back = move_onto(rows[end + middle], rows[middle])
    weight = smoothstep(np.linspace(0.0, 1.0, overlap))
    faded = crossfade(back.apply(rows[end:]), rows[:overlap], weight)
    qpos = np.concatenate([faded, rows[overlap : end + 1]])
    qpos[:, 3:7] = continuous_quats(qpos[:, 3:7])
    if contact is not None:
        faded_contact = fade_contact(contact[end:], contact[:overlap], weight)
        contact = np.concatenate([faded_contact, contact[overlap : end + 1]])
    return replace(motion, qpos=qpos, foot_contact=contact)


def repeat(motion: Motion, count: int) -> Motion:
    """`count` cycles of a periodic clip, each going on where the last one ended.

    The clip's last frame is its first, as `loop` makes it; it occurs once between two
    cycles. T frames become count * (T - 1) + 1.

    Raises:
      MotionError: `count` is no positive integer, or the clip is not periodic.
    """
    motion = validate(motion)
    whole = isinstance(count, int | np.integer)
    require(motion, whole and count >= 1, "count", count, "an integer, 1 or more")
    _require_closed(motion)
    rows, contact = motion.qpos, motion.foot_contact
    parts = [rows]
    for _ in range(count - 1):
        parts.append(move_onto(rows[0], parts[-1][-1]).apply(rows)[1:])
    qpos = np.concatenate(parts)
    qpos[:, 3:7] = continuous_quats(qpos[:, 3:7])
    if contact is not None:
        contact = np.concatenate([contact] + [contact[1:]] * (count - 1))
    return replace(motion, qpos=qpos, foot_contact=contact)


def _require_closed(motion: Motion) -> None:
    """Refuse a clip whose last frame is not its first, but for x, y and yaw."""
    first, last = motion.qpos[0], motion.qpos[-1]
    moved = move_onto(first, last).apply(first[None])[0]
    tilt = quat_to_rotvec(quat_mul(last[None, 3:7], quat_conj(moved[None, 3:7])))
    gaps = np.abs(last - first)[7:]
    found = {name: gap for name, gap in zip(motion.joint_names, gaps, strict=True)}
    found["root height"] = abs(last[2] - first[2])
    found["root roll and pitch"] = np.linalg.norm(tilt)
    worst = max(found, key=lambda what: found[what])
    if found[worst] > _GAP:
        raise MotionError(
            f"{clip_name(motion)}: the last frame is not the first one again, {worst} "
            f"differs by {found[worst]:.3g} (at most {_GAP:g} m or rad); make the clip "
            f"periodic with loop"
        )
