"""The sum of the reward terms: weights, kernels, limits, what a configuration may say.

The other test_reward_*.py have the terms themselves, against numbers worked out by
hand.
"""

import functools
import inspect
import math
from dataclasses import fields, is_dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym.envs.config import (
    AirTime,
    BodyContacts,
    Force,
    Gait,
    Height,
    Limit,
    RewardConfig,
    Tracking,
    TrackingConfig,
    Weight,
)
from mimicgym.envs.ground import Ground, flat_ground
from mimicgym.envs.reward import TERM_MODULES, Rewards, reward
from mimicgym.envs.terms import Facts, FeetState
from mimicgym.errors import UserError
from mimicgym.robot import build_model, get_robot
from tests.envs.cases import DT_S, body_model, jit, offer, random_frame, robot_on

DEFAULT = RewardConfig()
SETTINGS = {"termination", "soft_joint_limit", "only_positive"}
TERMS = tuple(f.name for f in fields(DEFAULT) if f.name not in SETTINGS)
KERNEL_TERMS = tuple(n for n in TERMS if isinstance(getattr(DEFAULT, n), Tracking))


@functools.cache
def preset_model(collisions: str):
    return build_model(get_robot("g1_23dof"), collisions=collisions, visuals=False)


def facts_of(model) -> Facts:
    return Facts.of(model, TrackingConfig())


@functools.cache
def some_frame():
    return random_frame(body_model(), np.random.default_rng(0))


def only(name: str, cfg: Any) -> RewardConfig:
    """A configuration with one term; all else has weight 0."""
    off = {
        f.name: replace(getattr(DEFAULT, f.name), weight=0.0)
        for f in fields(DEFAULT)
        if is_dataclass(getattr(DEFAULT, f.name))
    }
    return RewardConfig(**{**off, name: cfg})


def part(
    name: str, cfg: Any = None, robot=None, ref=None, model=None, **changes
) -> float:
    """A term's weighted value for changes of a perfect robot and its reference.

    cfg: the default configuration's field if None.
    """
    model = model or body_model()
    frame = some_frame()
    perfect = robot_on(frame, model).replace(**(robot or {}))
    ref_frame = frame.replace(**(ref or {}))
    rewards = Rewards(only(name, cfg or getattr(DEFAULT, name)), facts_of(model), DT_S)
    offered = offer(model, perfect, ref_frame, **changes)
    total, parts = rewards(offered, jnp.bool_(False))
    assert set(parts) == {name}
    assert parts[name].shape == ()
    assert float(total) == float(parts[name])
    return float(total)


def feet(
    contact=(True, False),
    last_contact=None,
    touchdown=(False, False),
    air_time_s=(0.0, 0.0),
    peak_m=(0.0, 0.0),
) -> FeetState:
    return FeetState(
        contact=np.array(contact, bool),
        last_contact=np.array(contact if last_contact is None else last_contact, bool),
        touchdown=np.array(touchdown, bool),
        air_time_s=np.array(air_time_s, np.float32),
        peak_m=np.array(peak_m, np.float32),
        was_down=np.ones(2, bool),
    )


def slope() -> Ground:
    """Ground that rises by 0.1 m for each metre of x, and 0.2 for each of y."""
    y, x = np.mgrid[-10:11, -10:11]
    return flat_ground(1).replace(
        heights=jnp.asarray(0.1 * x + 0.2 * y), field_origin_xy=jnp.full(2, -10.0)
    )


@pytest.fixture
def frame():
    return some_frame()


@pytest.fixture
def rewards(model):
    return Rewards(RewardConfig(), facts_of(model), DT_S)


def test_termination_costs_ten_and_only_on_failure(model, frame, rewards):
    offered = offer(model, robot_on(frame, model), frame)
    lived, parts = rewards(offered, jnp.bool_(False))
    failed, failed_parts = rewards(offered, jnp.bool_(True))
    # -500 * 0.02 = -10.
    assert float(failed - lived) == pytest.approx(-10.0, abs=1e-5)
    assert float(failed_parts["termination"]) == pytest.approx(-10.0, abs=1e-5)
    assert float(parts["termination"]) == 0


def test_perfection_and_the_sum_of_the_parts(model, frame, rewards):
    inside = frame.replace(joint_pos=np.zeros(23, np.float32) + 0.1)
    offered = offer(model, robot_on(inside, model), inside)
    total, parts = rewards(offered, jnp.bool_(False))
    # 2.4 + 0.48 + 0.6 + 0.1 + 3 * 0.3 = 4.48, and 0.04 for both feet.
    assert float(total) == pytest.approx(4.52, abs=1e-5)
    assert float(total) == pytest.approx(float(sum(parts.values())), abs=1e-6)
    # 13 terms and termination: the 14 of the default configuration.
    assert len(parts) == 14


