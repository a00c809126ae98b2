"""MuJoCo's C engine, stepped in parallel on the CPU, inside jitted code.

`mujoco.batch.Batch` runs many simulations on a pool of threads; `jax.pure_callback`
reaches it from a jitted program, once per control step for the whole batch. State goes
in and state comes out: a batch object is only scratch space.
"""

import os
import threading
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from mimicgym.errors import UserError
from mimicgym.physics.fields import (
    NO_FIELDS,
    Fields,
    check_operands,
    wrench_body_id,
)
from mimicgym.physics.scratch import Scratch, row_size, row_slices
from mimicgym.physics.state import (
    PhysicsState,
    RawState,
    RobotState,
    raw_shapes,
    robot_state,
)
from mimicgym.robot import RobotModel


class NativeEngine:
    """See `Engine`. Results do not depend on the number of threads."""

    name = "native"

    def __init__(
        self,
        model: RobotModel,
        *,
        decimation: int = 4,
        threads: int = 0,
        wrench_body: str = "torso_link",
    ):
        if decimation < 1:
            raise UserError(
                f"control.decimation is {decimation}; it must be at least 1"
            )
        if threads < 0:
            raise UserError(f"threads is {threads}; give 0 for all cores, or a count")
        self.model = model
        self.decimation = decimation
        self.threads = threads or _usable_cores()
        self.wrench_body = wrench_body
        self._wrench_body = wrench_body_id(model.mj, wrench_body)
        self._scratch: dict[tuple, Scratch] = {}
        self._lock = threading.Lock()

    def forward(
        self,
        qpos: jax.Array,
        qvel: jax.Array,
        mask: jax.Array,
        fields: Fields = NO_FIELDS,
    ) -> tuple[PhysicsState, RobotState]:
        check_operands(self.model.mj, self.decimation, fields)
        out = jax.pure_callback(
            self._host_forward,
            self._result_shapes(),
            qpos,
            qvel,
            mask,
            dict(fields),
            vmap_method="broadcast_all",
        )
        return self._unpack(out)

    def step(
        self,
        physics: PhysicsState,
        ctrl: jax.Array,
        fields: Fields = NO_FIELDS,
        wrench: jax.Array | None = None,
    ) -> tuple[PhysicsState, RobotState]:
        check_operands(self.model.mj, self.decimation, fields, ctrl, wrench)
        out = jax.pure_callback(
            self._host_step,
            self._result_shapes(),
            physics.qpos,
            physics.qvel,
            physics.warmstart,
            ctrl,
            dict(fields),
            wrench,
            vmap_method="broadcast_all",
        )
        return self._unpack(out)

    def _result_shapes(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((row_size(self.model),), jnp.float32)

    def _unpack(self, out: jax.Array) -> tuple[PhysicsState, RobotState]:
        physics, raw = _split(self.model, out)
        return physics, robot_state(self.model, physics, raw)

    # The host side touches NumPy only: JAX arrays made inside a callback can wait
    # for the very computation that waits for the callback.

    def _host_forward(self, qpos, qvel, mask, fields) -> np.ndarray:
        mask = np.asarray(mask)
        lead, ids = mask.shape, np.flatnonzero(mask.reshape(-1))
        qpos, qvel = _flat(qpos, lead), _flat(qvel, lead)
        fields = {name: _flat(value, lead) for name, value in fields.items()}
        with self._lock:
            scratch = self._scratch_for(mask.size, fields)
            scratch.qpos[ids] = qpos[ids]
            scratch.qvel[ids] = qvel[ids]
            scratch.warmstart[ids] = 0.0
            scratch.load(ids, qpos[ids, None, 7:], fields, None)
            return scratch.run(ids, 0).reshape(*lead, -1)

    def _host_step(self, qpos, qvel, warmstart, ctrl, fields, wrench) -> np.ndarray:
        lead = np.shape(qpos)[:-1]
        targets = _flat(ctrl, lead)
        held = targets.ndim == 2
        if held:
            targets = targets[:, None]
        fields = {name: _flat(value, lead) for name, value in fields.items()}
        wrench = None if wrench is None else _flat(wrench, lead)
        with self._lock:
            scratch = self._scratch_for(len(targets), fields)
            scratch.qpos[:] = _flat(qpos, lead)
            scratch.qvel[:] = _flat(qvel, lead)
            scratch.warmstart[:] = _flat(warmstart, lead)
            scratch.load(slice(None), targets, fields, wrench)
            if held:
                out = scratch.run(None, self.decimation)
            else:
                out = scratch.run(None, 1, targets)
            return out.reshape(*lead, -1)

    def _scratch_for(self, size: int, fields: Mapping[str, np.ndarray]) -> Scratch:
        # Training, evaluation and a single environment differ in size: one each.
        sizes = {name: value.shape[-1] for name, value in sorted(fields.items())}
        key = (size, *sizes.items())
        if key not in self._scratch:
            self._scratch[key] = Scratch(
                self.model, size, self.threads, sizes, self._wrench_body
            )
        return self._scratch[key]


def _flat(value: np.ndarray, lead: tuple[int, ...]) -> np.ndarray:
    """One leading axis in the place of those of (nested) vmaps, or of none."""
    value = np.asarray(value)
    size = int(np.prod(lead, dtype=np.int64))
    return value.reshape(size, *value.shape[len(lead) :])


def _split(model: RobotModel, row: jax.Array) -> tuple[PhysicsState, RawState]:
    parts = [row[part] for part in row_slices(model)]
    physics = PhysicsState(qpos=parts[0], qvel=parts[1], warmstart=parts[2])
    shapes = raw_shapes(model)
    raw = {
        name: part.reshape(shape)
        for part, (name, shape) in zip(parts[3:], shapes.items(), strict=True)
    }
    return physics, RawState(**raw)


def _usable_cores() -> int:
    """Cores that this process may run on: fewer than the machine has in a container or
    under `taskset`, where more threads than cores would wait for each other."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
