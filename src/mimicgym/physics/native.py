"""MuJoCo's C engine, stepped in parallel on the CPU, inside jitted code.

`mujoco.batch.Batch` runs many simulations on a pool of threads; a call out of the
jitted program reaches it, once per control step for the whole batch. State goes in and
state comes out: a batch object is only scratch space.
"""

import hashlib
import math
import os
import threading
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from mimicgym.errors import UserError
from mimicgym.physics import foreign
from mimicgym.physics.ending import wait_at_exit
from mimicgym.physics.fields import (
    NO_FIELDS,
    Fields,
    check_operands,
    wrench_body_id,
)
from mimicgym.physics.foreign import HostFunction
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
        self._functions: dict[tuple[str, ...], HostFunction] = {}
        self._lock = threading.Lock()
        wait_at_exit()

    def place(
        self,
        qpos: jax.Array,
        qvel: jax.Array,
        mask: jax.Array,
        fields: Fields = NO_FIELDS,
    ) -> tuple[PhysicsState, RobotState]:
        check_operands(self.model.mj, self.decimation, fields)
        return self._call("place", (qpos, qvel, mask), fields, None)

    def step(
        self,
        physics: PhysicsState,
        ctrl: jax.Array,
        fields: Fields = NO_FIELDS,
        wrench: jax.Array | None = None,
    ) -> tuple[PhysicsState, RobotState]:
        check_operands(self.model.mj, self.decimation, fields, ctrl, wrench)
        state = (physics.qpos, physics.qvel, physics.warmstart)
        return self._call("step", (*state, ctrl), fields, wrench)

    def _call(
        self,
        what: str,
        operands: tuple[jax.Array, ...],
        fields: Fields,
        wrench: jax.Array | None,
    ) -> tuple[PhysicsState, RobotState]:
        names = tuple(sorted(fields))
        values = [fields[name] for name in names]
        given = [*operands, *values, *([] if wrench is None else [wrench])]
        shape = jax.ShapeDtypeStruct((row_size(self.model),), jnp.float32)
        host = _Host(self, what, names, wrench is not None)
        if foreign.available():
            call = self._functions.get(host.key)
            if call is None:
                name = f"mimicgym_{self._identity()}_{'_'.join(host.key)}"
                call = self._functions[host.key] = HostFunction(name, host)
            row = call(shape, *(jnp.asarray(x, x.dtype) for x in given))
        else:
            row = jax.pure_callback(
                host.fresh, shape, *given, vmap_method="broadcast_all"
            )
        physics, raw = _split(self.model, row)
        return physics, robot_state(self.model, physics, raw)

    def _identity(self) -> str:
        """What tells this engine's physics from another's, in any process."""
        mj = self.model.mj
        buffer = np.empty(mujoco.mj_sizeModel(mj), np.uint8)
        mujoco.mj_saveModel(mj, None, buffer)
        found = hashlib.sha256(buffer.tobytes())
        told = (
            self.decimation,
            self.wrench_body,
            self.model.contact_slots,
            self.model.key_body_ids.tolist(),
        )
        found.update(repr(told).encode())
        return found.hexdigest()[:32]

    # The host side touches NumPy only: JAX arrays made there can wait for the very
    # computation that waits for it.

    def host_place(
        self,
        qpos: np.ndarray,
        qvel: np.ndarray,
        mask: np.ndarray,
        fields: Mapping[str, np.ndarray],
        out: np.ndarray,
    ) -> None:
        """Of the rows in mask (N,), write what is seen into `out` (N, row)."""
        ids = np.flatnonzero(mask)
        with self._lock:
            scratch = self._scratch_for(mask.size, fields)
            scratch.qpos[ids] = qpos[ids]
            scratch.qvel[ids] = qvel[ids]
            scratch.warmstart[ids] = 0.0
            scratch.load(ids, None, fields, None)
            scratch.run(ids, 0, out)

    def host_step(
        self,
        qpos: np.ndarray,
        qvel: np.ndarray,
        warmstart: np.ndarray,
        ctrl: np.ndarray,
        fields: Mapping[str, np.ndarray],
        wrench: np.ndarray | None,
        out: np.ndarray,
    ) -> None:
        """Step all rows, and write what is seen of them into `out` (N, row)."""
        held = ctrl.ndim == 2
        targets = ctrl[:, None] if held else ctrl
        with self._lock:
            scratch = self._scratch_for(len(targets), fields)
            scratch.qpos[:] = qpos
            scratch.qvel[:] = qvel
            scratch.warmstart[:] = warmstart
            scratch.load(slice(None), targets, fields, wrench)
            if held:
                scratch.run(None, self.decimation, out)
            else:
                scratch.run(None, 1, out, targets)

    def _scratch_for(self, size: int, fields: Mapping[str, np.ndarray]) -> Scratch:
        # Training, evaluation and a single environment differ in size: one each.
        sizes = {name: value.shape[-1] for name, value in sorted(fields.items())}
        key = (size, *sizes.items())
        if key not in self._scratch:
            self._scratch[key] = Scratch(
                self.model, size, self.threads, sizes, self._wrench_body
            )
        return self._scratch[key]


class _Host:
    """One kind of call, for any number of environments.

    Attributes:
      key: names it among an engine's.
    """

    def __init__(
        self, engine: NativeEngine, what: str, fields: tuple[str, ...], wrench: bool
    ):
        self.key = (what, *fields, *(["wrench"] if wrench else []))
        self._engine = engine
        self._what = what
        self._fields = fields
        self._wrench = wrench

    def __call__(
        self, arguments: Sequence[np.ndarray], results: Sequence[np.ndarray]
    ) -> None:
        """See `foreign.Compute`. There is a leading axis for each vmap, or none."""
        lead = results[0].shape[:-1]
        arrays = [_flat(x, lead) for x in arguments]
        out = _flat(results[0], lead)
        if self._what == "place":
            qpos, qvel, mask, *rest = arrays
            fields = dict(zip(self._fields, rest, strict=True))
            self._engine.host_place(qpos, qvel, mask, fields, out)
            return
        qpos, qvel, warmstart, ctrl, *rest = arrays
        wrench = rest.pop() if self._wrench else None
        fields = dict(zip(self._fields, rest, strict=True))
        self._engine.host_step(qpos, qvel, warmstart, ctrl, fields, wrench, out)

    def fresh(self, *arguments: np.ndarray) -> np.ndarray:
        """The same for `jax.pure_callback`, which may keep what it gets."""
        arrays = [np.asarray(x) for x in arguments]
        # For `place` the mask is a number a row, for `step` qpos is a row.
        lead = arrays[2].shape if self._what == "place" else arrays[0].shape[:-1]
        out = np.empty((*lead, row_size(self._engine.model)), np.float32)
        self(arrays, [out])
        return out


def _flat(value: np.ndarray, lead: tuple[int, ...]) -> np.ndarray:
    """One leading axis in the place of those of (nested) vmaps, or of none. The memory
    is the same."""
    return value.reshape(math.prod(lead), *value.shape[len(lead) :])


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
