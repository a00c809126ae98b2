"""Robot states and reference frames for terms to judge, and plain environments."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from mimicgym.configs import override
from mimicgym.envs.config import EnvConfig, ObservationConfig, TrackingConfig
from mimicgym.envs.ground import flat_ground
from mimicgym.envs.scan import Scans
from mimicgym.envs.terms import Facts, FeetState
from mimicgym.physics import RobotState
from mimicgym.reference import RefFrame
from mimicgym.robot import build_model, get_robot

DT_S = 0.02


@functools.cache
def body_model(robot: str = "g1_23dof"):
    return build_model(get_robot(robot), collisions="body", visuals=False)


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    quat = rng.normal(size=(*shape, 4))
    return quat / np.linalg.norm(quat, axis=-1, keepdims=True)


def random_frame(model, rng: np.random.Generator) -> RefFrame:
    """Numbers without physical sense: terms look at nothing else."""
    bodies, joints = len(model.key_body_ids), model.num_joints

    def real(*shape):
        return rng.normal(size=shape).astype(np.float32)

    quats = unit(rng, bodies).astype(np.float32)
    return RefFrame(
        root_pos_w=real(3),
        root_quat_w=quats[0],
        root_lin_vel_w=real(3),
        root_ang_vel_w=real(3),
        joint_pos=real(joints),
        joint_vel=real(joints),
        body_pos_w=real(bodies, 3),
        body_quat_w=quats,
        body_lin_vel_w=real(bodies, 3),
        body_ang_vel_w=real(bodies, 3),
        com_pos_w=real(3),
        foot_contact=np.array([True, False]),
    )


def robot_on(frame: RefFrame, model) -> RobotState:
    """A robot that does what the frame says, touches nothing and has limp motors."""
    shared = {
        field.name: getattr(frame, field.name)
        for field in dataclasses.fields(frame)
        if field.name != "foot_contact"
    }
    return RobotState(
        **shared,
        joint_torque=np.zeros(model.num_joints, np.float32),
        contact_force_w=np.zeros((len(model.contact_bodies), 3), np.float32),
        self_contact_n=np.zeros(len(model.self_contacts), np.float32)
        if len(model.self_contacts)
        else None,
    )


def offer(model, robot: RobotState, ref: RefFrame, **changes) -> dict:
    """What the environment offers to terms, see `mimicgym.envs.terms`."""
    still = np.zeros(model.num_joints, np.float32)
    return {
        "robot": robot,
        "ref": ref,
        "last_ref": ref,
        "next_ref": ref,
        "future_refs": jax.tree.map(lambda x: jnp.stack([x] * 4), ref),
        "facts": Facts.of(model, TrackingConfig()),
        "action": still,
        "last_action": still,
        "last_last_action": still,
        "last_joint_vel": robot.joint_vel,
        "feet": FeetState(
            contact=ref.foot_contact,
            last_contact=ref.foot_contact,
            touchdown=np.zeros(2, bool),
            air_time_s=np.zeros(2, np.float32),
            peak_m=np.zeros(2, np.float32),
            was_down=np.ones(2, bool),
        ),
        "phase": jnp.float32(0.25),
        "step": jnp.int32(10),
        "time_s": jnp.float32(10 * DT_S),
        "ground": flat_ground(1),
        "scan": Scans(ObservationConfig()).at(jnp.zeros(3)),
        "teacher": jnp.int32(-1),
        "dt_s": DT_S,
    } | changes


# Tests run a program a few times: compiling is what takes long.
FAST_COMPILE = {"xla_backend_optimization_level": 0}


def jit(function):
    """`jax.jit` that compiles in half the time, to slower programs."""
    return jax.jit(function, compiler_options=FAST_COMPILE)


class Setting:
    """An environment with its functions vmapped and jitted; compiled when called."""

    def __init__(self, env):
        self.env = env
        self.reset = jit(jax.vmap(env.reset))
        self.reset_at = jit(jax.vmap(env.reset, in_axes=(0, None, None)))
        self.step = jit(jax.vmap(env.step))


# Native everywhere, and nothing random but the start.
PLAIN = override(
    EnvConfig(),
    {
        "engine": "native",
        "threads": 1,
        "motion.clips": ["wave", "squat"],
        "observation.noise": False,
    },
)


def keys(n: int, seed: int = 0) -> jax.Array:
    return jax.random.split(jax.random.key(seed), n)