def test_a_weight_of_zero_drops_a_term(model, frame, rewards):
    config = RewardConfig(action_rate=Weight(0.0), termination=Weight(0.0))
    found = Rewards(config, facts_of(model), DT_S)
    offered = offer(model, robot_on(frame, model), frame)
    _, parts = found(offered, jnp.bool_(True))
    assert set(parts) == set(rewards.terms) - {"action_rate"}
    assert len(parts) == 12


@pytest.mark.parametrize("failed", [False, True])
def test_only_positive_comes_before_the_termination(model, frame, failed):
    config = RewardConfig(only_positive=True)
    found = Rewards(config, facts_of(model), DT_S)
    action = np.full(23, 100.0, np.float32)
    offered = offer(model, robot_on(frame, model), frame, action=action)
    total, parts = found(offered, jnp.bool_(failed))
    assert float(parts["action_rate"]) < -100
    assert float(total) == pytest.approx(-10.0 if failed else 0.0, abs=1e-5)


def test_every_weight_has_a_term_and_every_term_a_weight():
    assert set(TERMS) <= set(reward)
    # Others may have registered terms of their own.
    ours = [
        name
        for module in TERM_MODULES
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and value.__module__ == module.__name__
        and name in reward
    ]
    assert sorted(ours) == sorted(TERMS)
    for name in TERMS:
        assert 10 < len(reward.summary(name)) <= 85
        assert reward.summary(name).endswith((".", ":"))


def test_no_module_has_the_name_of_a_term():
    modules = {module.__name__.rpartition(".")[2] for module in TERM_MODULES}
    assert not modules & set(TERMS)


@pytest.mark.parametrize("kernel", ["gaussian", "laplacian", "cauchy"])
@pytest.mark.parametrize("name", [n for n in KERNEL_TERMS if n != "feet_orientation"])
def test_tracking_is_best_on_the_reference(name, kernel):
    cfg = Tracking(10.0, 0.01, kernel)
    # 10 * 0.02 = 0.2 on the reference, less anywhere else. Rounding makes an angle of
    # up to 1e-3 rad, of which the laplacian sees 1e-5.
    assert part(name, cfg) == pytest.approx(0.2, abs=1e-5)
    other = random_frame(body_model(), np.random.default_rng(1))
    elsewhere = {f: getattr(other, f) for f in vars(other) if f != "foot_contact"}
    assert 0 < part(name, cfg, elsewhere) < 0.1999


@pytest.mark.parametrize(
    ("kernel", "expected"),
    # The pelvis 0.5 m away, weight 50 * 0.02 = 1, scale 2: exp(-2 * 0.25) = exp(-0.5),
    # exp(-2 * 0.5) = exp(-1), and 1 / (1 + 2 * 0.25) = 2 / 3.
    [("gaussian", 0.60653), ("laplacian", 0.36788), ("cauchy", 0.66667)],
)
def test_kernels(frame, kernel, expected):
    moved = {"root_pos_w": frame.root_pos_w + np.array([0.3, 0.0, -0.4], np.float32)}
    found = part("root_pos_tracking", Tracking(50.0, 2.0, kernel), moved)
    assert found == pytest.approx(expected, abs=2e-5)


def test_orientations_are_laplacian_and_all_else_gaussian_by_default():
    # Section 4.1 and 4.2: exp(-k theta), and norms that are not squared.
    laplacian = {
        "torso_orientation_tracking",
        "root_orientation_tracking",
        "root_vel_tracking",
        "root_ang_vel_tracking",
        "feet_orientation",
    }
    for name in KERNEL_TERMS:
        expected = "laplacian" if name in laplacian else "gaussian"
        assert getattr(DEFAULT, name).kernel == expected


def test_the_default_is_videomimics():
    # Section 4.1: what is on, with its weight times 0.02.
    found = {
        n: getattr(DEFAULT, n).weight * DT_S
        for n in (*TERMS, "termination")
        if getattr(DEFAULT, n).weight
    }
    assert found == pytest.approx(
        {
            "joint_pos_tracking": 2.4,
            "joint_vel_tracking": 0.48,
            "link_pos_tracking": 0.6,
            "link_vel_tracking": 0.1,
            "torso_pos_tracking": 0.3,
            "torso_orientation_tracking": 0.3,
            "root_orientation_tracking": 0.3,
            "feet_contact_matching": 0.02,
            "action_rate": -0.004,
            "collision": -0.3,
            "dof_pos_limits": -1.0,
            "contact_no_vel": -2.0,
            "feet_air_time": 40.0,
            "termination": -10.0,
        }
    )


