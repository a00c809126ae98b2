"""One model, both engines, their compiled functions, and eight telling states."""

from dataclasses import dataclass

import jax
import mujoco
import numpy as np
import pytest

from mimicgym.physics import PhysicsState, make_engine
from mimicgym.robot import build_model, get_robot

DECIMATION = 4


@dataclass(frozen=True)
class Case:
    """States (B, 7+J), (B, 6+J) and joint targets (B, J), float32, and what they are.

    Rows `free` touch nothing during a control step, rows `saturated` have actuators at
    their limits, rows `contact` touch the floor.
    """

    qpos: np.ndarray
    qvel: np.ndarray
    ctrl: np.ndarray
    free = slice(0, 4)
    saturated = slice(2, 4)
    contact = slice(4, 8)

    @property
    def physics(self) -> PhysicsState:
        return PhysicsState(self.qpos, self.qvel, np.zeros_like(self.qvel))


def lowest_m(mj: mujoco.MjModel, qpos: np.ndarray) -> float:
    """How far the lowest colliding geom is above the floor."""
    data = mujoco.MjData(mj)
    data.qpos[:] = qpos
    mujoco.mj_kinematics(mj, data)
    geoms = [
        g for g in mj.pair_geom2 if mj.geom_type[g] == mujoco.mjtGeom.mjGEOM_SPHERE
    ]
    return min(data.geom_xpos[g, 2] - mj.geom_size[g, 0] for g in geoms)


def make_case(model) -> Case:
    rng = np.random.default_rng(7)
    mj, joints = model.mj, model.num_joints
    pose = model.robot.default_pose_rad
    qpos = np.zeros((8, mj.nq))
    qvel = np.zeros((8, mj.nv))
    ctrl = np.zeros((8, joints))
    low, high = model.joint_range_rad.T
    for i in range(8):
        turn = rng.normal(size=4)
        qpos[i, 3:7] = turn / np.linalg.norm(turn)
        qpos[i, 2] = 2.0
        qpos[i, 7:] = np.clip(pose + rng.uniform(-0.3, 0.3, joints), low, high)
        qvel[i] = rng.uniform(-1, 1, mj.nv)
        ctrl[i] = qpos[i, 7:] + rng.uniform(-0.1, 0.1, joints)
    # 75 N m/rad * 2.5 rad is beyond every limit, and so are 20 * 2.5 of the ankles.
    ctrl[2] = qpos[2, 7:] + 2.5
    ctrl[3] = qpos[3, 7:] + rng.choice([-2.5, 0.0, 2.5], joints)
    # Standing, standing askew while moving, falling on the face and on the back.
    qpos[4, 3:] = [1, 0, 0, 0, *pose]
    ctrl[4] = pose
    qvel[4] = 0
    qpos[5, 3:7] = [1, 0.03, 0.05, 0.2]
    qpos[6, 3:7] = [1, 0.1, 1, 0]
    qpos[7, 3:7] = [1, 0, -1, 0]
    qpos[:, 3:7] /= np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
    qvel[6, :3] = qvel[7, :3] = [0, 0, -0.5]
    qvel[6, 3:6] = qvel[7, 3:6] = 0
    for i in range(4, 8):
        # 2 mm into the floor.
        qpos[i, 2] -= lowest_m(mj, qpos[i]) + 0.002
    return Case(*(x.astype(np.float32) for x in (qpos, qvel, ctrl)))


@pytest.fixture(scope="session")
def model():
    return build_model(get_robot("g1_23dof"), collisions="body", visuals=False)


@pytest.fixture(scope="session")
def case(model) -> Case:
    return make_case(model)


class Compiled:
    """An engine's functions, vmapped and jitted once for the whole session."""

    def __init__(self, engine):
        self.engine = engine
        self._place = jax.jit(jax.vmap(engine.place))
        self._step = jax.jit(jax.vmap(engine.step))

    def place(self, qpos, qvel, mask=None):
        mask = np.ones(len(qpos), bool) if mask is None else mask
        return jax.tree.map(np.asarray, self._place(qpos, qvel, mask))

    def step(self, physics, ctrl):
        return jax.tree.map(np.asarray, self._step(physics, ctrl))


@pytest.fixture(scope="session")
def native(model) -> Compiled:
    return Compiled(make_engine("native", model, decimation=DECIMATION))


@pytest.fixture(scope="session")
def mjx(model) -> Compiled:
    return Compiled(make_engine("mjx", model, decimation=DECIMATION))


@pytest.fixture(scope="session")
def native_step(native, case):
    return native.step(case.physics, case.ctrl)


@pytest.fixture(scope="session")
def mjx_step(mjx, case):
    return mjx.step(case.physics, case.ctrl)
