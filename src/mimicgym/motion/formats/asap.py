"""The pickles of ASAP, PBHC and PHC, written with joblib: one clip or many by name.

{name: {"root_trans_offset": (T, 3), "root_rot": (T, 4) xyzw, "dof": (T, 23 or 29),
        "fps": 30, "contact_mask": (T, 2) in PBHC, ...}}
"""

from typing import Any

import numpy as np

from mimicgym.errors import MotionError
from mimicgym.motion.clip import Motion
from mimicgym.motion.formats.arrays import Fields
from mimicgym.motion.formats.joint_columns import joint_names_of
from mimicgym.motion.formats.pickles import pickled
from mimicgym.motion.reader import Options, Probe, Reader

KEYS = ("root_trans_offset", "root_rot", "dof")


def is_clip(value: Any) -> bool:
    return isinstance(value, dict) and "root_trans_offset" in value


def holds_clips(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(map(is_clip, value.values()))


def read_clip(probe: Probe, options: Options, clips: dict[str, Any]) -> Motion:
    names = tuple(str(name) for name in clips)
    name = options.pick(str(probe.path), names)
    at = str(probe.path) if len(names) == 1 else f"{probe.path}#{name}"
    fields = Fields(at, list(clips.values())[names.index(name)])
    fields.need(*KEYS)
    if options.fps is None and "fps" not in fields:
        raise MotionError(f"{at}: lacks fps; give fps (--fps)")
    joints = fields.numbers("dof", None, None)
    root = fields.numbers("root_trans_offset", len(joints), 3)
    quats = fields.numbers("root_rot", len(joints), 4)
    contact = None
    if "contact_mask" in fields:
        contact = fields.flags("contact_mask", len(joints), 2)
    return Motion(
        qpos=np.concatenate([root, options.quats_wxyz(quats, "xyzw"), joints], axis=1),
        fps=options.fps if options.fps is not None else fields.number("fps"),
        joint_names=joint_names_of(at, "dof", joints),
        name=name if len(names) > 1 else probe.path.stem,
        path=at,
        foot_contact=contact,
    )


def _entries(probe: Probe) -> tuple[str, ...]:
    return tuple(str(name) for name in pickled(probe))


READER = Reader(
    "ASAP / PBHC / PHC .pkl",
    lambda probe: holds_clips(pickled(probe)),
    lambda probe, options: read_clip(probe, options, pickled(probe)),
    _entries,
    "xyzw",
)
