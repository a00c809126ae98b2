"""A window that shows the robot and its reference, with MuJoCo's passive viewer."""

import mujoco
import numpy as np

from mimicgym.envs.render import add_ghost
from mimicgym.envs.screen import has_screen
from mimicgym.errors import UserError
from mimicgym.robot import Robot, build_model
from mimicgym.terrain.field import HeightField


class Window:
    """Opens at once; `UserError` where there is no screen."""

    def __init__(self, robot: Robot, terrain: HeightField | None = None):
        # Asked first: where there is no screen, GLFW ends the whole process.
        if not has_screen():
            raise UserError(
                "there is no screen for a window; use render_mode='rgb_array', or"
                " --video on the command line"
            )
        from mujoco import viewer

        self._model = build_model(robot, collisions="feet", terrain=terrain).mj
        self._data = mujoco.MjData(self._model)
        self._ghost = mujoco.MjData(self._model)
        self._viewer = viewer.launch_passive(self._model, self._data)

    @property
    def is_open(self) -> bool:
        """False once the user has closed it."""
        return self._viewer.is_running()

    def draw(self, qpos: np.ndarray, ghost_qpos: np.ndarray | None) -> None:
        """Show the robot at qpos (7+J,) and its reference."""
        if not self.is_open:
            return
        with self._viewer.lock():
            self._data.qpos[:] = qpos
            mujoco.mj_forward(self._model, self._data)
            self._viewer.opt.geomgroup[3] = 0
            scene = self._viewer.user_scn
            if scene is not None:
                scene.ngeom = 0
                if ghost_qpos is not None:
                    self._ghost.qpos[:] = ghost_qpos
                    mujoco.mj_kinematics(self._model, self._ghost)
                    add_ghost(scene, self._model, self._ghost)
        self._viewer.sync()

    def close(self) -> None:
        self._viewer.close()
