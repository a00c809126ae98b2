"""The whole task at once: what is drawn for an episode, and that it stays its own."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym.configs import override
from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.config import (
    EnvConfig,
    ObservationConfig,
    Push,
    RandomizationConfig,
    ResetConfig,
    Sense,
    Wrench,
)
from mimicgym.envs.make import make_env
from mimicgym.evaluation import evaluation_config
from mimicgym.motion import load_library
from tests.envs.cases import PLAIN, Setting, jit, keys

EVERYTHING = dataclasses.replace(
    PLAIN,
    observation=ObservationConfig(
        projected_gravity=Sense(noise=0.05, offset=0.02, delay=(0, 2)),
        joint_pos=Sense(noise=0.01, offset=0.005),
    ),
    reset=ResetConfig(
        sampling="success_rate_adaptive",
        first_frame_prob=0.1,
        default_pose_prob=0.1,
        joint_pos=0.02,
        joint_vel=0.1,
        root_xy=0.05,
        root_z=0.01,
        root_tilt=0.03,
        root_yaw=0.1,
        root_lin_vel_xy=0.2,
        root_ang_vel_yaw=0.2,
        origin_jitter_m=1.0,
        freeze_prob=0.02,
    ),
    randomization=RandomizationConfig(
        friction=(0.4, 1.2),
        torso_mass_kg=(-1.0, 3.0),
        mass_scale=(0.95, 1.05),
        torso_com_m=(0.02, 0.02, 0.02),
        kp_std=0.05,
        kd_std=0.05,
        torque_noise=0.02,
        motor_strength=(0.9, 1.1),
        joint_friction_nm=(0.0, 0.05),
        armature_scale=(0.9, 1.1),
        encoder_bias_rad=0.01,
        gravity_tilt_rad=0.02,
        action_delay=(0, 1),
        control_delay=(0, 5),
        push=Push(interval_s=(0.1, 0.4)),
        wrench=Wrench(interval_s=(0.1, 0.4), force_n=20.0, torque_nm=2.0),
    ),
)
ROWS = 4
STEPS = 30


@pytest.fixture(scope="module")
def whole() -> Setting:
    return Setting(make_env(EVERYTHING))


def play(setting: Setting, state, steps: int = STEPS):
    for i in range(steps):
        action = 0.1 * jax.random.normal(jax.random.key(i), (ROWS, 23))
        state = setting.step(state, action)
    return state


def test_everything_on_runs_and_every_row_differs(whole):
    state = whole.reset_at(keys(ROWS), 0, 20)
    assert set(state.fields) >= {"pair_friction", "body_mass", "actuator_gainprm"}
    for name, values in state.fields.items():
        drawn = np.asarray(values).reshape(ROWS, -1)
        assert len(np.unique(drawn, axis=0)) == ROWS, name
    after = play(whole, state)
    for leaf in jax.tree.leaves(after.obs):
        assert np.isfinite(np.asarray(leaf)).all()
    assert len(np.unique(np.asarray(after.obs["actor"]), axis=0)) == ROWS


def test_what_is_drawn_lasts_for_an_episode(whole):
    state = whole.reset_at(keys(ROWS), 0, 20)
    after = play(whole, state, 5)
    for name in ("fields", "action_offset", "origin_w"):
        jax.tree.map(
            np.testing.assert_array_equal, getattr(state, name), getattr(after, name)
        )
    for name in ("encoder_bias", "control_delay", "action_delay"):
        before, now = getattr(state.actuation, name), getattr(after.actuation, name)
        np.testing.assert_array_equal(before, now)
    again = whole.reset_at(keys(ROWS, seed=1), 0, 20)
    changed = np.asarray(again.fields["body_mass"] - state.fields["body_mass"])
    assert np.abs(changed).max() > 0.01


def test_a_row_does_not_depend_on_the_others(whole):
    both = play(whole, whole.reset_at(keys(ROWS), 0, 20), 10)
    others = keys(ROWS, seed=5).at[0].set(keys(ROWS)[0])
    mixed = play(whole, whole.reset_at(others, 0, 20), 10)
    for name in ("actor", "critic"):
        np.testing.assert_array_equal(both.obs[name][0], mixed.obs[name][0])
    assert np.abs(np.asarray(both.obs["actor"][1] - mixed.obs["actor"][1])).max() > 0.01


def test_a_reset_draws_anew_for_its_rows_alone(whole):
    batched = BatchedEnv(whole.env, ROWS, autoreset="disabled")
    batch = jit(batched.reset)(keys(ROWS))
    mask = jnp.array([False, True, False, True])
    after = jit(batched.reset_where)(batch, mask, keys(ROWS, seed=9))
    for name, values in batch.state.fields.items():
        new = np.asarray(after.state.fields[name]).reshape(ROWS, -1)
        old = np.asarray(values).reshape(ROWS, -1)
        np.testing.assert_array_equal(new[~np.asarray(mask)], old[~np.asarray(mask)])
        assert (new[1] != old[1]).any() and (new[3] != old[3]).any(), name


def test_evaluation_is_the_nominal_robot(whole):
    env = make_env(evaluation_config(whole.env.config))
    state = jit(env.reset)(keys(1)[0], 0, 20)
    assert state.fields == {}
    assert jax.tree.leaves(state.actuation) == []
    assert jax.tree.leaves(state.disturbance) == []
    assert state.senses.offset == {} and state.senses.buffer == {}
    np.testing.assert_array_equal(state.origin_w, 0)
    ref = env.reference_of(state)
    np.testing.assert_array_equal(state.physics.qpos[:3], ref.root_pos_w)
    np.testing.assert_array_equal(state.physics.qpos[7:], ref.joint_pos)
    again = jit(env.reset)(keys(1, seed=3)[0], 0, 20)
    np.testing.assert_array_equal(state.obs["actor"], again.obs["actor"])


def test_biased_encoders_are_read_and_obeyed_alike():
    """The policy reads q + b; critics that know the truth read q."""
    changes = {
        "randomization.encoder_bias_rad": 0.05,
        "observation.actor": ["joint_pos"],
        "observation.critic": ["clean_joint_pos"],
    }
    env = Setting(make_env(override(PLAIN, changes)))
    state = env.reset_at(keys(ROWS), 0, 20)
    bias = np.asarray(state.actuation.encoder_bias)
    assert np.abs(bias).max() > 0.02
    read, true = np.asarray(state.obs["actor"]), np.asarray(state.obs["critic"])
    np.testing.assert_allclose(read - true, bias, atol=1e-6)
    after = env.step(state, np.zeros((ROWS, 23), np.float32))
    read, true = np.asarray(after.obs["actor"]), np.asarray(after.obs["critic"])
    np.testing.assert_allclose(read - true, bias, atol=1e-6)


def test_the_origin_moves_robot_and_reference_together():
    moved = Setting(make_env(override(PLAIN, {"reset.origin_jitter_m": 2.0})))
    still = Setting(make_env(PLAIN))
    a, b = (x.reset_at(keys(ROWS), 1, 30) for x in (moved, still))
    offset = np.asarray(a.robot.root_pos_w - b.robot.root_pos_w)
    assert np.abs(offset[:, :2]).max() > 0.5
    np.testing.assert_allclose(offset, a.origin_w, atol=1e-5)
    action = 0.1 * jax.random.normal(jax.random.key(0), (ROWS, 23))
    for _ in range(3):
        a, b = moved.step(a, action), still.step(b, action)
    # Nothing in sight depends on where in the world it is, but for rounding there.
    np.testing.assert_allclose(a.obs["critic"], b.obs["critic"], atol=5e-3)
    np.testing.assert_allclose(a.reward, b.reward, atol=5e-3)
    com = jax.vmap(moved.env.reference_of)(a).com_pos_w
    there = jax.vmap(still.env.reference_of)(b).com_pos_w
    np.testing.assert_allclose(com - there, offset, atol=1e-5)


def test_a_frozen_reference_stands_and_its_clock_with_it():
    changes = {"reset.freeze_prob": 1.0, "reset.unfreeze_prob": 0.0}
    env = Setting(make_env(override(PLAIN, changes)))
    state = env.reset_at(keys(ROWS), 0, 20)
    for _ in range(3):
        state = env.step(state, np.zeros((ROWS, 23), np.float32))
    np.testing.assert_array_equal(state.frame, 20)
    np.testing.assert_array_equal(state.step, 3)
    # One frame before its end the clip does not end while it stands still.
    length = int(env.env.reference.clip_end[0] - env.env.reference.clip_start[0])
    last = env.reset_at(keys(ROWS), 0, length - 1)
    assert not np.asarray(env.step(last, np.zeros((ROWS, 23), np.float32)).truncated)[0]


def test_a_reference_that_stops_goes_on_again():
    changes = {"reset.freeze_prob": 0.3, "reset.unfreeze_prob": 0.4}
    env = Setting(make_env(override(PLAIN, changes)))
    many = 64
    state = env.reset_at(keys(many), 0, 0)
    frozen = []
    for _ in range(40):
        state = env.step(state, np.zeros((many, 23), np.float32))
        frozen.append(np.asarray(state.frozen))
    # A chain with these chances stands 0.3 / (0.3 + 0.4) of the time.
    assert np.mean(frozen[10:]) == pytest.approx(0.3 / 0.7, abs=0.05)
    np.testing.assert_array_equal(state.played, 40 - np.sum(frozen, axis=0))


def test_which_end_is_counted():
    env = Setting(make_env(override(PLAIN, {"termination.max_steps": 2})))
    length = int(env.env.reference.clip_end[0] - env.env.reference.clip_start[0])
    none = np.zeros((ROWS, 23), np.float32)
    late = env.step(env.reset_at(keys(ROWS), 0, length - 1), none)
    assert np.asarray(late.metrics["truncation/clip_end"]).all()
    assert not np.asarray(late.metrics["truncation/max_steps"]).any()
    long = env.step(env.step(env.reset_at(keys(ROWS), 0, 5), none), none)
    assert np.asarray(long.metrics["truncation/max_steps"]).all()
    assert not np.asarray(long.metrics["truncation/clip_end"]).any()


def test_a_share_starts_on_the_first_frame():
    env = make_env(override(PLAIN, {"reset.first_frame_prob": 0.4}))
    draw = jit(jax.vmap(env.sampler.draw, in_axes=(None, 0)))
    _, frame = draw(env.sampler.init(), keys(3000))
    assert np.mean(np.asarray(frame) == 0) == pytest.approx(0.4, abs=0.04)


def test_clips_know_their_teachers(tmp_path):
    listed = tmp_path / "clips.yaml"
    clips = (
        "{clip: wave, teacher: arms}",
        "{clip: stand}",
        "{clip: kick, teacher: legs}",
    )
    listed.write_text("".join(f"- {clip}\n" for clip in clips))
    config = override(
        PLAIN,
        {
            "motion.clips": [str(listed)],
            "observation.actor": ["teacher_checkpoint_index"],
        },
    )
    env = make_env(config)
    assert env.reference.teachers == ("arms", "legs")
    found = [int(jit(env.reset)(keys(1)[0], c, 0).obs["actor"][0]) for c in range(3)]
    assert found == [0, -1, 1]
    assert load_library([str(listed)]).entries[0].teacher == "arms"


@pytest.mark.parametrize("kind", ["none", "linear"])
def test_the_curriculum_reaches_the_failures(kind):
    config = override(
        PLAIN,
        {
            "termination.curriculum.kind": kind,
            "termination.curriculum.start": 4.0,
            "termination.curriculum.steps": 10,
            "termination.tracking_error": 0.02,
        },
    )
    batched = BatchedEnv(make_env(config), ROWS, autoreset="disabled")
    step = jit(batched.step)
    batch = jit(batched.reset_at)(keys(ROWS), jnp.zeros(ROWS, int), jnp.full(ROWS, 20))
    seen = 0
    for _ in range(20):
        laxity = float(batch.curriculum.laxity)
        batch = step(batch, jnp.zeros((ROWS, 23)))
        robot, ref = batch.state.robot, jax.vmap(batched.env.reference_of)(batch.state)
        rows = batched.env.facts.tracked
        far = np.linalg.norm(robot.body_pos_w - ref.body_pos_w, axis=-1)[:, rows].max(1)
        # Failed in this step, and not just before the reset that is not done here.
        judged = np.asarray(batch.state.step) >= 2
        np.testing.assert_array_equal(
            np.asarray(batch.metrics["termination/tracking_error"]) > 0,
            judged & (far > 0.02 * laxity),
        )
        seen += int(((far > 0.02) & (far <= 0.02 * laxity)).sum())
    assert float(batch.curriculum.laxity) == 1.0
    assert (seen > 0) == (kind == "linear")


def test_default_configuration_draws_nothing():
    env = make_env(dataclasses.replace(EnvConfig(), engine="native"))
    state = jax.eval_shape(env.reset, jax.random.key(0))
    assert state.fields == {}
    assert jax.tree.leaves(state.actuation) == []
    assert jax.tree.leaves(state.disturbance) == []


def test_gated_sizes_reach_the_learner():
    config = override(
        PLAIN,
        {
            "observation.actor": [
                "torso_real",
                "gated_phase",
                "gated_history_torso_xy",
            ],
            "observation.critic": ["torso"],
        },
    )
    batched = BatchedEnv(make_env(config), ROWS)
    assert batched.observation_sizes == {"actor": 75 + 2 + 10, "critic": 79}
    assert batched.gated_sizes == {"actor": 12}
    assert make_env(PLAIN).gated_sizes == {}
