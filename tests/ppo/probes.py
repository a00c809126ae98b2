"""Environments so small that what PPO has to find is known."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import struct


@struct.dataclass
class ProbeStep:
    obs: dict[str, jax.Array]
    final_obs: dict[str, jax.Array]
    reward: jax.Array
    terminated: jax.Array
    truncated: jax.Array
    metrics: dict[str, jax.Array]
    episode: dict[str, jax.Array]
    key: jax.Array
    clock: jax.Array


@dataclass(frozen=True)
class Probe:
    """B rows of a task given by its name.

    constant   one step, reward 1
    observed   one step, reward is the observation, drawn from -1 and 1
    discounted two steps, reward 1 at the second; the observation is the step
    action     one step, reward is -(a - 0.5)^2
    both       one step, reward is -(a - observation / 2)^2
    limited    reward 1 for ever, cut off after 4 steps: worth 1 / (1 - gamma)
    ending     reward 1, failing after 4 steps: worth less and less towards the end
    """

    task: str
    num_envs: int = 64
    action_size: int = 1

    @property
    def observation_sizes(self) -> dict[str, int]:
        return {"actor": 1, "critic": 1}

    @property
    def length(self) -> int:
        return {"discounted": 2, "limited": 4, "ending": 4}.get(self.task, 1)

    def _observe(self, key: jax.Array, clock: jax.Array) -> jax.Array:
        if self.task in ("observed", "both"):
            draw = jax.vmap(jax.random.bernoulli)(key)
            return jnp.where(draw, 1.0, -1.0)[:, None]
        if self.task in ("discounted", "ending"):
            return clock[:, None].astype(jnp.float32)
        return jnp.zeros((self.num_envs, 1))

    def _step(self, obs, final_obs, reward, terminated, truncated, key, clock):
        zeros = jnp.zeros(self.num_envs)
        return ProbeStep(
            obs={"actor": obs, "critic": obs},
            final_obs={"actor": final_obs, "critic": final_obs},
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            metrics={"error/none": zeros},
            episode={"return": reward, "length": zeros + self.length},
            key=key,
            clock=clock,
        )

    def reset(self, keys: jax.Array) -> ProbeStep:
        clock = jnp.zeros(self.num_envs, jnp.int32)
        obs = self._observe(keys, clock)
        no = jnp.zeros(self.num_envs, bool)
        return self._step(obs, obs, jnp.zeros(self.num_envs), no, no, keys, clock)

    def step(self, batch: ProbeStep, action: jax.Array) -> ProbeStep:
        obs, a = batch.obs["actor"][:, 0], action[:, 0]
        clock = batch.clock + 1
        done = clock >= self.length
        reward = {
            "constant": jnp.ones_like(a),
            "observed": obs,
            "discounted": done.astype(jnp.float32),
            "action": -jnp.square(a - 0.5),
            "both": -jnp.square(a - obs / 2),
            "limited": jnp.ones_like(a),
            "ending": jnp.ones_like(a),
        }[self.task]
        key = jax.vmap(lambda k: jax.random.split(k)[0])(batch.key)
        final_obs = self._observe(key, clock)
        clock = jnp.where(done, 0, clock)
        cut_off = self.task == "limited"
        return self._step(
            self._observe(key, clock),
            final_obs,
            reward,
            done & (not cut_off),
            done & cut_off,
            key,
            clock,
        )
