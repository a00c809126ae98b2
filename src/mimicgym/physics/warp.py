"""MJX-Warp: MuJoCo's physics in Warp kernels, made for NVIDIA GPUs; it runs on the CPU
too, slowly.

All environments of a batch share one buffer of contacts, whose size the program has to
know. `Engine`'s functions are of one environment: what they do is therefore a function
of rows, which under `jax.vmap`, nested or not, becomes the same function of more rows.
"""

from dataclasses import replace
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from mujoco import mjx

from mimicgym.errors import UserError
from mimicgym.physics.buffers import Buffers, buffers_of
from mimicgym.physics.fields import (
    NO_FIELDS,
    Fields,
    check_operands,
    wrench_body_id,
)
from mimicgym.physics.rows import of_one_row
from mimicgym.physics.scratch import summing
from mimicgym.physics.state import (
    PhysicsState,
    RawState,
    RobotState,
    full_float32,
    robot_state,
)
from mimicgym.physics.warp_model import (
    check_installed,
    compile_kernels,
    make_data,
    put_model,
    supported,
    widened,
)
from mimicgym.robot import RobotModel

# The bits of `Data`'s overflow that say that a buffer was too small (OverflowType of
# MuJoCo Warp), without those of the solver's iterations: that these end is as wanted.
_OVERFLOWS = 0xFFF & ~(0b11 << 9)


class _Operands(NamedTuple):
    """What acts on each of n rows."""

    physics: PhysicsState
    ctrl: jax.Array  # (n, K, J)
    fields: dict[str, jax.Array]
    wrench: jax.Array | None  # (n, 6)


