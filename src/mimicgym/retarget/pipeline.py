"""From a file with a person's motion to a clip for the robot."""

import math
import os
from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np

from mimicgym.assets import asset_path
from mimicgym.errors import MotionError, UserError
from mimicgym.motion import Motion, validate
from mimicgym.motion.clip import MIN_FRAMES
from mimicgym.motion.reader import probe
from mimicgym.retarget.body import Body, find_body, resample_body
from mimicgym.retarget.bvh import read_bvh
from mimicgym.retarget.feet import ground, lock
from mimicgym.retarget.proportions import load_model, measure
from mimicgym.retarget.reach import lower_pelvis
from mimicgym.retarget.report import RetargetReport, measure_motion
from mimicgym.retarget.skeleton import HumanMotion
from mimicgym.retarget.smpl import read_smpl
from mimicgym.retarget.solve import solve_frames
from mimicgym.retarget.targets import scale_body
from mimicgym.robot import JOINTS_29

_MAX_FPS = 1000.0


def retarget_file(
    path: str | os.PathLike[str],
    *,
    fps: float | None = 50.0,
    height_m: float | None = None,
    lock_feet: bool = True,
    start_s: float | None = None,
    end_s: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Motion, RetargetReport]:
    """The motion of a person in a file, as the G1 with 29 joints would make it.

    The clip begins over the origin and faces along x; standing feet are on z = 0.

    Args:
      path: a BVH file, or an `.npz` with SMPL parameters as AMASS has them.
      fps: frames per second of the clip; None keeps the file's.
      height_m: how tall the person is; None derives it from the file's units, or takes
        an average.
      lock_feet: hold feet in place while they stand.
      start_s, end_s: which part of the file; None means from its beginning, to its end.
      progress: called with the number of frames solved and of all frames.

    Returns:
      the clip, with foot contacts, and how well it follows the person.

    Raises:
      MotionError: the file can not be used; the message says where and why.
      UserError: an argument can not be used, or the extra `retarget` is missing.
    """
    if fps is not None and not (math.isfinite(fps) and 1.0 <= fps <= _MAX_FPS):
        raise UserError(f"fps is {fps}; it must be 1 to {_MAX_FPS:g}, or None")
    human = _read(Path(path), height_m=height_m, start_s=start_s, end_s=end_s)
    body = find_body(human)
    if fps is not None:
        body = resample_body(body, fps)
    frames = len(body.points_w)
    if frames < MIN_FRAMES:
        raise MotionError(
            f"{path}: {frames} frames are left at {body.fps:g} frames per second; at "
            f"least {MIN_FRAMES} are needed"
        )
    model = load_model()
    robot = measure(model)
    targets, standing = ground(scale_body(body, robot), robot)
    if lock_feet:
        targets, standing = lock(targets, standing, robot)
    targets = lower_pelvis(targets, standing, robot)
    qpos = solve_frames(model, targets, standing, robot, progress)
    report = measure_motion(
        qpos,
        targets,
        standing,
        robot,
        mujoco.MjModel.from_xml_path(str(asset_path("g1", "g1.xml"))),
        human.warnings + _facing_warnings(body.part("toe") - body.part("ankle"), body),
    )
    motion = Motion(
        qpos=qpos,
        fps=body.fps,
        joint_names=JOINTS_29,
        name=human.name,
        source=f"retargeted from {Path(path).name}",
        path=str(path),
        foot_contact=standing,
    )
    return validate(motion), report


def _read(
    path: Path,
    *,
    height_m: float | None,
    start_s: float | None,
    end_s: float | None,
) -> HumanMotion:
    """The person in a file of either format, told by content, else by its name."""
    look = probe(path)
    first = (look.first_line or "").strip().upper()
    if first.startswith("HIERARCHY") or path.suffix.lower() == ".bvh":
        read = read_bvh
    elif look.members:
        read = read_smpl
    else:
        raise MotionError(
            f"{path}: neither a BVH file, which begins with HIERARCHY, nor an .npz "
            f"with SMPL's poses and trans; it begins with {first[:40]!r}"
        )
    return read(path, height_m=height_m, start_s=start_s, end_s=end_s)


def _facing_warnings(forward: np.ndarray, body: Body) -> tuple[str, ...]:
    """What to say if the toes (T, 2, 3) point where the back is."""
    along = (forward.mean(axis=1) * body.pelvis_w[:, :, 0]).sum(axis=1).mean()
    if along > 0.0:
        return ()
    return ("the feet point backwards; left and right may be swapped in the file",)
