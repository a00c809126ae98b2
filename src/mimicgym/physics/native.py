"""MuJoCo's C engine, stepped in parallel on the CPU, inside jitted code.

`mujoco.batch.Batch` runs many simulations on a pool of threads; `jax.pure_callback`
reaches it from a jitted program, once per control step for the whole batch. State goes
in and state comes out: a batch object is only scratch space.
"""

import itertools
import threading

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from mujoco import batch as mujoco_batch

from mimicgym.errors import UserError
from mimicgym.physics.state import (
    PhysicsState,
    RawState,
    RobotState,
    raw_shapes,
    robot_state,
)
from mimicgym.robot import RobotModel

_ACC = int(mujoco.mjtStage.mjSTAGE_ACC.value)
# What is read back, in the order of `RawState`.
_FIELDS = ("xpos", "xquat", "cvel", "subtree_com", "sensordata", "actuator_force")


class NativeEngine:
    """See `Engine`. Results do not depend on the number of threads."""

    name = "native"

    def __init__(self, model: RobotModel, *, decimation: int = 4, threads: int = 0):
        if decimation < 1:
            raise UserError(
                f"control.decimation is {decimation}; it must be at least 1"
            )
        if threads < 0:
            raise UserError(f"threads is {threads}; give 0 for all cores, or a count")
        self.model = model
        self.decimation = decimation
        self.threads = threads
        self._batches: dict[int, _Batch] = {}
        self._lock = threading.Lock()

    def forward(
        self, qpos: jax.Array, qvel: jax.Array, mask: jax.Array
    ) -> tuple[PhysicsState, RobotState]:
        out = jax.pure_callback(
            self._host_forward,
            self._result_shapes(),
            qpos,
            qvel,
            mask,
            vmap_method="broadcast_all",
        )
        return self._unpack(out)

    def step(
        self, physics: PhysicsState, ctrl: jax.Array
    ) -> tuple[PhysicsState, RobotState]:
        out = jax.pure_callback(
            self._host_step,
            self._result_shapes(),
            physics.qpos,
            physics.qvel,
            physics.warmstart,
            ctrl,
            vmap_method="broadcast_all",
        )
        return self._unpack(out)

    def _result_shapes(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((_row_size(self.model),), jnp.float32)

    def _unpack(self, out: jax.Array) -> tuple[PhysicsState, RobotState]:
        physics, raw = _split(self.model, out)
        return physics, robot_state(self.model, physics, raw)

    # The host side touches NumPy only: JAX arrays made inside a callback can wait
    # for the very computation that waits for the callback.

    def _host_forward(self, qpos, qvel, mask) -> np.ndarray:
        mask = np.asarray(mask)
        lead, ids = mask.shape, np.flatnonzero(mask.reshape(-1))
        nq, nv = self.model.mj.nq, self.model.mj.nv
        with self._lock:
            batch = self._batch(mask.size)
            batch.qpos[ids] = np.asarray(qpos).reshape(-1, nq)[ids]
            batch.qvel[ids] = np.asarray(qvel).reshape(-1, nv)[ids]
            batch.warmstart[ids] = 0.0
            batch.ctrl[ids] = batch.qpos[ids, 7:]
            return batch.run(ids, 0).reshape(*lead, -1)

    def _host_step(self, qpos, qvel, warmstart, ctrl) -> np.ndarray:
        qpos = np.asarray(qpos)
        lead = qpos.shape[:-1]
        nq, nv = self.model.mj.nq, self.model.mj.nv
        with self._lock:
            batch = self._batch(int(np.prod(lead, dtype=np.int64)))
            batch.qpos[:] = qpos.reshape(-1, nq)
            batch.qvel[:] = np.asarray(qvel).reshape(-1, nv)
            batch.warmstart[:] = np.asarray(warmstart).reshape(-1, nv)
            batch.ctrl[:] = np.asarray(ctrl).reshape(-1, nq - 7)
            return batch.run(None, self.decimation).reshape(*lead, -1)

    def _batch(self, size: int) -> "_Batch":
        # Training, evaluation and a single environment differ in size: one each.
        if size not in self._batches:
            self._batches[size] = _Batch(self.model, size, self.threads)
        return self._batches[size]


class _Batch:
    """Scratch simulations of one batch size and the arrays that view them."""

    def __init__(self, model: RobotModel, size: int, threads: int):
        self.size = size
        keys = model.key_body_ids
        # Of fields with a row for each body, the rows that are wanted.
        self.bodies = (None, None, None, keys, keys, keys, [1], None, None)
        self.batch = mujoco_batch.Batch(model.mj, size, threads)
        self.qpos = self.batch.bind("qpos")
        self.qvel = self.batch.bind("qvel")
        self.warmstart = self.batch.bind("qacc_warmstart")
        self.ctrl = self.batch.bind("ctrl")
        self.fields = [self.batch.bind(name) for name in _FIELDS]
        self.slices = _slices(model)
        self.row_size = _row_size(model)

    def run(self, ids: np.ndarray | None, nstep: int) -> np.ndarray:
        """Step (or only compute, nstep 0) and return one float32 row a simulation.

        A simulation that MuJoCo gives up on, or whose state is not finite to begin
        with, comes back as NaN: the environment ends that episode by itself.
        """
        # A fresh array each time: JAX may keep what a callback returns. Rows that were
        # not asked for have no meaning, but are not left to chance.
        out = np.zeros((self.size, self.row_size), np.float32)
        rows = np.arange(self.size) if ids is None else ids
        if not rows.size:
            return out
        inputs = (self.qpos[rows], self.qvel[rows], self.ctrl[rows])
        bad = ~np.all([np.isfinite(x).all(1) for x in inputs], axis=0)
        good = rows[~bad]
        failed = rows[bad]
        if good.size:
            selected = None if good.size == self.size else good
            try:
                if nstep:
                    self.batch.step(selected, nstep=nstep, stage=_ACC)
                else:
                    self.batch.forward(selected, stage=_ACC)
            except mujoco_batch.SimulationError as error:
                failed = np.concatenate([failed, error.ids])
        values = (self.qpos, self.qvel, self.warmstart, *self.fields)
        where = slice(None) if ids is None else ids
        with np.errstate(over="ignore", invalid="ignore"):
            for part, value, bodies in zip(
                self.slices, values, self.bodies, strict=True
            ):
                wanted = value[where] if bodies is None else value[where][:, bodies]
                out[where, part] = wanted.reshape(len(rows), -1)
        out[failed] = np.nan
        return out


def _sizes(model: RobotModel) -> list[int]:
    state = [model.mj.nq, model.mj.nv, model.mj.nv]
    return state + [int(np.prod(shape)) for shape in raw_shapes(model).values()]


def _slices(model: RobotModel) -> list[slice]:
    ends = np.cumsum([0, *_sizes(model)])
    return [slice(a, b) for a, b in itertools.pairwise(ends)]


def _row_size(model: RobotModel) -> int:
    return sum(_sizes(model))


def _split(model: RobotModel, row: jax.Array) -> tuple[PhysicsState, RawState]:
    parts = [row[part] for part in _slices(model)]
    physics = PhysicsState(qpos=parts[0], qvel=parts[1], warmstart=parts[2])
    shapes = raw_shapes(model)
    raw = {
        name: part.reshape(shape)
        for part, (name, shape) in zip(parts[3:], shapes.items(), strict=True)
    }
    return physics, RawState(**raw)
