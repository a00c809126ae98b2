"""Drawing for the Gymnasium adapters: off screen, or in a window."""

import jax
import numpy as np

from mimicgym.envs.render import Renderer
from mimicgym.envs.tracking import State, TrackingEnv
from mimicgym.envs.window import Window
from mimicgym.errors import UserError


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
        self._window: Window | None = None

    def show(self, state: State) -> tuple[np.ndarray, ...] | None:
        """Pictures of the rows of a batched state, or None when drawn in a window."""
        qpos, ghost = _poses(self._env, state)
        model = self._env.engine.model
        if self._mode == "human":
            if self._window is None:
                self._window = Window(model.robot, model.terrain)
            self._window.draw(qpos[0], ghost[0])
            return None
        if self._renderer is None:
            width, height = self._size
            self._renderer = Renderer(
                model.robot, width=width, height=height, terrain=model.terrain
            )
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


def _poses(env: TrackingEnv, state: State) -> tuple[np.ndarray, np.ndarray]:
    ref = jax.vmap(env.reference_of)(state)
    qpos, pos, quat, joints = jax.device_get(
        (state.physics.qpos, ref.root_pos_w, ref.root_quat_w, ref.joint_pos)
    )
    return np.asarray(qpos), np.concatenate([pos, quat, joints], axis=1)
