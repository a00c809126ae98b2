"""Two clips one after the other."""

from dataclasses import replace

import numpy as np

from mimicgym.errors import MotionError
from mimicgym.motion.clip import Motion, select_joints, validate
from mimicgym.motion.edit.arguments import clip_name, require_blend
from mimicgym.motion.edit.crossfade import crossfade, fade_contact, smoothstep
from mimicgym.motion.edit.placement import move_onto
from mimicgym.motion.quaternions import continuous_quats
from mimicgym.motion.resample import resample

_SAME_RATE = 1e-6


def blend(a: Motion, b: Motion, blend_s: float, *, resample_b: bool = False) -> Motion:
    """`a`, fading into `b` during `a`'s last and `b`'s first `blend_s` seconds.

    `b` is moved along the floor so that the frames in the middle of the overlap meet;
    its heights stay. Joints are matched by name and have `a`'s order. The result
    lasts as long as both less `blend_s`. Its name, source, license, description and
    findings are made of both clips'; it has foot contacts if both have them.

    Args:
      a, b: clips with the same joints.
      blend_s: length of the overlap in seconds.
      resample_b: bring `b` to `a`'s frame rate if it has another one.

    Raises:
      MotionError: other joints, another frame rate without `resample_b`, or `blend_s`
        is less than a frame or longer than one of the clips.
    """
    a, b = validate(a), validate(b)
    b = _same_rate(a, _same_joints(a, b), resample_b)
    overlap = require_blend(a, blend_s, min(a.duration_s, b.duration_s))
    start = a.num_frames - overlap
    middle = overlap // 2
    move = move_onto(b.qpos[middle], a.qpos[start + middle])
    rows_b = move.apply(b.qpos)
    weight = smoothstep(np.linspace(0.0, 1.0, overlap))
    faded = crossfade(a.qpos[start:], rows_b[:overlap], weight)
    qpos = np.concatenate([a.qpos[:start], faded, rows_b[overlap:]])
    qpos[:, 3:7] = continuous_quats(qpos[:, 3:7])
    contact = None
    if a.foot_contact is not None and b.foot_contact is not None:
        faded_contact = fade_contact(
            a.foot_contact[start:], b.foot_contact[:overlap], weight
        )
        contact = np.concatenate(
            [a.foot_contact[:start], faded_contact, b.foot_contact[overlap:]]
        )
    return replace(
        a,
        qpos=qpos,
        foot_contact=contact,
        name=_both(a.name, b.name, "+"),
        source=_both(a.source, b.source, "; "),
        license=_both(a.license, b.license, "; "),
        description=_both(a.description, b.description, "; "),
        path="",
        findings=tuple(dict.fromkeys(a.findings + b.findings)),
    )


def _same_joints(a: Motion, b: Motion) -> Motion:
    """`b` with its joints in the order of `a`'s."""
    only_a = sorted(set(a.joint_names) - set(b.joint_names))
    only_b = sorted(set(b.joint_names) - set(a.joint_names))
    if only_a or only_b:
        lacks = [
            f"{clip_name(clip)} lacks {', '.join(names)}"
            for clip, names in ((a, only_b), (b, only_a))
            if names
        ]
        raise MotionError(
            f"{clip_name(a)}: b must have the same joints, but {' and '.join(lacks)}"
        )
    return select_joints(b, a.joint_names)[0]


def _same_rate(a: Motion, b: Motion, resample_b: bool) -> Motion:
    """`b` at the frame rate of `a`."""
    if abs(b.fps - a.fps) <= _SAME_RATE * a.fps:
        return b
    if not resample_b:
        raise MotionError(
            f"{clip_name(a)}: b ({clip_name(b)}) has {b.fps:g} frames per second; it "
            f"must have {a.fps:g}, or be resampled (resample_b)"
        )
    return replace(resample(b, 1.0 / a.fps), fps=a.fps)


def _both(a: str, b: str, separator: str) -> str:
    """Two texts, each once."""
    return separator.join(dict.fromkeys(text for text in (a, b) if text))
