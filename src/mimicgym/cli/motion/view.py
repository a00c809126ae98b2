"""`mimicgym motion view`: play a clip as it is, without physics."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from rich.console import Console

from mimicgym.cli.motion.arguments import ClipArgs, QuatOrder
from mimicgym.cli.motion.output import finding_line
from mimicgym.cli.motion.selection import read_clips
from mimicgym.cli.show import make_console
from mimicgym.envs.screen import has_screen
from mimicgym.errors import UserError
from mimicgym.motion import Motion, load_motion, resample, select_joints
from mimicgym.motion.edit import align_to_ground
from mimicgym.play import save_film, show_window
from mimicgym.robot import Robot, get_robot
from mimicgym.terrain import terrain_from_spec

_FRAME_S = 0.02
_SPEEDS = (0.01, 100.0)
_MOST_PIXELS = 4096


@dataclass(frozen=True)
class ViewArgs(ClipArgs):
    """Play a clip without physics: in a window, or as a film."""

    clip: str | None = None
    """Which of the clips to show, by name; the first by default."""
    video: Path | None = None
    """Save a film (.mp4 or .gif) or a strip of pictures (.png) instead of opening a
    window."""
    speed: float = 1.0
    """Play it so much faster."""
    ground: Literal["none", "constant"] = "none"
    """Whether to put the soles on the floor, by moving the clip as a whole."""
    robot: str = "g1_29dof"
    """Who performs it."""
    ghost: str | None = None
    """A second clip, an embedded one or a file, that is drawn translucent."""
    ghost_fps: float | None = None
    """Frame rate of the ghost, as --fps."""
    ghost_quat_order: QuatOrder | None = None
    """Quaternion order of the ghost, as --quat-order."""
    terrain: str = ""
    """What it stands on, see `mimicgym train --help` at env.terrain.ground; the clip's
    own ground by default."""
    width: int = 640
    """Of a film, in pixels."""
    height: int = 480
    """Of a film, in pixels."""


def view_clip(args: ViewArgs) -> int:
    _check_options(args)
    robot = get_robot(args.robot)
    motion, *others = read_clips(args)
    console = make_console()
    qpos = _poses(motion, motion.name, robot, args, console)
    ghost_qpos = None
    if args.ghost is not None:
        ghost = load_motion(
            args.ghost, fps=args.ghost_fps, quat_order=args.ghost_quat_order
        )
        ghost_qpos = _poses(ghost, f"ghost {ghost.name}", robot, args, console)
        rows = np.arange(max(len(qpos), len(ghost_qpos)))
        # The shorter one holds its last frame.
        qpos = qpos[np.minimum(rows, len(qpos) - 1)]
        ghost_qpos = ghost_qpos[np.minimum(rows, len(ghost_qpos) - 1)]
    if others and args.clip is None:
        names = ", ".join(other.name for other in others)
        console.print(f"not shown: {names}; choose with --clip")
    spec = args.terrain or motion.terrain
    terrain = terrain_from_spec(spec) if spec else None
    if args.video is None:
        show_window(robot, qpos, ghost_qpos, dt_s=_FRAME_S, terrain=terrain)
        return 0
    save_film(
        args.video,
        robot,
        qpos,
        ghost_qpos,
        dt_s=_FRAME_S,
        width=args.width,
        height=args.height,
        terrain=terrain,
    )
    console.print(f"saved {args.video}")
    return 0


def _check_options(args: ViewArgs) -> None:
    if args.video is None and not has_screen():
        raise UserError("there is no display for a window; give --video FILE.mp4")
    slowest, fastest = _SPEEDS
    if not slowest <= args.speed <= fastest:
        raise UserError(
            f"--speed is {args.speed:g}; it must be from {slowest:g} to {fastest:g}"
        )
    for name, pixels in (("width", args.width), ("height", args.height)):
        if not 0 < pixels <= _MOST_PIXELS:
            raise UserError(
                f"--{name} is {pixels}; it must be from 1 to {_MOST_PIXELS} pixels"
            )


def _poses(
    motion: Motion, title: str, robot: Robot, args: ViewArgs, console: Console
) -> np.ndarray:
    """(T, 7+J) coordinates of the robot, one row for each frame of the film."""
    for finding in motion.findings:
        console.print(f"{title}: {finding_line(finding)}")
    if args.ground != "none":
        motion = align_to_ground(motion, args.ground)
    posed, filled = select_joints(motion, robot.joint_names)
    unused = [name for name in motion.joint_names if name not in robot.joint_names]
    seconds = f"{motion.duration_s / args.speed:.2f} s on {robot.name}"
    console.print(f"{title}: {seconds}")
    if filled:
        console.print(f"{title}: the clip lacks {', '.join(filled)}; drawn at 0 rad")
    if unused:
        console.print(f"{title}: fixed on {robot.name}: {', '.join(unused)}")
    return resample(posed, args.speed * _FRAME_S).qpos
