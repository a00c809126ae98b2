"""The native engine against a plain loop over `mujoco.MjData`, one state at a time."""

import os

import jax
import mujoco
import numpy as np
import pytest

from mimicgym.errors import UserError
from mimicgym.physics import PhysicsState, foreign
from mimicgym.physics.native import NativeEngine
from mimicgym.physics.state import all_finite
from mimicgym.robot import build_model, get_robot
from tests.children import finish
from tests.physics.plain import at_rest, check, load, loop


def same(found, expected):
    """States to the last bit; what XLA makes of them to float32 rounding, because it
    may sum in another order for another batch size."""
    jax.tree.map(np.testing.assert_array_equal, found[0], expected[0])
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5),
        found[1],
        expected[1],
    )


def test_control_step(case, model, native_step):
    physics, robot = native_step
    qpos, qvel, seen = loop(model, case.physics, case.ctrl)
    # The same operations on the same numbers, rounded to float32 once.
    np.testing.assert_array_equal(physics.qpos, qpos.astype(np.float32))
    np.testing.assert_array_equal(physics.qvel, qvel.astype(np.float32))
    check(robot, seen)


def test_second_control_step_goes_on_where_the_first_ended(
    case, model, native, native_step
):
    # In another order of rows than the call before: a state holds all that counts.
    first = jax.tree.map(lambda x: x[::-1], native_step[0])
    ctrl = case.ctrl[::-1]
    native.step(case.physics, case.ctrl)
    physics, robot = native.step(first, ctrl)
    qpos, qvel, seen = loop(model, first, ctrl)
    np.testing.assert_array_equal(physics.qpos, qpos.astype(np.float32))
    np.testing.assert_array_equal(physics.qvel, qvel.astype(np.float32))
    check(robot, seen)


def test_the_solver_starts_where_the_state_says(case):
    """With one iteration it does not get to where the start no longer matters."""
    model = build_model(
        get_robot("g1_23dof"), collisions="body", iterations=1, visuals=False
    )
    step = jax.jit(jax.vmap(NativeEngine(model).step))
    first, _ = jax.tree.map(np.asarray, step(case.physics, case.ctrl))
    reverse = jax.tree.map(lambda x: x[::-1], first)
    ctrl = case.ctrl[::-1]
    found, _ = step(reverse, ctrl)
    _, qvel, _ = loop(model, reverse, ctrl)
    np.testing.assert_array_equal(found.qvel, qvel.astype(np.float32))
    cold = reverse.replace(warmstart=np.zeros_like(reverse.warmstart))
    assert np.abs(loop(model, cold, ctrl)[1] - qvel).max() > 1e-4


def test_place(case, model, native):
    physics, robot = native.place(case.qpos, case.qvel)
    np.testing.assert_array_equal(physics.qpos, case.qpos)
    np.testing.assert_array_equal(physics.qvel, case.qvel)
    np.testing.assert_array_equal(physics.warmstart, 0)
    _, _, seen = loop(model, physics, case.qpos[:, 7:], decimation=0)
    check(robot, at_rest(seen))


def test_self_collisions_push_bodies_apart():
    """With the `full` preset, over random postures on and above the floor."""
    model = build_model(get_robot("g1_29dof"), collisions="full", visuals=False)
    rng = np.random.default_rng(3)
    rows, joints = 40, model.num_joints
    qpos = np.zeros((rows, model.mj.nq))
    turn = rng.normal(size=(rows, 4))
    qpos[:, 2] = rng.choice([0.3, 2.0], rows)
    qpos[:, 3:7] = turn / np.linalg.norm(turn, axis=1, keepdims=True)
    low, high = model.joint_range_rad.T
    qpos[:, 7:] = rng.uniform(low, high, (rows, joints))
    qpos = qpos.astype(np.float32)
    qvel = np.zeros((rows, model.mj.nv), np.float32)
    physics = PhysicsState(qpos, qvel, np.zeros_like(qvel))
    # Forces of a step are those of the state that it began with.
    engine = NativeEngine(model, decimation=1)
    _, robot = jax.jit(jax.vmap(engine.step))(physics, qpos[:, 7:])
    _, _, seen = loop(model, physics, qpos[:, 7:], decimation=0)
    force = np.asarray(robot.contact_force_w)
    np.testing.assert_allclose(force, seen["contact_force_w"], rtol=1e-4, atol=1e-2)
    # In the air, what one body feels another feels reversed.
    air = (qpos[:, 2] == 2.0) & (np.abs(force).max(axis=(1, 2)) > 1)
    assert air.sum() > 3
    total = np.abs(force[air].sum(axis=1)).max(axis=1)
    assert np.all(total < 1e-4 * np.abs(force[air]).max(axis=(1, 2)))


