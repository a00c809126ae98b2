"""One motion clip: what it holds, what makes it usable, which joints it has."""

import math
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from mimicgym.errors import MotionError, closest
from mimicgym.robot import JOINTS_29, WRIST_JOINTS

MIN_FRAMES = 3  # velocities are central differences
_UNIT_TOLERANCE = 1e-2
_LARGEST = 1e4  # m or rad; anything beyond is another unit or a broken file
_ROOT_COLUMNS = ("x", "y", "z", "quaternion w", "x", "y", "z")


LEVELS = ("note", "warning", "error")


@dataclass(frozen=True)
class Finding:
    """Something about a clip that its user should know.

    Attributes:
      code: what it is, such as "joint-limits".
      level: "note" (as expected, but worth a word), "warning" (training may suffer) or
        "error" (the clip is not what it seems, or can not be performed).
      message: one sentence with figures.
      mend: the option or command that would mend it, or "".
    """

    code: str
    level: str
    message: str
    mend: str = ""


@dataclass(frozen=True, eq=False)
class Motion:
    """One clip, in NumPy float64.

    Attributes:
      qpos: (T, 7+J) root position in m, root quaternion wxyz, joints in rad.
      fps: frames per second.
      joint_names: J names, such as "left_knee_joint".
      name: how reports call it, an embedded clip's name or a file's stem.
      source, license, description: as the file has them.
      terrain: the ground it is on, as `mimicgym.terrain.terrain_from_spec` takes it; ""
        for the floor.
      path: the file it came from, or "".
      foot_contact: (T, 2) bool, left and right foot on the ground, if the file says so.
      findings: what was noticed while it was read.
    """

    qpos: np.ndarray
    fps: float
    joint_names: tuple[str, ...]
    name: str
    source: str = ""
    license: str = ""
    description: str = ""
    terrain: str = ""
    path: str = ""
    foot_contact: np.ndarray | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def num_frames(self) -> int:
        return len(self.qpos)

    @property
    def duration_s(self) -> float:
        """Time from the first frame to the last."""
        return (len(self.qpos) - 1) / self.fps


def validate(motion: Motion) -> Motion:
    """The clip with unit quaternions and full joint names, if it can be used at all.

    Raises:
      MotionError: frame rate, shape, joint names, values or quaternions are wrong. The
        message names the file, the field, the first bad frame and the value found.
    """
    at = motion.path or motion.name or "motion"
    fps = float(motion.fps)
    if not (math.isfinite(fps) and fps > 0):
        raise MotionError(f"{at}: fps is {fps:g}; it must be a positive number")
    qpos = np.array(motion.qpos, dtype=np.float64)
    names = _full_names(at, motion.joint_names)
    if qpos.ndim != 2 or qpos.shape[1] != 7 + len(names):
        raise MotionError(
            f"{at}: qpos has shape {qpos.shape}; {len(names)} joint names call for "
            f"(frames, {7 + len(names)}): position 3, quaternion 4, joints"
        )
    if len(qpos) < MIN_FRAMES:
        raise MotionError(
            f"{at}: the clip has {len(qpos)} frames; at least {MIN_FRAMES} are needed"
        )
    _check_values(at, qpos, names)
    norm = np.linalg.norm(qpos[:, 3:7], axis=1)
    bad = np.abs(norm - 1.0) > _UNIT_TOLERANCE
    if bad.any():
        frame = int(bad.argmax())
        raise MotionError(
            f"{at}: the root quaternion of frame {frame} has length {norm[frame]:.4g}, "
            f"not 1 ({np.count_nonzero(bad)} of {len(qpos)} frames are off)"
        )
    qpos[:, 3:7] /= norm[:, None]
    contact = motion.foot_contact
    if contact is not None:
        contact = np.asarray(contact)
        if contact.shape != (len(qpos), 2):
            raise MotionError(
                f"{at}: foot_contact has shape {contact.shape}; ({len(qpos)}, 2) is "
                f"needed: left and right foot"
            )
        contact = contact.astype(bool)
    return replace(motion, qpos=qpos, fps=fps, joint_names=names, foot_contact=contact)


def select_joints(
    motion: Motion, joint_names: tuple[str, ...]
) -> tuple[Motion, tuple[str, ...]]:
    """The clip with exactly these joints, in this order, matched by name.

    Joints of the clip that are not asked for are left out. Wrists that the clip lacks
    (a 23-joint source) are filled with zeros.

    Returns:
      the clip, and the names of the joints that were filled.

    Raises:
      MotionError: the clip lacks a joint that is no wrist.
    """
    at = motion.path or motion.name
    columns = {_full_name(name): 7 + i for i, name in enumerate(motion.joint_names)}
    wanted = tuple(_full_name(name) for name in joint_names)
    filled = tuple(name for name in wanted if name not in columns)
    lost = [name for name in filled if name not in WRIST_JOINTS]
    if lost:
        raise MotionError(
            f"{at}: the clip lacks {', '.join(lost)}; it has "
            f"{', '.join(motion.joint_names)}"
        )
    qpos = np.zeros((len(motion.qpos), 7 + len(wanted)))
    qpos[:, :7] = motion.qpos[:, :7]
    for i, name in enumerate(wanted):
        if name in columns:
            qpos[:, 7 + i] = motion.qpos[:, columns[name]]
    return replace(motion, qpos=qpos, joint_names=wanted), filled


def _full_name(name: str) -> str:
    return name if name.endswith("_joint") else f"{name}_joint"


def _full_names(at: str, joint_names: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(_full_name(str(name)) for name in joint_names)
    for given, name in zip(joint_names, names, strict=True):
        if name not in JOINTS_29:
            near = closest(name, JOINTS_29)
            hint = f"did you mean {near!r}? " if near else ""
            choices = ", ".join(JOINTS_29)
            raise MotionError(
                f"{at}: unknown joint {given!r}; {hint}Choices: {choices}"
            )
    double = [name for name, count in Counter(names).items() if count > 1]
    if double:
        raise MotionError(f"{at}: joint {double[0]!r} is named more than once")
    return names


def _check_values(at: str, qpos: np.ndarray, names: tuple[str, ...]) -> None:
    wrong = ~(np.abs(qpos) <= _LARGEST)  # NaN compares as False
    if not wrong.any():
        return
    frame, column = (int(i) for i in np.argwhere(wrong)[0])
    what = names[column - 7] if column >= 7 else f"root {_ROOT_COLUMNS[column]}"
    frames = np.count_nonzero(wrong.any(axis=1))
    raise MotionError(
        f"{at}: frame {frame} has {qpos[frame, column]:g} for {what} "
        f"({frames} of {len(qpos)} frames have such values)"
    )
