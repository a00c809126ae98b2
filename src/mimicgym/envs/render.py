"""Pictures of the robot, with its reference as a translucent ghost."""

import contextlib
import os
import sys

import mujoco
import numpy as np

from mimicgym.envs.screen import has_screen
from mimicgym.errors import UserError
from mimicgym.robot import Robot, build_model
from mimicgym.terrain.field import HeightField

GHOST_RGBA = (0.25, 0.65, 1.0, 0.35)
# A little smaller than the robot, so that it shows where the two differ and does not
# flicker where they coincide.
_GHOST_SCALE = 0.94
_VISUAL_GROUP = 2
# Azimuth, elevation (deg) and distance (m). From ahead, steps that go up are one plane;
# from the side and a little behind they show.
_ON_PLANE = (140.0, -12.0, 2.6)
_ON_TERRAIN = (70.0, -18.0, 2.9)
# The camera's height is that of the ground all about the robot: it would jump on steps.
_ABOUT_M = np.stack(np.meshgrid(*[np.linspace(-0.6, 0.6, 13)] * 2), axis=-1)


class Renderer:
    """Draws one robot off screen.

    Args:
      robot: what to draw; the model with its looks is compiled here, apart from the
        simulation's.
      width, height: of a frame in pixels.
      terrain: what it stands on; a plane if None.
    """

    def __init__(
        self,
        robot: Robot,
        *,
        width: int = 640,
        height: int = 480,
        terrain: HeightField | None = None,
    ):
        self.model = build_model(robot, collisions="feet", terrain=terrain).mj
        self._terrain = terrain
        self.model.vis.global_.offwidth = max(width, self.model.vis.global_.offwidth)
        self.model.vis.global_.offheight = max(height, self.model.vis.global_.offheight)
        self._data = mujoco.MjData(self.model)
        self._ghost = mujoco.MjData(self.model)
        self._renderer = _renderer(self.model, width, height)
        self._option = mujoco.MjvOption()
        # Collision shapes lie inside the visual ones and would shine through.
        self._option.geomgroup[3] = 0
        self.camera = mujoco.MjvCamera()
        level = terrain is None or np.ptp(terrain.height_m) == 0.0
        view = _ON_PLANE if level else _ON_TERRAIN
        self.camera.azimuth, self.camera.elevation, self.camera.distance = view

    def frame(
        self, qpos: np.ndarray, ghost_qpos: np.ndarray | None = None
    ) -> np.ndarray:
        """(height, width, 3) uint8 of the robot at qpos (7+J,).

        The camera follows the pelvis. ghost_qpos adds the reference.
        """
        self._data.qpos[:] = qpos
        mujoco.mj_forward(self.model, self._data)
        floor_m = 0.0
        if self._terrain is not None:
            floor_m = float(self._terrain.at(qpos[:2] + _ABOUT_M).mean())
        self.camera.lookat[:] = (qpos[0], qpos[1], floor_m + 0.65)
        self._renderer.update_scene(self._data, self.camera, self._option)
        if ghost_qpos is not None:
            self._ghost.qpos[:] = ghost_qpos
            mujoco.mj_kinematics(self.model, self._ghost)
            add_ghost(self._renderer.scene, self.model, self._ghost)
        return self._renderer.render()

    def close(self) -> None:
        """Free the graphics context."""
        self._renderer.close()


def _renderer(model: mujoco.MjModel, width: int, height: int) -> mujoco.Renderer:
    """MuJoCo's renderer; on Linux without a display, through EGL.

    MuJoCo decides at its import how to render, and without MUJOCO_GL for a display.
    """
    if (
        sys.platform.startswith("linux")
        and not has_screen()
        and not os.environ.get("MUJOCO_GL")
    ):
        with contextlib.suppress(ImportError, AttributeError, OSError):
            from mujoco.egl import GLContext
            from mujoco.rendering.classic import gl_context

            gl_context.GLContext = GLContext
    try:
        return mujoco.Renderer(model, height=height, width=width)
    except (mujoco.FatalError, ImportError, RuntimeError) as error:
        raise UserError(
            f"can not draw: MuJoCo found no way to render ({error}); without a display,"
            f" set MUJOCO_GL=egl (GPU or Mesa) or MUJOCO_GL=osmesa before Python starts"
        ) from error


def add_ghost(
    scene: mujoco.MjvScene, model: mujoco.MjModel, data: mujoco.MjData
) -> None:
    """Add the visual geoms of a second pose to a scene, tinted and translucent."""
    rgba = np.array(GHOST_RGBA, np.float32)
    for i in range(model.ngeom):
        if model.geom_group[i] != _VISUAL_GROUP or scene.ngeom >= scene.maxgeom:
            continue
        geom = scene.geoms[scene.ngeom]
        mujoco.mjv_initGeom(
            geom,
            type=model.geom_type[i],
            size=_GHOST_SCALE * model.geom_size[i],
            pos=data.geom_xpos[i],
            mat=data.geom_xmat[i],
            rgba=rgba,
        )
        scene.ngeom += 1
