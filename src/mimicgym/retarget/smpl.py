"""SMPL parameters in the layout of AMASS: root position and joint rotations by frame.

Only the rotations are the motion. Where a body model would give this person's own
joints, an average person of our own measures stands in: bone directions are what
retargeting uses, and they depend little on the build.

Layout: N. Mahmood et al., "AMASS: Archive of Motion Capture as Surface Shapes" (2019);
joint order of M. Loper et al., "SMPL: A Skinned Multi-Person Linear Model" (2015).
"""

from pathlib import Path

import numpy as np

from mimicgym.errors import MotionError
from mimicgym.motion.formats.arrays import as_float64, read_arrays
from mimicgym.retarget.matrices import from_rotation_vectors
from mimicgym.retarget.skeleton import (
    MAX_FPS,
    MIN_FPS,
    HumanMotion,
    check_file,
    forward_kinematics,
    frame_range,
)
from mimicgym.retarget.upright import check_height, stand_upright

# Name, parent, offset from the parent in m for an average adult standing with arms
# level; x to the left, y up, z forward. SMPL's 24 joints less the hands, which SMPL+H
# and SMPL-X replace by fingers.
_JOINTS: tuple[tuple[str, int, tuple[float, float, float]], ...] = (
    ("pelvis", -1, (0.0, 0.0, 0.0)),
    ("left_hip", 0, (0.07, -0.09, 0.0)),
    ("right_hip", 0, (-0.07, -0.09, 0.0)),
    ("spine1", 0, (0.0, 0.11, -0.02)),
    ("left_knee", 1, (0.03, -0.40, 0.0)),
    ("right_knee", 2, (-0.03, -0.40, 0.0)),
    ("spine2", 3, (0.0, 0.13, 0.0)),
    ("left_ankle", 4, (-0.01, -0.42, -0.03)),
    ("right_ankle", 5, (0.01, -0.42, -0.03)),
    ("spine3", 6, (0.0, 0.06, 0.02)),
    ("left_foot", 7, (0.03, -0.06, 0.13)),
    ("right_foot", 8, (-0.03, -0.06, 0.13)),
    ("neck", 9, (0.0, 0.21, -0.03)),
    ("left_collar", 9, (0.08, 0.12, -0.02)),
    ("right_collar", 9, (-0.08, 0.12, -0.02)),
    ("head", 12, (0.0, 0.09, 0.05)),
    ("left_shoulder", 13, (0.11, 0.04, -0.01)),
    ("right_shoulder", 14, (-0.11, 0.04, -0.01)),
    ("left_elbow", 16, (0.27, -0.01, -0.02)),
    ("right_elbow", 17, (-0.27, -0.01, -0.02)),
    ("left_wrist", 18, (0.26, 0.01, 0.0)),
    ("right_wrist", 19, (-0.26, 0.01, 0.0)),
)
JOINT_NAMES = tuple(name for name, _, _ in _JOINTS)
PARENTS = tuple(parent for _, parent, _ in _JOINTS)
OFFSET_M = np.array([offset for _, _, offset in _JOINTS])
_HEIGHT_M = 1.7  # of the person with these measures

_WIDTHS = {66: "SMPL body", 72: "SMPL", 156: "SMPL+H", 165: "SMPL-X"}
_RATES = ("mocap_framerate", "mocap_frame_rate")
_KEYS = ("poses", "trans", "betas", *_RATES)


def read_smpl(
    path: Path,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    height_m: float | None = None,
) -> HumanMotion:
    """The person in an AMASS-like `.npz`, or the part of it between two times.

    `trans` is taken as the pelvis; SMPL's pelvis is off that by a constant vector.
    `gender` is not needed, and body shape `betas` are not used.

    Args:
      path: the file.
      start_s, end_s: what to read; None means from its beginning, to its end.
      height_m: how tall the person is; None means average.

    Raises:
      MotionError: a key is missing or has another shape, or values are no numbers. The
        message names the key and what was found.
    """
    check_file(path)
    if height_m is not None:
        check_height(height_m)
    arrays = read_arrays(path, _KEYS)
    rate = next((key for key in _RATES if key in arrays), _RATES[0])
    missing = [key for key in ("poses", "trans", rate) if key not in arrays]
    if missing:
        raise MotionError(
            f"{path}: lacks {', '.join(missing)}; an SMPL motion has poses, trans and "
            f"{' or '.join(_RATES)}; found {', '.join(arrays) or 'none of them'}"
        )
    fps = _frame_rate(path, rate, arrays[rate])
    poses = _numbers(path, "poses", arrays["poses"], tuple(_WIDTHS))
    trans = _numbers(path, "trans", arrays["trans"], (3,))
    if len(poses) != len(trans):
        raise MotionError(
            f"{path}: poses has {len(poses)} frames, trans has {len(trans)}"
        )
    part = frame_range(path, len(poses), fps, start_s, end_s)
    for key, values in (("poses", poses), ("trans", trans)):
        _check_finite(path, key, values[part], part.start)
    frames = part.stop - part.start
    vectors = poses[part, : 3 * len(_JOINTS)].reshape(frames, -1, 3)
    rotation = from_rotation_vectors(vectors)
    build_m = OFFSET_M if height_m is None else OFFSET_M * (height_m / _HEIGHT_M)
    offset = np.repeat(build_m[None], frames, axis=0)
    offset[:, 0] = trans[part]
    pos, rot = forward_kinematics(PARENTS, offset, rotation)
    identity = np.broadcast_to(np.eye(3), (1, len(_JOINTS), 3, 3))
    betas = arrays.get("betas")
    shaped = betas is not None and betas.dtype.kind in "fiu" and bool(np.any(betas))
    motion = HumanMotion(
        name=path.stem,
        path=str(path),
        fps=fps,
        joint_names=JOINT_NAMES,
        parents=PARENTS,
        pos_w=pos,
        rot_w=rot,
        rest_w=forward_kinematics(PARENTS, build_m[None], identity)[0][0],
        warnings=("betas are not used: an average build is assumed",) * shaped,
    )
    return stand_upright(motion)


def _frame_rate(path: Path, key: str, value: np.ndarray) -> float:
    if value.dtype.kind not in "fiu" or value.size != 1:
        raise MotionError(
            f"{path}: {key} holds {value.dtype} of shape {value.shape}; one number is "
            f"needed"
        )
    fps = float(value.reshape(()))
    if not MIN_FPS <= fps <= MAX_FPS:
        raise MotionError(
            f"{path}: {key} is {fps:g}; {MIN_FPS:g} to {MAX_FPS:g} are possible"
        )
    return fps


def _numbers(
    path: Path, key: str, value: np.ndarray, widths: tuple[int, ...]
) -> np.ndarray:
    """(T, W) float64 with one of the widths."""
    if value.dtype.kind not in "fiu":
        raise MotionError(f"{path}: {key} holds {value.dtype}, not numbers")
    if value.ndim != 2 or value.shape[1] not in widths:
        kinds = " or ".join(
            f"(frames, {w}){f' for {_WIDTHS[w]}' if w in _WIDTHS else ''}"
            for w in widths
        )
        raise MotionError(f"{path}: {key} has shape {value.shape}, not {kinds}")
    return as_float64(value)


def _check_finite(path: Path, key: str, values: np.ndarray, first: int) -> None:
    wrong = ~(np.abs(values) <= 1e4)
    if wrong.any():
        frame, column = (int(i) for i in np.argwhere(wrong)[0])
        raise MotionError(
            f"{path}: {key} has {values[frame, column]:g} in frame {first + frame}, "
            f"column {column}"
        )
