"""Acting in the environment for one iteration, as one scan."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from mimicgym.ppo import network
from mimicgym.ppo.config import PPOConfig
from mimicgym.ppo.devices import Axis, mean_over, sum_over
from mimicgym.ppo.normalize import RunningStats, normalize, unscale_value
from mimicgym.ppo.protocol import Environment
from mimicgym.ppo.slices import normal


@struct.dataclass
class Rollout:
    """T steps of B environments."""

    obs: dict[str, jax.Array]  # (T, B, D) as the environment gave them
    action: jax.Array  # (T, B, A)
    mean: jax.Array  # (T, B, A)
    log_prob: jax.Array  # (T, B)
    value: jax.Array  # (T, B) V(s_t)
    final_value: jax.Array  # (T, B) V of the last observation of a cut-off episode
    reward: jax.Array  # (T, B)
    terminated: jax.Array  # (T, B) bool
    truncated: jax.Array  # (T, B) bool
    teacher: jax.Array | None  # (T, B) int32 whose action to imitate, if anyone's
    held: jax.Array | None  # (B, M) what the actor remembered before the first step

    @property
    def done(self) -> jax.Array:
        """(T, B) bool: an episode ended."""
        return self.terminated | self.truncated


@struct.dataclass
class Acting:
    """What acting needs: parameters and the statistics they are used with."""

    params: dict[str, Any]
    obs_stats: dict[str, RunningStats]
    return_stats: RunningStats


def observed(
    acting: Acting, group: str, obs: jax.Array, config: PPOConfig
) -> jax.Array:
    """Observations as the networks see them."""
    if not config.normalize_observations:
        return obs
    return normalize(acting.obs_stats[group], obs)


def value_of(acting: Acting, critic_obs: jax.Array, config: PPOConfig) -> jax.Array:
    """(...,) value of critic observations (..., E), in units of reward."""
    seen = observed(acting, "critic", critic_obs, config)
    value = network.apply(network.critic_network(config), acting.params["critic"], seen)
    return unscale_value(acting.return_stats, value[..., 0])


def collect(
    env: Environment,
    batch: Any,
    held: jax.Array | None,
    acting: Acting,
    key: jax.Array,
    config: PPOConfig,
    *,
    slices: int,
    axis: Axis = None,
    taught: bool = False,
) -> tuple[Any, jax.Array | None, Rollout, dict[str, jax.Array]]:
    """Run `config.num_steps` steps.

    Args:
      held: (B, M) what the actor remembers, or None.
      slices: into how many the environments here are divided.
      axis: over which other devices run others.
      taught: whether to note each sample's teacher.

    Returns:
      The environments' last `BatchStep`; what the actor remembers then; the rollout; ()
      metrics: means over all steps, and of each figure of finished episodes the mean
      over those ("episode/...", with their number as "episode/count").
    """
    actor = network.actor_network(config, env.action_size)
    std = network.policy_std(acting.params["raw_std"], config)

    def step(carry: tuple[Any, jax.Array | None], key: jax.Array):
        batch, held = carry
        seen = observed(acting, "actor", batch.obs["actor"], config)
        mean, held = network.act(actor, acting.params["actor"], seen, held)
        action = mean + std * normal(key, slices, mean.shape, axis)
        # What follows is not to be part of the environment's kernels: on a GPU, XLA
        # made one of the sums below and of all rewards, which took it 11 s.
        after = jax.lax.optimization_barrier(env.step(batch, action))
        done = after.terminated | after.truncated
        if held is not None:
            held = jnp.where(done[:, None], 0.0, held)
        finished = {
            name: jnp.sum(jnp.where(done, x, 0.0)) for name, x in after.episode.items()
        }
        sums = finished | {
            "count": jnp.sum(done).astype(jnp.float32),
            "failed": jnp.sum(after.terminated).astype(jnp.float32),
        }
        rows = Rollout(
            obs=dict(batch.obs),
            action=action,
            mean=mean,
            log_prob=network.log_prob(mean, std, action),
            value=value_of(acting, batch.obs["critic"], config),
            final_value=_final_values(
                after.truncated & ~after.terminated,
                after.final_obs["critic"],
                lambda obs: value_of(acting, obs, config),
            ),
            reward=after.reward,
            terminated=after.terminated,
            truncated=after.truncated,
            teacher=env.teacher_of(batch) if taught else None,
            held=None,
        )
        means = {name: jnp.mean(x) for name, x in after.metrics.items()}
        return (after, held), (rows, means, sums)

    (batch, last), (rollout, means, sums) = jax.lax.scan(
        step, (batch, held), jax.random.split(key, config.num_steps)
    )
    rollout = replace(rollout, held=held)
    return batch, last, rollout, _summary(means, sums, axis)


def next_values(rollout: Rollout, last_value: jax.Array) -> jax.Array:
    """(T, B) V(s_{t+1}): of the next observation, or of a cut-off episode's last one.

    last_value (B,) is the value of the observations that the rollout ended on.
    """
    following = jnp.concatenate([rollout.value[1:], last_value[None]])
    return jnp.where(rollout.truncated, rollout.final_value, following)


def _final_values(
    cut_off: jax.Array, final_obs: jax.Array, value: Callable[[jax.Array], jax.Array]
) -> jax.Array:
    """(B,) values of the rows of mask cut_off, 0 elsewhere.

    Few rows are cut off in any one step, and often none: an eighth of the batch is
    evaluated if there are any, and all of it only if there are more than that.
    """
    rows = cut_off.shape[0]
    room = max(1, rows // 8)

    def none() -> jax.Array:
        return jnp.zeros(rows)

    def some() -> jax.Array:
        (index,) = jnp.nonzero(cut_off, size=room, fill_value=rows)
        values = value(final_obs[jnp.minimum(index, rows - 1)])
        return jnp.zeros(rows).at[index].set(values, mode="drop")

    def all_rows() -> jax.Array:
        return jnp.where(cut_off, value(final_obs), 0.0)

    count = jnp.sum(cut_off)
    branch = (count > 0).astype(jnp.int32) + (count > room)
    return jax.lax.switch(branch, [none, some, all_rows])


def _summary(
    means: Mapping[str, jax.Array], sums: Mapping[str, jax.Array], axis: Axis
) -> dict[str, jax.Array]:
    totals = sum_over({name: jnp.sum(x) for name, x in sums.items()}, axis)
    count = totals.pop("count")
    episodes = {f"episode/{k}": v / count for k, v in totals.items()}
    steps = mean_over({name: jnp.mean(x) for name, x in means.items()}, axis)
    return steps | episodes | {"episode/count": count}
