"""Show how a policy performs a clip: as a video, a strip of pictures or in a window."""

import time
from pathlib import Path

import numpy as np

from mimicgym.envs.render import Renderer
from mimicgym.envs.window import Window
from mimicgym.errors import UserError
from mimicgym.robot import Robot
from mimicgym.terrain.field import HeightField

SUFFIXES = (".mp4", ".gif", ".png")


def save_film(
    path: Path,
    robot: Robot,
    qpos: np.ndarray,
    ghost_qpos: np.ndarray | None,
    *,
    dt_s: float,
    width: int = 640,
    height: int = 480,
    terrain: HeightField | None = None,
) -> None:
    """Save a performance; the suffix says how.

    Args:
      path: .mp4 (needs the extra mimicgym[video]), .gif, or .png for a strip of six
        moments side by side.
      qpos, ghost_qpos: (T, 7+J), one row for each control step.
      dt_s: control step.
      width, height: of a film, in pixels.
      terrain: what the robot stands on; a plane if None.
    """
    if path.suffix not in SUFFIXES:
        raise UserError(
            f"can not film to {path}: choose a name that ends in {', '.join(SUFFIXES)}"
        )
    if not path.parent.is_dir():
        raise UserError(f"can not film to {path}: there is no folder {path.parent}")
    if path.suffix == ".png":
        rows = np.linspace(0, len(qpos) - 1, 6).round().astype(int)
        renderer = Renderer(robot, width=320, height=480, terrain=terrain)
        frames = [_frame(renderer, qpos, ghost_qpos, i) for i in rows]
        renderer.close()
        from PIL import Image

        Image.fromarray(np.concatenate(frames, axis=1)).save(path)
        return
    # Films play at 50 frames a second at most; GIFs store whole hundredths.
    stride = max(1, round(0.04 / dt_s)) if path.suffix == ".gif" else 1
    renderer = Renderer(robot, width=width, height=height, terrain=terrain)
    frames = [
        _frame(renderer, qpos, ghost_qpos, i) for i in range(0, len(qpos), stride)
    ]
    renderer.close()
    if path.suffix == ".gif":
        _save_gif(path, frames, stride * dt_s)
    else:
        _save_mp4(path, frames, round(1 / dt_s))


def show_window(
    robot: Robot,
    qpos: np.ndarray,
    ghost_qpos: np.ndarray | None,
    *,
    dt_s: float,
    terrain: HeightField | None = None,
) -> None:
    """Play in a window, over and over, until it is closed."""
    window = Window(robot, terrain)
    row = 0
    while window.is_open:
        began = time.perf_counter()
        window.draw(qpos[row], None if ghost_qpos is None else ghost_qpos[row])
        row = (row + 1) % len(qpos)
        time.sleep(max(0.0, dt_s - (time.perf_counter() - began)))


def _frame(
    renderer: Renderer, qpos: np.ndarray, ghost_qpos: np.ndarray | None, row: int
) -> np.ndarray:
    return renderer.frame(qpos[row], None if ghost_qpos is None else ghost_qpos[row])


def _save_gif(path: Path, frames: list[np.ndarray], frame_s: float) -> None:
    from PIL import Image

    images = [Image.fromarray(frame) for frame in frames]
    images[0].save(
        path,
        save_all=True,
        append_images=images[1:],
        duration=round(1000 * frame_s),
        loop=0,
    )


def _save_mp4(path: Path, frames: list[np.ndarray], fps: int) -> None:
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise UserError(
            "writing .mp4 needs imageio-ffmpeg: pip install 'mimicgym[video]', or film"
            " to a .gif"
        ) from error
    height, width = frames[0].shape[:2]
    writer = imageio_ffmpeg.write_frames(
        str(path), (width, height), fps=fps, quality=8, macro_block_size=2
    )
    writer.send(None)
    for frame in frames:
        writer.send(np.ascontiguousarray(frame))
    writer.close()