def test_contact_forces_obey_newton(case, model):
    """From rest: m dv = (F - m g) dt, with the whole robot's momentum."""
    mass, gravity, dt_s = 33.3411, 9.81, 0.005
    rest = np.zeros_like(case.qvel)
    pose = case.qpos[:, 7:]
    step = jax.jit(jax.vmap(NativeEngine(model, decimation=1).step))
    after, robot = step(PhysicsState(case.qpos, rest, rest), pose)
    data = mujoco.MjData(model.mj)
    for i in range(len(pose)):
        data.qpos[:], data.qvel[:] = case.qpos[i], after.qvel[i]
        mujoco.mj_fwdPosition(model.mj, data)
        mujoco.mj_fwdVelocity(model.mj, data)
        mujoco.mj_subtreeVel(model.mj, data)
        force_w = np.asarray(robot.contact_force_w[i]).sum(axis=0)
        force_w = force_w - [0, 0, mass * gravity]
        np.testing.assert_allclose(
            mass * data.subtree_linvel[1], force_w * dt_s, atol=2e-3
        )


def test_torques_follow_the_joints_at_every_physics_step(case, model, native_step):
    """Clipped PD in NumPy from the joint states before each of the 4 physics steps is
    what acts there, and the loop ends where the engine ends."""
    kp, kd = model.robot.gains("videomimic")
    for i in range(len(case.qpos)):
        data = load(model.mj, case.qpos[i], case.qvel[i], 0, case.ctrl[i])
        torques = []
        for _ in range(4):
            wanted = kp * (case.ctrl[i] - data.qpos[7:]) - kd * data.qvel[6:]
            expected = np.clip(wanted, -model.effort_nm, model.effort_nm)
            mujoco.mj_step1(model.mj, data)
            mujoco.mj_step2(model.mj, data)
            np.testing.assert_allclose(
                data.qfrc_actuator, [0] * 6 + expected.tolist(), atol=1e-9
            )
            torques.append(expected)
        # The torques do change between the steps: holding the first would show.
        assert np.abs(torques[3] - torques[0]).max() > 0.1
        np.testing.assert_array_equal(
            native_step[0].qpos[i], data.qpos.astype(np.float32)
        )


def test_explicit_torques_move_the_robot_alike(case):
    """A robot without motors that is given the clipped PD torques by hand, afresh at
    every physics step. With an explicit integrator nothing else can tell it apart."""
    model = build_model(get_robot("g1_23dof"), collisions="body", visuals=False)
    model.mj.opt.integrator = mujoco.mjtIntegrator.mjINT_EULER
    engine = NativeEngine(model)
    physics, _ = jax.jit(jax.vmap(engine.step))(case.physics, case.ctrl)
    kp, kd = model.robot.gains("videomimic")
    limp = build_model(get_robot("g1_23dof"), collisions="body", visuals=False).mj
    limp.opt.integrator = mujoco.mjtIntegrator.mjINT_EULER
    limp.actuator_gainprm[:] = 0
    limp.actuator_biasprm[:] = 0
    for i in range(len(case.qpos)):
        data = mujoco.MjData(limp)
        data.qpos[:], data.qvel[:] = case.qpos[i], case.qvel[i]
        for _ in range(4):
            wanted = kp * (case.ctrl[i] - data.qpos[7:]) - kd * data.qvel[6:]
            data.qfrc_applied[6:] = np.clip(wanted, -model.effort_nm, model.effort_nm)
            mujoco.mj_step(limp, data)
        np.testing.assert_allclose(physics.qpos[i], data.qpos, atol=1e-5)
        np.testing.assert_allclose(physics.qvel[i], data.qvel, atol=1e-3)


def test_decimation_is_a_number_of_physics_steps(case, model, native_step):
    engine = NativeEngine(model, decimation=1)
    step = jax.jit(jax.vmap(engine.step))
    physics = case.physics
    for _ in range(4):
        physics, robot = step(physics, case.ctrl)
    # Each call rounds to float32.
    np.testing.assert_allclose(physics.qpos, native_step[0].qpos, atol=1e-5)
    np.testing.assert_allclose(
        robot.joint_torque, native_step[1].joint_torque, atol=1e-2
    )