class WarpEngine:
    """See `Engine`. Contact and solver settings are those of the compiled model.

    Args:
      model: the compiled robot.
      decimation: physics steps per control step.
      wrench_body: the body that `step`'s wrench acts on.
      buffers: sizes for one environment; by default what the model needs at most. In a
        step for which they are too small, `RobotState.overflow` is set.

    Raises:
      UserError: Warp is not installed, or can not do what the model has.
    """

    name = "warp"

    def __init__(
        self,
        model: RobotModel,
        *,
        decimation: int = 4,
        wrench_body: str = "torso_link",
        buffers: Buffers | None = None,
    ):
        if decimation < 1:
            raise UserError(
                f"control.decimation is {decimation}; it must be at least 1"
            )
        check_installed()
        self.model = model
        self.decimation = decimation
        self.wrench_body = wrench_body
        self.buffers = buffers or buffers_of(model.mj)
        self._wrench_body = wrench_body_id(model.mj, wrench_body)
        self._mj = supported(summing(model))
        self._mjx = put_model(self._mj)
        compile_kernels(self._mj, self.buffers)
        self._row = make_data(self._mj, self.buffers)
        self._keys = model.key_body_ids
        self._carriers = _carriers(self._mj)[self._keys]
        self._place_row = of_one_row(self._place_rows)
        self._step_row = of_one_row(self._step_rows)

    @property
    def row_bytes(self) -> int:
        """Bytes of one environment while it steps."""
        return sum(x.nbytes for x in jax.tree.leaves(self._row) if hasattr(x, "nbytes"))

    def place(
        self,
        qpos: jax.Array,
        qvel: jax.Array,
        mask: jax.Array,
        fields: Fields = NO_FIELDS,
    ) -> tuple[PhysicsState, RobotState]:
        del mask  # a batch is computed whole
        check_operands(self._mj, self.decimation, fields)
        self._check_fields(fields)
        start = PhysicsState(qpos, qvel, jnp.zeros_like(qvel))
        # Nothing moves: the targets are there for the form.
        return self._place_row(_operands(start, qpos[None, 7:], fields, None))

    def step(
        self,
        physics: PhysicsState,
        ctrl: jax.Array,
        fields: Fields = NO_FIELDS,
        wrench: jax.Array | None = None,
    ) -> tuple[PhysicsState, RobotState]:
        check_operands(self._mj, self.decimation, fields, ctrl, wrench)
        self._check_fields(fields)
        targets = jnp.broadcast_to(ctrl, (self.decimation, ctrl.shape[-1]))
        return self._step_row(_operands(physics, targets, fields, wrench))

    def bare_steps(
        self, qpos: jax.Array, qvel: jax.Array, ctrl: jax.Array
    ) -> jax.Array:
        """MJX-Warp alone, for a whole batch: nothing is looked at between the steps.

        Args:
          qpos, qvel: (N, 7+J) and (N, 6+J) where to start.
          ctrl: (T, N, J) targets of T control steps, or (T, N, decimation, J).

        Returns:
          (N, 7+J) qpos after them.
        """
        empty = self._empty(len(qpos))

        def one(qpos: jax.Array, qvel: jax.Array, ctrl: jax.Array) -> jax.Array:
            def physics_step(data: mjx.Data, ctrl: jax.Array):
                return mjx.step(self._mjx, data.replace(ctrl=ctrl)), None

            def control_step(data: mjx.Data, ctrl: jax.Array):
                targets = jnp.broadcast_to(ctrl, (self.decimation, ctrl.shape[-1]))
                return jax.lax.scan(physics_step, data, targets)

            data = empty.replace(qpos=qpos, qvel=qvel)
            return jax.lax.scan(control_step, data, ctrl)[0].qpos

        return jax.vmap(one, in_axes=(0, 0, 1))(qpos, qvel, ctrl)

    def _check_fields(self, fields: Fields) -> None:
        from mujoco.mjx.warp import types

        varied = types._BATCH_DIM["Model"]
        for name in fields:
            if not varied.get(name.replace(".", "__"), False):
                raise UserError(
                    f"engine 'warp' has one value of {name!r} for all environments;"
                    " mjx and native can give each its own"
                )

    def _place_rows(self, rows: _Operands) -> tuple[PhysicsState, RobotState]:
        def one(row: _Operands):
            data = self._data(empty, row)
            return row.physics, self._seen(self._with(row.fields), row.physics, data)

        empty = self._empty(len(rows.ctrl))
        return jax.vmap(one)(rows)

    def _step_rows(self, rows: _Operands) -> tuple[PhysicsState, RobotState]:
        def one(row: _Operands):
            model = self._with(row.fields)

            def body(data: mjx.Data, ctrl: jax.Array):
                return mjx.step(model, data.replace(ctrl=ctrl)), None

            # The arrays of a batch stay the same ones from step to step, so that on a
            # GPU a step is recorded once and then played.
            after, _ = jax.lax.scan(body, self._data(empty, row), row.ctrl)
            physics = PhysicsState(after.qpos, after.qvel, after.qacc_warmstart)
            return physics, self._seen(model, physics, after)

        empty = self._empty(len(rows.ctrl))
        return jax.vmap(one)(rows)

    @full_float32
    def _seen(
        self, model: mjx.Model, physics: PhysicsState, data: mjx.Data
    ) -> RobotState:
        """Poses and velocities of the state, with the forces that data holds."""
        # A step leaves the poses of the state that it began with.
        moved = mjx.com_pos(model, mjx.kinematics(model, data))
        # MuJoCo's velocity of a body: what the joints up to it add to it.
        parts = moved.cdof * physics.qvel[:, None]
        raw = RawState(
            xpos=moved.xpos[self._keys],
            xquat=moved.xquat[self._keys],
            cvel=jnp.matmul(self._carriers, parts),
            com=moved.subtree_com[1],
            sensordata=data.sensordata,
            actuator_force=data.actuator_force,
        )
        robot = robot_state(self.model, physics, raw)
        return replace(robot, overflow=self._overflow(data))

    def _overflow(self, data: mjx.Data) -> jax.Array:
        """() bool, by the bits that a step leaves."""
        return (cast(Any, data._impl).overflow & _OVERFLOWS) != 0

    def _with(self, fields: Fields) -> mjx.Model:
        """The model with this environment's values."""
        changes = {}
        for name, value in fields.items():
            option = name.removeprefix("opt.")
            whole = getattr(self._mjx if option == name else self._mjx.opt, option)
            changes[name] = whole.at[..., : value.shape[-1]].set(value)
        return cast(mjx.Model, self._mjx.tree_replace(changes))

    def _data(self, empty: mjx.Data, row: _Operands) -> mjx.Data:
        data = empty.replace(
            qpos=row.physics.qpos,
            qvel=row.physics.qvel,
            qacc_warmstart=row.physics.warmstart,
        )
        if row.wrench is None:
            return data
        applied = data.xfrc_applied.at[self._wrench_body].set(row.wrench)
        return data.replace(xfrc_applied=applied)

    def _empty(self, count: int) -> mjx.Data:
        """Space for a batch of so many rows: what `mjx.make_data` makes, without a
        constant of that size in the program."""
        return widened(self._row, self.buffers, count)


def _operands(
    physics: PhysicsState,
    ctrl: jax.Array,
    fields: Fields,
    wrench: jax.Array | None,
) -> _Operands:
    found = _Operands(physics, ctrl, dict(fields), wrench)
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), found)


def _carriers(mj: mujoco.MjModel) -> np.ndarray:
    """(bodies, nv) 1 where a degree of freedom moves a body, else 0."""
    found = np.zeros((mj.nbody, mj.nv), np.float32)
    for body in range(1, mj.nbody):
        found[body] = found[mj.body_parentid[body]]
        first = mj.body_dofadr[body]
        found[body, first : first + mj.body_dofnum[body]] = 1
    return found
