"""The format of our own clips: arrays by name in an `.npz` archive.

qpos (T, 7+J)       position in m, quaternion wxyz, joints in rad
fps ()              frames per second
joint_names (J,)    text
source, license, description, terrain   text, optional
foot_contact (T, 2) bool, left and right, optional
"""

from pathlib import Path

import numpy as np

from mimicgym.errors import MotionError
from mimicgym.motion.clip import Motion
from mimicgym.motion.formats.arrays import Fields, read_arrays
from mimicgym.motion.reader import Options, Probe, Reader, Writer

REQUIRED = ("qpos", "fps", "joint_names")
_OPTIONAL = ("source", "license", "description", "terrain", "foot_contact")


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
        terrain=fields.text("terrain"),
        path=str(path),
        foot_contact=(
            fields.numbers("foot_contact") != 0 if "foot_contact" in fields else None
        ),
    )


def _write(motion: Motion, path: Path) -> None:
    arrays = {
        "qpos": motion.qpos,
        "fps": np.float64(motion.fps),
        "joint_names": np.array(motion.joint_names, dtype=np.str_),
        "source": np.array(motion.source),
        "license": np.array(motion.license),
        "description": np.array(motion.description),
    }
    if motion.terrain:
        arrays["terrain"] = np.array(motion.terrain)
    if motion.foot_contact is not None:
        arrays["foot_contact"] = motion.foot_contact
    np.savez_compressed(path, **arrays)


READER = Reader("mimicgym .npz", _accepts, _read)
WRITER = Writer("mimicgym", ".npz", _write)
