"""The format of our own clips: arrays by name in an `.npz` archive.

qpos (T, 7+J)       position in m, quaternion wxyz, joints in rad
fps ()              frames per second
joint_names (J,)    text
source, license, description   text, optional
foot_contact (T, 2) bool, left and right, optional
"""

import os
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mimicgym.errors import MotionError
from mimicgym.motion.clip import Motion, validate
from mimicgym.motion.reader import Options, Probe, Reader

REQUIRED = ("qpos", "fps", "joint_names")
_MAX_BYTES = 2**30  # unpacked; 24 hours at 50 Hz take a quarter of it
_DAMAGE = (
    OSError,
    ValueError,  # arrays of Python objects, too: pickles are not opened
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    RuntimeError,  # an encrypted archive
    OverflowError,
    SyntaxError,
    TypeError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def save_motion(motion: Motion, path: str | os.PathLike[str]) -> None:
    """Write a clip in our format, without loss.

    Raises:
      MotionError: the clip is not usable, or the name does not end in `.npz`.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise MotionError(f"{path}: a motion is saved under a name that ends in .npz")
    motion = validate(motion)
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
    np.savez_compressed(path, **arrays)


def read_arrays(path: Path, keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Those of the arrays `keys` that an `.npz` file has; nothing in it is executed.

    Raises:
      MotionError: it is damaged, too large, or an array holds Python objects.
    """
    key = ""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > _MAX_BYTES:
            raise MotionError(
                f"{path}: unpacks to {size / 2**20:.0f} MiB; at most "
                f"{_MAX_BYTES / 2**20:.0f} MiB are read"
            )
        with np.load(path, allow_pickle=False) as file:
            arrays = {}
            for key in keys:
                if key in file.files:
                    arrays[key] = np.asarray(file[key])
            return arrays
    except MotionError:
        raise
    except _DAMAGE as error:
        what = f"array {key!r}" if key else "the archive"
        raise MotionError(f"{path}: {what} can not be read: {error}") from error


def _accepts(probe: Probe) -> bool:
    return any(name.endswith(".npy") for name in probe.members)


def _read(probe: Probe, options: Options) -> Motion:
    path = probe.path
    optional = ("source", "license", "description", "foot_contact")
    arrays = read_arrays(path, REQUIRED + optional)
    needed = [k for k in REQUIRED if not (k == "fps" and options.fps is not None)]
    missing = [key for key in needed if key not in arrays]
    if missing:
        found = [n.removesuffix(".npy") for n in probe.members if n.endswith(".npy")]
        hint = "; give fps (--fps)" if missing == ["fps"] else ""
        raise MotionError(
            f"{path}: lacks {', '.join(missing)}{hint}; found {', '.join(found[:12])}"
        )
    fps = options.fps if options.fps is not None else _number(path, "fps", arrays)
    return Motion(
        qpos=_numbers(path, "qpos", arrays),
        fps=fps,
        joint_names=_texts(path, "joint_names", arrays),
        name=path.stem,
        source=_text(path, "source", arrays),
        license=_text(path, "license", arrays),
        description=_text(path, "description", arrays),
        path=str(path),
        foot_contact=(
            _numbers(path, "foot_contact", arrays) != 0
            if "foot_contact" in arrays
            else None
        ),
    )


def _numbers(path: Path, key: str, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    value = arrays[key]
    if value.dtype.kind not in "fiub":
        raise MotionError(f"{path}: {key} holds {value.dtype}, not numbers")
    return value.astype(np.float64)


def _number(path: Path, key: str, arrays: Mapping[str, np.ndarray]) -> float:
    value = _numbers(path, key, arrays)
    if value.size != 1:
        raise MotionError(
            f"{path}: {key} has shape {value.shape}; one number is needed"
        )
    return float(value.reshape(()))


def _texts(path: Path, key: str, arrays: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    value = arrays[key]
    if value.dtype.kind == "S":
        value = np.char.decode(value, "utf-8", errors="replace")
    if value.dtype.kind != "U":
        raise MotionError(f"{path}: {key} holds {value.dtype}, not text")
    return tuple(str(text) for text in value.reshape(-1))


def _text(path: Path, key: str, arrays: Mapping[str, np.ndarray]) -> str:
    return " ".join(_texts(path, key, arrays)) if key in arrays else ""


READER = Reader("mimicgym .npz", _accepts, _read)
