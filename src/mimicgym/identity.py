"""What a checkpoint belongs to: settings, robot, engine, and the content of its clips,
grounds and teachers.

Training goes on from a checkpoint only where all of that is the same. Packages may
differ, which is told: results are then no longer the same to the bit.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from mimicgym.configs import difference, from_dict, to_dict
from mimicgym.envs.tracking import TrackingEnv
from mimicgym.errors import UserError
from mimicgym.motion import Library, Motion
from mimicgym.ppo import Teacher
from mimicgym.run import RunConfig, versions
from mimicgym.terrain.field import HeightField

_SHOWN = 12  # digits of a hash, in messages


def identity(
    config: RunConfig,
    env: TrackingEnv,
    library: Library,
    teachers: Sequence[Teacher] = (),
) -> dict[str, Any]:
    """What checkpoints of a run say of themselves, in JSON types.

    env, library, teachers: made from `config`.
    """
    return {
        "config": to_dict(config),
        "versions": versions(),
        "robot": config.env.robot,
        "engine": env.engine.name,
        "motions": [
            {"name": motion.name, "sha256": motion_hash(motion), "weight": weight}
            for motion, weight in zip(library.motions, library.weights, strict=True)
        ],
        "terrain": terrain_hash(env.engine.model.terrain),
        "teachers": [teacher_hash(teacher) for teacher in teachers],
    }


def check_identity(
    there: Mapping[str, Any], here: Mapping[str, Any], where: str
) -> list[str]:
    """Notes on what differs between a checkpoint and what would go on from it.

    Args:
      there: the checkpoint's `identity`; what an old one lacks is not looked at.
      here: that of the run.
      where: what errors call the checkpoint.

    Raises:
      UserError: something differs that makes it another training.
    """
    found: list[str] = []
    if "config" in there:
        a, b = (from_dict(RunConfig, data["config"]) for data in (there, here))
        found += difference(a, b)
    for name in ("robot", "engine"):
        if name in there and there[name] != here[name]:
            found.append(f"{name}: {there[name]!r}, {here[name]!r}")
    if "motions" in there:
        found += _other_motions(there["motions"], here["motions"])
    if "terrain" in there and there["terrain"] != here["terrain"]:
        sides = (_short(x["terrain"]) for x in (there, here))
        found.append(f"content of the ground: {', '.join(sides)}")
    for a, b in zip(there.get("teachers", ()), here["teachers"], strict=False):
        if a != b:
            found.append(f"weights of a teacher: {_short(a)}, {_short(b)}")
    if found:
        raise UserError(
            f"{where} belongs to another training (setting: there, here):"
            f" {'; '.join(found)}"
        )
    return _other_versions(there.get("versions", {}), here["versions"])


def motion_hash(motion: Motion) -> str:
    """SHA-256 of what is trained on: positions, frame rate, joints, contacts."""
    text = repr((float(motion.fps), motion.joint_names))
    found = hashlib.sha256(text.encode())
    _add(found, np.asarray(motion.qpos, np.float64))
    if motion.foot_contact is not None:
        _add(found, np.asarray(motion.foot_contact, bool))
    return found.hexdigest()


def terrain_hash(field: HeightField | None) -> str | None:
    """SHA-256 of heights and where they are; None for the plane."""
    if field is None:
        return None
    found = hashlib.sha256(repr(float(field.cell_m)).encode())
    _add(found, np.asarray(field.origin_xy, np.float64))
    _add(found, np.asarray(field.height_m, np.float32))
    return found.hexdigest()


def teacher_hash(teacher: Teacher) -> str:
    """SHA-256 of its weights and of the numbers that it sees."""
    found = hashlib.sha256()
    for x in jax.tree.leaves(teacher):
        _add(found, np.asarray(x))
    return found.hexdigest()


def _add(found: Any, array: np.ndarray) -> None:
    # Little-endian, so that a hash is the same on any machine.
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    found.update(repr(array.shape).encode() + array.tobytes())


def _other_motions(
    there: list[dict[str, Any]], here: list[dict[str, Any]]
) -> list[str]:
    if len(there) != len(here):
        return [f"number of clips: {len(there)}, {len(here)}"]
    found = []
    for number, (a, b) in enumerate(zip(there, here, strict=True), 1):
        for key in ("name", "weight"):
            if a[key] != b[key]:
                found.append(f"{key} of clip {number}: {a[key]!r}, {b[key]!r}")
        if a["sha256"] != b["sha256"]:
            sides = f"{_short(a['sha256'])}, {_short(b['sha256'])}"
            found.append(f"content of clip {a['name']!r}: {sides}")
    return found


def _other_versions(there: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    changed = [
        f"{name} {there[name]}, here {here.get(name, 'not installed')}"
        for name in there
        if there[name] != here.get(name)
    ]
    if not changed:
        return []
    return [
        f"the run was saved with {'; '.join(changed)}: going on is not the same to the"
        " bit as not having stopped"
    ]


def _short(sha256: str | None) -> str:
    return "flat" if sha256 is None else sha256[:_SHOWN]
