"""Robots that drop onto stairs, a slope and rough ground, in both engines, against a
plain loop over MuJoCo's C engine on the same model."""

import copy
import functools
from dataclasses import dataclass

import jax
import mujoco
import numpy as np
import pytest

from mimicgym.physics import PhysicsState, make_engine
from mimicgym.robot import RobotModel, build_model, get_robot
from mimicgym.terrain import build_atlas, terrain_from_spec
from tests.envs.cases import jit
from tests.physics.plain import forces, load, look

SIZE = "length_m=6,width_m=3,flat_radius_m=0.3"
GROUNDS = {
    "stairs": f"stairs:{SIZE},steps=3",
    "slope": f"slope:{SIZE},angle_deg=12",
    "rough": f"rough:{SIZE},difficulty=3,seed=1",
}
STEPS, DECIMATION = 15, 4
UPRIGHT, TURNED = [1.0, 0.0, 0.0, 0.0], [np.cos(0.3), 0.0, 0.0, np.sin(0.3)]
PRONE = [np.sqrt(0.5), 0.0, np.sqrt(0.5), 0.0]


@dataclass(frozen=True)
class Drop:
    """Robots (B, ...) 5 mm above the ground, on their way down at 0.3 m/s."""

    model: RobotModel
    qpos: np.ndarray
    qvel: np.ndarray
    ctrl: np.ndarray
    prone: np.ndarray

    @property
    def feet(self) -> list[int]:
        robot = self.model.robot
        return [robot.key_bodies.index(name) for name in robot.foot_bodies]

    @property
    def weight_n(self) -> float:
        return 9.81 * self.model.mj.body_mass.sum()


@functools.cache
def drop(collisions: str) -> Drop:
    """Two robots over each ground, and one that lies, if more than feet can touch."""
    atlas = build_atlas([terrain_from_spec(s) for s in GROUNDS.values()], margin_m=0.5)
    model = build_model(
        get_robot("g1_23dof"),
        collisions=collisions,
        terrain=atlas.field,
        visuals=False,
    )
    starts = [(0.72, UPRIGHT), (1.1, TURNED), (0.9, PRONE)]
    starts = starts[:2] if collisions == "feet" else starts
    rows = []
    for place_xy in atlas.offsets_xy[:, 0]:
        for ahead_m, quat in starts:
            row = np.zeros(model.mj.nq)
            row[:2] = place_xy + [ahead_m, 0.03]
            row[3:7], row[7:] = quat, model.robot.default_pose_rad
            rows.append(lowered(model.mj, row))
    qpos = np.array(rows, np.float32)
    qvel = np.zeros((len(rows), model.mj.nv), np.float32)
    qvel[:, 2] = -0.3
    prone = np.tile([quat is PRONE for _, quat in starts], len(GROUNDS))
    return Drop(model, qpos, qvel, qpos[:, 7:].copy(), prone)


def lowered(mj: mujoco.MjModel, qpos: np.ndarray) -> np.ndarray:
    """The robot 5 mm above where it would touch, found by bisection."""
    data, low, high = mujoco.MjData(mj), 0.0, 3.0
    for _ in range(30):
        data.qpos[:] = qpos
        data.qpos[2] = 0.5 * (low + high)
        mujoco.mj_kinematics(mj, data)
        mujoco.mj_collision(mj, data)
        if data.ncon:
            low = data.qpos[2]
        else:
            high = data.qpos[2]
    return np.concatenate([qpos[:2], [high + 0.005], qpos[3:]])


@functools.cache
def plain(collisions: str) -> dict[str, np.ndarray]:
    """(STEPS, B, ...) of what is seen after each control step."""
    case = drop(collisions)
    mj, still = case.model.mj, np.zeros(case.model.mj.nv)
    rows = []
    for qpos, qvel, ctrl in zip(case.qpos, case.qvel, case.ctrl, strict=True):
        data, seen = load(mj, qpos, qvel, still, ctrl), []
        for _ in range(STEPS):
            for _ in range(DECIMATION):
                mujoco.mj_step(mj, data)
            acting = forces(case.model, data)
            there = copy.copy(data)
            mujoco.mj_kinematics(mj, there)
            mujoco.mj_comPos(mj, there)
            mujoco.mj_comVel(mj, there)
            shown = look(case.model, there) | acting
            seen.append({k: v.copy() for k, v in shown.items()})
        rows.append({k: np.array([s[k] for s in seen]) for k in seen[0]})
    return {k: np.stack([row[k] for row in rows], axis=1) for k in rows[0]}


def played(engine: str, collisions: str) -> dict[str, np.ndarray]:
    """As `plain`, by an engine in float32."""
    case = drop(collisions)
    made = make_engine(engine, case.model, decimation=DECIMATION, threads=1)
    step = jit(jax.vmap(made.step))
    physics, seen = PhysicsState(case.qpos, case.qvel, np.zeros_like(case.qvel)), []
    for _ in range(STEPS):
        physics, robot = step(physics, case.ctrl)
        seen.append(robot)
    names = ("body_pos_w", "contact_force_w")
    return {k: np.array([getattr(robot, k) for robot in seen]) for k in names}


@pytest.mark.parametrize("collisions", ["feet", "body", "full"])
def test_the_drops_are_what_they_claim(collisions):
    """All come to rest, more or less, with the weight on feet or on other bodies."""
    case, seen = drop(collisions), plain(collisions)
    up_n = seen["contact_force_w"][..., 2]
    standing = ~case.prone
    feet_n = up_n[-3:, standing, :2].sum(axis=-1)
    np.testing.assert_allclose(feet_n, case.weight_n, rtol=0.2)
    if case.prone.any():
        assert up_n[-3:, case.prone, 2:].sum(axis=-1).min() > 0.5 * case.weight_n
    # Several cells and heights are touched: feet are not on one plane.
    heights_m = seen["body_pos_w"][-1][:, case.feet, 2]
    assert np.ptp(heights_m[standing], axis=1).max() > 0.02


@pytest.mark.parametrize("collisions", ["feet", "body", "full"])
def test_native_is_the_c_engine(collisions):
    """The same contacts, and no force of theirs is left out: capsules that lie on a
    height field touch up to dozens of its triangles. Seen: 1e-3 mm and 0.004 N."""
    case, expected = drop(collisions), plain(collisions)
    found = played("native", collisions)
    np.testing.assert_allclose(
        found["body_pos_w"], expected["body_pos_w"], atol=2e-5, rtol=0
    )
    np.testing.assert_allclose(
        found["contact_force_w"], expected["contact_force_w"], atol=0.05, rtol=1e-4
    )
    assert (case.model.contact_slots, found["contact_force_w"].ndim) == (4, 4)


@pytest.mark.parametrize(
    "collisions", ["feet", pytest.param("body", marks=pytest.mark.slow)]
)
def test_mjx_stands_where_the_c_engine_stands(collisions):
    """MJX keeps four contacts a pair, those within 1 mm of the deepest, so robots on
    edges fall a little differently, and more so those that lie on capsules."""
    case, expected = drop(collisions), plain(collisions)
    found = played("mjx", collisions)
    standing = ~case.prone
    apart_m = np.abs(found["body_pos_w"] - expected["body_pos_w"])
    assert apart_m[:, standing][:, :, case.feet, 2].max() < 4e-3
    up_n = found["contact_force_w"][..., 2] - expected["contact_force_w"][..., 2]
    assert np.abs(up_n[-5:, standing].sum(axis=-1)).max() < 0.03 * case.weight_n
    if case.prone.any():
        assert apart_m[:, case.prone][..., 2].max() < 0.05