def test_all_terms_at_once_batched_and_compiled():
    model = preset_model("full")
    on = {n: replace(getattr(DEFAULT, n), weight=1.0) for n in TERMS}
    found = Rewards(RewardConfig(**on), facts_of(model), DT_S)
    assert found.terms == TERMS

    def state(seed: int) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        robot = robot_on(random_frame(model, rng), model)
        forces = rng.normal(scale=50.0, size=robot.contact_force_w.shape)
        pairs = rng.uniform(0, 20, len(model.self_contacts)).astype(np.float32)
        robot = robot.replace(
            contact_force_w=forces.astype(np.float32),
            self_contact_n=pairs,
            joint_torque=rng.normal(scale=50.0, size=23).astype(np.float32),
        )
        # Near it, or the kernels would all be 0.
        ref = random_frame(model, rng)
        ref = jax.tree.map(
            lambda r, x: x + 0.05 * r if x.dtype != bool else x,
            ref,
            ref.replace(
                **{f: getattr(robot, f) for f in vars(ref) if f in vars(robot)}
            ),
        )
        return {
            "robot": robot,
            "ref": ref,
            "last_ref": ref,
            "action": rng.normal(size=23).astype(np.float32),
            "last_joint_vel": rng.normal(size=23).astype(np.float32),
            "feet": feet((True, False), (False, False), (True, False), (0.4, 0.1)),
            "step": np.int32(9 + seed),
            "time_s": np.float32(0.3 * seed),
        }

    def judge(some):
        offered = offer(model, some["robot"], some["ref"]) | some
        return found(offered, jnp.bool_(False))

    states = [state(seed) for seed in range(3)]
    batch = jax.tree.map(lambda *x: jnp.stack([jnp.asarray(v) for v in x]), *states)
    totals, parts = jit(jax.vmap(judge))(batch)
    assert set(parts) == {*TERMS, "termination"}
    for i, one in enumerate(states):
        total, alone = judge(one)
        assert float(totals[i]) == pytest.approx(float(total), rel=1e-5)
        for name, value in alone.items():
            assert math.isfinite(value)
            assert float(parts[name][i]) == pytest.approx(float(value), rel=1e-4)


@pytest.mark.parametrize("share", [0.0, 1.1, -1.0, math.nan])
def test_soft_joint_limit_out_of_range(share):
    with pytest.raises(UserError, match=r"reward\.soft_joint_limit is"):
        Rewards(RewardConfig(soft_joint_limit=share), facts_of(body_model()), DT_S)


@pytest.mark.parametrize("weight", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["pose", "feet_air_time", "alive", "termination"])
def test_weights_are_finite(name, weight):
    cfg = replace(getattr(DEFAULT, name), weight=weight)
    with pytest.raises(UserError, match=rf"^reward\.{name}\.weight is -?(nan|inf);"):
        Rewards(only(name, cfg), facts_of(body_model()), DT_S)


@pytest.mark.parametrize(
    ("name", "good", "field", "bad"),
    [
        ("pose", Tracking(1.0, 2.0), "scale", [0.0, -1.0, math.nan, math.inf]),
        ("feet_orientation", Tracking(1.0, 2.0), "scale", [0.0]),
        ("feet_air_time", AirTime(1.0, 0.0), "target_s", [-0.1, math.nan]),
        ("base_height", Height(1.0, -0.5), "target_m", [math.nan, math.inf]),
        ("feet_contact_forces", Force(1.0, 0.0), "threshold_n", [-1.0, math.inf]),
        ("undesired_contacts", BodyContacts(1.0, 0.0), "threshold_n", [-1.0]),
        ("torque_limits", Limit(1.0, 2.0), "share", [0.0, -0.9, math.nan]),
        ("gait_contact", Gait(1.0, 0.1), "period_s", [0.0, -0.8, math.nan]),
        ("gait_contact", Gait(1.0, offset=1.0), "offset", [-0.1, 1.1, math.nan]),
        ("gait_contact", Gait(1.0, stance=0.0), "stance", [-0.1, 1.1, math.nan]),
    ],
)
def test_numbers_that_can_not_be_meant(name, good, field, bad):
    facts = facts_of(body_model())
    assert Rewards(only(name, good), facts, DT_S).terms == (name,)
    for value in bad:
        cfg = replace(good, **{field: value})
        with pytest.raises(UserError, match=rf"^reward\.{name}\.{field} is "):
            Rewards(only(name, cfg), facts, DT_S)
        # What is off may be anything.
        Rewards(only(name, replace(cfg, weight=0.0)), facts, DT_S)


def test_unknown_kernels():
    cfg = Tracking(1.0, 1.0, "gausian")  # type: ignore[arg-type]
    with pytest.raises(
        UserError, match=r"unknown reward\.pose\.kernel 'gausian'; did you mean 'gauss"
    ):
        Rewards(only("pose", cfg), facts_of(body_model()), DT_S)
