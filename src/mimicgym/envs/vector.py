"""Many environments for Gymnasium, stepped as one jitted program: NumPy in and out."""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.utils import EzPickle
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from mimicgym.envs import infos
from mimicgym.envs import spaces as adapt
from mimicgym.envs.batch import BatchState
from mimicgym.envs.curriculum import CurriculumState
from mimicgym.envs.display import Display
from mimicgym.envs.make import Clips, env_config
from mimicgym.envs.programs import next_keys, program
from mimicgym.envs.sampling import SamplerState
from mimicgym.envs.single import TrackingEnvironment
from mimicgym.errors import UserError, unknown_name

_MODES = {  # to `BatchedEnv`'s names
    AutoresetMode.NEXT_STEP: "next_step",
    AutoresetMode.SAME_STEP: "same_step",
    AutoresetMode.DISABLED: "disabled",
}


class TrackingVectorEnvironment(VectorEnv[Any, np.ndarray, np.ndarray], EzPickle):
    """`gymnasium.make_vec("G1DeepMimic-v0", num_envs=n, ...)`.

    Options are those of `TrackingEnvironment`, and

    Args:
      num_envs: rows.
      autoreset_mode: a `gymnasium.vector.AutoresetMode` or its value: "NextStep",
        "SameStep" or "Disabled".
      max_episode_steps: a further limit on episodes, a truncation.

    Row i after `reset(seed=s)` behaves as the single environment after
    `reset(seed=s + i)`, whatever the number of rows, unless starts depend on past
    episodes or a curriculum is on: rows share what their episodes teach.
    `options={"reset_mask": mask}` resets some rows.
    """

    metadata = TrackingEnvironment.metadata

    def __init__(
        self,
        num_envs: int,
        motion: Clips | None = None,
        robot: str | None = None,
        engine: str | None = None,
        preset: str = "default",
        overrides: Mapping[str, Any] | None = None,
        observation: str = "actor",
        render_mode: str | None = None,
        width: int = 640,
        height: int = 480,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
    ):
        EzPickle.__init__(
            self,
            num_envs,
            motion,
            robot,
            engine,
            preset,
            overrides,
            observation,
            render_mode,
            width,
            height,
            autoreset_mode,
            max_episode_steps,
        )
        adapt.check_render_mode(render_mode, self.metadata["render_modes"])
        self.autoreset_mode = _mode(autoreset_mode)
        # Where Gymnasium gives a limit of steps, -1 means none.
        limit = None if max_episode_steps == -1 else max_episode_steps
        config = env_config(
            preset, motion=motion, robot=robot, engine=engine, overrides=overrides
        )
        self._program = program(
            config,
            num_envs,
            autoreset=_MODES[self.autoreset_mode],
            max_episode_steps=limit,
        )
        self.env = self._program.env
        self.metadata = {
            **adapt.metadata(type(self).metadata, self.env),
            "autoreset_mode": self.autoreset_mode,
        }
        self.num_envs = num_envs
        self.single_observation_space = adapt.observation_space(self.env, observation)
        self.single_action_space = adapt.action_space(self.env)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.render_mode = render_mode
        self._kind = observation
        self._display = Display(self.env, render_mode, width, height)
        self._batch: BatchState | None = None
        self._spec: EnvSpec | None = None

    @property
    def spec(self) -> EnvSpec | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What `make_vec` made this of: `make_vec(envs.spec)` makes another."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        # A spec is stored as JSON, which holds no enums.
        if spec is not None and "autoreset_mode" in spec.kwargs:
            spec.kwargs["autoreset_mode"] = self.autoreset_mode.value
        self._spec = spec

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Start episodes in all rows, or in those of `options["reset_mask"]`.

        Rows without a seed go on with their own randomness. Rows that are not reset
        keep their observation, and have nothing in the infos. A reset of all rows with
        a seed for each starts what past episodes taught (where to start, how lax to
        judge) anew, so that the same seeds give the same episodes; any other goes on
        with it.
        """
        adapt.check_options(options, ("reset_mask",))
        seeds = self._seeds(seed)
        mask = np.ones(self.num_envs, bool)
        if options is not None and "reset_mask" in options:
            mask = adapt.reset_mask(options["reset_mask"], self.num_envs)
        keys = self._keys(seeds)
        if mask.all():
            batch = self._program.reset(keys, *self._taught(seeds))
        elif self._batch is not None:
            batch = self._program.reset_where(self._batch, jnp.asarray(mask), keys)
        else:
            raise UserError("the first reset has to be of all rows")
        self._batch = batch
        if self.render_mode == "human":
            self.render()
        started = jax.device_get(infos.reset_info(batch.state))
        return self._observe(batch.obs), infos.masked(started, mask)

    def step(
        self, actions: np.ndarray
    ) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """One control step of every row. actions (n, A) in [-1, 1]."""
        if self._batch is None:
            raise ResetNeeded("step was called before reset")
        if self.autoreset_mode == AutoresetMode.DISABLED:
            finished = np.flatnonzero(self._batch.done)
            if finished.size:
                raise UserError(
                    f"the episodes of rows {finished.tolist()} are over; without"
                    " autoreset they need reset(options={'reset_mask': ...}) first"
                )
        shape = (self.num_envs, self.env.action_size)
        checked = adapt.task_action(self.env, actions, shape)
        self._batch = batch = self._program.step(self._batch, jnp.asarray(checked))
        if self.render_mode == "human":
            self.render()
        reward, terminated, truncated = jax.device_get(
            (batch.reward, batch.terminated, batch.truncated)
        )
        return (
            self._observe(batch.obs),
            np.array(reward, np.float64),
            np.array(terminated),
            np.array(truncated),
            self._infos(batch),
        )

    def render(self) -> tuple[np.ndarray, ...] | None:
        """A picture of every row, or None in mode "human", which shows the first."""
        if self.render_mode is None:
            gymnasium.logger.warn(
                "render needs a mode: gymnasium.make_vec(..., render_mode='rgb_array')"
            )
            return None
        if self._batch is None:
            raise ResetNeeded("render was called before reset")
        return self._display.show(self._batch.state)

    def close_extras(self, **kwargs: Any) -> None:
        self._display.close()

    def _infos(self, batch: BatchState) -> dict[str, Any]:
        """Step infos of rows that stepped, reset infos of rows that were reset, and in
        mode SameStep final_obs and final_info of those."""
        assert batch.final is not None
        started, ended, rows = jax.device_get(
            (
                infos.reset_info(batch.state),
                infos.step_info(batch.final),
                batch.reset_rows,
            )
        )
        rows = np.array(rows)
        told = infos.merged(infos.masked(ended, ~rows), started, rows)
        if self.autoreset_mode == AutoresetMode.SAME_STEP and rows.any():
            final_obs = self._observe(batch.final_obs)
            each = np.full(self.num_envs, None, dtype=object)
            for i in np.flatnonzero(rows):
                each[i] = jax.tree.map(lambda x, i=i: x[i].copy(), final_obs)
            told |= {"final_obs": each, "_final_obs": rows.copy()}
            told |= {"final_info": infos.masked(ended, rows), "_final_info": rows}
        return told

    def _observe(self, obs: Mapping[str, jax.Array]) -> Any:
        groups = {k: np.array(v) for k, v in jax.device_get(dict(obs)).items()}
        return adapt.pick(groups, self._kind)

    def _seeds(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        """A seed or None for each row; Gymnasium's errors for what is none."""
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, int):
            super().reset(seed=seed)
            return [seed + i for i in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise ValueError(
                "If seeds are passed as a list the length must match"
                f" num_envs={self.num_envs} but got length={len(seed)}."
            )
        for each in seed:
            np_random(each)
        return list(seed)

    def _taught(self, seeds: list[int | None]) -> tuple[SamplerState, CurriculumState]:
        """What a reset of all rows goes on with."""
        if self._batch is None or None not in seeds:
            return self._program.untaught
        return self._batch.sampler, self._batch.curriculum

    def _keys(self, seeds: list[int | None]) -> jax.Array:
        """(n,) keys: of a row's seed, or the next of its own chain."""
        if self._batch is not None:
            keys = next_keys(self._batch.state.key)
        else:
            keys = adapt.seed_keys(self.np_random.integers(2**32, size=self.num_envs))
        given = np.array([s is not None for s in seeds])
        if given.any():
            seeded = adapt.seed_keys([0 if s is None else s for s in seeds])
            keys = jnp.where(given, seeded, keys)
        return keys


def _mode(mode: AutoresetMode | str) -> AutoresetMode:
    try:
        return AutoresetMode(mode)
    except ValueError as error:
        values = [m.value for m in AutoresetMode]
        raise unknown_name("autoreset_mode", mode, values) from error
