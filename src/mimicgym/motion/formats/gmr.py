"""The pickles of GMR (general motion retargeting) and GMT: one clip.

{"fps": 30, "root_pos": (T, 3), "root_rot": (T, 4) xyzw, "dof_pos": (T, 23 or 29),
 "local_body_pos": (T, L, 3) in the root's frame or None, "link_body_list": L names}
"""

from dataclasses import replace
from typing import Any

import numpy as np

from mimicgym.errors import MotionError
from mimicgym.motion.clip import Finding, Motion, validate
from mimicgym.motion.formats.arrays import Fields
from mimicgym.motion.formats.joint_columns import joint_names_of
from mimicgym.motion.formats.pickles import pickled
from mimicgym.motion.quaternions import quat_rotate
from mimicgym.motion.reader import Options, Probe, Reader
from mimicgym.motion.stored_links import compare_links


def is_clip(value: Any) -> bool:
    return isinstance(value, dict) and {"root_pos", "root_rot"} <= value.keys()


def read_clip(probe: Probe, options: Options, values: dict[str, Any]) -> Motion:
    at = str(probe.path)
    fields = Fields(at, values)
    fields.need("root_pos", "root_rot", "dof_pos")
    if options.fps is None and "fps" not in fields:
        raise MotionError(f"{at}: lacks fps; give fps (--fps)")
    joints = fields.numbers("dof_pos", None, None)
    frames = len(joints)
    root = fields.numbers("root_pos", frames, 3)
    quats = options.quats_wxyz(fields.numbers("root_rot", frames, 4), "xyzw")
    motion = validate(
        Motion(
            qpos=np.concatenate([root, quats, joints], axis=1),
            fps=options.fps if options.fps is not None else fields.number("fps"),
            joint_names=joint_names_of(at, "dof_pos", joints),
            name=probe.path.stem,
            path=at,
        )
    )
    return replace(motion, findings=_compare(fields, motion))


def _compare(fields: Fields, motion: Motion) -> tuple[Finding, ...]:
    if "local_body_pos" not in fields or "link_body_list" not in fields:
        return ()
    names = fields.texts("link_body_list")
    local = fields.numbers("local_body_pos", motion.num_frames, len(names), 3)
    root_quat = np.repeat(motion.qpos[:, None, 3:7], len(names), axis=1)
    # Numbers that can not be stay such numbers, and are told when compared.
    with np.errstate(over="ignore", invalid="ignore"):
        turned = quat_rotate(root_quat.reshape(-1, 4), local.reshape(-1, 3))
    pos_w = turned.reshape(local.shape) + motion.qpos[:, None, :3]
    return compare_links(motion, names, pos_w)


READER = Reader(
    "GMR / GMT .pkl",
    lambda probe: is_clip(pickled(probe)),
    lambda probe, options: read_clip(probe, options, pickled(probe)),
    quat_order="xyzw",
)
