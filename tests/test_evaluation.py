"""Scores against the same episode stepped by hand."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym.envs.make import env_config, make_env
from mimicgym.evaluation import evaluate, evaluation_config

CONFIG = env_config("default", motion=("wave", "squat"), engine="native")


@pytest.fixture(scope="module")
def env():
    return make_env(evaluation_config(CONFIG))


def zero_policy(obs: jax.Array) -> jax.Array:
    return jnp.zeros((obs.shape[0], 23))


def test_scores_against_an_episode_by_hand(env):
    evaluation = evaluate(env, zero_policy)
    reset, step = jax.jit(env.reset), jax.jit(env.step)
    for clip, score in enumerate(evaluation.clips):
        state = reset(jax.random.key(0), clip, 0)
        link_mm, joint_rad, qpos = [], [], [np.asarray(state.physics.qpos)]
        lived = 0
        while True:
            state = step(state, jnp.zeros(23))
            if bool(state.terminated):
                break
            lived += 1
            ref = env.reference_of(state)
            tracked = env.facts.tracked
            offset = np.asarray(
                state.robot.body_pos_w[tracked] - ref.body_pos_w[tracked]
            )
            link_mm.append(1000 * np.linalg.norm(offset, axis=1).mean())
            joint = np.asarray(state.robot.joint_pos - ref.joint_pos)
            joint_rad.append(np.abs(joint).mean())
            qpos.append(np.asarray(state.physics.qpos))
            if bool(state.truncated):
                break
        frames = int(env.reference.clip_end[clip] - env.reference.clip_start[clip])
        assert score.frames == frames
        assert score.completion == pytest.approx(lived / frames)
        assert score.success == (lived == frames)
        assert score.mpkpe_mm == pytest.approx(np.mean(link_mm), rel=1e-3)
        assert score.joint_error_rad == pytest.approx(np.mean(joint_rad), rel=1e-3)
        assert evaluation.qpos[clip].shape == (lived + 1, 30)
        np.testing.assert_allclose(evaluation.qpos[clip], qpos, atol=1e-3)
        # Nothing but falling over ends an episode here.
        assert evaluation.causes[clip] == ("" if score.success else "tracking_error")


def test_holding_the_reference_pose_falls(env):
    """The passive robot tips over: completion below 1 is what training starts from."""
    evaluation = evaluate(env, zero_policy)
    assert all(0.05 < c.completion < 0.9 for c in evaluation.clips)
    mean = evaluation.mean
    assert mean["completion"] == pytest.approx(
        np.mean([c.completion for c in evaluation.clips])
    )
    assert set(evaluation.to_dict()) == {"clips", "mean"}


def test_evaluation_has_no_noise():
    noisy = replace(
        CONFIG,
        reset=replace(CONFIG.reset, joint_pos=0.1, root_xy=0.1),
        control=replace(CONFIG.control, action_offset_std=0.1),
        termination=replace(CONFIG.termination, max_steps=5),
    )
    assert evaluation_config(noisy) == evaluation_config(CONFIG)
    assert not evaluation_config(CONFIG).observation.noise
    assert evaluation_config(CONFIG).reset.start == "first"
