"""The estimate of memory against what XLA says of the compiled programs."""

import math
from dataclasses import replace

import jax
import pytest

from mimicgym.configs import override
from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.make import make_env
from mimicgym.errors import UserError
from mimicgym.memory import (
    MemoryEstimate,
    available_bytes,
    check_memory,
    estimate_memory,
    memory_metrics,
)
from mimicgym.physics.scratch import Scratch, row_size
from mimicgym.ppo import Learner, ppo_preset
from mimicgym.ppo.memory import learner_memory, num_bytes
from mimicgym.run import run_config
from mimicgym.training import train

ROWS = 256
MB = 10**6


@pytest.fixture(scope="module")
def env():
    return make_env(run_config("quick", motion="wave", engine="native").env)


def shapes(learner: Learner):
    """Of the state and the rollout that learning begins with."""
    state = jax.eval_shape(learner.init, jax.random.key(0))
    state, rollout, _ = jax.eval_shape(learner.collect, state)
    return state, rollout


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"hidden": (1024, 512, 256, 128)},
        {"minibatches": 1},
        {"memory": 64},
        {"dtype": "bfloat16"},
    ],
    ids=str,
)
def test_learning_takes_what_was_estimated(env, changes):
    config = replace(ppo_preset("quick").ppo, **changes)
    learner = Learner(BatchedEnv(env, ROWS), config)
    state, rollout = shapes(learner)
    found = learner_memory(learner)
    real = learner.improve.lower(state, rollout, ()).compile().memory_analysis()
    # What it begins with, to the byte but for a few numbers that belong to no part.
    held = num_bytes((state.params, state.opt_state)) + found.environments
    given = held + found.rollout + num_bytes((state.obs_stats, state.return_stats))
    assert given <= real.argument_size_in_bytes <= 1.001 * given + 1000
    # What it needs besides; of the gradients, which are with the networks, a half.
    besides = found.samples + found.minibatch + num_bytes(state.params) // 2
    assert besides == pytest.approx(real.temp_size_in_bytes, rel=0.15)


def test_acting_takes_what_was_estimated(env):
    learner = Learner(BatchedEnv(env, ROWS), ppo_preset("quick").ppo)
    found = estimate_memory(env, learner)
    state = jax.eval_shape(learner.init, jax.random.key(0))
    real = learner.collect.lower(state).compile().memory_analysis()
    learnt = num_bytes((state.params, state.opt_state, state.obs_stats))
    given = learnt + found.environments + found.rollout
    assert given <= real.output_size_in_bytes <= 1.001 * given + 5000
    # Of the steps, XLA knows only what is not the native engine's: new states, some of
    # them in the place of the old ones.
    states = found.environments
    assert real.temp_size_in_bytes <= states <= 4 * real.temp_size_in_bytes
    # The engine's own part against the arrays that it really makes for so many rows.
    model = env.engine.model
    scratch = Scratch(model, ROWS, 1, {}, 1)
    arrays = {id(array): array.nbytes for _, array, _ in scratch._outputs}
    made = sum(arrays.values()) + 2 * 4 * ROWS * row_size(model)
    assert made <= found.physics - states <= 2 * made


def test_parts_grow_with_what_they_are_made_of(env):
    def parts(rows=64, env_changes=None, **changes):
        config = override(env.config, env_changes or {})
        of = make_env(config) if env_changes else env
        learner = Learner(
            BatchedEnv(of, rows), replace(ppo_preset("quick").ppo, **changes)
        )
        return estimate_memory(of, learner).parts

    base = parts()
    twice = parts(rows=128)
    for name in ("environments", "physics", "rollout", "samples", "minibatch"):
        assert twice[name] == pytest.approx(2 * base[name], rel=0.01)
    for name in ("motions", "networks", "compiling"):
        assert twice[name] == base[name]
    steps = ppo_preset("quick").ppo.num_steps
    assert parts(num_steps=2 * steps)["rollout"] == 2 * base["rollout"]
    assert parts(minibatches=8)["minibatch"] == base["minibatch"] // 2
    chunked = parts(env_changes={"chunk": 16})
    assert 0 < chunked["physics"] < base["physics"]
    mirrored = parts(mirror_data=True)
    assert mirrored["minibatch"] == 2 * base["minibatch"]
    symmetric = parts(symmetry_coef=0.1)["minibatch"] - base["minibatch"]
    assert symmetric == 64 * steps // 4 * sum(ppo_preset("quick").ppo.hidden) * 6


