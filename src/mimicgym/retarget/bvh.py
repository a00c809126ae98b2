"""Motion capture files in the BVH format: a joint tree and its channels by frame.

Format: M. Meredith and S. Maddock, "Motion Capture File Formats Explained" (2001). The
format knows neither units nor which axis is up; both are told from the person in it.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mimicgym.errors import MotionError
from mimicgym.retarget.matrices import about_axis
from mimicgym.retarget.skeleton import (
    MAX_FPS,
    MIN_FPS,
    HumanMotion,
    check_file,
    forward_kinematics,
    frame_range,
)
from mimicgym.retarget.upright import in_metres, stand_upright
from mimicgym.retarget.words import Words

_CHANNELS = tuple(
    f"{axis}{kind}" for kind in ("position", "rotation") for axis in "XYZ"
)
_LARGEST = 1e7  # 10 km in mm
_ROUNDED = 2e-4  # a frame time of 0.0333 s means 30 frames per second, 29.97 does not
_KNOWN = {name.lower(): name for name in _CHANNELS}


@dataclass
class _Joint:
    name: str
    parent: int
    offset: list[float] | None = None
    channels: list[str] = field(default_factory=list)


def read_bvh(
    path: Path,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    height_m: float | None = None,
) -> HumanMotion:
    """The person in a BVH file, or the part of it between two times.

    Args:
      path: the file.
      start_s, end_s: what to read; None means from its beginning, to its end.
      height_m: how tall the person is; None derives it from the file's units.

    Raises:
      MotionError: the file is truncated or damaged, has too few frames or no skeleton
        of a person. The message names the line and what was found there.
    """
    check_file(path)
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    words = Words(path, lines)
    joints = _hierarchy(words)
    words.expect("Frames:")
    frames = words.count("the number of frames")
    words.expect("Frame")
    words.expect("Time:")
    frame_time_s = words.number("the frame time in s")
    if not 1.0 / MAX_FPS <= frame_time_s <= 1.0 / MIN_FPS:
        raise words.error(
            f"{frame_time_s:g} for the frame time; {1.0 / MAX_FPS:g} s to "
            f"{1.0 / MIN_FPS:g} s are possible"
        )
    width = sum(len(joint.channels) for joint in joints)
    rows = _rows(path, lines, words.line, frames, width)
    fps = 1.0 / frame_time_s
    if abs(fps / max(1, round(fps)) - 1.0) < _ROUNDED:
        fps = float(round(fps))
    part = frame_range(path, frames, fps, start_s, end_s)
    channels = _values(path, rows[part], width)
    offset, rotation = _local_poses(joints, channels)
    parents = tuple(joint.parent for joint in joints)
    rest = np.array([joint.offset for joint in joints], dtype=float)[None]
    identity = np.broadcast_to(np.eye(3), (1, len(joints), 3, 3))
    pos, rot = forward_kinematics(parents, offset, rotation)
    motion = HumanMotion(
        name=path.stem,
        path=str(path),
        fps=fps,
        joint_names=tuple(joint.name for joint in joints),
        parents=parents,
        pos_w=pos,
        rot_w=rot,
        rest_w=forward_kinematics(parents, rest, identity)[0][0],
    )
    return stand_upright(in_metres(motion, height_m))


def _hierarchy(words: Words) -> list[_Joint]:
    """The joints, parents before children; ends of chains are joints, too."""
    words.expect("HIERARCHY")
    words.expect("ROOT")
    joints = [_Joint(_name(words), parent=-1)]
    open_joints = [0]
    while open_joints:
        at = open_joints[-1]
        joint = joints[at]
        word = words.expect("OFFSET", "CHANNELS", "JOINT", "End", "}")
        if word == "offset":
            joint.offset = [words.number(f"OFFSET of {joint.name!r}") for _ in range(3)]
        elif word == "channels":
            count = words.count(f"the number of CHANNELS of {joint.name!r}")
            joint.channels = [_channel(words, joint, count) for _ in range(count)]
            if len(set(joint.channels)) < count:
                raise words.error(
                    f"CHANNELS of {joint.name!r} names a channel twice: "
                    f"{' '.join(joint.channels)}"
                )
        elif word == "}":
            if joint.offset is None:
                raise words.error(f"joint {joint.name!r} has no OFFSET")
            open_joints.pop()
        else:
            if word == "end":
                words.expect("Site")
                words.expect("{")
                child = _Joint(f"{joint.name} end", at)
            else:
                child = _Joint(_name(words), at)
            joints.append(child)
            open_joints.append(len(joints) - 1)
    words.expect("MOTION")
    return joints


def _name(words: Words) -> str:
    """A joint's name, which may have spaces, up to the brace."""
    parts = []
    while (word := words.take("a joint's name and {")) != "{":
        parts.append(word)
    if not parts:
        raise words.error("a joint without a name")
    return " ".join(parts)


def _channel(words: Words, joint: _Joint, count: int) -> str:
    word = words.take("a channel")
    if word.lower() not in _KNOWN:
        raise words.error(
            f"{word!r} among the {count} CHANNELS of {joint.name!r}; choices: "
            f"{', '.join(_CHANNELS)}"
        )
    return _KNOWN[word.lower()]


def _rows(
    path: Path, lines: list[str], after: int, frames: int, channels: int
) -> list[tuple[int, str]]:
    """Line number and text of every frame, as many as there should be."""
    numbered = enumerate(lines[after:], after + 1)
    rows = [(number, text) for number, text in numbered if text.strip()]
    if len(rows) != frames:
        last = f"the last is line {rows[-1][0]}" if rows else "there are none"
        raise MotionError(
            f"{path}: Frames says {frames}, but {len(rows)} rows of numbers follow "
            f"({last}); the file may be truncated"
        )
    for number, text in rows:
        width = len(text.split())
        if width != channels:
            raise MotionError(
                f"{path}, line {number}: {width} numbers, but the hierarchy has "
                f"{channels} channels"
            )
    return rows


def _values(path: Path, rows: list[tuple[int, str]], channels: int) -> np.ndarray:
    """(T, C) the channels of some frames."""
    values = np.empty((len(rows), channels))
    for i, (number, text) in enumerate(rows):
        row = text.split()
        try:
            values[i] = row
        except ValueError as error:
            raise MotionError(f"{path}, line {number}: {error}") from error
        wrong = ~(np.abs(values[i]) <= _LARGEST)  # NaN compares as False
        if wrong.any():
            column = int(wrong.argmax())
            raise MotionError(
                f"{path}, line {number}: {row[column]!r} in column {column + 1}; a "
                f"finite number up to {_LARGEST:g} is needed"
            )
    return values


def _local_poses(
    joints: list[_Joint], channels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (T, J, 3) in file units and rotations (T, J, 3, 3) to the parents.

    A position channel takes the place of the OFFSET. Rotation channels are turns about
    axes that the turns before have moved: the first named is the outermost factor.
    """
    frames = len(channels)
    offset = np.empty((frames, len(joints), 3))
    rotation = np.empty((frames, len(joints), 3, 3))
    column = 0
    for j, joint in enumerate(joints):
        offset[:, j] = joint.offset
        rotation[:, j] = np.eye(3)
        for channel in joint.channels:
            axis = "XYZ".index(channel[0])
            if channel.endswith("position"):
                offset[:, j, axis] = channels[:, column]
            else:
                turn = about_axis(axis, np.deg2rad(channels[:, column]))
                rotation[:, j] = rotation[:, j] @ turn
            column += 1
    return offset, rotation
