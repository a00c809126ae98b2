"""A `mujoco.batch.Batch` as scratch space: written, run and read for one call.

NumPy only: this runs inside callbacks of jitted programs, and JAX arrays made there can
wait for the very computation that waits for the callback.
"""

import copy
import itertools
import math
from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np
from mujoco import batch as mujoco_batch

from mimicgym.physics.state import raw_shapes
from mimicgym.robot import RobotModel

_VEL = int(mujoco.mjtStage.mjSTAGE_VEL.value)
# Of a contact sensor's reductions (MJCF reference, sensor/contact): one reading with
# the sum of all contacts' forces, along the world's axes.
_NETFORCE = 3
# What is read back, in the order of `RawState`: motion, then forces.
_MOTION = ("xpos", "xquat", "cvel", "subtree_com")
_FORCES = ("sensordata", "actuator_force")
# Fields besides those of bodies on which motion depends.
_KINEMATIC = ("qpos0", "jnt_pos", "jnt_axis")
# What looking at a new state's motion can do without.
_UNSEEN = (
    mujoco.mjtDisableBit.mjDSBL_CONTACT,
    mujoco.mjtDisableBit.mjDSBL_CONSTRAINT,
    mujoco.mjtDisableBit.mjDSBL_SENSOR,
    mujoco.mjtDisableBit.mjDSBL_ACTUATION,
    mujoco.mjtDisableBit.mjDSBL_SPRING,
    mujoco.mjtDisableBit.mjDSBL_DAMPER,
    mujoco.mjtDisableBit.mjDSBL_GRAVITY,
)


_Outputs = tuple[tuple[slice, np.ndarray, Any], ...]