def test_mjx_needs_its_data_of_each_environment(env):
    from mujoco import mjx

    of = make_env(override(env.config, {"engine": "mjx"}))
    learner = Learner(BatchedEnv(env, 64), ppo_preset("quick").ppo)
    data = mjx.make_data(of.engine.model.mj)
    whole = sum(math.prod(x.shape) * x.dtype.itemsize for x in jax.tree.leaves(data))
    estimate = estimate_memory(of, learner)
    assert estimate.physics == 64 * whole + estimate.environments


ESTIMATE = MemoryEstimate(
    motions=10 * MB,
    networks=20 * MB,
    environments=30 * MB,
    physics=400 * MB,
    rollout=50 * MB,
    samples=60 * MB,
    minibatch=700 * MB,
    compiling=0,
)


def test_acting_and_learning_take_turns():
    assert ESTIMATE.total == (10 + 20 + 30 + 50 + 60 + 700) * MB
    lean = replace(ESTIMATE, minibatch=70 * MB)
    assert lean.total == (10 + 20 + 30 + 50 + 400) * MB


@pytest.mark.parametrize(
    ("largest", "advice"),
    [
        ("minibatch", "raise ppo.minibatches"),
        ("physics", "set env.chunk"),
        ("rollout", "lower num_envs or ppo.num_steps"),
        ("networks", "lower ppo.hidden"),
        ("motions", "fewer or shorter clips"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_change(largest, advice):
    estimate = replace(ESTIMATE, **{largest: 2000 * MB})
    check_memory(estimate, estimate.total)
    check_memory(estimate, None)
    with pytest.raises(UserError, match=advice) as error:
        check_memory(estimate, estimate.total - 1)
    assert f"{largest} 2,000" in str(error.value)
    assert "compiling" not in str(error.value)  # a part that takes nothing


def test_devices_that_share_memory_need_it_together():
    check_memory(ESTIMATE, 2 * ESTIMATE.total, devices=2)
    with pytest.raises(UserError, match="for 2 devices"):
        check_memory(ESTIMATE, 2 * ESTIMATE.total - 1, devices=2)
    # They compile once.
    compiled = replace(ESTIMATE, compiling=100 * MB)
    check_memory(compiled, 2 * ESTIMATE.total + 100 * MB, devices=2)


def test_a_training_is_refused_before_it_compiles(tmp_path, monkeypatch):
    monkeypatch.setattr("mimicgym.preparation.available_bytes", lambda: 10 * MB)
    notes = []
    with pytest.raises(UserError, match=r"needs about .* 10 MB are available"):
        train(
            run_config("quick", motion="wave", engine="native", num_envs=8),
            out=tmp_path / "run",
            iterations=1,
            on_note=notes.append,
        )
    assert "rollout" in notes[0]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("sampling", "motions", "told"),
    [
        ("failure_bins", ["wave", "stand"], True),
        ("failure_rate_bins", ["wave", "stand"], False),
        ("failure_bins", ["wave"], False),
    ],
)
def test_starts_that_follow_failures_are_pointed_out(
    tmp_path, monkeypatch, sampling, motions, told
):
    monkeypatch.setattr("mimicgym.preparation.available_bytes", lambda: 10 * MB)
    notes = []
    overrides = {"env.reset.sampling": sampling}
    config = run_config(
        "quick", motion=motions, engine="native", num_envs=8, overrides=overrides
    )
    with pytest.raises(UserError, match="10 MB are available"):
        train(config, out=tmp_path / "run", iterations=1, on_note=notes.append)
    assert any("sampling=failure_rate_bins" in note for note in notes) == told


def test_what_is_available_and_what_is_used():
    available = available_bytes()
    assert available is None or available > 100 * MB
    used = memory_metrics()
    if jax.default_backend() == "cpu":
        # Python and JAX alone are more than that; less than this machine has.
        assert 100 < used["memory/process_peak_mb"] < 1e6
    else:
        assert 0 < used["memory/device_mb"] <= used["memory/device_peak_mb"]
