"""When pushes and wrenches come, how large they are, and what they do to a robot."""

import dataclasses

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest

from mimicgym.envs.config import Push, RandomizationConfig, Wrench
from mimicgym.envs.disturbance import Disturbances
from mimicgym.errors import UserError
from mimicgym.physics import PhysicsState
from mimicgym.physics.native import NativeEngine
from mimicgym.robot import build_model, get_robot

DT_S = 0.02
ROWS, STEPS, SPEEDS = 300, 120, 29
PUSH = Push(
    interval_s=(0.1, 0.3),
    lin_vel_xy=0.5,
    lin_vel_z=0.2,
    ang_vel_tilt=0.3,
    ang_vel_yaw=0.7,
)
PUSH_STEPS = (5, 15)
WRENCH = Wrench(interval_s=(0.06, 0.2), duration_s=0.08, force_n=20.0, torque_nm=3.0)
WRENCH_STEPS = (3, 10)
LONG = 4


def made(push=None, wrench=None) -> Disturbances:
    cfg = RandomizationConfig(push=push or Push(), wrench=wrench or Wrench())
    return Disturbances(cfg, DT_S)


def run(disturbances, seed=0, rows=ROWS, steps=STEPS):
    """(rows, steps, ...): changes of velocity and wrenches, step by step."""

    def episode(key):
        def body(state, key):
            qvel = jnp.zeros(SPEEDS)
            state, qvel, wrench = disturbances.step(state, qvel, key)
            return state, (qvel, wrench)

        reset_key, key = jax.random.split(key)
        start = disturbances.reset(reset_key)
        return jax.lax.scan(body, start, jax.random.split(key, steps))[1]

    keys = jax.random.split(jax.random.key(seed), rows)
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(episode))(keys))


@pytest.fixture(scope="module")
def pushes():
    return run(made(PUSH))[0]


@pytest.fixture(scope="module")
def wrenches():
    return run(made(wrench=WRENCH))[1]


