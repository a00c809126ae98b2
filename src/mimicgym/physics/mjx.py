"""MJX-JAX: MuJoCo's physics as a JAX program, for any device that JAX has."""

from typing import cast

import jax
import jax.numpy as jnp
from mujoco import mjx

from mimicgym.errors import UserError
from mimicgym.physics.fields import (
    NO_FIELDS,
    Fields,
    check_operands,
    wrench_body_id,
)
from mimicgym.physics.state import PhysicsState, RawState, RobotState, robot_state
from mimicgym.robot import RobotModel


class MjxEngine:
    """See `Engine`. Contact and solver settings are those of the compiled model."""

    name = "mjx"

    def __init__(
        self,
        model: RobotModel,
        *,
        decimation: int = 4,
        wrench_body: str = "torso_link",
    ):
        if decimation < 1:
            raise UserError(
                f"control.decimation is {decimation}; it must be at least 1"
            )
        self.model = model
        self.decimation = decimation
        self.wrench_body = wrench_body
        self._wrench_body = wrench_body_id(model.mj, wrench_body)
        self._mjx = mjx.put_model(model.mj, impl="jax")

    def forward(
        self,
        qpos: jax.Array,
        qvel: jax.Array,
        mask: jax.Array,
        fields: Fields = NO_FIELDS,
    ) -> tuple[PhysicsState, RobotState]:
        del mask  # a vmapped program computes every row anyway
        check_operands(self.model.mj, self.decimation, fields)
        start = PhysicsState(qpos, qvel, jnp.zeros_like(qvel))
        data = self._forward(self._with(fields), start, qpos[7:], None)
        physics = PhysicsState(data.qpos, data.qvel, data.qacc_warmstart)
        return physics, robot_state(self.model, physics, self._raw(data))

    def step(
        self,
        physics: PhysicsState,
        ctrl: jax.Array,
        fields: Fields = NO_FIELDS,
        wrench: jax.Array | None = None,
    ) -> tuple[PhysicsState, RobotState]:
        check_operands(self.model.mj, self.decimation, fields, ctrl, wrench)
        model = self._with(fields)
        targets = jnp.broadcast_to(ctrl, (self.decimation, ctrl.shape[-1]))
        # The last look at the new state is one more turn, with the last targets.
        targets = jnp.concatenate([targets, targets[-1:]])
        last = jnp.arange(self.decimation + 1) == self.decimation

        # One loop body for both the physics steps and the last look at the new
        # state: the forward pass is by far the largest part of the program, and
        # compiling it once instead of twice halves the time to compile.
        def body(carry: tuple[PhysicsState, RawState], inputs: tuple):
            physics, _ = carry
            last, ctrl = inputs
            data = self._forward(model, physics, ctrl, wrench)
            moved = mjx.implicit(_unsaturated(model, data), data)
            after = PhysicsState(
                qpos=jnp.where(last, data.qpos, moved.qpos),
                qvel=jnp.where(last, data.qvel, moved.qvel),
                # MJX writes it when it integrates, not when it solves.
                warmstart=jnp.where(last, data.qacc_warmstart, moved.qacc_warmstart),
            )
            return (after, self._raw(data)), None

        shape = jax.eval_shape(
            lambda p: self._raw(self._forward(model, p, targets[0], wrench)), physics
        )
        empty = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shape)
        (physics, raw), _ = jax.lax.scan(body, (physics, empty), (last, targets))
        return physics, robot_state(self.model, physics, raw)

    def _with(self, fields: Fields) -> mjx.Model:
        """The model with this environment's values."""
        model = self._mjx
        if not fields:
            return model
        # Which joints rub is part of an MJX program, not a value of it.
        rubs = self.model.mj.dof_frictionloss[6:].all()
        if "dof_frictionloss" in fields and not rubs:
            raise ValueError("joints without dry friction can not be given any in MJX")
        changes = {}
        for name, value in fields.items():
            option = name.removeprefix("opt.")
            whole = getattr(model if option == name else model.opt, option)
            changes[name] = whole.at[..., : value.shape[-1]].set(value)
        return cast(mjx.Model, model.tree_replace(changes))

    def _forward(
        self,
        model: mjx.Model,
        physics: PhysicsState,
        ctrl: jax.Array,
        wrench: jax.Array | None,
    ) -> mjx.Data:
        data = mjx.make_data(self._mjx).replace(
            qpos=physics.qpos,
            qvel=physics.qvel,
            qacc_warmstart=physics.warmstart,
            ctrl=ctrl,
        )
        if wrench is not None:
            applied = data.xfrc_applied.at[self._wrench_body].set(wrench)
            data = data.replace(xfrc_applied=applied)
        # Physics keeps full float32 where a device would rather use TF32 or bf16.
        with jax.default_matmul_precision("highest"):
            return mjx.forward(model, data)

    def _raw(self, data: mjx.Data) -> RawState:
        ids = self.model.key_body_ids
        return RawState(
            xpos=data.xpos[ids],
            xquat=data.xquat[ids],
            cvel=data.cvel[ids],
            com=data.subtree_com[1],
            sensordata=data.sensordata,
            actuator_force=data.actuator_force,
        )


def _unsaturated(model: mjx.Model, data: mjx.Data) -> mjx.Model:
    """The model without the damping of actuators that are at their limit.

    A saturated torque does not change with velocity. The C engine leaves it out of
    the implicit step's derivative; MJX 3.17 does not, and then differs by many
    rad/s on a light joint.
    """
    limit = model.actuator_forcerange
    force = data.actuator_force
    free = (force > limit[:, 0]) & (force < limit[:, 1])
    damping = jnp.where(free, model.actuator_biasprm[:, 2], 0.0)
    return model.replace(actuator_biasprm=model.actuator_biasprm.at[:, 2].set(damping))
