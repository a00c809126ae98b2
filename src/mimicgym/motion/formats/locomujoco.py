"""LocoMuJoCo's trajectories: `.npz` with the robot's coordinates by joint names.

qpos (T, N), joint_names with the free joint first, jnt_type, frequency
split_points (C+1,): where each of several trajectories starts
xpos, xquat (T, B, 3), (T, B, 4) wxyz, body_names

Other arrays of such files can hold Python objects; they are not opened.
"""

from dataclasses import replace

import numpy as np

from mimicgym.errors import MotionError
from mimicgym.motion.clip import Motion, validate
from mimicgym.motion.formats.arrays import Fields, read_arrays
from mimicgym.motion.reader import Options, Probe, Reader
from mimicgym.motion.stored_links import compare_links

_NEEDED = ("qpos", "joint_names", "jnt_type")
_KEYS = (*_NEEDED, "frequency", "split_points", "xpos", "xquat", "body_names")
_FREE, _HINGES = 0, (2, 3)  # mjtJoint: free 0, ball 1, slide 2, hinge 3


def _accepts(probe: Probe) -> bool:
    return {f"{key}.npy" for key in _NEEDED} <= set(probe.members)


def _fields(probe: Probe) -> Fields:
    try:
        arrays = read_arrays(probe.path, _KEYS)
    except MotionError:
        # Without body names, LocoMuJoCo stores None there, which is an object.
        arrays = read_arrays(probe.path, _KEYS[:5])
    return Fields(str(probe.path), arrays)


def _splits(fields: Fields, frames: int) -> np.ndarray:
    if "split_points" not in fields:
        return np.array([0, frames])
    splits = fields.integers("split_points", None)
    if len(splits) < 2 or np.any(np.diff(splits) <= 0) or splits[0] < 0:
        raise MotionError(f"{fields.at}: split_points are {splits[:8]}; they must rise")
    if splits[-1] > frames:
        raise MotionError(
            f"{fields.at}: split_points end at {splits[-1]}, past {frames} frames"
        )
    return splits


def _entries(probe: Probe) -> tuple[str, ...]:
    fields = _fields(probe)
    count = len(_splits(fields, len(fields.numbers("qpos", None, None)))) - 1
    return tuple(str(i) for i in range(count)) if count > 1 else ("",)


def _read(probe: Probe, options: Options) -> Motion:
    at = str(probe.path)
    fields = _fields(probe)
    qpos = fields.numbers("qpos", None, None)
    names = fields.texts("joint_names")
    types = fields.integers("jnt_type", len(names))
    if not len(names) or types[0] != _FREE or any(t not in _HINGES for t in types[1:]):
        raise MotionError(
            f"{at}: joint types are {types.tolist()[:8]}; a free joint (0) and then "
            f"hinges (3) are needed"
        )
    if qpos.shape[1] != 6 + len(names):
        raise MotionError(
            f"{at}: qpos has {qpos.shape[1]} columns; {len(names)} joints have "
            f"{6 + len(names)}"
        )
    splits = _splits(fields, len(qpos))
    entry = options.pick(at, _entries(probe))
    part = int(entry or 0)
    rows = slice(splits[part], splits[part + 1])
    qpos = qpos[rows]
    qpos[:, 3:7] = options.quats_wxyz(qpos[:, 3:7], "wxyz")
    if options.fps is None and "frequency" not in fields:
        raise MotionError(f"{at}: lacks frequency; give fps (--fps)")
    motion = validate(
        Motion(
            qpos=qpos,
            fps=options.fps if options.fps is not None else fields.number("frequency"),
            joint_names=names[1:],
            name=f"{probe.path.stem}_{entry}" if entry else probe.path.stem,
            path=f"{at}#{entry}" if entry else at,
        )
    )
    if not ("xpos" in fields and "body_names" in fields):
        return motion
    links = fields.texts("body_names")
    pos_w = fields.numbers("xpos", None, len(links), 3)[rows]
    if len(pos_w) != motion.num_frames:
        return motion
    return replace(motion, findings=compare_links(motion, links, pos_w))


READER = Reader("LocoMuJoCo .npz", _accepts, _read, _entries, "wxyz")
