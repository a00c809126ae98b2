"""An iteration of PPO: acting and improving, each a jitted function of one pytree."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from mimicgym.errors import UserError
from mimicgym.ppo import network
from mimicgym.ppo.config import PPOConfig
from mimicgym.ppo.devices import (
    AXIS,
    ROWS,
    SHARED,
    Spread,
    moments,
)
from mimicgym.ppo.gae import advantages
from mimicgym.ppo.loss import Samples
from mimicgym.ppo.normalize import RunningStats, init_stats, scale_value, update_stats
from mimicgym.ppo.places import rollout_places, state_places
from mimicgym.ppo.protocol import Environment
from mimicgym.ppo.rollout import (
    Acting,
    Rollout,
    collect,
    next_values,
    observed,
    value_of,
)
from mimicgym.ppo.schedule import starting_rate
from mimicgym.ppo.state import LearnerState as LearnerState
from mimicgym.ppo.symmetry import mirrors_of, symmetric
from mimicgym.ppo.teachers import (
    GROUP,
    Teacher,
    check_teachers,
    imitation_share,
    labels,
)
from mimicgym.ppo.update import Update


class Learner:
    """PPO on a batched environment.

    Programs are compiled once; `pure_` functions are what they are made of. A state
    that has been iterated can not be used again: its memory is.

    Args:
      env: all environments, over all devices.
      teachers: policies to imitate, by the numbers that the environment gives them;
        `config.bc_coef` is their share in the loss.
      devices: over how many the environments are spread. An update is the same on any
        number that divides the slices (`PPOConfig.slices`).
    """

    def __init__(
        self,
        env: Environment,
        config: PPOConfig,
        *,
        teachers: Sequence[Teacher] = (),
        devices: int = 1,
    ):
        config.check(env.num_envs)
        check_teachers(teachers, config, env.observation_sizes, env.action_size)
        slices = config.slice_count(env.num_envs)
        if slices % devices:
            raise UserError(
                f"{env.num_envs} environments in {slices} slices can not be spread over"
                f" {devices} devices; slices (ppo.slices) have to be a multiple of them"
            )
        self.env = env
        self.config = config
        self.devices = devices
        self.steps_per_iteration = env.num_envs * config.num_steps
        spread = Spread(devices)
        self._axis = spread.axis
        self._slices = slices // devices
        self._local = env if devices == 1 else env.shard(devices, AXIS)
        self.teachers = spread.share(tuple(teachers))
        self._mirrors = mirrors_of(env.mirrors()) if config.mirrors else None
        self._update = Update(
            config,
            rows=self._local.num_envs,
            slices=self._slices,
            axis=self._axis,
            mirrors=self._mirrors,
        )
        state, rollout = state_places(env, self._local), rollout_places()
        self._begin = spread.compile(self._local_init, (SHARED, SHARED, ROWS), state)
        self._networks = jax.jit(self._new_networks)
        self._start = jax.jit(self._pure_start)
        self.collect = spread.compile(
            self.pure_collect, (state,), (state, rollout, SHARED), donate=(0,)
        )
        self.improve = spread.compile(
            self.pure_improve, (state, rollout, SHARED), (state, SHARED), donate=(0,)
        )

    def init(self, key: jax.Array) -> LearnerState:
        """The state before the first iteration."""
        # Networks are made by a program of one device: they need a matrix factorisation
        # (of their last layers), which has no business in one that is spread.
        return self._start(key, self._networks(key))

    def iterate(self, state: LearnerState) -> tuple[LearnerState, dict[str, jax.Array]]:
        """Act, then improve. Returns the next state and () metrics; those that begin
        with "ppo/" are known only when improving is done, the others before."""
        state, rollout, metrics = self.collect(state)
        state, health = self.improve(state, rollout, self.teachers)
        return state, metrics | health

    @property
    def compilations(self) -> int:
        """How often an iteration's programs were compiled, the one more often."""
        return max(self.collect._cache_size(), self.improve._cache_size())

    def pure_init(self, key: jax.Array) -> LearnerState:
        return self._pure_start(key, self._new_networks(key))

    def _new_networks(self, key: jax.Array) -> dict[str, Any]:
        env = self.env
        return network.init_params(
            self._keys(key)[1],
            self.config,
            env.observation_sizes,
            env.action_size,
            env.gated_sizes,
        )

    def _pure_start(self, key: jax.Array, params: dict[str, Any]) -> LearnerState:
        key, _, env_key = self._keys(key)
        keys = jax.random.split(env_key, self.env.num_envs)
        return self._begin(key, params, keys)

    def _keys(self, key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Of the learner, of its networks and of its environments."""
        key, env_key = jax.random.split(key)
        key, params_key = jax.random.split(key)
        return key, params_key, env_key

    def _local_init(
        self, key: jax.Array, params: dict[str, Any], env_keys: jax.Array
    ) -> LearnerState:
        env, config = self._local, self.config
        sizes = env.observation_sizes
        return LearnerState(
            params=params,
            opt_state=self._update.optimizer.init(params),
            obs_stats={group: init_stats(size) for group, size in sizes.items()},
            return_stats=init_stats(),
            learning_rate=jnp.float32(config.learning_rate),
            key=key,
            batch=_strong(env.reset(env_keys)),
            held=network.no_memory(config, env.num_envs),
            iteration=jnp.int32(0),
        )

    def pure_collect(
        self, state: LearnerState
    ) -> tuple[LearnerState, Rollout, dict[str, jax.Array]]:
        key, rollout_key = jax.random.split(state.key)
        batch, held, rollout, metrics = collect(
            self._local,
            state.batch,
            state.held,
            Acting(state.params, state.obs_stats, state.return_stats),
            rollout_key,
            self.config,
            slices=self._slices,
            axis=self._axis,
            taught=bool(self.teachers),
        )
        state = replace(state, key=key, batch=_strong(batch), held=held)
        return state, rollout, metrics

    def pure_improve(
        self, state: LearnerState, rollout: Rollout, teachers: tuple[Teacher, ...]
    ) -> tuple[LearnerState, dict[str, jax.Array]]:
        config, axis = self.config, self._axis
        key, update_key = jax.random.split(state.key)
        acting = Acting(state.params, state.obs_stats, state.return_stats)
        last_value = value_of(acting, state.batch.obs["critic"], config)
        advantage = advantages(
            rollout.reward,
            rollout.value,
            next_values(rollout, last_value),
            rollout.terminated,
            rollout.done,
            gamma=config.gamma,
            gae_lambda=config.gae_lambda,
        )
        returns = advantage + rollout.value
        return_stats = state.return_stats
        if config.normalize_values:
            return_stats = update_stats(return_stats, returns.ravel(), axis)
        share = imitation_share(state.iteration, config)
        samples = self._samples(acting, rollout, advantage, return_stats, teachers)
        params, opt_state, rate, health = self._update(
            state.params,
            state.opt_state,
            starting_rate(state.learning_rate, state.iteration, config),
            samples,
            update_key,
            share,
        )
        # The new statistics hold from the next iteration on: within this one acting
        # and learning must see observations alike.
        state = replace(
            state,
            params=params,
            opt_state=opt_state,
            obs_stats={
                group: self._stats(group, stats, _flat(rollout.obs[group]))
                for group, stats in state.obs_stats.items()
            },
            return_stats=return_stats,
            learning_rate=rate,
            key=key,
            iteration=state.iteration + 1,
        )
        _, variance = moments(returns.ravel(), axis)
        _, unexplained = moments((returns - rollout.value).ravel(), axis)
        health |= {
            "ppo/learning_rate": rate,
            "ppo/std": jnp.mean(network.policy_std(params["raw_std"], config)),
            "ppo/explained_variance": 1 - unexplained / jnp.maximum(variance, 1e-8),
            "ppo/value": moments(rollout.value.ravel(), axis)[0],
            "ppo/reward": moments(rollout.reward.ravel(), axis)[0],
        }
        if teachers:
            health["ppo/imitation_share"] = share
        return state, health

    def _samples(
        self,
        acting: Acting,
        rollout: Rollout,
        advantage: jax.Array,
        return_stats: RunningStats,
        teachers: tuple[Teacher, ...],
    ) -> Samples:
        """What the networks see is normalised here, once. Without a memory, time and
        environments become one axis."""
        config = self.config
        mean, variance = moments(advantage.ravel(), self._axis)
        label, labelled = None, None
        if teachers:
            assert rollout.teacher is not None
            bound = config.action_bound
            label, labelled = labels(
                teachers, rollout.teacher, rollout.obs[GROUP], bound
            )
        samples = Samples(
            actor_obs=observed(acting, "actor", rollout.obs["actor"], config),
            critic_obs=observed(acting, "critic", rollout.obs["critic"], config),
            action=rollout.action,
            mean=rollout.mean,
            log_prob=rollout.log_prob,
            value=scale_value(return_stats, rollout.value),
            advantage=(advantage - mean) / (jnp.sqrt(variance) + 1e-8),
            target=scale_value(return_stats, advantage + rollout.value),
            done=rollout.done,
            label=label,
            labelled=labelled,
        )
        if config.memory:
            return replace(samples, held=rollout.held)
        return jax.tree.map(_flat, samples)

    def _stats(self, group: str, stats: RunningStats, obs: jax.Array) -> RunningStats:
        stats = update_stats(stats, obs, self._axis)
        if self._mirrors is None or group not in ("actor", "critic"):
            return stats
        return symmetric(stats, self._mirrors[group])


def _strong(tree: Any) -> Any:
    """Without weak types: where an environment's steps and resets differ in them, the
    programs would be compiled twice."""

    def strong(x: jax.Array) -> jax.Array:
        is_key = jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
        return x if is_key else jnp.asarray(x, x.dtype)

    return jax.tree.map(strong, tree)


def _flat(x: jax.Array) -> jax.Array:
    return x.reshape(-1, *x.shape[2:])
