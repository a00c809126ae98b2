"""Environments so small that what PPO has to find is known."""

from dataclasses import dataclass, replace

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
    def gated_sizes(self) -> dict[str, int]:
        return {}

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


@dataclass(frozen=True)
class Ring:
    """Five states in a ring, walked round for ever, with reward 1 on entering state 0.

    Episodes start anywhere and are cut off after `length` steps; before that each step
    fails with probability `fail`. Actions do nothing. As nothing ends by itself without
    failures, state x is worth gamma^(4 - x) / (1 - gamma^5).
    """

    num_envs: int = 64
    length: int = 2
    fail: float = 0.0
    action_size: int = 2

    def shard(self, count: int, axis: str) -> "Ring":
        return replace(self, num_envs=self.num_envs // count)

    @property
    def observation_sizes(self) -> dict[str, int]:
        return {"actor": 3, "critic": 5}

    @property
    def gated_sizes(self) -> dict[str, int]:
        return {}

    def _step(self, key, place, clock, final_place, reward, terminated, truncated):
        def observe(place: jax.Array) -> dict[str, jax.Array]:
            critic = jax.nn.one_hot(place, 5)
            return {"actor": critic[:, :3], "critic": critic}

        return ProbeStep(
            obs=observe(place),
            final_obs=observe(final_place),
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            metrics={"error/place": final_place.astype(jnp.float32)},
            episode={"place": 10.0 * final_place},
            key=key,
            # Where a row is and for how long, in one number.
            clock=10 * clock + place,
        )

    def reset(self, keys: jax.Array) -> ProbeStep:
        place = jax.vmap(lambda k: jax.random.randint(k, (), 0, 5))(keys)
        zero = jnp.zeros(self.num_envs)
        no = jnp.zeros(self.num_envs, bool)
        return self._step(keys, place, jnp.zeros_like(place), place, zero, no, no)

    def step(self, batch: ProbeStep, action: jax.Array) -> ProbeStep:
        clock, place = batch.clock // 10 + 1, (batch.clock % 10 + 1) % 5
        split = jax.vmap(lambda k: jax.random.split(k, 3))(batch.key)
        terminated = jax.vmap(lambda k: jax.random.bernoulli(k, self.fail))(split[:, 0])
        truncated = (clock >= self.length) & ~terminated
        done = terminated | truncated
        start = jax.vmap(lambda k: jax.random.randint(k, (), 0, 5))(split[:, 1])
        return self._step(
            split[:, 2],
            jnp.where(done, start, place),
            jnp.where(done, 0, clock),
            place,
            (place == 0).astype(jnp.float32),
            terminated,
            truncated,
        )


@dataclass(frozen=True)
class Recall:
    """Three steps: a sign is shown, then nothing; reward is -(a - sign / 2)^2. Who does
    not remember does best with 0 in the last two steps, which costs 0.25 each."""

    num_envs: int = 64
    action_size: int = 1
    length: int = 3

    @property
    def observation_sizes(self) -> dict[str, int]:
        return {"actor": 2, "critic": 2}

    @property
    def gated_sizes(self) -> dict[str, int]:
        return {}

    def _make(self, key, clock, obs, final_obs, reward, done) -> ProbeStep:
        zeros = jnp.zeros(self.num_envs)
        return ProbeStep(
            obs={"actor": obs, "critic": obs},
            final_obs={"actor": final_obs, "critic": final_obs},
            reward=reward,
            terminated=done,
            truncated=jnp.zeros(self.num_envs, bool),
            metrics={"error/none": zeros},
            episode={"return": reward},
            key=key,
            clock=clock,
        )

    def _sign(self, key: jax.Array) -> jax.Array:
        return jnp.where(jax.vmap(jax.random.bernoulli)(key), 1.0, -1.0)

    def _observe(self, key: jax.Array, clock: jax.Array) -> jax.Array:
        shown = jnp.where(clock == 0, self._sign(key), 0.0)
        return jnp.stack([shown, clock.astype(jnp.float32)], axis=1)

    def reset(self, keys: jax.Array) -> ProbeStep:
        clock = jnp.zeros(self.num_envs, jnp.int32)
        obs = self._observe(keys, clock)
        no = jnp.zeros(self.num_envs, bool)
        return self._make(keys, clock, obs, obs, jnp.zeros(self.num_envs), no)

    def step(self, batch: ProbeStep, action: jax.Array) -> ProbeStep:
        reward = -jnp.square(action[:, 0] - self._sign(batch.key) / 2)
        clock = batch.clock + 1
        done = clock >= self.length
        final_obs = self._observe(batch.key, clock)
        fresh = jax.vmap(lambda k: jax.random.split(k)[0])(batch.key)
        key = jnp.where(done, fresh, batch.key)
        clock = jnp.where(done, 0, clock)
        return self._make(
            key, clock, self._observe(key, clock), final_obs, reward, done
        )
