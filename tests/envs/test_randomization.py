"""What is drawn: bounds, means, and what depends on what."""

import copy
import dataclasses

import jax
import mujoco
import numpy as np
import pytest

from mimicgym.envs.config import RandomizationConfig
from mimicgym.envs.randomization import Nominal, Randomizer, randomization
from mimicgym.envs.randomization.registry import Randomizations
from mimicgym.errors import UserError
from mimicgym.robot import build_model, get_robot

N = 2000
# Every term that changes the model, and the fields that it may touch.
ON = {
    "friction": (0.3, 1.2),
    "torso_mass_kg": (-1.0, 3.0),
    "mass_scale": (0.9, 1.3),
    "torso_com_m": (0.02, 0.03, 0.0),
    "kp_std": 0.1,
    "kd_std": 0.2,
    "torque_noise": 0.05,
    "motor_strength": (0.7, 1.1),
    "joint_friction_nm": (0.1, 0.5),
    "armature_scale": (0.5, 1.5),
    "gravity_tilt_rad": 0.1,
}
MASSES = {"body_mass", "body_inertia", "body_subtreemass"}
TOUCHED = {
    "friction": {"pair_friction"},
    "torso_mass_kg": MASSES,
    "mass_scale": MASSES,
    "torso_com_m": {"body_ipos"},
    "kp_std": {"actuator_gainprm", "actuator_biasprm"},
    "kd_std": {"actuator_biasprm"},
    "torque_noise": {"actuator_biasprm"},
    "motor_strength": {
        "actuator_gainprm",
        "actuator_biasprm",
        "actuator_forcerange",
        "jnt_actfrcrange",
    },
    "joint_friction_nm": {"dof_frictionloss"},
    "armature_scale": {"dof_armature"},
    "gravity_tilt_rad": {"opt.gravity"},
}


@pytest.fixture(scope="module")
def full():
    """Of the robot that has pairs of its own parts too."""
    return build_model(get_robot("g1_29dof"), collisions="full", visuals=False)


@pytest.fixture(scope="module")
def base(full):
    return Nominal.of(full).fields


def randomizer(model, **on) -> Randomizer:
    return Randomizer(RandomizationConfig(**on), model)


@pytest.fixture(scope="module")
def draw(full):
    """Fields of `N` environments for some terms."""
    keys = jax.random.split(jax.random.key(3), N)

    def run(**on):
        return jax.tree.map(np.asarray, jax.vmap(randomizer(full, **on).draw)(keys))

    return run


def assert_uniform(values, low, high):
    """Independent numbers: bounds that are reached, and the mean to 5 deviations."""
    assert values.min() >= low - 1e-6 and values.max() <= high + 1e-6
    reach = (high - low) * 20 / values.size
    assert values.min() < low + reach and values.max() > high - reach
    deviation = (high - low) / np.sqrt(12 * values.size)
    assert abs(values.mean() - (low + high) / 2) < 5 * deviation


def assert_normal(values, mean, std):
    assert abs(values.mean() - mean) < 5 * std / np.sqrt(values.size)
    np.testing.assert_allclose(values.std(), std, rtol=0.03)
    # Not any other distribution with that mean: the share within one deviation.
    assert abs(np.mean(np.abs(values - mean) < std) - 0.683) < 0.02


def assert_independent(columns):
    """(N, J): no two of the columns go together."""
    found = np.corrcoef(columns, rowvar=False) - np.eye(columns.shape[1])
    assert np.abs(found).max() < 6 / np.sqrt(N)


def test_every_field_is_a_term_or_drawn_elsewhere(full):
    elsewhere = {"encoder_bias_rad", "action_delay", "control_delay", "push", "wrench"}
    names = [field.name for field in dataclasses.fields(RandomizationConfig)]
    assert list(randomization) == [n for n in names if n not in elsewhere] == list(ON)
    assert elsewhere < set(names)
    assert all(len(randomization.summary(name)) > 20 for name in randomization)


def test_nothing_is_on_by_default(full):
    off = randomizer(full)
    assert off.names == () and off.draw(jax.random.key(0)) == {}
    zeros = dict.fromkeys(("torso_mass_kg", "joint_friction_nm"), (0.0, 0.0))
    assert randomizer(full, **zeros).names == ()