def test_results_do_not_depend_on_the_number_of_threads(case, model, native_step):
    for threads in (1, 2):
        engine = NativeEngine(model, threads=threads)
        found = jax.jit(jax.vmap(engine.step))(case.physics, case.ctrl)
        jax.tree.map(np.testing.assert_array_equal, found, native_step)


@pytest.mark.parametrize("rows", [[5], [7, 2, 4]])
def test_a_row_does_not_depend_on_the_others(case, native, native_step, rows):
    some = jax.tree.map(lambda x: x[rows], case.physics)
    found = native.step(some, case.ctrl[rows])
    expected = jax.tree.map(lambda x: x[rows], native_step)
    same(found, expected)


def test_without_a_batch(case, native, native_step):
    one = jax.tree.map(lambda x: x[4], case.physics)
    found = jax.jit(native.engine.step)(one, case.ctrl[4])
    expected = jax.tree.map(lambda x: x[4], native_step)
    same(found, expected)


def test_nested_vmap(case, native, native_step):
    def square(tree):
        return jax.tree.map(lambda x: x.reshape(2, 4, *x.shape[1:]), tree)

    step = jax.jit(jax.vmap(jax.vmap(native.engine.step)))
    found = step(square(case.physics), square(case.ctrl))
    same(found, square(native_step))


def test_vmap_over_targets_only(case, native):
    """One state under all targets: the unbatched arguments are repeated."""
    one = jax.tree.map(lambda x: x[0], case.physics)
    found, _ = jax.jit(jax.vmap(native.engine.step, in_axes=(None, 0)))(one, case.ctrl)
    many = jax.tree.map(lambda x: np.repeat(x[None], 8, axis=0), one)
    expected, _ = native.step(many, case.ctrl)
    np.testing.assert_array_equal(found.qpos, expected.qpos)


def test_jitted_scan(case, native):
    """No hidden state: ten steps in one program are ten calls."""

    @jax.jit
    def run(physics, ctrl):
        def body(physics, _):
            physics, robot = jax.vmap(native.engine.step)(physics, ctrl)
            return physics, robot.joint_torque

        return jax.lax.scan(body, physics, length=10)

    found, torques = run(case.physics, case.ctrl)
    physics, each = case.physics, []
    for _ in range(10):
        physics, robot = native.step(physics, case.ctrl)
        each.append(robot.joint_torque)
    jax.tree.map(np.testing.assert_array_equal, found, physics)
    np.testing.assert_array_equal(torques, each)


def test_mask_of_place(case, native):
    mask = np.arange(8) % 3 == 0
    everything = native.place(case.qpos, case.qvel)
    # What is masked out is not even looked at.
    qpos = np.where(mask[:, None], case.qpos, np.nan)
    found = native.place(qpos, case.qvel, mask)
    jax.tree.map(
        lambda a, b: np.testing.assert_array_equal(a[mask], b[mask]), found, everything
    )
    native.place(case.qpos, case.qvel, np.zeros(8, bool))


def test_mask_saves_the_work(case, model, monkeypatch):
    """Autoreset computes the rows that it resets, not the batch."""
    engine = NativeEngine(model)
    place = jax.jit(jax.vmap(engine.place))
    jax.block_until_ready(place(case.qpos, case.qvel, np.ones(8, bool)))
    scratch = engine._scratch[8,]
    computed = []
    monkeypatch.setattr(
        scratch,
        "run",
        lambda ids, n, out, run=scratch.run: computed.append(ids) or run(ids, n, out),
    )
    mask = np.zeros(8, bool)
    mask[[2, 5]] = True
    jax.block_until_ready(place(case.qpos, case.qvel, mask))
    assert [ids.tolist() for ids in computed] == [[2, 5]]


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("field", ["qpos", "qvel", "ctrl"])
def test_a_state_that_is_no_number_stays_alone(case, native, native_step, field, value):
    qpos, qvel, ctrl = case.qpos.copy(), case.qvel.copy(), case.ctrl.copy()
    {"qpos": qpos, "qvel": qvel, "ctrl": ctrl}[field][3, 8] = value
    physics = PhysicsState(qpos, qvel, np.zeros_like(qvel))
    others = np.arange(8) != 3
    found = native.step(physics, ctrl)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(native_step), strict=True):
        assert np.all(np.isnan(a[3]))
        np.testing.assert_array_equal(a[others], b[others])
    # Nothing of it is left in the scratch space.
    again = native.step(case.physics, case.ctrl)
    jax.tree.map(np.testing.assert_array_equal, again, native_step)


