"""What a physics engine carries and what it shows, for one environment."""

import jax
import jax.numpy as jnp
from flax import struct

from mimicgym import rotations
from mimicgym.robot import CONTACT_SENSOR_SIZE, RobotModel

# Decorates what multiplies matrices: they keep all digits of float32 where a device
# would rather use TF32 or bf16.
full_float32 = jax.default_matmul_precision("highest")


@struct.dataclass
class PhysicsState:
    """All that an engine needs to go on. There is no other, hidden state.

    qpos (7+J,), qvel (6+J,) as in MuJoCo; warmstart (6+J,) the solver's first guess.
    """

    qpos: jax.Array
    qvel: jax.Array
    warmstart: jax.Array


@struct.dataclass
class RobotState:
    """What terms see: the robot after the last physics step, and the forces in it.

    Positions in m, quaternions wxyz, velocities in m/s and rad/s along world axes,
    torques in N m, forces in N. Bodies are `robot.key_bodies`; a body's velocity is
    that of its frame's origin. `contact_force_w` has one row for each of the model's
    `contact_bodies`, `self_contact_n` one for each pair in which the robot may touch
    itself. `overflow` says that contacts or constraints were left out of a physics step
    because the engine's buffers were too small.
    """

    root_pos_w: jax.Array  # (3,)
    root_quat_w: jax.Array  # (4,)
    root_lin_vel_w: jax.Array  # (3,)
    root_ang_vel_w: jax.Array  # (3,)
    joint_pos: jax.Array  # (J,)
    joint_vel: jax.Array  # (J,)
    joint_torque: jax.Array  # (J,)
    body_pos_w: jax.Array  # (B, 3)
    body_quat_w: jax.Array  # (B, 4)
    body_lin_vel_w: jax.Array  # (B, 3)
    body_ang_vel_w: jax.Array  # (B, 3)
    com_pos_w: jax.Array  # (3,) of the whole robot
    contact_force_w: jax.Array  # (N, 3)
    self_contact_n: jax.Array | None  # (P,); None where there are no such pairs
    overflow: jax.Array | None = None  # () bool; None of engines without such buffers


@struct.dataclass
class RawState:
    """The MuJoCo fields that a `RobotState` is made of, for one environment.

    xpos, xquat and cvel hold the key bodies only; com (3,) is `subtree_com` of the
    root, the point that MuJoCo's `cvel` refers to.
    """

    xpos: jax.Array  # (B, 3)
    xquat: jax.Array  # (B, 4)
    cvel: jax.Array  # (B, 6) angular, then linear at com
    com: jax.Array  # (3,)
    sensordata: jax.Array  # (S * K * 9,) for K contacts of each pair
    actuator_force: jax.Array  # (J,)


def raw_shapes(model: RobotModel) -> dict[str, tuple[int, ...]]:
    """The shape of each field of a `RawState`, in their order."""
    bodies = len(model.key_body_ids)
    return {
        "xpos": (bodies, 3),
        "xquat": (bodies, 4),
        "cvel": (bodies, 6),
        "com": (3,),
        "sensordata": (
            model.contact_sum.shape[1] * model.contact_slots * CONTACT_SENSOR_SIZE,
        ),
        "actuator_force": (model.num_joints,),
    }


@full_float32
def robot_state(model: RobotModel, physics: PhysicsState, raw: RawState) -> RobotState:
    """Bring MuJoCo's fields into the frames that terms use."""
    ang_vel_w, lin_vel_com_w = raw.cvel[:, :3], raw.cvel[:, 3:]
    lin_vel_w = lin_vel_com_w + jnp.cross(ang_vel_w, raw.xpos - raw.com)
    root_quat_w = physics.qpos[3:7]
    return RobotState(
        root_pos_w=physics.qpos[:3],
        root_quat_w=root_quat_w,
        root_lin_vel_w=physics.qvel[:3],
        root_ang_vel_w=rotations.quat_rotate(root_quat_w, physics.qvel[3:6]),
        joint_pos=physics.qpos[7:],
        joint_vel=physics.qvel[6:],
        joint_torque=raw.actuator_force,
        body_pos_w=raw.xpos,
        body_quat_w=raw.xquat,
        body_lin_vel_w=lin_vel_w,
        body_ang_vel_w=ang_vel_w,
        com_pos_w=raw.com,
        contact_force_w=_contact_force_w(model, raw.sensordata),
        self_contact_n=_self_contact_n(model, raw.sensordata),
    )


def _contact_force_w(model: RobotModel, sensordata: jax.Array) -> jax.Array:
    """(N, 3) net force on each contact body from the sensors' readings.

    A contact's reading holds the force in its frame (normal, tangent, second tangent),
    the normal and the tangent; all are zero when there is no contact.
    """
    reading = sensordata.reshape(-1, model.contact_slots, 3, 3)
    force, normal_w, tangent_w = reading[:, :, 0], reading[:, :, 1], reading[:, :, 2]
    second_w = jnp.cross(normal_w, tangent_w)
    force_w = (
        force[..., 0:1] * normal_w
        + force[..., 1:2] * tangent_w
        + force[..., 2:3] * second_w
    )
    table = jnp.asarray(model.contact_sum, force_w.dtype)
    return table @ jnp.sum(force_w, axis=1)


def _self_contact_n(model: RobotModel, sensordata: jax.Array) -> jax.Array | None:
    """(P,) forces of the pairs in which the robot touches itself."""
    if not len(model.self_contacts):
        return None
    reading = sensordata.reshape(-1, model.contact_slots, 3, 3)
    force = reading[model.self_contacts, :, 0]
    return jnp.sum(jnp.linalg.norm(force, axis=-1), axis=-1)


def all_finite(physics: PhysicsState) -> jax.Array:
    """() bool: positions and velocities are finite and not absurdly large.

    The bound (1e6) is far beyond anything a robot does; past it float32 positions lose
    all meaning and the next step would overflow.
    """
    values = jnp.concatenate([physics.qpos, physics.qvel])
    return jnp.all(jnp.isfinite(values) & (jnp.abs(values) < 1e6))