class Scratch:
    """Simulations of one batch size and one set of model fields that differ.

    A field that is expanded costs a little in each step, and has to be written before
    each: hence one object for each set.

    Attributes:
      qpos, qvel, warmstart: (N, ...) the state, to be written before a run.
    """

    def __init__(
        self,
        model: RobotModel,
        size: int,
        threads: int,
        field_sizes: Mapping[str, int],
        wrench_body: int,
    ):
        self.size = size
        self.batch = mujoco_batch.Batch(summing(model), size, threads)
        # Of a new state only the motion is wanted. `batch` can compute it too, but not
        # without contacts and constraints, which takes twice as long.
        self._moved = mujoco_batch.Batch(_unloaded(model), size, threads)
        self._moved_state = (self._moved.bind("qpos"), self._moved.bind("qvel"))
        self.qpos = self.batch.bind("qpos")
        self.qvel = self.batch.bind("qvel")
        self.warmstart = self.batch.bind("qacc_warmstart")
        self._ctrl = self.batch.bind("ctrl")
        self._wrench = self.batch.bind("xfrc_applied")[:, wrench_body]
        self._fields = {
            name: self.batch.expand(name)[..., :last]
            for name, last in field_sizes.items()
        }
        # Where centres of mass are is part of motion (MuJoCo's cvel refers to them).
        self._moved_fields = {
            name: self._moved.expand(name)
            for name in field_sizes
            if name.startswith("body_") or name in _KINEMATIC
        }
        self._finite = np.ones(size, bool)
        # What is read, where it goes in a row, and of fields with a row for each body
        # the bodies that are wanted.
        keys = model.key_body_ids
        bodies = (None, None, None, keys, keys, keys, [1], None, None)
        state = (self.qpos, self.qvel, self.warmstart)
        motion = tuple(self._moved.bind(name) for name in _MOTION)
        forces = tuple(self.batch.bind(name) for name in _FORCES)
        arrays = (*state, *motion, *forces)
        self._outputs: _Outputs = tuple(
            zip(row_slices(model), arrays, bodies, strict=True)
        )
        self._forces = slice(row_slices(model)[-len(_FORCES)].start, None)

    def load(
        self,
        rows: np.ndarray | slice,
        targets: np.ndarray | None,
        fields: Mapping[str, np.ndarray],
        wrench: np.ndarray | None,
    ) -> None:
        """Write what acts on the chosen rows, after their state has been written.

        Args:
          rows: ids, or slice(None) for all.
          targets: (n, K, J) joint targets of these rows, or None if no step follows.
          fields: (N, ...) each, of all rows.
          wrench: (N, 6) of all rows, or None for zero.
        """
        inputs = [self.qpos[rows], self.qvel[rows]]
        if targets is not None:
            self._ctrl[rows] = targets[:, 0]
            inputs.append(targets)
        for name, values in self._fields.items():
            values[rows] = fields[name][rows]
            inputs.append(fields[name][rows])
        self._wrench[rows] = 0.0 if wrench is None else wrench[rows]
        if wrench is not None:
            inputs.append(wrench[rows])
        self._finite[rows] = np.all([_finite(x) for x in inputs], axis=0)

    def run(
        self,
        ids: np.ndarray | None,
        nstep: int,
        out: np.ndarray,
        targets: np.ndarray | None = None,
    ) -> None:
        """Step and write one float32 row a simulation into `out`. With nstep 0 nothing
        moves, and there are no forces.

        With targets (N, K, J) there are K times nstep steps, each time with the next
        of the targets.

        A simulation that MuJoCo gives up on, or whose state is not finite to begin
        with, comes back as NaN: the environment ends that episode by itself.
        """
        rows = np.arange(self.size) if ids is None else ids
        if rows.size < self.size:
            # They have no meaning, but are not left to chance.
            out[np.setdiff1d(np.arange(self.size), rows)] = 0.0
        if not rows.size:
            return
        good = rows[self._finite[rows]]
        parts = 1 if targets is None else targets.shape[1]
        for part in range(parts if nstep else 0):
            if targets is not None and part:
                self._ctrl[:] = targets[:, part]
            good = self._advance(good, nstep)
        good = self._look(good)
        where = slice(None) if ids is None else ids
        with np.errstate(over="ignore", invalid="ignore"):
            for part, value, bodies in self._outputs:
                wanted = value[where]
                if bodies is not None:
                    wanted = np.take(wanted, bodies, axis=1)
                out[where, part] = wanted.reshape(len(rows), -1)
        if not nstep:
            out[where, self._forces] = 0.0
        if good.size < rows.size:
            out[np.setdiff1d(rows, good)] = np.nan

    def _advance(self, ids: np.ndarray, nstep: int) -> np.ndarray:
        """Run these simulations; returns those that MuJoCo did not give up on."""
        if not ids.size:
            return ids
        selected = None if ids.size == self.size else ids
        try:
            self.batch.step(selected, nstep=nstep)
        except mujoco_batch.SimulationError as error:
            return np.setdiff1d(ids, error.ids)
        return ids

    def _look(self, ids: np.ndarray) -> np.ndarray:
        """Compute the motion of the state that these simulations are in; returns those
        with which MuJoCo found nothing wrong."""
        if not ids.size:
            return ids
        every = ids.size == self.size
        rows = slice(None) if every else ids
        qpos, qvel = self._moved_state
        qpos[rows] = self.qpos[rows]
        qvel[rows] = self.qvel[rows]
        for name, values in self._moved_fields.items():
            part = self._fields[name]
            values[rows, ..., : part.shape[-1]] = part[rows]
        try:
            self._moved.forward(None if every else ids, stage=_VEL)
        except mujoco_batch.SimulationError as error:
            return np.setdiff1d(ids, error.ids)
        return ids


def _finite(values: np.ndarray) -> np.ndarray:
    """(n,) bool for (n, ...)."""
    flat = values.reshape(len(values), math.prod(values.shape[1:]))
    return np.asarray(np.isfinite(flat).all(axis=1))


def row_slices(model: RobotModel) -> list[slice]:
    """Where qpos, qvel, the warm start and each field of `RawState` are in a row."""
    state = [model.mj.nq, model.mj.nv, model.mj.nv]
    sizes = state + [int(np.prod(shape)) for shape in raw_shapes(model).values()]
    ends = np.cumsum([0, *sizes])
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(ends)]


def row_size(model: RobotModel) -> int:
    """Numbers in a row."""
    return row_slices(model)[-1].stop


def summing(model: RobotModel) -> mujoco.MjModel:
    """The model, with contact sensors that leave no contact out.

    On a height field a sphere touches up to six triangles at once and a capsule dozens,
    more than there are slots for. MJX has four contacts a pair at most and no sum.
    """
    if model.contact_slots == 1:
        return model.mj
    mj = copy.copy(model.mj)
    sensors = mj.sensor_type == mujoco.mjtSensor.mjSENS_CONTACT
    mj.sensor_intprm[sensors, 1] = _NETFORCE
    return mj


def _unloaded(model: RobotModel) -> mujoco.MjModel:
    """The model without anything that acts on it."""
    mj = copy.copy(model.mj)
    for bit in _UNSEEN:
        mj.opt.disableflags |= int(bit)
    return mj
