"""mimicgym's functional environment as Brax's learners want it."""

from typing import Any

import jax
import jax.numpy as jnp
from brax import envs

from mimicgym.envs.batch import BatchedEnv, BatchState
from mimicgym.envs.tracking import TrackingEnv


class Tracking(envs.Env):
    """`num_envs` rows that reset themselves, on the clip as mimicgym's own do: Brax's
    wrappers would send each row back to its very first state.

    Give it to `brax.training.agents.ppo.train` with `wrap_env=False`. Actions are in
    units of the task, as mimicgym's learner has them. What has been learnt of where to
    start is within the state.
    """

    def __init__(self, env: TrackingEnv, num_envs: int):
        self.batched = BatchedEnv(env, num_envs)
        keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), num_envs))
        self._template = jax.eval_shape(self.batched.reset, keys)

    def reset(self, rng: jax.Array) -> envs.State:
        """rng (B, 2): raw keys."""
        batch = self.batched.reset(jax.random.wrap_key_data(rng))
        zeros = jnp.zeros(len(rng))
        return envs.State(
            pipeline_state=_raw(batch),
            obs=dict(batch.obs),
            reward=zeros,
            done=zeros,
            metrics={},
            info={
                "truncation": zeros,
                "episode_done": zeros,
                "episode_metrics": {"sum_reward": zeros, "length": zeros},
            },
        )

    def step(self, state: envs.State, action: jax.Array) -> envs.State:
        batch = _keyed(state.pipeline_state, self._template)
        batch = self.batched.step(batch, action)
        done = batch.done.astype(jnp.float32)
        cut = (batch.truncated & ~batch.terminated).astype(jnp.float32)
        return state.replace(
            pipeline_state=_raw(batch),
            obs=dict(batch.obs),
            reward=batch.reward,
            done=done,
            info=state.info
            | {
                "truncation": cut,
                "episode_done": done,
                "episode_metrics": {
                    "sum_reward": batch.episode["return"],
                    "length": batch.episode["length"],
                },
            },
        )

    @property
    def observation_size(self) -> Any:
        return dict(self.batched.observation_sizes)

    @property
    def action_size(self) -> int:
        return self.batched.action_size

    @property
    def backend(self) -> str:
        return "mjx"


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _raw(batch: BatchState) -> BatchState:
    """Random keys as numbers: Brax casts every array of a state."""
    return jax.tree.map(lambda x: jax.random.key_data(x) if _is_key(x) else x, batch)


def _keyed(batch: BatchState, template: BatchState) -> BatchState:
    return jax.tree.map(
        lambda shape, x: jax.random.wrap_key_data(x) if _is_key(shape) else x,
        template,
        batch,
    )


def restore_replication() -> list[str]:
    """Brax 0.14 asks for a function that JAX no longer has. Returns what was added."""
    if hasattr(jax, "device_put_replicated"):
        return []

    def replicated(tree: Any, devices: Any) -> Any:
        return jax.tree.map(lambda x: jnp.stack([x] * len(devices)), tree)

    jax.device_put_replicated = replicated
    return ["jax.device_put_replicated"]
