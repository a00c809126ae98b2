"""Drawing for the Gymnasium adapters: off screen, or in a window."""

import os
import sys

import jax
import numpy as np

from mimicgym.envs.render import Renderer, add_ghost
from mimicgym.envs.tracking import State, TrackingEnv
from mimicgym.errors import UserError
from mimicgym.robot import build_model


class Display:
    """Draws states of an environment, with the reference as a ghost.

    Nothing is set up before the first picture.
    """

    def __init__(self, env: TrackingEnv, mode: str | None, width: int, height: int):
        if width < 1 or height < 1:
            raise UserError(f"width is {width} and height {height}; both at least 1")
        self._env = env
        self._mode = mode
        self._size = width, height
        self._renderer: Renderer | None = None
        self._window: _Window | None = None

    def show(self, state: State) -> tuple[np.ndarray, ...] | None:
        """Pictures of the rows of a batched state, or None when drawn in a window."""
        qpos, ghost = _poses(self._env, state)
        robot = self._env.engine.model.robot
        if self._mode == "human":
            if self._window is None:
                self._window = _Window(self._env)
            self._window.draw(qpos[0], ghost[0])
            return None
        if self._renderer is None:
            width, height = self._size
            self._renderer = Renderer(robot, width=width, height=height)
        renderer = self._renderer
        return tuple(
            renderer.frame(q, g).copy() for q, g in zip(qpos, ghost, strict=True)
        )

    def close(self) -> None:
        """Free what was opened; more than once does no harm."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
        if self._window is not None:
            self._window.close()
            self._window = None


def has_screen() -> bool:
    """Whether a window can be opened."""
    if sys.platform != "linux":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


class _Window:
    """MuJoCo's passive viewer, showing the first row."""

    def __init__(self, env: TrackingEnv):
        # Asked first: where there is no screen, GLFW ends the whole process.
        if not has_screen():
            raise UserError(
                "there is no screen for a window; use render_mode='rgb_array'"
            )
        import mujoco
        import mujoco.viewer

        self._mujoco = mujoco
        self.model = build_model(env.engine.model.robot, collisions="feet").mj
        self.data = mujoco.MjData(self.model)
        self.ghost = mujoco.MjData(self.model)
        self.viewer = mujoco.viewer.launch_passive(self.model, self.data)

    def draw(self, qpos: np.ndarray, ghost_qpos: np.ndarray) -> None:
        if not self.viewer.is_running():
            return
        with self.viewer.lock():
            self.data.qpos[:], self.ghost.qpos[:] = qpos, ghost_qpos
            self._mujoco.mj_forward(self.model, self.data)
            self._mujoco.mj_kinematics(self.model, self.ghost)
            self.viewer.opt.geomgroup[3] = 0
            self.viewer.user_scn.ngeom = 0
            add_ghost(self.viewer.user_scn, self.model, self.ghost)
        self.viewer.sync()

    def close(self) -> None:
        self.viewer.close()


def _poses(env: TrackingEnv, state: State) -> tuple[np.ndarray, np.ndarray]:
    ref = jax.vmap(env.reference_of)(state)
    qpos, pos, quat, joints = jax.device_get(
        (state.physics.qpos, ref.root_pos_w, ref.root_quat_w, ref.joint_pos)
    )
    return np.asarray(qpos), np.concatenate([pos, quat, joints], axis=1)