def gaps(active: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps before the first active one of each row, and idle steps between others."""
    first, between = [], []
    for row in active:
        steps = np.flatnonzero(row)
        first.append(steps[0])
        between.extend(np.diff(steps) - 1)
    return np.array(first), np.array([b for b in between if b])


def assert_evenly(counts, low, high):
    """Every whole number from low to high, alike often."""
    values, found = np.unique(counts, return_counts=True)
    np.testing.assert_array_equal(values, np.arange(low, high + 1))
    expected = len(counts) / len(values)
    assert np.abs(found - expected).max() < 5 * np.sqrt(expected)


def test_pushes_come_at_their_intervals(pushes):
    first, between = gaps(np.any(pushes != 0, axis=-1))
    # So many steps are done before the first one: none falls on a reset.
    assert_evenly(first, *PUSH_STEPS)
    # Long ones are cut off by the end a little more often than short ones.
    every = between + 1
    assert every.min() == PUSH_STEPS[0] and every.max() == PUSH_STEPS[1]
    assert abs(every.mean() - np.mean(PUSH_STEPS)) < 0.3


def test_pushes_are_as_large_as_asked(pushes):
    sizes = pushes[np.any(pushes != 0, axis=-1)]
    assert len(sizes) > 2000
    # The joints are not touched.
    assert np.all(sizes[:, 6:] == 0)
    bounds = np.array([0.5, 0.5, 0.2, 0.3, 0.3, 0.7])
    found = sizes[:, :6] / bounds
    assert np.abs(found).max() <= 1 and np.all(np.abs(found).max(axis=0) > 0.99)
    deviation = 1 / np.sqrt(3 * len(found))
    assert np.abs(found.mean(axis=0)).max() < 5 * deviation
    np.testing.assert_allclose(found.std(axis=0), 1 / np.sqrt(3), rtol=0.05)
    together = np.corrcoef(found, rowvar=False) - np.eye(6)
    assert np.abs(together).max() < 6 / np.sqrt(len(found))


def test_an_interval_is_at_least_one_step():
    """However short: a push in every step, but for the first."""
    hit = np.any(run(made(Push(interval_s=(0.0, 0.001))))[0] != 0, axis=-1)
    assert np.all(~hit[:, 0]) and np.all(hit[:, 1:])


def test_wrenches_last_and_rest(wrenches):
    acts = np.any(wrenches != 0, axis=-1)
    first, between = gaps(acts)
    assert_evenly(first, *WRENCH_STEPS)
    assert between.min() == WRENCH_STEPS[0] and between.max() == WRENCH_STEPS[1]
    for row, wrench in zip(acts, wrenches, strict=True):
        edges = np.flatnonzero(np.diff(row.astype(int))) + 1
        starts, ends = edges[::2], edges[1::2]
        lengths = ends - starts[: len(ends)]
        assert np.all(lengths == LONG)
        for start, end in zip(starts, ends, strict=False):
            assert np.all(wrench[start:end] == wrench[start])


def test_wrenches_are_as_large_as_asked(wrenches):
    acts = np.any(wrenches != 0, axis=-1)
    starts = acts[:, 1:] & ~acts[:, :-1]
    found = wrenches[:, 1:][starts] / np.repeat([20.0, 3.0], 3)
    assert len(found) > 2000
    assert np.abs(found.mean(axis=0)).max() < 5 / np.sqrt(len(found))
    np.testing.assert_allclose(found.std(axis=0), 1, rtol=0.08)
    # Gaussian: 68 % within one deviation, not the 58 % of a uniform distribution.
    assert abs(np.mean(np.abs(found) < 1) - 0.683) < 0.02
    together = np.corrcoef(found, rowvar=False) - np.eye(6)
    assert np.abs(together).max() < 6 / np.sqrt(len(found))


def test_one_does_not_change_the_draws_of_the_other(pushes, wrenches):
    both = run(made(PUSH, WRENCH))
    np.testing.assert_array_equal(both[0], pushes)
    np.testing.assert_array_equal(both[1], wrenches)


def test_environments_differ(pushes):
    assert len(np.unique(pushes[:, :, 0].sum(axis=1))) == ROWS


@pytest.mark.parametrize(
    "off",
    [
        made(),
        made(
            Push(interval_s=(1.0, 2.0), lin_vel_xy=0.0, lin_vel_z=0.0),
            Wrench(interval_s=(1.0, 2.0)),
        ),
    ],
    ids=["no interval", "no size"],
)
def test_off(off):
    state = off.reset(jax.random.key(0))
    assert jax.tree.leaves(state) == []
    assert not off.pushes and not off.wrenches
    qvel = np.ones(SPEEDS, np.float32)
    after, moved, wrench = off.step(state, qvel, jax.random.key(1))
    assert jax.tree.leaves(after) == [] and wrench is None
    assert moved is qvel


def test_only_one_on():
    """Nothing to remember of the other."""
    assert len(jax.tree.leaves(made(PUSH).reset(jax.random.key(0)))) == 1
    assert len(jax.tree.leaves(made(wrench=WRENCH).reset(jax.random.key(0)))) == 3


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("push", {"interval_s": (2.0, 1.0)}, r"interval_s is \(2\.0, 1\.0\);.*least"),
        ("push", {"interval_s": (-1.0, 1.0)}, r"interval_s is .*0 or more"),
        ("push", {"interval_s": (1.0, np.inf)}, r"interval_s is .*least"),
        ("push", {"lin_vel_xy": -0.1}, r"lin_vel_xy is -0\.1;.*0 or more"),
        ("push", {"ang_vel_yaw": np.nan}, r"ang_vel_yaw is nan;.*0 or more"),
        ("wrench", {"interval_s": (2.0, 1.0)}, r"interval_s is \(2\.0, 1\.0\);"),
        ("wrench", {"force_n": -1.0}, r"force_n is -1\.0;.*0 or more"),
        ("wrench", {"torque_nm": np.inf}, r"torque_nm is inf;.*0 or more"),
        ("wrench", {"duration_s": 0.0}, r"duration_s is 0\.0;.*more than 0"),
        ("wrench", {"duration_s": np.nan}, r"duration_s is nan;"),
    ],
)
def test_bad_settings(name, changes, message):
    cfg = dataclasses.replace({"push": PUSH, "wrench": WRENCH}[name], **changes)
    with pytest.raises(UserError, match=rf"randomization\.{name}\.{message}"):
        made(**{name: cfg})


class Flight:
    """A robot in the air, and its momentum."""

    def __init__(self):
        self.model = build_model(
            get_robot("g1_23dof"), collisions="feet", visuals=False
        )
        self.pose = self.model.robot.default_pose_rad.astype(np.float32)
        self.step = jax.jit(NativeEngine(self.model).step)
        qpos = np.zeros(self.model.mj.nq, np.float32)
        qpos[2], qpos[3:7], qpos[7:] = 50.0, [0.8, 0.0, 0.6, 0.0], self.pose
        rest = np.zeros(self.model.mj.nv, np.float32)
        self.start = PhysicsState(*map(jnp.asarray, (qpos, rest, rest)))

    def momentum(self, physics) -> tuple[np.ndarray, np.ndarray]:
        """kg m/s of the whole robot, and kg m^2/s about its centre of mass."""
        mj, data = self.model.mj, mujoco.MjData(self.model.mj)
        data.qpos[:], data.qvel[:] = physics.qpos, physics.qvel
        mujoco.mj_kinematics(mj, data)
        mujoco.mj_comPos(mj, data)
        mujoco.mj_fwdVelocity(mj, data)
        mujoco.mj_subtreeVel(mj, data)
        return mj.body_subtreemass[1] * data.subtree_linvel[1], data.subtree_angmom[1]


@pytest.fixture(scope="module")
def flight():
    return Flight()


@pytest.mark.parametrize("kind", ["force_n", "torque_nm"])
def test_a_wrench_gives_its_size_times_its_duration(kind, flight):
    """As momentum, beside what gravity gives."""
    size = {"force_n": 40.0} if kind == "force_n" else {"torque_nm": 4.0}
    wrench = Wrench(interval_s=(0.06, 0.06), duration_s=0.1, **size)
    disturbances = made(wrench=wrench)
    state, physics = disturbances.reset(jax.random.key(0)), flight.start
    given, steps = np.zeros(6), 9  # 3 idle, 5 under the wrench, 1 idle again
    seen = []
    for i in range(steps):
        key = jax.random.fold_in(jax.random.key(1), i)
        state, qvel, now = disturbances.step(state, physics.qvel, key)
        np.testing.assert_array_equal(qvel, physics.qvel)
        physics, _ = flight.step(physics, flight.pose, {}, now)
        seen.append(bool(np.any(now)))
        given += np.asarray(now) * DT_S
    assert seen == [False] * 3 + [True] * 5 + [False]
    linear, angular = flight.momentum(physics)
    weight = flight.model.mj.body_mass.sum() * 9.81
    expected = given[:3] - [0, 0, weight * steps * DT_S]
    np.testing.assert_allclose(linear, expected, atol=0.02)
    if kind == "torque_nm":
        assert np.all(given[:3] == 0) and np.linalg.norm(given[3:]) > 0.2
        np.testing.assert_allclose(angular, given[3:], atol=0.02)
    else:
        assert np.all(given[3:] == 0) and np.linalg.norm(given[:3]) > 2


def test_a_push_moves_the_whole_robot(flight):
    """Along world axes: every body is that much faster at once; turns are about the
    axes of the root."""
    disturbances = made(Push(interval_s=(0.02, 0.02), lin_vel_xy=1.0, lin_vel_z=1.0))
    state = disturbances.reset(jax.random.key(0))
    state, still, _ = disturbances.step(state, flight.start.qvel, jax.random.key(1))
    assert np.all(np.asarray(still) == 0)
    _, qvel, _ = disturbances.step(state, flight.start.qvel, jax.random.key(2))
    change = np.asarray(qvel[:3])
    assert np.abs(change).min() > 0 and np.all(np.asarray(qvel[3:]) == 0)
    linear, angular = flight.momentum(flight.start.replace(qvel=qvel))
    mass = flight.model.mj.body_mass.sum()
    np.testing.assert_allclose(linear, mass * change, rtol=1e-5)
    np.testing.assert_allclose(angular, 0, atol=1e-5)
