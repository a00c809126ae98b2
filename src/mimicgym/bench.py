"""Speed of the environment with all its terms, against the bare engine."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.tracking import TrackingEnv
from mimicgym.errors import UserError
from mimicgym.robot import RobotModel


@dataclass(frozen=True)
class BenchResult:
    """Medians over interleaved repeats; speeds in control steps a second.

    `bare` is the engine stepping the same model, `decimation` physics steps a call,
    from the same start states, with nothing else: no kinematics for terms, no rewards,
    no observations, no resets.
    """

    engine: str
    num_envs: int
    env_steps_per_s: float
    bare_env_steps_per_s: float
    ratio: float
    compile_s: float
    ratio_spread: tuple[float, float]
    repeats: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def bench(
    env: TrackingEnv,
    num_envs: int,
    *,
    steps: int = 50,
    repeats: int = 5,
    seed: int = 0,
    action_std: float = 0.1,
) -> BenchResult:
    """Measure `env` and its bare engine in turns.

    Args:
      num_envs: rows of the batch.
      steps: control steps of one timed stretch.
      repeats: timed stretches of each; the ratio is that of neighbours in time.
      action_std: deviation of the random actions, in units of the action.
    """
    if steps < 1 or repeats < 1:
        raise UserError(f"steps is {steps} and repeats {repeats}; both at least 1")
    batched = BatchedEnv(env, num_envs)
    keys = jax.random.split(jax.random.key(seed), num_envs)

    @jax.jit
    def start(keys: jax.Array):
        return batched.reset(keys)

    @jax.jit
    def stretch(batch, key: jax.Array):
        def body(batch, key):
            shape = (num_envs, env.action_size)
            batch = batched.step(batch, action_std * jax.random.normal(key, shape))
            return batch, (batch.reward.mean(), batch.done.mean())

        return jax.lax.scan(body, batch, jax.random.split(key, steps))

    began = time.perf_counter()
    batch = jax.block_until_ready(start(keys))
    batch, _ = jax.block_until_ready(stretch(batch, jax.random.key(1)))
    compile_s = time.perf_counter() - began
    bare = _bare(env, np.asarray(batch.state.physics.qpos), num_envs, steps)
    bare()
    env_s, bare_s = [], []
    for i in range(repeats):
        began = time.perf_counter()
        batch, _ = jax.block_until_ready(stretch(batch, jax.random.key(2 + i)))
        env_s.append(time.perf_counter() - began)
        began = time.perf_counter()
        bare()
        bare_s.append(time.perf_counter() - began)
    ratios = np.array(bare_s) / np.array(env_s)
    count = num_envs * steps
    return BenchResult(
        engine=env.engine.name,
        num_envs=num_envs,
        env_steps_per_s=count / float(np.median(env_s)),
        bare_env_steps_per_s=count / float(np.median(bare_s)),
        ratio=float(np.median(ratios)),
        compile_s=compile_s,
        ratio_spread=(float(ratios.min()), float(ratios.max())),
        repeats=repeats,
    )


def _bare(
    env: TrackingEnv, qpos: np.ndarray, num_envs: int, steps: int
) -> Callable[[], None]:
    """A function that steps the bare engine `steps` control steps and waits for it."""
    if env.engine.name == "native":
        threads = getattr(env.engine, "threads", 0)
        return _bare_native(
            env.engine.model, qpos, env.engine.decimation, threads, steps
        )
    return _bare_mjx(env.engine.model, qpos, env.engine.decimation, steps)


def _bare_native(
    model: RobotModel, qpos: np.ndarray, decimation: int, threads: int, steps: int
) -> Callable[[], None]:
    from mujoco.batch import Batch

    batch = Batch(model.mj, len(qpos), threads)
    position, velocity = batch.bind("qpos"), batch.bind("qvel")
    ctrl = batch.bind("ctrl")

    def run() -> None:
        position[:] = qpos
        velocity[:] = 0.0
        ctrl[:] = qpos[:, 7:]
        for _ in range(steps):
            batch.step(nstep=decimation)

    return run


def _bare_mjx(
    model: RobotModel, qpos: np.ndarray, decimation: int, steps: int
) -> Callable[[], None]:
    from mujoco import mjx

    device_model = mjx.put_model(model.mj, impl="jax")

    @jax.jit
    def run(qpos: jax.Array):
        def start(row: jax.Array):
            return mjx.make_data(device_model).replace(qpos=row, ctrl=row[7:])

        def body(data, _):
            return jax.vmap(lambda d: mjx.step(device_model, d))(data), None

        data = jax.vmap(start)(qpos)
        return jax.lax.scan(body, data, None, length=steps * decimation)[0].qpos

    rows = jnp.asarray(qpos)

    def wait() -> None:
        jax.block_until_ready(run(rows))

    return wait