@pytest.mark.parametrize("name", ON)
def test_only_what_a_term_touches_is_drawn(name, full, base):
    one = randomizer(full, **{name: ON[name]})
    fields = one.draw(jax.random.key(0))
    assert one.names == (name,) and set(fields) == TOUCHED[name]
    for field, values in fields.items():
        assert values.shape == base[field].shape and values.dtype == np.float32
        assert np.abs(values - base[field]).max() > 0
    same, other = one.draw(jax.random.key(0)), one.draw(jax.random.key(1))
    for field, values in fields.items():
        np.testing.assert_array_equal(same[field], values)
        assert np.abs(other[field] - values).max() > 0


def test_a_term_draws_the_same_beside_others(draw):
    """Where it does not change what they changed."""
    everything = draw(**ON)
    for name in ("friction", "torso_com_m", "joint_friction_nm", "gravity_tilt_rad"):
        for field, values in draw(**{name: ON[name]}).items():
            np.testing.assert_array_equal(everything[field], values)
    # And where it does: two factors on one gain.
    both = draw(kp_std=0.1, motor_strength=(0.7, 1.1))["actuator_gainprm"]
    one = draw(kp_std=0.1)["actuator_gainprm"]
    two = draw(motor_strength=(0.7, 1.1))["actuator_gainprm"]
    kp = draw(kd_std=0.1)
    assert "actuator_gainprm" not in kp
    nominal_kp = -kp["actuator_biasprm"][..., 1:2]
    np.testing.assert_allclose(both, one * two / nominal_kp, rtol=1e-5)


def test_terms_draw_from_keys_of_their_own(draw):
    drawn = [
        draw(kp_std=0.1)["actuator_biasprm"][:, 5, 1],
        draw(kd_std=0.1)["actuator_biasprm"][:, 5, 2],
        draw(torque_noise=0.1)["actuator_biasprm"][:, 5, 0],
        draw(friction=(0.5, 1.0))["pair_friction"][:, 0, 0],
        draw(torso_mass_kg=(0.0, 1.0))["body_subtreemass"][:, 0],
        draw(mass_scale=(0.5, 1.0))["body_subtreemass"][:, 0],
        draw(armature_scale=(0.5, 1.0))["dof_armature"][:, 8],
        draw(joint_friction_nm=(0.5, 1.0))["dof_frictionloss"][:, 8],
    ]
    assert_independent(np.stack(drawn, axis=1))


def test_friction(draw, full, base):
    found = draw(friction=(0.3, 1.2))["pair_friction"]
    floor = np.array([full.mj.geom("floor").id])
    on_floor = np.isin(full.mj.pair_geom1, floor)
    assert 0 < on_floor.sum() < len(on_floor)
    assert_uniform(found[:, 0, 0], 0.3, 1.2)
    assert np.all(found[:, on_floor] == found[:, :1, :1])
    expected = np.broadcast_to(base["pair_friction"], found.shape)
    np.testing.assert_array_equal(found[:, ~on_floor], expected[:, ~on_floor])


def test_torso_mass(draw, full, base):
    found = draw(torso_mass_kg=(-1.0, 3.0))
    torso = full.mj.body("torso_link").id
    added = found["body_mass"] - base["body_mass"]
    assert_uniform(added[:, torso], -1, 3)
    scale = found["body_mass"][:, torso] / base["body_mass"][torso]
    inertia = found["body_inertia"] / base["body_inertia"].clip(1e-9)
    np.testing.assert_allclose(
        inertia[:, torso], np.repeat(scale[:, None], 3, axis=1), rtol=1e-5
    )
    others = np.arange(full.mj.nbody) != torso
    assert np.all(added[:, others] == 0)
    np.testing.assert_allclose(inertia[:, others][:, 1:], 1, rtol=1e-6)


def test_mass_scale(draw, base):
    found = draw(mass_scale=(0.9, 1.3))
    scale = found["body_mass"][:, 1] / base["body_mass"][1]
    assert_uniform(scale, 0.9, 1.3)
    for name in ("body_mass", "body_inertia", "body_subtreemass"):
        row = scale.reshape(-1, *[1] * base[name].ndim)
        np.testing.assert_allclose(found[name], row * base[name], rtol=1e-5)


def test_masses_of_subtrees_are_those_of_mujoco(draw, full):
    found = draw(torso_mass_kg=(-1.0, 3.0), mass_scale=(0.9, 1.3))
    for row in range(5):
        mj = copy.copy(full.mj)
        mj.body_mass[:] = found["body_mass"][row]
        mj.body_inertia[:] = found["body_inertia"][row]
        mujoco.mj_setConst(mj, mujoco.MjData(mj))
        np.testing.assert_allclose(
            found["body_subtreemass"][row], mj.body_subtreemass, rtol=1e-5
        )


