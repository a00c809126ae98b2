"""MJX-JAX: MuJoCo's physics as a JAX program, for any device that JAX has."""

import jax
import jax.numpy as jnp
from mujoco import mjx

from mimicgym.errors import UserError
from mimicgym.physics.state import PhysicsState, RawState, RobotState, robot_state
from mimicgym.robot import RobotModel


class MjxEngine:
    """See `Engine`. Contact and solver settings are those of the compiled model."""

    name = "mjx"

    def __init__(self, model: RobotModel, *, decimation: int = 4):
        if decimation < 1:
            raise UserError(
                f"control.decimation is {decimation}; it must be at least 1"
            )
        self.model = model
        self.decimation = decimation
        self._mjx = mjx.put_model(model.mj, impl="jax")

    def forward(
        self, qpos: jax.Array, qvel: jax.Array, mask: jax.Array
    ) -> tuple[PhysicsState, RobotState]:
        del mask  # a vmapped program computes every row anyway
        start = PhysicsState(qpos, qvel, jnp.zeros_like(qvel))
        return self._show(self._forward(start, qpos[7:]))

    def step(
        self, physics: PhysicsState, ctrl: jax.Array
    ) -> tuple[PhysicsState, RobotState]:
        # One loop body for both the physics steps and the last look at the new
        # state: the forward pass is by far the largest part of the program, and
        # compiling it once instead of twice halves the time to compile.
        def body(carry: tuple[PhysicsState, jax.Array], last: jax.Array):
            physics, _ = carry
            data = self._forward(physics, ctrl)
            moved = mjx.implicit(self._unsaturated(data), data)
            after = PhysicsState(
                qpos=jnp.where(last, data.qpos, moved.qpos),
                qvel=jnp.where(last, data.qvel, moved.qvel),
                # MJX writes it when it integrates, not when it solves.
                warmstart=jnp.where(last, data.qacc_warmstart, moved.qacc_warmstart),
            )
            return (after, self._raw(data)), None

        last = jnp.arange(self.decimation + 1) == self.decimation
        shape = jax.eval_shape(lambda p: self._raw(self._forward(p, ctrl)), physics)
        empty = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shape)
        (physics, raw), _ = jax.lax.scan(body, (physics, empty), last)
        return physics, robot_state(self.model, physics, raw)

    def _forward(self, physics: PhysicsState, ctrl: jax.Array) -> mjx.Data:
        data = mjx.make_data(self._mjx).replace(
            qpos=physics.qpos,
            qvel=physics.qvel,
            qacc_warmstart=physics.warmstart,
            ctrl=ctrl,
        )
        # Physics keeps full float32 where a device would rather use TF32 or bf16.
        with jax.default_matmul_precision("highest"):
            return mjx.forward(self._mjx, data)

    def _unsaturated(self, data: mjx.Data) -> mjx.Model:
        """The model without the damping of actuators that are at their limit.

        A saturated torque does not change with velocity. The C engine leaves it out of
        the implicit step's derivative; MJX 3.17 does not, and then differs by many
        rad/s on a light joint.
        """
        limit = self._mjx.actuator_forcerange
        force = data.actuator_force
        free = (force > limit[:, 0]) & (force < limit[:, 1])
        damping = jnp.where(free, self._mjx.actuator_biasprm[:, 2], 0.0)
        return self._mjx.replace(
            actuator_biasprm=self._mjx.actuator_biasprm.at[:, 2].set(damping)
        )

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

    def _show(self, data: mjx.Data) -> tuple[PhysicsState, RobotState]:
        physics = PhysicsState(data.qpos, data.qvel, data.qacc_warmstart)
        return physics, robot_state(self.model, physics, self._raw(data))
