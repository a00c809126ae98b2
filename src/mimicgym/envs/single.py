"""One environment for Gymnasium: NumPy in, NumPy out."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils import EzPickle

from mimicgym.envs import infos
from mimicgym.envs import spaces as adapt
from mimicgym.envs.batch import BatchState
from mimicgym.envs.display import Display
from mimicgym.envs.make import Clips, env_config
from mimicgym.envs.programs import next_keys, program


class TrackingEnvironment(gymnasium.Env[Any, np.ndarray], EzPickle):
    """`gymnasium.make("G1DeepMimic-v0", ...)`.

    An episode follows a clip from a random frame. It is terminated by a failure and
    truncated at the clip's end. Observations are float32: the actor's vector, or with
    `observation="dict"` a dictionary of "actor" and "critic". Actions are in [-1, 1]
    and stand for plus and minus `control.action_clip` (see `envs.spaces.action_space`):
    a policy of `mimicgym train` acts in units of the latter, so divide by it. Infos
    hold numbers only: clip, frame, and by kind this step's reward terms, errors and
    causes of termination and truncation.

    A copy by pickle has the same options, and starts with a reset.

    Args (JSON types, so that a spec can be stored):
      motion: an embedded clip or a file, or a list of them; also paths, but then JSON
        can not hold the spec.
      robot, engine, preset: names, see `EnvConfig` and `ENV_PRESETS`.
      overrides: dotted settings, such as {"control.action_scale": 0.5}.
      observation: "actor" or "dict".
      render_mode: "rgb_array", "human" or None.
      width, height: of a picture.
    """

    metadata = {"render_modes": ["rgb_array", "human"], "render_fps": 50}  # noqa: RUF012

    def __init__(
        self,
        motion: Clips | None = None,
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
        adapt.check_render_mode(render_mode, self.metadata["render_modes"])
        config = env_config(
            preset, motion=motion, robot=robot, engine=engine, overrides=overrides
        )
        self._program = program(config, 1, autoreset="disabled")
        self.env = self._program.env
        self.metadata = adapt.metadata(type(self).metadata, self.env)
        self.observation_space = adapt.observation_space(self.env, observation)
        self.action_space = adapt.action_space(self.env)
        self.render_mode = render_mode
        self._kind = observation
        self._display = Display(self.env, render_mode, width, height)
        self._batch: BatchState | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode.

        Without a seed, randomness goes on where it was, and so does what past episodes
        taught: where to start and how lax to judge. A seed starts all of it anew, so
        that the same one gives the same episodes.
        """
        super().reset(seed=seed)
        adapt.check_options(options, ())
        taught = self._program.untaught
        if seed is not None:
            keys = adapt.seed_keys([seed])
        elif self._batch is not None:
            keys = next_keys(self._batch.state.key)
            taught = self._batch.sampler, self._batch.curriculum
        else:
            keys = adapt.seed_keys(self.np_random.integers(2**32, size=1))
        self._batch = batch = self._program.reset(keys, *taught)
        if self.render_mode == "human":
            self.render()
        return self._observe(batch), infos.numbers(infos.reset_info(batch.state))

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One control step, 0.02 s by default. action (A,) in [-1, 1]."""
        if self._batch is None:
            raise ResetNeeded("step was called before reset")
        checked = adapt.task_action(self.env, action, (self.env.action_size,))
        self._batch = batch = self._program.step(
            self._batch, jnp.asarray(checked[None])
        )
        reward, terminated, truncated = jax.device_get(
            (batch.reward, batch.terminated, batch.truncated)
        )
        if self.render_mode == "human":
            self.render()
        return (
            self._observe(batch),
            float(reward[0]),
            bool(terminated[0]),
            bool(truncated[0]),
            infos.numbers(infos.step_info(batch.state)),
        )

    def render(self) -> np.ndarray | None:
        """(height, width, 3) uint8 in mode "rgb_array"; else draws in a window."""
        if self.render_mode is None:
            gymnasium.logger.warn(
                "render needs a mode: gymnasium.make(..., render_mode='rgb_array')"
            )
            return None
        if self._batch is None:
            raise ResetNeeded("render was called before reset")
        frames = self._display.show(self._batch.state)
        return None if frames is None else frames[0]

    def close(self) -> None:
        """Close the window, if there is one."""
        self._display.close()

    def _observe(self, batch: BatchState) -> Any:
        groups = {k: np.array(v[0]) for k, v in jax.device_get(batch.obs).items()}
        return adapt.pick(groups, self._kind)