def test_torso_com(draw, full, base):
    shift = draw(torso_com_m=(0.02, 0.03, 0.0))["body_ipos"] - base["body_ipos"]
    torso = full.mj.body("torso_link").id
    assert_uniform(shift[:, torso, 0], -0.02, 0.02)
    assert_uniform(shift[:, torso, 1], -0.03, 0.03)
    assert np.all(shift[:, torso, 2] == 0)
    assert_independent(shift[:, torso, :2])
    assert np.all(np.delete(shift, torso, axis=1) == 0)
    # MuJoCo would overlook it in a body whose frame is that of its inertia.
    assert full.mj.body_sameframe[torso] == 0


@pytest.mark.parametrize(("name", "column"), [("kp_std", 1), ("kd_std", 2)])
def test_gains(name, column, draw, base):
    found = draw(**{name: 0.1})
    scale = found["actuator_biasprm"][..., column] / base["actuator_biasprm"][:, column]
    assert_normal(scale, 1, 0.1)
    assert_independent(scale)
    others = [c for c in range(3) if c != column]
    assert np.all(
        found["actuator_biasprm"][..., others] == base["actuator_biasprm"][:, others]
    )
    if name == "kp_std":
        gain = found["actuator_gainprm"][..., 0]
        np.testing.assert_allclose(gain, -found["actuator_biasprm"][..., 1], rtol=1e-6)
    # A wide one ends at 0: a negative gain would push away.
    wide = draw(**{name: 2.0})["actuator_biasprm"][..., column]
    assert wide.max() == 0
    # A normal distribution is below -1/2 of its deviation that often.
    assert abs(np.mean(wide == 0) - 0.3085) < 0.01


def test_torque_noise(draw, full):
    found = draw(torque_noise=0.05)["actuator_biasprm"]
    assert_normal(found[..., 0] / full.effort_nm, 0, 0.05)
    assert_independent(found[..., 0])


def test_motor_strength(draw, full, base):
    found = draw(motor_strength=(0.7, 1.1))
    scale = found["actuator_forcerange"][..., 1] / full.effort_nm
    assert_uniform(scale, 0.7, 1.1)
    assert_independent(scale)
    for name in ("actuator_gainprm", "actuator_biasprm", "actuator_forcerange"):
        np.testing.assert_allclose(found[name], scale[..., None] * base[name], 1e-5)
    np.testing.assert_array_equal(
        found["jnt_actfrcrange"][:, 1:], found["actuator_forcerange"]
    )
    # Torques of `torque_noise` come from the same motor.
    noisy = draw(torque_noise=0.05)["actuator_biasprm"][..., 0]
    weak = draw(torque_noise=0.05, motor_strength=(0.7, 1.1))["actuator_biasprm"][
        ..., 0
    ]
    np.testing.assert_allclose(weak, scale * noisy, rtol=1e-5)


def test_joint_friction(draw, base):
    added = draw(joint_friction_nm=(0.1, 0.5))["dof_frictionloss"]
    added = added - base["dof_frictionloss"]
    assert np.all(added[:, :6] == 0)
    assert_uniform(added[:, 6], 0.1, 0.5)
    np.testing.assert_allclose(added[:, 6:], np.repeat(added[:, 6:7], 29, axis=1), 1e-5)


def test_armature(draw, base):
    found = draw(armature_scale=(0.5, 1.5))["dof_armature"]
    assert np.all(found[:, :6] == 0)
    scale = found[:, 6:] / base["dof_armature"][6:]
    assert_uniform(scale[:, 0], 0.5, 1.5)
    np.testing.assert_allclose(scale, np.repeat(scale[:, :1], 29, axis=1), rtol=1e-5)


def test_gravity(draw):
    found = draw(gravity_tilt_rad=0.1)["opt.gravity"].astype(np.float64) / 9.81
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    # About x, gravity goes to +y; then about y, what is left of it to -x.
    about_x = np.arcsin(found[:, 1])
    about_y = np.arcsin(-found[:, 0] / np.cos(about_x))
    assert_uniform(about_x, -0.1, 0.1)
    assert_uniform(about_y, -0.1, 0.1)
    assert_independent(np.stack([about_x, about_y], axis=1))
    assert found[:, 2].max() < -0.98


