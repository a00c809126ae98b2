"""What is timed of an environment: control steps by themselves, and a learner's
iterations."""

import time
from typing import Any

import jax
import numpy as np

from mimicgym.bench.commands import commands_of
from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.tracking import TrackingEnv
from mimicgym.ppo import Learner, PPOConfig
from mimicgym.ppo.ahead import compile_iteration


class Stretches:
    """Control steps of an environment, some at a time, in one program.

    Attributes:
      compile_s: what its programs took.
      reset_shares: of each stretch that was begun.
    """

    def __init__(
        self, env: TrackingEnv, num_envs: int, steps: int, seed: int, action_std: float
    ):
        # As in training, which has no use for finished rows as they were.
        batched = BatchedEnv(env, num_envs, keep_final=False)
        commands = jax.vmap(commands_of(env))

        def stretch(batch: Any, key: jax.Array):
            def body(batch: Any, key: jax.Array):
                shape = (num_envs, env.action_size)
                action = action_std * jax.random.normal(key, shape)
                told = commands(batch.state, action)
                batch = batched.step(batch, action)
                seen = batch.reward.mean(), batch.done.mean()
                return batch, (told, seen)

            return jax.lax.scan(body, batch, jax.random.split(key, steps))

        key = jax.random.key(seed)
        rows, self._key = jax.random.split(key, num_envs), jax.random.key(seed + 1)
        began = time.perf_counter()
        start = jax.jit(batched.reset).lower(rows).compile()
        compiled_s = time.perf_counter() - began
        self._batch = start(rows)
        began = time.perf_counter()
        self._stretch = jax.jit(stretch).lower(self._batch, self._key).compile()
        self.compile_s = compiled_s + time.perf_counter() - began
        self.reset_shares: list[float] = []
        self._next = self._key
        self._from: Any = None
        self._told: Any = None
        self._done: Any = None

    def positions(self) -> np.ndarray:
        """(N, 7+J) where the robots are."""
        return np.asarray(self._batch.state.physics.qpos)

    def begin(self) -> None:
        """Note where the next stretch begins."""
        physics = self._batch.state.physics
        self._from = np.asarray(physics.qpos), np.asarray(physics.qvel)
        self._key, self._next = jax.random.split(self._key)
        jax.block_until_ready(self._next)

    def go(self) -> None:
        """Do it and wait for it."""
        self._batch, found = self._stretch(self._batch, self._next)
        self._told, (_, self._done) = jax.block_until_ready(found)

    def taken(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """qpos, qvel and targets of the last stretch, see `BareLoop.moving`."""
        self.reset_shares.append(float(np.mean(self._done)))
        return *self._from, np.asarray(self._told)


class Iterations:
    """Iterations of a learner.

    Attributes:
      steps: environment steps of one.
      compile_s: what the programs of an iteration took.
    """

    def __init__(self, env: TrackingEnv, num_envs: int, config: PPOConfig, seed: int):
        self._learner = Learner(BatchedEnv(env, num_envs, keep_final=False), config)
        self.steps = self._learner.steps_per_iteration
        self._state = self._learner.init(jax.random.key(seed))
        began = time.perf_counter()
        self._iterate = compile_iteration(self._learner, self._state)
        self.compile_s = time.perf_counter() - began

    def run(self) -> None:
        """Do one and wait for it."""
        self._state, _ = jax.block_until_ready(self._iterate(self._state))
