"""Unitree's retargeted motions: text, 36 columns, no header.

Root position (3), root quaternion (4), then the 29 joints in MuJoCo's order. The file
says neither its frame rate nor the order of the quaternion: LAFAN1 for the G1 and
g1-moves write xyzw at 30 and 60 Hz, Kimodo wxyz at 30 Hz.
"""

from pathlib import Path

import numpy as np

from mimicgym.errors import MotionError
from mimicgym.motion.clip import Motion
from mimicgym.motion.kinematics import full_qpos
from mimicgym.motion.reader import QUAT_ORDERS, Options, Probe, Reader, Writer
from mimicgym.robot import JOINTS_29
from mimicgym.whole_file import whole_file

COLUMNS = 7 + len(JOINTS_29)


def _accepts(probe: Probe) -> bool:
    line = probe.first_line
    return line is not None and line.count(",") >= 2


def _read(probe: Probe, options: Options) -> Motion:
    path = probe.path
    rows = _parse(probe)
    if options.fps is None or options.quat_order is None:
        missing = {
            "fps, such as 30 (--fps)": options.fps,
            f"quat_order {' or '.join(QUAT_ORDERS)} (--quat-order)": options.quat_order,
        }
        give = " and ".join(what for what, value in missing.items() if value is None)
        raise MotionError(
            f"{path}: a CSV file says neither its frame rate nor the order of its "
            f"quaternion; give {give}"
        )
    qpos = rows.copy()
    qpos[:, 3:7] = options.quats_wxyz(rows[:, 3:7], "xyzw")
    return Motion(
        qpos=qpos,
        fps=options.fps,
        joint_names=JOINTS_29,
        name=path.stem,
        path=str(path),
    )


def _parse(probe: Probe) -> np.ndarray:
    """(T, 36) the numbers of the file."""
    try:
        lines = probe.path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MotionError(f"{probe.path}: can not be read as text: {error}") from error
    numbered = [(i, line) for i, line in enumerate(lines, 1) if line.strip()]
    try:
        rows = np.loadtxt(
            [line for _, line in numbered], delimiter=",", comments=None, ndmin=2
        )
    except ValueError:
        rows = None
    if rows is None or rows.shape[1] != COLUMNS:
        for number, line in numbered:
            _check_line(f"{probe.path}: line {number}", line)
        raise MotionError(f"{probe.path}: is not a table of numbers")
    return rows


def _check_line(at: str, line: str) -> None:
    fields = line.split(",")
    for column, field in enumerate(fields, 1):
        try:
            float(field)
        except ValueError:
            raise MotionError(
                f"{at}, column {column} is {field.strip()[:40]!r}, not a number; the "
                f"file has {COLUMNS} columns of numbers and no header"
            ) from None
    if len(fields) != COLUMNS:
        raise MotionError(
            f"{at} has {len(fields)} columns; {COLUMNS} are needed: position 3, "
            f"quaternion 4, joints {len(JOINTS_29)}"
        )


def _write(motion: Motion, path: Path) -> None:
    """As Unitree does: xyzw, wrists that the clip lacks as 0. The rate is not in it."""
    rows = full_qpos(motion).copy()
    rows[:, 3:7] = rows[:, [4, 5, 6, 3]]
    with whole_file(path) as file:
        np.savetxt(file, rows, fmt="%.9g", delimiter=",")


READER = Reader("Unitree / Kimodo .csv", _accepts, _read)
WRITER = Writer("csv", ".csv", _write)
