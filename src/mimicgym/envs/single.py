"""One environment for Gymnasium: NumPy in, NumPy out."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from gymnasium.utils import EzPickle

from mimicgym.envs import spaces as adapt
from mimicgym.envs.batch import BatchedEnv, BatchState, next_keys
from mimicgym.envs.display import Display
from mimicgym.errors import UserError, unknown_name


class TrackingEnvironment(gymnasium.Env[Any, np.ndarray], EzPickle):
    """`gymnasium.make("G1DeepMimic-v0", ...)`.

    An episode follows a clip from a random frame. It is terminated by a failure and
    truncated at the clip's end. Observations are float32: the actor's vector, or with
    `observation="dict"` a dictionary of "actor" and "critic". Actions are in [-1, 1],
    see `envs.spaces.action_space`. Infos hold numbers only: clip, frame, and this
    step's reward terms, errors and causes of termination.

    Args (JSON types, so that a spec can be stored):
      motion: an embedded clip or a file, or a list of them.
      robot, engine, preset: names, see `EnvConfig` and `ENV_PRESETS`.
      overrides: dotted settings, such as {"control.action_scale": 0.5}.
      observation: "actor" or "dict".
      render_mode: "rgb_array", "human" or None.
      width, height: of a picture.
    """

    metadata = {"render_modes": ["rgb_array", "human"], "render_fps": 50}  # noqa: RUF012

    def __init__(
        self,
        motion: str | list[str] | None = None,
        robot: str | None = None,
        engine: str | None = None,
        preset: str = "default",
        overrides: Mapping[str, Any] | None = None,
        observation: str = "actor",
        render_mode: str | None = None,
        width: int = 640,
        height: int = 480,
    ):
        EzPickle.__init__(
            self,
            motion,
            robot,
            engine,
            preset,
            overrides,
            observation,
            render_mode,
            width,
            height,
        )
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise unknown_name(
                "render_mode", render_mode, self.metadata["render_modes"]
            )
        self.env = adapt.make_tracking_env(
            preset=preset,
            motion=motion,
            robot=robot,
            engine=engine,
            overrides=overrides,
        )
        self.observation_space = adapt.observation_space(self.env, observation)
        self.action_space = adapt.action_space(self.env)
        self.render_mode = render_mode
        self._kind = observation
        self._display = Display(self.env, render_mode, width, height)
        batched = BatchedEnv(self.env, 1, autoreset="disabled")
        self._reset = jax.jit(batched.reset)
        self._step = jax.jit(batched.step)
        self._batch: BatchState | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode. Without a seed, randomness goes on where it was."""
        super().reset(seed=seed)
        if seed is not None:
            keys = jax.random.key(seed)[None]
        elif self._batch is not None:
            keys = next_keys(self._batch.state.key)
        else:
            keys = jax.random.key(int(self.np_random.integers(2**31)))[None]
        self._batch = self._reset(keys)
        if self.render_mode == "human":
            self.render()
        return self._observe(), adapt.scalars(_row(adapt.reset_info(self._batch.state)))

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One control step of 0.02 s. action (A,) in [-1, 1]."""
        if self._batch is None:
            raise UserError("step was called before reset")
        checked = adapt.task_action(self.env, action, (self.env.action_size,))
        self._batch = self._step(self._batch, jnp.asarray(checked[None]))
        reward, terminated, truncated = jax.device_get(
            (self._batch.reward, self._batch.terminated, self._batch.truncated)
        )
        if self.render_mode == "human":
            self.render()
        info = adapt.scalars(_row(adapt.step_info(self._batch.state)))
        return (
            self._observe(),
            float(reward[0]),
            bool(terminated[0]),
            bool(truncated[0]),
            info,
        )

    def render(self) -> np.ndarray | None:
        """(height, width, 3) uint8 in mode "rgb_array"; else draws in a window."""
        if self.render_mode is None:
            gymnasium.logger.warn(
                "render needs a mode: gymnasium.make(..., render_mode='rgb_array')"
            )
            return None
        if self._batch is None:
            raise UserError("render was called before reset")
        frames = self._display.show(self._batch.state)
        return None if frames is None else frames[0]

    def close(self) -> None:
        self._display.close()

    def _observe(self) -> Any:
        assert self._batch is not None
        groups = {k: np.array(v[0]) for k, v in jax.device_get(self._batch.obs).items()}
        return adapt.pick(groups, self._kind)


def _row(info: dict[str, Any]) -> dict[str, Any]:
    return jax.tree.map(lambda x: x[0], jax.device_get(info))