def test_encoder_bias_and_delays(full):
    drawer = randomizer(
        full, encoder_bias_rad=0.02, action_delay=(1, 3), control_delay=(0, 5)
    )
    keys = jax.random.split(jax.random.key(3), N)
    bias = np.asarray(jax.vmap(drawer.encoder_bias)(keys))
    assert bias.shape == (N, 29)
    assert_uniform(bias, -0.02, 0.02)
    assert_independent(bias)
    for function, low, high in (
        (drawer.action_delay, 1, 3),
        (drawer.control_delay, 0, 5),
    ):
        delays = np.asarray(jax.vmap(function)(keys))
        assert delays.shape == (N,) and delays.dtype == np.int32
        counts = np.bincount(delays, minlength=high + 1)
        assert len(counts) == high + 1 and np.all(counts[:low] == 0)
        share = 1 / (high - low + 1)
        deviation = np.sqrt(N * share * (1 - share))
        assert np.abs(counts[low:] - N * share).max() < 5 * deviation
    off, key = randomizer(full), jax.random.key(0)
    assert np.all(off.encoder_bias(key) == 0)
    assert off.action_delay(key) == off.control_delay(key) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"friction": (1.2, 0.3)},
            r"friction is \(1\.2, 0\.3\);.*least, then the most",
        ),
        ({"friction": (0.0, 1.0)}, r"friction is \(0\.0, 1\.0\);.*more than 0"),
        ({"friction": (0.0, 0.0)}, r"friction is \(0\.0, 0\.0\);.*more than 0"),
        ({"friction": (0.1, np.inf)}, r"friction is .*finite"),
        ({"torso_mass_kg": (-7.9, 0.0)}, r"torso_mass_kg is .*more than -7\.818"),
        ({"torso_mass_kg": (1.0, -1.0)}, "torso_mass_kg is .*least, then the most"),
        ({"mass_scale": (0.0, 1.0)}, "mass_scale is .*more than 0"),
        ({"mass_scale": (-1.0, 1.0)}, "mass_scale is .*more than 0"),
        ({"torso_com_m": (0.0, -0.1, 0.0)}, "torso_com_m is .*0 or more"),
        ({"kp_std": -0.1}, r"kp_std is -0\.1;.*0 or more"),
        ({"kd_std": np.nan}, "kd_std is nan;.*finite"),
        ({"torque_noise": -1.0}, "torque_noise is .*0 or more"),
        ({"motor_strength": (0.0, 1.0)}, "motor_strength is .*more than 0"),
        ({"joint_friction_nm": (-0.1, 1.0)}, "joint_friction_nm is .*0 or more"),
        ({"armature_scale": (1.0, 0.5)}, "armature_scale is .*least, then the most"),
        ({"gravity_tilt_rad": 1.6}, "gravity_tilt_rad is .*less than pi/2"),
        ({"gravity_tilt_rad": -0.1}, "gravity_tilt_rad is .*0 or more"),
        ({"encoder_bias_rad": -0.1}, "encoder_bias_rad is .*0 or more"),
        ({"action_delay": (2, 1)}, r"action_delay is \(2, 1\);.*least, then the most"),
        ({"action_delay": (-1, 1)}, r"action_delay is \(-1, 1\);.*0 or more"),
        ({"control_delay": (0, 1.5)}, r"control_delay is .*whole numbers"),
    ],
)
def test_bad_settings(changes, message, full):
    with pytest.raises(UserError, match=rf"randomization\.{message}"):
        randomizer(full, **changes)


def test_torque_control_has_no_gains():
    model = build_model(
        get_robot("g1_23dof"), collisions="feet", torque_control=True, visuals=False
    )
    for name in ("kp_std", "kd_std"):
        with pytest.raises(UserError, match=rf"randomization\.{name} is 0\.1;.*torque"):
            randomizer(model, **{name: 0.1})
    fields = randomizer(model, motor_strength=(0.5, 0.5)).draw(jax.random.key(0))
    np.testing.assert_array_equal(fields["actuator_gainprm"], 0.5)


def test_a_term_needs_a_field_of_the_configuration():
    registry = Randomizations()
    with pytest.raises(ValueError, match="no field 'joint_damping'"):

        @registry()
        def joint_damping(key, fields, nominal, cfg):
            return {}

    assert list(registry) == []
