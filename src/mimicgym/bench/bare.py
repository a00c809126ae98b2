"""The bare engine: the same model, `decimation` and threads, and nothing else. No
kinematics for terms, no rewards, no observations, no resets.

A loop runs control steps in one of two ways. "Standing": from rest in the given poses,
which are held; that is the figure that is usually given for an engine. "Moving": from
the environment's states with the targets that the environment has given, step by step;
robots that move and fall have more contacts and take the solver longer. What ends in
the environment goes on here.
"""

from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from mimicgym.physics import Engine

Run = Callable[[], None]
"""Does all steps and waits for them."""


class BareLoop(Protocol):
    """One engine without an environment around it."""

    def standing(self, qpos: np.ndarray, steps: int) -> Run:
        """`steps` control steps from rest in qpos (N, 7+J), with the joints' positions
        as their targets."""
        ...

    def moving(self, qpos: np.ndarray, qvel: np.ndarray, ctrl: np.ndarray) -> Run:
        """T control steps from (qpos, qvel) with ctrl (T, N, J), or (T, N, decimation,
        J): targets for each physics step."""
        ...


class NativeLoop:
    """`mujoco.batch.Batch`, with as many threads as the environment's engine."""

    def __init__(self, engine: Engine, num_envs: int):
        from mujoco.batch import Batch

        threads = getattr(engine, "threads", 0)
        self._decimation = engine.decimation
        self._batch = Batch(engine.model.mj, num_envs, threads)
        self._qpos, self._qvel = self._batch.bind("qpos"), self._batch.bind("qvel")
        self._ctrl = self._batch.bind("ctrl")

    def standing(self, qpos: np.ndarray, steps: int) -> Run:
        def run() -> None:
            self._qpos[:] = qpos
            self._qvel[:] = 0.0
            self._ctrl[:] = qpos[:, 7:]
            for _ in range(steps):
                self._batch.step(nstep=self._decimation)

        return run

    def moving(self, qpos: np.ndarray, qvel: np.ndarray, ctrl: np.ndarray) -> Run:
        # Doubles, as the engine has them: converting is not the bare engine's work.
        rows = ctrl.astype(np.float64)
        parts, nstep = rows[:, None], self._decimation
        if rows.ndim == 4:
            parts, nstep = np.moveaxis(rows, 2, 1), 1

        def run() -> None:
            self._qpos[:] = qpos
            self._qvel[:] = qvel
            for step in parts:
                for target in step:
                    self._ctrl[:] = target
                    self._batch.step(nstep=nstep)

        return run


class ProgramLoop:
    """Steps as one program, the same for both ways.

    steps: of (qpos, qvel, ctrl) as `moving` has them, gives qpos (N, 7+J) afterwards.
    """

    def __init__(self, steps: Callable[..., jax.Array]):
        self._steps = jax.jit(steps)

    def standing(self, qpos: np.ndarray, steps: int) -> Run:
        joints = qpos[:, 7:]
        velocity = np.zeros((len(qpos), 6 + joints.shape[1]), np.float32)
        held = np.broadcast_to(joints, (steps, *joints.shape))
        return self.moving(qpos, velocity, held)

    def moving(self, qpos: np.ndarray, qvel: np.ndarray, ctrl: np.ndarray) -> Run:
        given = [jnp.asarray(x, jnp.float32) for x in (qpos, qvel, ctrl)]

        def run() -> None:
            jax.block_until_ready(self._steps(*given))

        return run


def mjx_loop(engine: Engine, num_envs: int) -> BareLoop:
    """`mjx.step` of MJX-JAX."""
    from mujoco import mjx

    del num_envs
    model = mjx.put_model(engine.model.mj, impl="jax")
    decimation = engine.decimation

    def steps(qpos: jax.Array, qvel: jax.Array, ctrl: jax.Array) -> jax.Array:
        def start(qpos: jax.Array, qvel: jax.Array) -> mjx.Data:
            return mjx.make_data(model).replace(qpos=qpos, qvel=qvel)

        def physics_step(data: mjx.Data, ctrl: jax.Array):
            stepped = jax.vmap(lambda d, c: mjx.step(model, d.replace(ctrl=c)))
            return stepped(data, ctrl), None

        def control_step(data: mjx.Data, ctrl: jax.Array):
            if ctrl.ndim == 3:
                held = jnp.moveaxis(ctrl, 1, 0)
            else:
                held = jnp.broadcast_to(ctrl, (decimation, *ctrl.shape))
            return jax.lax.scan(physics_step, data, held)

        data = jax.vmap(start)(qpos, qvel)
        return jax.lax.scan(control_step, data, ctrl)[0].qpos

    return ProgramLoop(steps)


def warp_loop(engine: Any, num_envs: int) -> BareLoop:
    """`mjx.step` of MJX-Warp, with the buffers of the environment's engine."""
    del num_envs
    return ProgramLoop(engine.bare_steps)


BARE_LOOPS: dict[str, Callable[[Engine, int], BareLoop]] = {
    "native": NativeLoop,
    "mjx": mjx_loop,
    "warp": warp_loop,
}
"""By the engine's name: made of the environment's engine and the number of rows."""
