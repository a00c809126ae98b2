"""ProtoMotions' `.motion`: a zip archive as torch.save writes it, read without torch.

dof_pos (T, 29), dof_vel, rigid_body_pos (T, 33, 3), rigid_body_rot (T, 33, 4) xyzw with
the pelvis first, rigid_body_contacts (T, 33), fps

The archive holds data.pkl, which names each tensor's storage, and the storages' bytes.
The file does not name its bodies; they are matched with ours by where they are.
"""

import math
import zipfile
from dataclasses import replace
from typing import Any

import numpy as np

from mimicgym.errors import MotionError
from mimicgym.motion.clip import Finding, Motion, validate
from mimicgym.motion.formats.arrays import MAX_BYTES, Fields
from mimicgym.motion.formats.joint_columns import joint_names_of
from mimicgym.motion.formats.unpickler import DAMAGE, Forbidden, PlainUnpickler, ordered
from mimicgym.motion.kinematics import (
    body_names,
    full_qpos,
    link_poses,
    spread_frames,
)
from mimicgym.motion.reader import Options, Probe, Reader
from mimicgym.motion.stored_links import IMPOSSIBLE_LINKS, can_be, compare_velocities

_STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "|b1",
}
_FEET = ("left_ankle_roll_link", "right_ankle_roll_link")
_FRAMES = 40
_APART_M = 0.01


class _Label:
    """Stands for an enumeration's value, which a motion has no use for."""

    def __init__(self, *arguments: Any):
        del arguments


def _tensor(storage: Any, offset: int, size: tuple, stride: tuple, *rest: Any) -> Any:
    """What torch makes of a storage; the strides must stay inside it."""
    del rest
    if not isinstance(storage, np.ndarray) or len(size) != len(stride):
        raise ValueError("a tensor without a storage")
    if offset < 0 or any(n < 0 for n in (*size, *stride)):
        raise ValueError(f"a tensor of size {size}, stride {stride}")
    if math.prod(size) * 8 > MAX_BYTES:
        raise ValueError(f"a tensor of size {size}")
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if math.prod(size) and last >= len(storage):
        raise ValueError(f"a tensor of size {size} in a storage of {len(storage)}")
    strides = tuple(s * storage.itemsize for s in stride)
    # No copy: many tensors of no stride would be larger than the file by far.
    return np.lib.stride_tricks.as_strided(
        storage[offset:], size, strides, writeable=False
    )


class _Unpickler(PlainUnpickler):
    def __init__(self, archive: zipfile.ZipFile, folder: str):
        super().__init__(archive.read(f"{folder}data.pkl"))
        self._archive, self._folder = archive, folder

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in _STORAGES:
            return name
        if (module, name) == ("collections", "OrderedDict"):
            return ordered
        if module.startswith("protomotions.") and name == "StateConversion":
            return _Label
        raise Forbidden(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> np.ndarray:
        kind, storage, key, _, count = pid
        texts = all(isinstance(x, str) for x in (kind, storage, key))
        if not texts or not isinstance(count, int) or kind != "storage":
            raise Forbidden("an unknown kind of storage")
        if storage not in _STORAGES or not key.isalnum():
            raise Forbidden("an unknown kind of storage")
        data = self._archive.read(f"{self._folder}data/{key}")
        dtype = np.dtype(_STORAGES[storage])
        if len(data) != count * dtype.itemsize:
            raise ValueError(f"storage {key} has {len(data)} bytes for {count} numbers")
        return np.frombuffer(data, dtype)


def _folder(probe: Probe) -> str | None:
    ends = [n for n in probe.members if n == "data.pkl" or n.endswith("/data.pkl")]
    return ends[0].removesuffix("data.pkl") if len(ends) == 1 else None


def read_fields(probe: Probe) -> dict[str, Any]:
    """The tensors and values of a file by name."""
    try:
        with zipfile.ZipFile(probe.path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                raise MotionError(
                    f"{probe.path}: unpacks to more than {MAX_BYTES / 2**20:.0f} MiB"
                )
            values = _Unpickler(archive, _folder(probe) or "").load()
    except MotionError:
        raise
    except Forbidden as error:
        raise MotionError(
            f"{probe.path}: asks for {error}; only tensors and plain containers are "
            f"read"
        ) from None
    except (*DAMAGE, zipfile.BadZipFile, RuntimeError) as error:
        raise MotionError(f"{probe.path}: can not be read: {error}") from error
    if not isinstance(values, dict):
        raise MotionError(f"{probe.path}: holds a {type(values).__name__}, not fields")
    return values


def _read(probe: Probe, options: Options) -> Motion:
    at = str(probe.path)
    fields = Fields(at, read_fields(probe))
    fields.need("dof_pos", "rigid_body_pos", "rigid_body_rot")
    if options.fps is None and "fps" not in fields:
        raise MotionError(f"{at}: lacks fps; give fps (--fps)")
    joints = fields.numbers("dof_pos", None, None)
    frames = len(joints)
    link_pos_w = fields.numbers("rigid_body_pos", frames, None, 3)
    link_quat_w = fields.numbers("rigid_body_rot", frames, None, 4)
    if not link_pos_w.shape[1] or not link_quat_w.shape[1]:
        raise MotionError(f"{at}: rigid_body_pos has no body; the pelvis is needed")
    quats = options.quats_wxyz(link_quat_w[:, 0], "xyzw")
    motion = validate(
        Motion(
            qpos=np.concatenate([link_pos_w[:, 0], quats, joints], axis=1),
            fps=options.fps if options.fps is not None else fields.number("fps"),
            joint_names=joint_names_of(at, "dof_pos", joints),
            name=probe.path.stem,
            path=at,
        )
    )
    columns, findings = _match(motion, link_pos_w)
    contact = None
    if "rigid_body_contacts" in fields and all(foot in columns for foot in _FEET):
        touching = fields.flags("rigid_body_contacts", *link_pos_w.shape[:2])
        contact = touching[:, [columns[foot] for foot in _FEET]]
    if "dof_vel" in fields:
        dof_vel = fields.numbers("dof_vel", frames, None)
        findings += compare_velocities(motion, dof_vel)
    return replace(motion, foot_contact=contact, findings=findings)


def _match(
    motion: Motion, link_pos_w: np.ndarray
) -> tuple[dict[str, int], tuple[Finding, ...]]:
    """Our bodies' columns among the file's, each the one that keeps nearest to it."""
    frames = spread_frames(motion.num_frames, _FRAMES)
    if not can_be(link_pos_w[frames]):
        return {}, (IMPOSSIBLE_LINKS,)
    ours_w, _ = link_poses(full_qpos(motion)[frames])
    apart = np.linalg.norm(ours_w[:, :, None] - link_pos_w[frames][:, None], axis=-1)
    apart_m = apart.max(axis=0)
    nearest = apart_m.min(axis=1)
    columns = {
        name: int(apart_m[i].argmin())
        for i, name in enumerate(body_names())
        if nearest[i] <= _APART_M
    }
    if len(columns) == len(nearest):
        return columns, ()
    worst = int(nearest.argmax())
    message = (
        f"no body of the file is within 1 cm of where its joints put "
        f"{body_names()[worst]} (the nearest keeps within "
        f"{100 * nearest[worst]:.1f} cm; "
        f"{len(nearest) - len(columns)} of {len(nearest)} links differ)"
    )
    return columns, (Finding("links-differ", "warning", message),)


READER = Reader(
    "ProtoMotions .motion",
    lambda probe: _folder(probe) is not None,
    _read,
    quat_order="xyzw",
)
