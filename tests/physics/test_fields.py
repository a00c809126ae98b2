"""Model fields, targets for each physics step and wrenches in the native engine,
against a plain loop over models that were changed by hand."""

import copy

import jax
import mujoco
import numpy as np
import pytest

from mimicgym.errors import UserError
from mimicgym.physics import PhysicsState, make_engine
from mimicgym.physics.native import NativeEngine
from tests.physics.changed import GROUPS, drawn, models, nominal
from tests.physics.conftest import DECIMATION
from tests.physics.plain import at_rest, check, loop

ROWS = 8


@pytest.fixture(scope="module")
def step(native):
    """The native engine's step with all operands: physics, ctrl, fields, wrench."""
    jitted = jax.jit(jax.vmap(native.engine.step))

    def run(physics, ctrl, fields, wrench=None):
        if wrench is None:
            wrench = np.zeros((len(ctrl), 6), np.float32)
        return jax.tree.map(np.asarray, jitted(physics, ctrl, fields, wrench))

    return run


@pytest.fixture(scope="module")
def fields(model):
    return drawn(model.mj, ROWS)


@pytest.fixture(scope="module")
def wrench():
    rng = np.random.default_rng(2)
    return rng.uniform(-60, 60, (ROWS, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def targets(case):
    """(8, 4, J): others in each physics step."""
    rng = np.random.default_rng(5)
    off = rng.uniform(-0.3, 0.3, (ROWS, DECIMATION, case.ctrl.shape[1]))
    return (case.ctrl[:, None] + off).astype(np.float32)


def assert_is(found, plain):
    """States to the last bit of float32; what is seen of them, to rounding."""
    (physics, robot), (qpos, qvel, seen) = found, plain
    np.testing.assert_array_equal(physics.qpos, qpos.astype(np.float32))
    np.testing.assert_array_equal(physics.qvel, qvel.astype(np.float32))
    check(robot, seen)


def same(found, expected):
    jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.mark.parametrize("group", [*GROUPS, "all"])
def test_a_field_is_as_in_a_model_that_has_it(group, step, case, model, fields):
    names = fields if group == "all" else GROUPS[group]
    given = {name: fields[name] for name in names}
    found = step(case.physics, case.ctrl, given)
    assert_is(
        found, loop(model, case.physics, case.ctrl, models=models(model.mj, given))
    )
    # It does make a difference to what the robot does.
    usual = step(case.physics, case.ctrl, {})
    assert np.abs(found[0].qvel - usual[0].qvel).max() > 0.01


def test_masses_of_subtrees_are_those_of_mujoco(model, fields):
    """So that the comparison is with models that MuJoCo could have compiled."""
    for mj in models(model.mj, fields):
        judged = copy.copy(mj)
        mujoco.mj_setConst(judged, mujoco.MjData(judged))
        np.testing.assert_allclose(mj.body_subtreemass, judged.body_subtreemass, 1e-6)


def test_leading_entries_are_enough(step, case, model, fields):
    full = np.repeat(model.mj.actuator_gainprm[None], ROWS, axis=0).astype(np.float32)
    full[..., :1] = fields["actuator_gainprm"]
    some = step(
        case.physics, case.ctrl, {"actuator_gainprm": fields["actuator_gainprm"]}
    )
    same(step(case.physics, case.ctrl, {"actuator_gainprm": full}), some)


def test_other_rows_stay_as_they_are(step, case, model, fields):
    before = nominal(model.mj, ROWS)
    after = {name: values.copy() for name, values in before.items()}
    for name, values in fields.items():
        after[name][3] = values[3]
    a, b = (step(case.physics, case.ctrl, given) for given in (before, after))
    others = np.arange(ROWS) != 3
    same(*(jax.tree.map(lambda x: x[others], result) for result in (a, b)))
    assert np.abs(a[0].qvel[3] - b[0].qvel[3]).max() > 0.01


def test_nothing_is_left_for_the_next_call(step, case, native_step, fields, wrench):
    """In the scratch space, of fields and wrenches that the call before had."""
    step(case.physics, case.ctrl, fields, wrench)
    some = {"pair_friction": fields["pair_friction"]}
    found = step(case.physics, case.ctrl, some)
    step(case.physics, case.ctrl, fields, wrench)
    step(case.physics, case.ctrl, some, wrench)
    same(step(case.physics, case.ctrl, some), found)
    same(step(case.physics, case.ctrl, {})[0], native_step[0])


def test_place_shows_the_fields(case, model, native, fields):
    place = jax.jit(jax.vmap(native.engine.place))
    mask = np.arange(ROWS) != 2
    physics, robot = place(case.qpos, case.qvel, mask, fields)
    made = models(model.mj, fields)
    _, _, seen = loop(model, physics, case.qpos[:, 7:], decimation=0, models=made)
    seen = {k: v[mask] for k, v in at_rest(seen).items()}
    check(jax.tree.map(lambda x: x[mask], robot), seen)


@pytest.mark.parametrize("name", ["qpos0", "jnt_pos", "jnt_axis", "body_pos"])
def test_robots_of_another_build_are_seen_as_they_are(name, step, case, model):
    """Fields that no term changes yet."""
    rng = np.random.default_rng(3)
    values = np.repeat(getattr(model.mj, name)[None], ROWS, axis=0)
    values = (values + rng.normal(0, 0.02, values.shape)).astype(np.float32)
    if name == "jnt_axis":
        values /= np.linalg.norm(values, axis=-1, keepdims=True)
    given = {name: values}
    made = models(model.mj, given)
    assert_is(
        step(case.physics, case.ctrl, given),
        loop(model, case.physics, case.ctrl, models=made),
    )


def test_targets_for_each_physics_step(step, case, model, targets):
    found = step(case.physics, targets, {})
    assert_is(found, loop(model, case.physics, targets))
    # Their order counts.
    other = step(case.physics, targets[:, ::-1], {})
    assert np.abs(found[0].qvel - other[0].qvel).max() > 0.1


def test_the_same_targets_for_each_physics_step(step, case, native_step):
    """Four calls of one physics step are one call of four, to the last bit."""
    held = np.repeat(case.ctrl[:, None], DECIMATION, axis=1)
    same(step(case.physics, held, {}), native_step)


@pytest.mark.parametrize("delay", [0, 1, 3, 4])
def test_a_delay_of_physics_steps(step, case, model, delay):
    """Old targets until `delay` steps have gone by, and new ones from then on."""
    old, new = case.qpos[:, None, 7:], case.ctrl[:, None]
    late = np.arange(DECIMATION)[:, None] < delay
    physics, _ = step(case.physics, np.where(late, old, new), {})
    first = NativeEngine(model, decimation=max(delay, 1))
    last = NativeEngine(model, decimation=max(DECIMATION - delay, 1))
    expected = case.physics
    if delay:
        expected, _ = jax.vmap(first.step)(expected, old[:, 0])
    if delay < DECIMATION:
        expected, _ = jax.vmap(last.step)(expected, new[:, 0])
    # In between the state is rounded to float32.
    np.testing.assert_allclose(physics.qpos, expected.qpos, atol=1e-5)
    np.testing.assert_allclose(physics.qvel, expected.qvel, atol=1e-3)


def test_a_wrench(step, case, model, wrench):
    found = step(case.physics, case.ctrl, {}, wrench)
    assert_is(found, loop(model, case.physics, case.ctrl, wrench=wrench))


def test_a_wrench_speeds_up_the_whole_robot(case, native, model):
    """In free fall, from rest: m dv = (F + m g) dt."""
    engine = NativeEngine(model, wrench_body="pelvis")
    rest = np.zeros_like(case.qvel[0])
    physics = PhysicsState(case.qpos[0], rest, rest)
    force = np.array([30.0, -20.0, 10.0])
    wrench = np.concatenate([force, np.zeros(3)]).astype(np.float32)
    step = jax.jit(engine.step)
    before = native.place(case.qpos[:1], rest[None])[1].com_pos_w[0]
    for _ in range(10):
        physics, robot = step(physics, case.qpos[0, 7:], {}, wrench)
    mass, time_s = model.mj.body_mass.sum(), 0.2
    way = (force / mass + [0, 0, -9.81]) * time_s**2 / 2
    # Semi-implicit: half a physics step further on.
    way *= 1 + 0.005 / time_s
    np.testing.assert_allclose(robot.com_pos_w - before, way, atol=1e-3)


def test_all_at_once(step, case, model, fields, targets, wrench):
    found = step(case.physics, targets, fields, wrench)
    made = models(model.mj, fields)
    assert_is(found, loop(model, case.physics, targets, models=made, wrench=wrench))


def test_one_environments_fields_for_a_batch(case, native, fields):
    """What is not batched is repeated."""
    one = {name: values[0] for name, values in fields.items()}
    run = jax.jit(jax.vmap(native.engine.step, in_axes=(0, 0, None)))
    found = run(case.physics, case.ctrl, one)
    many = {name: np.repeat(x[None], ROWS, axis=0) for name, x in one.items()}
    expected = jax.jit(jax.vmap(native.engine.step))(case.physics, case.ctrl, many)
    same(found[0], expected[0])


@pytest.mark.parametrize("part", ["targets", "fields", "wrench"])
def test_no_number_stays_alone(part, step, case, fields, targets, wrench):
    operands = copy.deepcopy({"targets": targets, "fields": fields, "wrench": wrench})
    expected = step(case.physics, targets, fields, wrench)
    place = operands["fields"]["opt.gravity"] if part == "fields" else operands[part]
    place[5, ..., -1] = np.nan
    found = step(case.physics, *operands.values())
    others = np.arange(ROWS) != 5
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert np.all(np.isnan(a[5]))
        np.testing.assert_array_equal(a[others], b[others])


def test_a_simulation_that_mujoco_gives_up_on_with_targets(case, model, targets):
    engine = NativeEngine(model)
    step = jax.jit(jax.vmap(engine.step))
    expected = jax.block_until_ready(step(case.physics, targets))
    kinds = engine._scratch[8,].batch.expand("actuator_trntype")
    kinds[3] = 99
    found = jax.block_until_ready(step(case.physics, targets))
    others = np.arange(ROWS) != 3
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert np.all(np.isnan(a[3]))
        np.testing.assert_array_equal(a[others], b[others])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fields": {"body_mas": np.zeros(31)}}, "'body_mas' is no field of numbers"),
        ({"fields": {"opt.solver": np.zeros(1)}}, "'opt.solver' is no field"),
        ({"fields": {"gravity": np.zeros(3)}}, "'gravity' is no field"),
        ({"fields": {"body_mass": np.zeros(32)}}, r"'body_mass' has shape \(32,\)"),
        (
            {"fields": {"body_ipos": np.zeros((30, 3))}},
            r"'body_ipos' has shape \(30, 3\)",
        ),
        (
            {"fields": {"body_ipos": np.zeros((31, 0))}},
            r"'body_ipos' has shape \(31, 0\)",
        ),
        ({"fields": {"body_ipos": np.zeros(31)}}, r"'body_ipos' has shape \(31,\)"),
        ({"ctrl": np.zeros((3, 23))}, r"targets have shape \(3, 23\); \(23,\) or"),
        ({"wrench": np.zeros(3)}, r"a wrench has shape \(3,\)"),
    ],
)
def test_bad_operands(changes, message, case, native):
    physics = jax.tree.map(lambda x: x[0], case.physics)
    operands = {"ctrl": case.ctrl[0], "fields": {}, "wrench": None} | changes
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(native.engine.step, physics, *operands.values())


@pytest.mark.parametrize("name", ["native", "mjx"])
def test_unknown_wrench_body(name, model):
    with pytest.raises(UserError, match=r"body for wrenches 'torso'.*'torso_link'"):
        make_engine(name, model, wrench_body="torso")
