"""The format of our own clips: arrays by name in an `.npz` archive.

qpos (T, 7+J)       position in m, quaternion wxyz, joints in rad
fps ()              frames per second
joint_names (J,)    text
source, license, description, terrain   text, optional
foot_contact (T, 2) bool, left and right, optional
height_m, cell_m, origin_xy   the ground under it, optional, see `terrain.arrays`
"""

import os
from pathlib import Path

import numpy as np

from mimicgym.errors import MotionError
from mimicgym.motion.clip import Motion, validate
from mimicgym.motion.formats.arrays import Fields, read_arrays
from mimicgym.motion.reader import Options, Probe, Reader, Writer
from mimicgym.terrain.arrays import HEIGHT_KEYS, field_arrays, field_from_npz
from mimicgym.terrain.field import HeightField
from mimicgym.whole_file import whole_file

REQUIRED = ("qpos", "fps", "joint_names")
_OPTIONAL = ("source", "license", "description", "terrain", "foot_contact")


_HEIGHTS = f"{HEIGHT_KEYS[0]}.npy"


def _accepts(probe: Probe) -> bool:
    return any(name.endswith(".npy") for name in probe.members)


def _read(probe: Probe, options: Options) -> Motion:
    path = probe.path
    fields = Fields(str(path), read_arrays(path, REQUIRED + _OPTIONAL))
    needed = [k for k in REQUIRED if not (k == "fps" and options.fps is not None)]
    missing = [key for key in needed if key not in fields]
    if missing:
        found = [n.removesuffix(".npy") for n in probe.members if n.endswith(".npy")]
        hint = "; give fps (--fps)" if missing == ["fps"] else ""
        raise MotionError(
            f"{path}: lacks {', '.join(missing)}{hint}; found {', '.join(found[:12])}"
        )
    qpos = fields.numbers("qpos")
    if qpos.ndim == 2 and qpos.shape[1] >= 7:
        qpos[:, 3:7] = options.quats_wxyz(qpos[:, 3:7], "wxyz")
    return Motion(
        qpos=qpos,
        fps=options.fps if options.fps is not None else fields.number("fps"),
        joint_names=fields.texts("joint_names"),
        name=path.stem,
        source=fields.text("source"),
        license=fields.text("license"),
        description=fields.text("description"),
        # As a ground, the file itself is what it holds of one.
        terrain=str(path) if _HEIGHTS in probe.members else fields.text("terrain"),
        path=str(path),
        foot_contact=fields.flags("foot_contact") if "foot_contact" in fields else None,
    )


def _write(motion: Motion, path: Path) -> None:
    _save(path, _arrays(motion) | _ground(motion.terrain, path))


def write_with_ground(motion: Motion, ground: HeightField, path: Path) -> None:
    """The clip and, instead of what it says of its own, this ground in one file.

    Raises:
      MotionError: the clip is not usable, or the file can not be written.
    """
    _save(path, _arrays(validate(motion)) | field_arrays(ground))


def _save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    try:
        with whole_file(path) as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
    except OSError as error:
        reason = error.strerror or error
        raise MotionError(f"{path}: can not be written: {reason}") from error


def _arrays(motion: Motion) -> dict[str, np.ndarray]:
    arrays = {
        "qpos": motion.qpos,
        "fps": np.float64(motion.fps),
        "joint_names": np.array(motion.joint_names, dtype=np.str_),
        "source": np.array(motion.source),
        "license": np.array(motion.license),
        "description": np.array(motion.description),
    }
    if motion.foot_contact is not None:
        arrays["foot_contact"] = motion.foot_contact
    return arrays


def _ground(terrain: str, path: Path) -> dict[str, np.ndarray]:
    """What a file says of the ground. Heights go into it, and other files are named as
    seen from its folder, so that they are found again."""
    if not terrain:
        return {}
    if terrain.lower().endswith(".npz"):
        return field_arrays(field_from_npz(terrain))
    file, colon, settings = terrain, "", ""
    if not os.path.isfile(file):
        file, colon, settings = terrain.rpartition(":")
    if file and os.path.isfile(file):
        # As folders really lie: ".." leads out of where a link leads to.
        there, name = os.path.split(file)
        file = os.path.join(os.path.realpath(there), name)
        folder = os.path.realpath(path.parent)
        terrain = os.path.relpath(file, folder) + colon + settings
    return {"terrain": np.array(terrain)}


READER = Reader("mimicgym .npz", _accepts, _read, quat_order="wxyz")
WRITER = Writer("mimicgym", ".npz", _write)
