"""Many environments for Gymnasium, stepped as one jitted program: NumPy in and out."""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from gymnasium.utils import EzPickle
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from mimicgym.envs import spaces as adapt
from mimicgym.envs.batch import BatchedEnv, BatchState, next_keys
from mimicgym.envs.display import Display
from mimicgym.envs.single import TrackingEnvironment
from mimicgym.errors import UserError, unknown_name

_MODES = {
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
    `reset(seed=s + i)`, whatever the number of rows. `options={"reset_mask": mask}`
    resets some rows.
    """

    def __init__(
        self,
        num_envs: int,
        motion: str | list[str] | None = None,
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
        modes = TrackingEnvironment.metadata["render_modes"]
        if render_mode is not None and render_mode not in modes:
            raise unknown_name("render_mode", render_mode, modes)
        self.autoreset_mode = _mode(autoreset_mode)
        self.metadata = {
            **TrackingEnvironment.metadata,
            "autoreset_mode": self.autoreset_mode,
        }
        self.env = adapt.make_tracking_env(
            preset=preset,
            motion=motion,
            robot=robot,
            engine=engine,
            overrides=overrides,
        )
        batched = BatchedEnv(
            self.env,
            num_envs,
            autoreset=_MODES[self.autoreset_mode],
            max_episode_steps=max_episode_steps,
        )
        self.num_envs = num_envs
        self.single_observation_space = adapt.observation_space(self.env, observation)
        self.single_action_space = adapt.action_space(self.env)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.render_mode = render_mode
        self._kind = observation
        self._display = Display(self.env, render_mode, width, height)
        self._reset = jax.jit(batched.reset)
        self._reset_where = jax.jit(batched.reset_where)
        self._step = jax.jit(batched.step)
        self._next_keys = jax.jit(next_keys)
        self._batch: BatchState | None = None

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Start episodes in all rows, or in those of `options["reset_mask"]`."""
        seeds = self._seeds(seed)
        if options is not None and "reset_mask" in options:
            mask = self._check_mask(options["reset_mask"])
        else:
            mask = np.ones(self.num_envs, bool)
        keys = self._keys(seeds)
        if self._batch is None:
            if not mask.all():
                raise UserError("a partial reset came before the first whole one")
            self._batch = self._reset(keys)
        else:
            self._batch = self._reset_where(self._batch, jnp.asarray(mask), keys)
        if self.render_mode == "human":
            self.render()
        return self._observe(self._batch.obs), _masked(
            jax.device_get(adapt.reset_info(self._batch.state)), mask
        )

    def step(
        self, actions: np.ndarray
    ) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """One control step of every row. actions (n, A) in [-1, 1]."""
        if self._batch is None:
            raise UserError("step was called before reset")
        before = self._batch
        if self.autoreset_mode == AutoresetMode.DISABLED:
            finished = np.asarray(before.done)
            if finished.any():
                raise UserError(
                    f"rows {np.flatnonzero(finished).tolist()} have ended; with"
                    " autoreset disabled they need a reset with a reset_mask first"
                )
        shape = (self.num_envs, self.env.action_size)
        checked = adapt.task_action(self.env, actions, shape)
        self._batch = self._step(before, jnp.asarray(checked))
        if self.render_mode == "human":
            self.render()
        batch = self._batch
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
            raise UserError("render was called before reset")
        return self._display.show(self._batch.state)

    def close_extras(self, **kwargs: Any) -> None:
        self._display.close()

    def _infos(self, batch: BatchState) -> dict[str, Any]:
        """Step infos of rows that stepped, reset infos of rows that were reset, and in
        mode SameStep final_obs and final_info of those."""
        started, ended, reset_rows = jax.device_get(
            (
                adapt.reset_info(batch.state),
                adapt.step_info(batch.final),
                batch.reset_rows,
            )
        )
        reset_rows = np.asarray(reset_rows)
        infos = _masked(ended, ~reset_rows)
        if not reset_rows.any():
            return infos
        fresh = _masked(started, reset_rows)
        for name in started:
            if name in infos:
                infos[name] = np.where(reset_rows, fresh[name], infos[name])
                infos[f"_{name}"] = infos[f"_{name}"] | reset_rows
            else:
                infos[name], infos[f"_{name}"] = fresh[name], fresh[f"_{name}"]
        if self.autoreset_mode == AutoresetMode.SAME_STEP:
            rows = np.flatnonzero(reset_rows)
            final_obs = self._observe(batch.final_obs)
            each = np.full(self.num_envs, None, dtype=object)
            for i in rows:
                each[i] = jax.tree.map(lambda x, i=i: x[i].copy(), final_obs)
            infos["final_obs"], infos["_final_obs"] = each, reset_rows.copy()
            infos["final_info"] = _masked(ended, reset_rows)
            infos["_final_info"] = reset_rows.copy()
        return infos

    def _observe(self, obs: Mapping[str, jax.Array]) -> Any:
        groups = {k: np.array(v) for k, v in jax.device_get(dict(obs)).items()}
        return adapt.pick(groups, self._kind)

    def _seeds(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, int | np.integer):
            super().reset(seed=int(seed))
            return [int(seed) + i for i in range(self.num_envs)]
        seeds = list(seed)
        if len(seeds) != self.num_envs:
            raise UserError(
                f"{len(seeds)} seeds were given for num_envs = {self.num_envs}"
            )
        return seeds

    def _keys(self, seeds: list[int | None]) -> jax.Array:
        """(n,) keys: of a row's seed, or the next of its own chain."""
        if self._batch is not None:
            keys = self._next_keys(self._batch.state.key)
        else:
            draws = self.np_random.integers(2**31, size=self.num_envs)
            keys = jax.vmap(jax.random.key)(jnp.asarray(draws, jnp.uint32))
        seeded = np.array([s is not None for s in seeds])
        if seeded.any():
            values = np.array([0 if s is None else s % 2**32 for s in seeds])
            given = jax.vmap(jax.random.key)(jnp.asarray(values, jnp.uint32))
            keys = jnp.where(jnp.asarray(seeded), given, keys)
        return keys

    def _check_mask(self, mask: Any) -> np.ndarray:
        if not isinstance(mask, np.ndarray):
            raise TypeError(
                f"options['reset_mask'] must be a numpy array, not a {type(mask)}"
            )
        if mask.shape != (self.num_envs,):
            raise UserError(
                f"options['reset_mask'] has shape {mask.shape}, it should be"
                f" ({self.num_envs},)"
            )
        if mask.dtype != np.bool_:
            raise TypeError(f"options['reset_mask'] has dtype {mask.dtype}, not bool")
        if not mask.any():
            raise UserError("options['reset_mask'] has no row that is True")
        return mask


def _mode(mode: AutoresetMode | str) -> AutoresetMode:
    try:
        return AutoresetMode(mode)
    except ValueError as error:
        values = [m.value for m in AutoresetMode]
        raise unknown_name("autoreset_mode", mode, values) from error


def _masked(info: Mapping[str, Any], mask: np.ndarray) -> dict[str, Any]:
    """Gymnasium's form of batched infos: "key", zero where its mask "_key" is False.

    Without any row there is no key at all. Integers are int64, others float64, as if
    they had been collected from single environments.
    """
    result: dict[str, Any] = {}
    if not mask.any():
        return result
    for name, value in info.items():
        if isinstance(value, Mapping):
            result[name] = _masked(value, mask)
        else:
            array = np.asarray(value)
            kind = np.int64 if np.issubdtype(array.dtype, np.integer) else np.float64
            result[name] = np.where(mask, array, 0).astype(kind)
        result[f"_{name}"] = mask.copy()
    return result