@pytest.mark.parametrize("speed", [1e7, 1e20, 1e38])
def test_a_diverging_state_stays_alone(
    case, native, native_step, speed, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes a log of its warnings
    qvel = case.qvel.copy()
    qvel[3] = speed
    physics, robot = native.step(
        PhysicsState(case.qpos, qvel, np.zeros_like(qvel)), case.ctrl
    )
    finite = jax.vmap(all_finite)(physics)
    assert finite.tolist() == [i != 3 for i in range(8)]
    others = np.arange(8) != 3
    jax.tree.map(
        lambda a, b: np.testing.assert_array_equal(a[others], b[others]),
        (physics, robot),
        native_step,
    )


def test_a_simulation_that_mujoco_gives_up_on_stays_alone(case, model, native_step):
    engine = NativeEngine(model)
    step = jax.jit(jax.vmap(engine.step))
    jax.block_until_ready(step(case.physics, case.ctrl))
    # A transmission that there is not: an error in that one simulation.
    kinds = engine._scratch[8,].batch.expand("actuator_trntype")
    kinds[3] = 99
    found = jax.block_until_ready(step(case.physics, case.ctrl))
    kinds[3] = model.mj.actuator_trntype
    others = np.arange(8) != 3
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(native_step), strict=True):
        assert np.all(np.isnan(a[3]))
        np.testing.assert_array_equal(a[others], b[others])
    again = step(case.physics, case.ctrl)
    jax.tree.map(np.testing.assert_array_equal, again, native_step)


def test_all_finite():
    def judged(qpos=0.0, qvel=0.0):
        zeros = np.zeros(30, np.float32)
        return bool(
            all_finite(PhysicsState(zeros + np.float32(qpos), zeros + qvel, zeros))
        )

    assert judged()
    assert judged(qpos=9e5, qvel=-9e5)
    assert not judged(qpos=2e6)
    assert not judged(qvel=-2e6)
    for value in (np.nan, np.inf, -np.inf):
        assert not judged(qpos=value)
        assert not judged(qvel=value)


def test_negative_threads(model):
    with pytest.raises(UserError, match="threads is -1"):
        NativeEngine(model, threads=-1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux only")
def test_a_thread_for_each_core_that_may_be_used(model):
    cores = os.sched_getaffinity(0)
    assert NativeEngine(model).threads == len(cores)
    try:
        os.sched_setaffinity(0, {min(cores)})
        assert NativeEngine(model).threads == 1
    finally:
        os.sched_setaffinity(0, cores)
    assert NativeEngine(model, threads=3).threads == 3


def test_the_other_way_out_of_a_program_gives_the_same(
    case, model, native_step, monkeypatch
):
    """Where XLA's interface is not known: `jax.pure_callback`."""
    monkeypatch.setattr(foreign, "available", lambda: False)
    engine = NativeEngine(model)
    found = jax.jit(jax.vmap(engine.step))(case.physics, case.ctrl)
    jax.tree.map(np.testing.assert_array_equal, found, native_step)
    mask = np.arange(8) % 2 == 0
    start = jax.jit(jax.vmap(engine.place))(case.qpos, case.qvel, mask)
    monkeypatch.undo()
    expected = jax.jit(jax.vmap(engine.place))(case.qpos, case.qvel, mask)
    jax.tree.map(np.testing.assert_array_equal, start, expected)


UNDER_WAY = """
import mimicgym
import jax, numpy as np
from mimicgym.physics import make_engine
from mimicgym.robot import build_model, get_robot

model = build_model(get_robot("g1_23dof"), collisions="feet", visuals=False)

def main():
    engine = make_engine("native", model, decimation=4)
    rows = 2048
    qpos = np.tile(np.asarray(model.mj.qpos0, np.float32), (rows, 1))
    qvel = np.zeros((rows, model.mj.nv), np.float32)
    ctrl = np.zeros((rows, model.num_joints), np.float32)

    @jax.jit
    def program(physics):
        step = jax.vmap(engine.step)
        return jax.lax.scan(lambda p, _: (step(p, ctrl)[0], 0), physics, None, 20)[0]

    mask = np.ones(rows, bool)
    program(jax.jit(jax.vmap(engine.place))(qpos, qvel, mask)[0])
    print("under way")
    raise SystemExit(7)

main()
"""


def test_a_process_ends_while_a_program_is_under_way(children):
    """Which nobody waits for, as after an error. It hung, or crashed."""
    for _ in range(2):
        ((out, _),) = finish(children.start("-c", UNDER_WAY), returns=7)
        assert out == "under way\n"
