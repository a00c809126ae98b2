"""MJX-JAX: MuJoCo's physics as a JAX program, for any device that JAX has."""

from typing import NamedTuple, cast

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
from mimicgym.physics.state import (
    PhysicsState,
    RawState,
    RobotState,
    full_float32,
    robot_state,
)
from mimicgym.robot import RobotModel


class Forces(NamedTuple):
    """What acted in a physics step: `sensordata` and `actuator_force` of MuJoCo."""

    sensordata: jax.Array
    actuator_force: jax.Array


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
        # MJX would take the first device of all, which can be another process's.
        device = jax.local_devices()[0]
        self._mjx = mjx.put_model(model.mj, device=device, impl="jax")
        self._row = mjx.make_data(self._mjx, device=device)

    @full_float32
    def place(
        self,
        qpos: jax.Array,
        qvel: jax.Array,
        mask: jax.Array,
        fields: Fields = NO_FIELDS,
    ) -> tuple[PhysicsState, RobotState]:
        del mask  # a vmapped program computes every row anyway
        check_operands(self.model.mj, self.decimation, fields)
        physics = PhysicsState(qpos, qvel, jnp.zeros_like(qvel))
        raw = self._raw(self._moved(self._with(fields), physics), self._no_forces())
        return physics, robot_state(self.model, physics, raw)

    @full_float32
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

        def body(carry: tuple[PhysicsState, Forces], ctrl: jax.Array):
            data = self._forward(model, carry[0], ctrl, wrench)
            moved = mjx.implicit(_unsaturated(model, data), data)
            # MJX writes the warm start when it integrates, not when it solves.
            after = PhysicsState(moved.qpos, moved.qvel, moved.qacc_warmstart)
            return (after, Forces(data.sensordata, data.actuator_force)), None

        (physics, forces), _ = jax.lax.scan(body, (physics, self._no_forces()), targets)
        raw = self._raw(self._moved(model, physics), forces)
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
        data = self._row.replace(
            qpos=physics.qpos,
            qvel=physics.qvel,
            qacc_warmstart=physics.warmstart,
            ctrl=ctrl,
        )
        if wrench is not None:
            applied = data.xfrc_applied.at[self._wrench_body].set(wrench)
            data = data.replace(xfrc_applied=applied)
        return mjx.forward(model, data)

    def _no_forces(self) -> Forces:
        mj = self.model.mj
        return Forces(jnp.zeros(mj.nsensordata), jnp.zeros(mj.nu))

    def _moved(self, model: mjx.Model, physics: PhysicsState) -> mjx.Data:
        """Where bodies are and how they move, without forces."""
        data = self._row.replace(qpos=physics.qpos, qvel=physics.qvel)
        return mjx.com_vel(model, mjx.com_pos(model, mjx.kinematics(model, data)))

    def _raw(self, data: mjx.Data, forces: Forces) -> RawState:
        ids = self.model.key_body_ids
        return RawState(
            xpos=data.xpos[ids],
            xquat=data.xquat[ids],
            cvel=data.cvel[ids],
            com=data.subtree_com[1],
            sensordata=forces.sensordata,
            actuator_force=forces.actuator_force,
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
