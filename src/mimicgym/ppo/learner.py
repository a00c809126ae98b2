"""One iteration of PPO as one jitted function of one pytree."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct

from mimicgym.ppo import network
from mimicgym.ppo.config import PPOConfig
from mimicgym.ppo.gae import advantages
from mimicgym.ppo.loss import Samples, ppo_loss
from mimicgym.ppo.normalize import RunningStats, init_stats, scale_value, update_stats
from mimicgym.ppo.protocol import Environment
from mimicgym.ppo.rollout import (
    Acting,
    Rollout,
    collect,
    next_values,
    observed,
    value_of,
)
from mimicgym.ppo.schedule import adapt_learning_rate, starting_rate


@struct.dataclass
class LearnerState:
    """Everything that the next iteration depends on."""

    params: dict[str, Any]
    opt_state: optax.OptState
    obs_stats: dict[str, RunningStats]
    return_stats: RunningStats
    learning_rate: jax.Array
    key: jax.Array
    batch: Any  # the environments' BatchStep
    iteration: jax.Array  # () int32


class Learner:
    """PPO on a batched environment.

    `iterate` is compiled once; its argument is donated, so a state that has been
    iterated can not be used again.
    """

    def __init__(self, env: Environment, config: PPOConfig):
        config.check(env.num_envs)
        self.env = env
        self.config = config
        self.steps_per_iteration = env.num_envs * config.num_steps
        # The learning rate changes from minibatch to minibatch, so it is applied by
        # hand after the rest of the optimiser.
        self._optimizer = optax.chain(
            optax.clip_by_global_norm(config.max_grad_norm), optax.scale_by_adam()
        )
        self.iterate = jax.jit(self._iterate, donate_argnums=0)
        self._start = jax.jit(self._init)

    def init(self, key: jax.Array) -> LearnerState:
        """The state before the first iteration."""
        return self._start(key)

    def _init(self, key: jax.Array) -> LearnerState:
        env, config = self.env, self.config
        params_key, env_key, key = jax.random.split(key, 3)
        sizes = env.observation_sizes
        params = network.init_params(
            params_key, config, sizes, env.action_size, env.gated_sizes
        )
        return LearnerState(
            params=params,
            opt_state=self._optimizer.init(params),
            obs_stats={group: init_stats(size) for group, size in sizes.items()},
            return_stats=init_stats(),
            learning_rate=jnp.float32(config.learning_rate),
            key=key,
            batch=_strong(env.reset(jax.random.split(env_key, env.num_envs))),
            iteration=jnp.int32(0),
        )

    def _iterate(
        self, state: LearnerState
    ) -> tuple[LearnerState, dict[str, jax.Array]]:
        config = self.config
        key, rollout_key, update_key = jax.random.split(state.key, 3)
        acting = Acting(state.params, state.obs_stats, state.return_stats)
        batch, rollout, metrics = collect(
            self.env, state.batch, acting, rollout_key, config
        )
        last_value = value_of(acting, batch.obs["critic"], config)
        advantage = advantages(
            rollout.reward,
            rollout.value,
            next_values(rollout, last_value),
            rollout.terminated,
            rollout.terminated | rollout.truncated,
            gamma=config.gamma,
            gae_lambda=config.gae_lambda,
        )
        returns = advantage + rollout.value
        return_stats = state.return_stats
        if config.normalize_values:
            return_stats = update_stats(return_stats, returns.ravel())
        samples = _samples(acting, rollout, advantage, returns, return_stats, config)
        params, opt_state, rate, health = self._update(state, samples, update_key)

        # The new statistics hold from the next iteration on: within this one acting
        # and learning must see observations alike.
        obs_stats = {
            group: update_stats(stats, _flat(rollout.obs[group]))
            for group, stats in state.obs_stats.items()
        }
        variance = jnp.var(returns)
        health |= {
            "ppo/learning_rate": rate,
            "ppo/std": jnp.mean(network.policy_std(params["raw_std"], config)),
            "ppo/explained_variance": 1
            - jnp.var(returns - rollout.value) / jnp.maximum(variance, 1e-8),
            "ppo/value": jnp.mean(rollout.value),
            "ppo/reward": jnp.mean(rollout.reward),
        }
        state = LearnerState(
            params=params,
            opt_state=opt_state,
            obs_stats=obs_stats,
            return_stats=return_stats,
            learning_rate=rate,
            key=key,
            batch=_strong(batch),
            iteration=state.iteration + 1,
        )
        return state, metrics | health

    def _update(self, state: LearnerState, samples: Samples, key: jax.Array):
        config = self.config
        old_std = network.policy_std(state.params["raw_std"], config)
        count = samples.action.shape[0]

        def minibatch(carry, rows: jax.Array):
            params, opt_state, rate = carry
            part = jax.tree.map(lambda x: x[rows], samples)
            (_, health), grads = jax.value_and_grad(ppo_loss, has_aux=True)(
                params, old_std, part, config
            )
            moved, opt_state = self._optimizer.update(grads, opt_state, params)
            updates: Any = moved
            # The rate that this minibatch's KL divergence calls for is used at once.
            rate = adapt_learning_rate(rate, health["ppo/kl"], config)
            critic_rate = config.critic_learning_rate or rate
            rates = {name: rate for name in params} | {"critic": critic_rate}
            steps = {
                name: jax.tree.map(lambda u, name=name: -rates[name] * u, updates[name])
                for name in params
            }
            params: dict[str, Any] = dict(
                jax.tree.map(lambda p, step: p + step, params, steps)
            )
            health["ppo/grad_norm"] = optax.tree.norm(grads)
            return (params, opt_state, rate), health

        def epoch(carry, key: jax.Array):
            order = jax.random.permutation(key, count)
            return jax.lax.scan(minibatch, carry, order.reshape(config.minibatches, -1))

        rate = starting_rate(state.learning_rate, state.iteration, config)
        carry = (state.params, state.opt_state, rate)
        carry, health = jax.lax.scan(epoch, carry, jax.random.split(key, config.epochs))
        return *carry, jax.tree.map(jnp.mean, health)


def _samples(
    acting: Acting,
    rollout: Rollout,
    advantage: jax.Array,
    returns: jax.Array,
    return_stats: RunningStats,
    config: PPOConfig,
) -> Samples:
    """Flatten time and environments; normalise what the networks see, once."""
    centred = advantage - jnp.mean(advantage)
    return jax.tree.map(
        _flat,
        Samples(
            actor_obs=observed(acting, "actor", rollout.obs["actor"], config),
            critic_obs=observed(acting, "critic", rollout.obs["critic"], config),
            action=rollout.action,
            mean=rollout.mean,
            log_prob=rollout.log_prob,
            value=scale_value(return_stats, rollout.value),
            advantage=centred / (jnp.std(advantage) + 1e-8),
            target=scale_value(return_stats, returns),
        ),
    )


def _strong(tree: Any) -> Any:
    """Without weak types: where an environment's steps and resets differ in them,
    `iterate` would be compiled twice."""

    def strong(x: jax.Array) -> jax.Array:
        is_key = jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
        return x if is_key else jnp.asarray(x, x.dtype)

    return jax.tree.map(strong, tree)


def _flat(x: jax.Array) -> jax.Array:
    return x.reshape(-1, *x.shape[2:])
