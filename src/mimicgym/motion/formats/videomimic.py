"""VideoMimic's retargeted motions, as HDF5 or as a pickle with the same keys.

root_pos (T, 3), root_quat (T, 4) xyzw, joints (T, J), joint_names
link_pos (T, L, 3), link_quat (T, L, 4) xyzw in the world, link_names
contacts/left_foot, contacts/right_foot (T,), fps

In HDF5 the names and fps are attributes, with a leading slash in files that the
simulator of VideoMimic reads and without one in those that its exporter writes. Files
may lack the waist's joints, which are then 0, and hold several people under persons/.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mimicgym.errors import MotionError
from mimicgym.motion.clip import Finding, Motion, validate
from mimicgym.motion.formats import hdf5
from mimicgym.motion.formats.arrays import Fields
from mimicgym.motion.formats.pickles import pickled
from mimicgym.motion.reader import Options, Probe, Reader
from mimicgym.motion.stored_links import compare_links

_NEEDED = ("root_pos", "root_quat", "joints", "joint_names")
_WAIST = ("waist_yaw_joint", "waist_roll_joint", "waist_pitch_joint")
_PERSONS = "persons"


def _is_clip(value: Any) -> bool:
    return isinstance(value, Mapping) and {"root_quat", "joints"} <= set(value)


def _accepts(probe: Probe) -> bool:
    if probe.head.startswith(hdf5.MAGIC):
        return True
    return bool(_clips(pickled(probe)))


def _clips(values: Any) -> dict[str, Mapping[str, Any]]:
    """The clips of a file by name; a file of one clip has one without a name."""
    if _is_clip(values):
        return {"": values}
    persons = values.get(_PERSONS) if isinstance(values, Mapping) else None
    if isinstance(persons, Mapping):
        return {str(name): clip for name, clip in persons.items() if _is_clip(clip)}
    return {}


def _load(probe: Probe) -> dict[str, Mapping[str, Any]]:
    if not probe.head.startswith(hdf5.MAGIC):
        return _clips(pickled(probe))
    values = hdf5.read_hdf5(probe.path)
    if not (clips := _clips(values)):
        found = ", ".join(str(key) for key in list(values)[:12]) or "nothing"
        raise MotionError(
            f"{probe.path}: is HDF5 without {', '.join(_NEEDED[:3])}; found {found}"
        )
    return clips


def _read(probe: Probe, options: Options) -> Motion:
    clips = _load(probe)
    name = options.pick(str(probe.path), tuple(clips))
    at = f"{probe.path}#{name}" if name else str(probe.path)
    fields = Fields(at, clips[name])
    fields.need(*_NEEDED)
    joint_names = fields.texts("joint_names")
    joints = fields.numbers("joints", None, len(joint_names))
    frames = len(joints)
    findings: tuple[Finding, ...] = ()
    missing = [j for j in _WAIST if j not in joint_names
               and j.removesuffix("_joint") not in joint_names]  # fmt: skip
    if missing:
        joint_names += tuple(missing)
        joints = np.concatenate([joints, np.zeros((frames, len(missing)))], axis=1)
        text = f"lacks {', '.join(missing)}, which are 0"
        findings += (Finding("joints-filled", "warning", text),)
    root = fields.numbers("root_pos", frames, 3)
    quats = options.quats_wxyz(fields.numbers("root_quat", frames, 4), "xyzw")
    fps = options.fps
    if fps is None:
        if "fps" not in fields:
            raise MotionError(f"{at}: lacks fps; give fps (--fps)")
        fps = fields.number("fps")
    motion = validate(
        Motion(
            qpos=np.concatenate([root, quats, joints], axis=1),
            fps=fps,
            joint_names=joint_names,
            name=name or _clip_name(probe),
            path=at,
            foot_contact=_contacts(at, clips[name].get("contacts"), frames),
        )
    )
    return replace(motion, findings=findings + _compare(fields, motion))


def _clip_name(probe: Probe) -> str:
    """The folder's, where the file has the name that VideoMimic gives to all."""
    stem = probe.path.stem
    return probe.path.resolve().parent.name if "retarget_poses" in stem else stem


def _contacts(at: str, contacts: Any, frames: int) -> np.ndarray | None:
    if not isinstance(contacts, Mapping):
        return None
    fields = Fields(f"{at}: contacts", contacts)
    fields.need("left_foot", "right_foot")
    feet = [fields.flags(foot, frames) for foot in ("left_foot", "right_foot")]
    return np.stack(feet, axis=1)


def _compare(fields: Fields, motion: Motion) -> tuple[Finding, ...]:
    if "link_pos" not in fields or "link_names" not in fields:
        return ()
    names = tuple(n.removesuffix(".STL") for n in fields.texts("link_names"))
    shape = (motion.num_frames, len(names))
    pos_w = fields.numbers("link_pos", *shape, 3)
    quat_w = None
    if "link_quat" in fields:
        quat_w = fields.numbers("link_quat", *shape, 4)[..., [3, 0, 1, 2]]
    return compare_links(motion, names, pos_w, quat_w)


READER = Reader(
    "VideoMimic .h5 / .pkl",
    _accepts,
    _read,
    lambda probe: tuple(_load(probe)),
    "xyzw",
)
