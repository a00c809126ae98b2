"""Noise, offsets, delays, histories and clips of observations."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym.configs import override
from mimicgym.envs.config import ObservationConfig, Sense
from mimicgym.envs.observation import COMPOSITES, TERMS, Observer, Senses
from tests.envs.cases import body_model, jit, keys, offer, random_frame, robot_on

DRAWS = 4000
JOINTS = 23
SINGLE = tuple(name for name in TERMS if name not in COMPOSITES)
DEFAULTS = ObservationConfig()


def config(actor, critic=("phase",), noise=True, **senses) -> ObservationConfig:
    """Groups, of terms without errors unless `senses` says how they are sensed."""
    perfect = dict.fromkeys(TERMS, Sense())
    return ObservationConfig(
        actor=tuple(actor), critic=tuple(critic), noise=noise, **(perfect | senses)
    )


@functools.cache
def still() -> dict:
    """Something to observe."""
    model = body_model()
    frame = random_frame(model, np.random.default_rng(0))
    return offer(model, robot_on(frame, model), frame)


def moved(joint_pos) -> dict:
    """What is on offer when the joints are at (J,) from the default pose."""
    offered = still()
    at = jnp.asarray(joint_pos, jnp.float32) + offered["facts"].default_pose_rad
    return offered | {"robot": offered["robot"].replace(joint_pos=at)}


def counting(steps: int) -> list[dict]:
    """Joint positions that say which step it is: 1, 2, 3, ..."""
    return [moved(np.full(JOINTS, 1.0 + step)) for step in range(steps)]


def run(observer: Observer, offers, key) -> tuple[list, list]:
    """The groups and the state after a reset and each of the steps that follow."""
    reset_key, *step_keys = jax.random.split(key, len(offers))
    seen = [observer.reset(offers[0], reset_key)]
    for offered, step_key in zip(offers[1:], step_keys, strict=True):
        seen.append(observer.step(offered, seen[-1][1], step_key))
    return [obs for obs, _ in seen], [senses for _, senses in seen]


def episode(observer: Observer, offers, key) -> tuple[dict[str, np.ndarray], list]:
    """(T, D) of each group, and the state after each step."""
    seen, states = run(observer, offers, key)
    return {k: np.stack([obs[k] for obs in seen]) for k in seen[0]}, states


def many(observer: Observer, offers, count: int, seed: int = 0):
    """The same for many keys at once: (count, T, D), and only the last state."""

    def last(key):
        seen, states = run(observer, offers, key)
        return jax.tree.map(lambda *x: jnp.stack(x), *seen), states[-1]

    obs, senses = jit(jax.vmap(last))(keys(count, seed))
    return {k: np.asarray(v) for k, v in obs.items()}, senses


@pytest.fixture(scope="module")
def default_noise():
    """By term, (DRAWS, 2, n): what the default noise adds at a reset and a step."""
    cfg = dataclasses.replace(DEFAULTS, actor=SINGLE, critic=("phase",))
    observer = Observer(cfg)
    clean, _ = Observer(dataclasses.replace(cfg, noise=False)).reset(
        still(), jax.random.key(0)
    )
    obs, _ = many(observer, [still()] * 2, DRAWS)
    error = obs["actor"].astype(float) - np.asarray(clean["actor"], float)
    rows = [row for row in observer.layout(still()) if row.group == "actor"]
    return {row.term: error[:, :, row.start : row.stop] for row in rows}


# As the original has it, times its scale; gaussian where a deviation is given.
WIDTHS = {
    "base_ang_vel": 0.05,
    "projected_gravity": 0.05,
    "joint_pos": 0.01,
    "joint_vel": 0.075,
    "target_lin_vel": 0.2,
    "target_ang_vel": 0.05,
    # BeyondMimic's
    "anchor_pos_b": 0.25,
    "anchor_ori_b": 0.05,
}
DEVIATIONS = {"torso_xy_rel": 0.01, "torso_yaw_rel": 0.01}


@pytest.mark.parametrize("name", WIDTHS)
def test_uniform_noise(default_noise, name):
    width, error = WIDTHS[name], default_noise[name]
    # 1e-5: the values themselves are of size 1 in float32.
    assert np.abs(error).max() <= width + 1e-5
    assert np.all(np.abs(error).max(axis=0) >= 0.99 * width)
    # The deviation of a uniform distribution is its half width / sqrt(3).
    np.testing.assert_allclose(error.std(axis=0), width / np.sqrt(3), rtol=0.05)
    assert np.all(np.abs(error.mean(axis=0)) <= 0.06 * width)


@pytest.mark.parametrize("name", DEVIATIONS)
def test_gaussian_noise(default_noise, name):
    deviation, error = DEVIATIONS[name], default_noise[name]
    np.testing.assert_allclose(error.std(axis=0), deviation, rtol=0.06)
    assert np.all(np.abs(error.mean(axis=0)) <= 0.1 * deviation)
    # Beyond any uniform distribution of that deviation.
    assert np.all(np.abs(error).max(axis=0) > 3 * deviation)


def test_other_terms_have_no_noise(default_noise):
    # The scan has more than noise, see test_ground.
    for name in set(SINGLE) - set(WIDTHS) - set(DEVIATIONS) - {"terrain_height_noisy"}:
        error = default_noise[name]
        assert np.all(np.ptp(error, axis=0) == 0), name
        # Two programs may round differently.
        np.testing.assert_allclose(error, 0, atol=1e-5, err_msg=name)


def test_noise_is_independent(default_noise):
    sensed = [default_noise[name] for name in (*WIDTHS, *DEVIATIONS)]
    error = np.concatenate(sensed, axis=2)
    # Between numbers and between the two steps; 4000 draws: a deviation of 0.016.
    both = np.concatenate([error[:, 0], error[:, 1]], axis=1)
    correlation = np.corrcoef(both.T) - np.eye(both.shape[1])
    assert np.abs(correlation).max() < 0.09
    # Between environments.
    row = np.corrcoef(both[:-1, 0], both[1:, 0])[0, 1]
    assert abs(row) < 0.08


def test_noise_of_each_kind_scales_with_the_value():
    cfg = config(
        ("joint_pos", "joint_vel"),
        joint_pos=Sense(scale=3.0, noise=0.5, noise_kind="gaussian"),
        joint_vel=Sense(scale=3.0, noise=0.5, noise_kind="uniform"),
    )
    clean, _ = Observer(dataclasses.replace(cfg, noise=False)).reset(
        still(), jax.random.key(0)
    )
    np.testing.assert_allclose(
        clean["actor"][JOINTS:], 3 * still()["robot"].joint_vel, rtol=1e-6
    )
    obs, _ = many(Observer(cfg), [still()], DRAWS)
    error = obs["actor"][:, 0] - np.asarray(clean["actor"])
    np.testing.assert_allclose(error[:, :JOINTS].std(axis=0), 1.5, rtol=0.06)
    assert np.abs(error[:, :JOINTS]).max() > 4.5
    np.testing.assert_allclose(
        error[:, JOINTS:].std(axis=0), 1.5 / np.sqrt(3), rtol=0.05
    )
    assert np.abs(error[:, JOINTS:]).max() <= 1.5 + 1e-5


ALL_WRONG = Sense(scale=2.0, noise=0.5, offset=0.5, delay=(1, 3), clip=1.5)


def test_without_noise_nothing_is_wrong_or_late():
    cfg = config(
        ("joint_pos", "history_joint_pos"), joint_pos=ALL_WRONG, history=2, noise=False
    )
    offers = [moved(np.full(JOINTS, x)) for x in (0.25, 0.5, 7.0)]
    obs, states = episode(Observer(cfg), offers, jax.random.key(3))
    # Scale and clip stay.
    expected = [[0.5, 0.5, 0.5], [1.0, 1.0, 0.5], [1.5, 1.5, 1.0]]
    np.testing.assert_allclose(obs["actor"], np.repeat(expected, JOINTS, axis=1))
    for senses in states:
        assert senses.offset == senses.delay == senses.buffer == {}
        assert set(senses.history) == {"joint_pos"}


def test_clean_terms_are_sensed_without_errors():
    cfg = config(
        ("clean_joint_pos",), critic=("joint_pos", "phase"), joint_pos=ALL_WRONG
    )
    offers = [moved(np.full(JOINTS, x)) for x in (0.25, 0.5, 7.0)]
    obs, states = episode(Observer(cfg), offers, jax.random.key(3))
    expected = np.repeat([[0.5], [1.0], [1.5]], JOINTS, axis=1)
    np.testing.assert_allclose(obs["actor"], expected)
    assert np.abs(obs["critic"][:, :JOINTS] - expected).max() > 0.1
    alone = Observer(dataclasses.replace(cfg, critic=("phase",)))
    _, senses = alone.reset(offers[0], jax.random.key(3))
    assert senses == Senses({}, {}, {}, {})
    assert states[0].offset["joint_pos"].shape == (JOINTS,)


def test_offset_lasts_an_episode():
    cfg = config(
        ("joint_pos", "joint_vel"),
        joint_pos=Sense(scale=10.0, offset=0.02),
        joint_vel=Sense(offset=0.5),
    )
    clean, _ = Observer(dataclasses.replace(cfg, noise=False)).reset(
        still(), jax.random.key(0)
    )
    obs, senses = many(Observer(cfg), [still()] * 3, DRAWS)
    error = obs["actor"] - np.asarray(clean["actor"])
    assert np.ptp(error, axis=1).max() == 0
    error = error[:, 0]
    # Gaussian, in the term's unit and then scaled; none like another.
    np.testing.assert_allclose(error[:, :JOINTS].std(axis=0), 0.2, rtol=0.06)
    np.testing.assert_allclose(error[:, JOINTS:].std(axis=0), 0.5, rtol=0.06)
    assert np.all(np.abs(error.mean(axis=0)) < 0.1 * error.std(axis=0))
    assert np.all(np.abs(error).max(axis=0) > 3 * error.std(axis=0))
    correlation = np.corrcoef(error.T) - np.eye(2 * JOINTS)
    assert np.abs(correlation).max() < 0.08
    assert abs(np.corrcoef(error[:-1, 0], error[1:, 0])[0, 1]) < 0.08
    np.testing.assert_allclose(
        10 * senses.offset["joint_pos"], error[:, :JOINTS], atol=1e-5
    )


def test_clip_of_a_term_comes_after_its_scale():
    cfg = config(
        ("joint_pos",), joint_pos=Sense(scale=2.0, offset=10.0, noise=9.0, clip=3.0)
    )
    obs, _ = many(Observer(cfg), [still()], 500)
    assert np.abs(obs["actor"]).max() == 3.0
    assert np.mean(np.abs(obs["actor"]) < 3.0) > 0.01


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_fixed_delay_shows_the_value_of_that_many_steps_ago(steps):
    cfg = config(("joint_pos",), joint_pos=Sense(delay=(steps, steps)))
    obs, states = episode(Observer(cfg), counting(7), jax.random.key(0))
    # Before there is a value that old, the first one.
    expected = [1 + max(now - steps, 0) for now in range(7)]
    np.testing.assert_allclose(obs["actor"][:, 0], expected, atol=1e-6)
    np.testing.assert_allclose(np.ptp(obs["actor"], axis=1), 0, atol=1e-6)
    assert states[0].buffer["joint_pos"].shape == (steps, JOINTS)


def test_random_delay_is_drawn_for_each_episode_and_keeps_order():
    least, most, count = 1, 4, 2000
    cfg = config(("joint_pos",), joint_pos=Sense(delay=(least, most)))
    obs, senses = many(Observer(cfg), counting(8), count)
    delay = np.asarray(senses.delay["joint_pos"])
    assert delay.dtype == np.int32
    shares = np.bincount(delay, minlength=most + 1) / count
    # A deviation of 0.01 for the shares of 2000 draws.
    np.testing.assert_allclose(shares, [0, 0.25, 0.25, 0.25, 0.25], atol=0.05)
    now = np.arange(8)
    expected = 1 + np.maximum(now - delay[:, None], 0)
    np.testing.assert_allclose(obs["actor"][:, :, 0], expected, atol=1e-6)


def test_delays_of_terms_are_independent():
    late = Sense(delay=(0, 3))
    cfg = config(("joint_pos", "joint_vel"), joint_pos=late, joint_vel=late)
    _, senses = many(Observer(cfg), [still()], DRAWS)
    pairs = 4 * senses.delay["joint_pos"] + senses.delay["joint_vel"]
    shares = np.bincount(pairs, minlength=16) / DRAWS
    np.testing.assert_allclose(shares, 1 / 16, atol=0.02)


def test_delay_and_offset_are_independent():
    cfg = config(("torso_yaw",), torso_yaw=Sense(offset=1.0, delay=(0, 1)))
    _, senses = many(Observer(cfg), [still()], DRAWS)
    offset, delay = senses.offset["torso_yaw"][:, 0], senses.delay["torso_yaw"]
    # 4000 draws: a deviation of 0.016.
    assert abs(np.corrcoef(offset, delay)[0, 1]) < 0.08


def test_a_late_value_is_late_with_the_noise_it_was_measured_with():
    sense = Sense(noise=0.3, offset=0.1, scale=2.0)
    late = dataclasses.replace(sense, delay=(2, 2))
    offers = counting(6)
    on_time, _ = episode(
        Observer(config(("joint_pos",), joint_pos=sense)), offers, jax.random.key(4)
    )
    delayed, _ = episode(
        Observer(config(("joint_pos",), joint_pos=late)), offers, jax.random.key(4)
    )
    expected = [on_time["actor"][max(now - 2, 0)] for now in range(6)]
    np.testing.assert_array_equal(delayed["actor"], expected)
    assert np.ptp(on_time["actor"][0]) > 0.1


def test_history_is_filled_at_reset_and_then_newest_first():
    cfg = config(("history_joint_pos",), history=3)
    obs, states = episode(Observer(cfg), counting(6), jax.random.key(0))
    expected = [[1 + max(now - age, 0) for age in range(3)] for now in range(6)]
    np.testing.assert_allclose(
        obs["actor"], np.repeat(expected, JOINTS, axis=1), atol=1e-6
    )
    assert states[0].history["joint_pos"].shape == (3, JOINTS)


def test_history_keeps_components_together():
    cfg = config(("history_joint_pos",), history=2)
    first, second = np.arange(JOINTS), 100.0 - np.arange(JOINTS)
    obs, _ = episode(Observer(cfg), [moved(first), moved(second)], jax.random.key(0))
    np.testing.assert_allclose(
        obs["actor"][1], np.concatenate([second, first]), atol=1e-5
    )


def test_history_remembers_the_readings():
    # As they were sensed, late and with noise; the critic shows the same readings.
    sense = Sense(noise=0.5, offset=0.5, delay=(1, 2))
    cfg = config(("history_joint_pos",), ("joint_pos",), joint_pos=sense, history=3)
    obs, _ = episode(Observer(cfg), counting(6), jax.random.key(1))
    readings = obs["critic"]
    for now in range(6):
        expected = [readings[max(now - age, 0)] for age in range(3)]
        np.testing.assert_array_equal(obs["actor"][now], np.concatenate(expected))
    assert np.ptp(readings[0]) > 0.1


def test_history_of_clean_values():
    cfg = config(
        ("history_clean_joint_pos", "history_joint_pos"),
        joint_pos=Sense(noise=0.5),
        history=2,
    )
    obs, states = episode(Observer(cfg), counting(3), jax.random.key(0))
    clean, sensed = np.split(obs["actor"], 2, axis=1)
    expected = np.repeat([[1, 1], [2, 1], [3, 2]], JOINTS, axis=1)
    np.testing.assert_allclose(clean, expected, atol=1e-6)
    assert 0.3 < np.abs(sensed - clean).max() <= 0.5 + 1e-6
    assert set(states[0].history) == {"joint_pos", "clean_joint_pos"}


def test_length_of_a_history():
    cfg = config(
        ("history_joint_pos", "history_phase"), history=4, joint_pos=Sense(history=2)
    )
    _, senses = Observer(cfg).reset(still(), jax.random.key(0))
    shapes = {name: x.shape for name, x in senses.history.items()}
    assert shapes == {"joint_pos": (2, JOINTS), "phase": (4, 2)}


def test_last_clip_is_of_groups_and_not_of_histories():
    cfg = dataclasses.replace(
        config(("history_joint_pos",), history=2), clip=3.0, noise=False
    )
    offers = [moved(np.full(JOINTS, x)) for x in (-500.0, 2.0)]
    obs, states = episode(Observer(cfg), offers, jax.random.key(0))
    np.testing.assert_allclose(obs["actor"][0], -3.0)
    np.testing.assert_allclose(obs["actor"][1], [2.0] * JOINTS + [-3.0] * JOINTS)
    np.testing.assert_allclose(states[1].history["joint_pos"][1], -500.0)
    assert np.abs(obs["critic"]).max() <= 1  # the phase


ERRORS = Sense(noise=0.5, offset=0.5, delay=(0, 3))


def test_a_term_does_not_change_the_errors_of_others():
    wrong = {"joint_pos": ERRORS, "base_ang_vel": ERRORS, "torso_xy_rel": ERRORS}
    offers = counting(5)
    alone, _ = many(Observer(config(("joint_pos",), **wrong)), offers, 16)
    more = ("base_ang_vel", "torso_xy_rel", "history_joint_vel", "joint_pos")
    among, _ = many(Observer(config(more, **wrong)), offers, 16)
    np.testing.assert_array_equal(alone["actor"], among["actor"][:, :, -JOINTS:])


def test_a_term_is_sensed_once_a_step():
    cfg = config(
        ("joint_pos", "torso_real"),
        ("history_joint_pos", "history_torso_real", "joint_pos"),
        joint_pos=ERRORS,
        history=2,
    )
    obs, _ = episode(Observer(cfg), counting(4), jax.random.key(0))
    joint_pos, size = obs["actor"][:, :JOINTS], 6 + 3 * JOINTS
    assert np.ptp(joint_pos[0]) > 0.1
    places = {
        "composite": obs["actor"][:, JOINTS + 6 : JOINTS + 6 + JOINTS],
        "other group": obs["critic"][:, -JOINTS:],
        "history": obs["critic"][:, :JOINTS],
        "history of a composite": obs["critic"][:, 2 * JOINTS + 6 :][:, :JOINTS],
    }
    assert obs["critic"].shape[1] == 2 * JOINTS + 2 * size + JOINTS
    for place, found in places.items():
        np.testing.assert_array_equal(found, joint_pos, err_msg=place)


def test_sense_of_a_composite_comes_on_top():
    size = 6 + 3 * JOINTS
    on_top = Sense(scale=2.0, noise=0.25, offset=0.5, delay=(1, 1), clip=1.0)
    senses = {"joint_pos": Sense(scale=3.0, noise=0.1)}
    offers = [moved(np.full(JOINTS, x)) for x in (0.1, 0.2, 0.3)]
    plain = config(("torso_real",), **senses)
    both = config(("torso_real",), **senses, torso_real=on_top)
    expected, _ = many(Observer(plain), offers, DRAWS)
    found, state = many(Observer(both), offers, DRAWS)
    assert state.offset["torso_real"].shape == (DRAWS, size)
    # Undo what comes on top: one step late, scaled, with an offset and noise.
    offset = np.asarray(state.offset["torso_real"])[:, None]
    noise = found["actor"][:, 1:] / 2 - offset - expected["actor"][:, :-1]
    inside = np.abs(found["actor"][:, 1:]) < 1
    assert np.abs(found["actor"]).max() == 1.0
    # The first reading shows twice: at the reset and one step later.
    np.testing.assert_array_equal(found["actor"][:, 0], found["actor"][:, 1])
    assert np.abs(noise[inside]).max() <= 0.25 + 1e-5
    assert noise[inside].std() > 0.1


def test_composite_without_errors():
    senses = {"joint_pos": ERRORS, "torso_real": Sense(scale=2.0, noise=0.5)}
    cfg = config(("clean_torso_real",), **senses)
    right, _ = episode(Observer(cfg), counting(3), jax.random.key(0))
    assert not jax.tree.leaves(Observer(cfg).reset(still(), jax.random.key(0))[1])
    twice = right["actor"][:, 6 : 6 + JOINTS]
    np.testing.assert_allclose(twice, np.repeat([[2], [4], [6]], JOINTS, 1), atol=1e-5)


def test_torso_is_clean_though_its_parts_are_not():
    wrong = {name: ERRORS for name in SINGLE}
    seen, _ = many(Observer(config(("torso",), ("torso_real",), **wrong)), [still()], 8)
    assert np.ptp(seen["actor"], axis=0).max() == 0
    # Every part of what a robot's sensors give has errors then.
    assert np.ptp(seen["critic"], axis=0).min() > 0.1


@pytest.mark.parametrize("noise", [False, True])
def test_biases_are_seen_with_and_without_noise(noise):
    cfg = config(
        ("joint_pos", "clean_joint_pos"),
        noise=noise,
        joint_pos=Sense(scale=2.0, offset=0.5),
    )
    observer, bias = Observer(cfg), jnp.arange(JOINTS, dtype=jnp.float32)
    key, step_key = jax.random.split(jax.random.key(0))
    # Biases of terms that nothing shows are left out.
    obs, senses = observer.reset(still(), key, {"joint_pos": bias, "joint_vel": bias})
    later, _ = observer.step(still(), senses, step_key)
    without, _ = observer.reset(still(), key)
    expected = np.concatenate([2 * bias, np.zeros(JOINTS)])
    np.testing.assert_allclose(obs["actor"] - without["actor"], expected, atol=1e-5)
    np.testing.assert_array_equal(later["actor"], obs["actor"])
    assert set(senses.offset) == {"joint_pos"}


def test_state_keeps_its_form():
    # What a `lax.scan` over steps needs: the same keys, shapes and types.
    cfg = override(
        DEFAULTS,
        {
            "actor": [*DEFAULTS.actor, "joint_pos", "foot_contacts"],
            "joint_pos.offset": 0.1,
            "joint_pos.delay": [0, 2],
            "foot_contacts.delay": [1, 1],
            "torso_yaw_rel.delay": [1, 3],
        },
    )
    observer = Observer(cfg)
    _, first = observer.reset(still(), jax.random.key(0))
    _, second = observer.step(still(), first, jax.random.key(1))

    def form(senses):
        return jax.tree.map(lambda x: (x.shape, x.dtype.name), senses)

    assert form(first) == form(second)
    assert form(first) == Senses(
        offset={"joint_pos": ((JOINTS,), "float32")},
        delay={
            "joint_pos": ((), "int32"),
            "foot_contacts": ((), "int32"),
            "torso_yaw_rel": ((), "int32"),
        },
        buffer={
            "joint_pos": ((2, JOINTS), "float32"),
            "foot_contacts": ((1, 2), "float32"),
            "torso_yaw_rel": ((3, 1), "float32"),
        },
        history={
            "torso_real": ((5, 6 + 3 * JOINTS), "float32"),
            "torso_xy_rel": ((5, 2), "float32"),
            "torso_yaw_rel": ((5, 1), "float32"),
        },
    )
