"""Many environments: autoreset, time limit, keys, and the two engines side by side."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym.configs import override
from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.make import make_env
from mimicgym.envs.rows import next_keys, select_rows
from mimicgym.errors import UserError
from tests.envs.cases import PLAIN, jit, keys

ROWS = 4
# Noise everywhere, so that keys matter.
NOISY = override(
    PLAIN,
    {
        "observation.noise": True,
        "reset.joint_pos": 0.02,
        "reset.root_xy": 0.02,
        "control.action_offset_std": 0.1,
    },
)


class Batch:
    """A batched environment with its functions jitted."""

    def __init__(self, env, **options):
        self.batched = BatchedEnv(env, ROWS, **options)
        self.traces = 0
        self.step = jit(self._step)

    def _step(self, batch, action):
        self.traces += 1  # only while JAX traces, which is before it compiles
        return self.batched.step(batch, action)


@pytest.fixture(scope="module")
def env():
    return make_env(NOISY)


@pytest.fixture(scope="module")
def reset_at(env):
    """Compiled once: it is the same in all modes."""
    return jit(BatchedEnv(env, ROWS).reset_at)


@pytest.fixture(scope="module")
def single(env):
    """The environment of one row, for comparison."""
    return jit(jax.vmap(env.reset)), jit(jax.vmap(env.step))


@pytest.fixture(scope="module")
def mode(env):
    return functools.cache(lambda autoreset: Batch(env, autoreset=autoreset))


def ends(env) -> np.ndarray:
    """Start frames from which rows are cut after 2, 4, 2 and 90 steps."""
    n = int(env.reference.clip_end[0])
    return np.array([n - 2, n - 4, n - 2, n - 90], np.int32)


@pytest.fixture(scope="module")
def start(env, reset_at):
    return reset_at(keys(ROWS), np.zeros(ROWS, np.int32), ends(env))


def actions(step: int) -> jnp.ndarray:
    return 0.3 * jax.random.normal(jax.random.key(100 + step), (ROWS, 23))


def same(found, expected, rows=...):
    def check(a, b):
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        np.testing.assert_allclose(
            np.asarray(a)[rows], np.asarray(b)[rows], rtol=1e-4, atol=1e-4
        )

    jax.tree.map(check, found, expected)


@pytest.fixture(scope="module")
def unbroken(single, start):
    """What happens without any reset: states after 0, 1, ... 5 steps."""
    _, step = single
    states = [start.state]
    for i in range(5):
        states.append(step(states[-1], actions(i)))
    truncated = np.array([s.truncated for s in states[1:5]])
    # Rows 0 and 2 at the second step, row 1 at the fourth.
    assert truncated.tolist() == [
        [False] * 4,
        [True, False, True, False],
        [True, False, True, False],
        [True, True, True, False],
    ]
    assert not np.any([s.terminated for s in states])
    return states


def test_a_reset_starts_every_row(start):
    assert start.reset_rows.tolist() == [True] * ROWS
    for name in ("done", "terminated", "truncated"):
        assert getattr(start, name).tolist() == [False] * ROWS
    assert start.reward.tolist() == [0] * ROWS
    assert start.episode["length"].tolist() == [0] * ROWS
    same(start.final_obs, start.obs)
    same(start.state.obs, start.obs)


def test_same_step(mode, single, start, unbroken):
    reset, _ = single
    step = mode("same_step").step
    batch = step(step(start, actions(0)), actions(1))
    done = [True, False, True, False]
    assert batch.truncated.tolist() == batch.done.tolist() == done
    assert batch.reset_rows.tolist() == done
    assert batch.terminated.tolist() == [False] * ROWS
    # The step itself is whole: rewards, metrics and the last observation.
    final = unbroken[2]
    same(batch.final_obs, final.obs)
    same(batch.final.obs, final.obs)
    same(batch.reward, final.reward)
    same(batch.metrics, final.metrics)
    assert batch.episode["length"].tolist() == [2] * ROWS
    total = unbroken[1].reward + unbroken[2].reward
    same(batch.episode["return"], total)
    # Finished rows act on a fresh observation, made with their own next key.
    fresh = reset(jax.vmap(lambda key: jax.random.split(key)[0])(final.key))
    ended = np.array([0, 2])
    same(batch.obs, fresh.obs, ended)
    same(batch.state.clip, fresh.clip, ended)
    same(batch.state.start, fresh.start, ended)
    same(batch.state.key, fresh.key, ended)
    assert batch.state.step[ended].tolist() == [0, 0]
    others = np.array([1, 3])
    same(batch.obs, final.obs, others)
    assert np.abs(np.asarray(batch.obs["actor"] - final.obs["actor"]))[ended].max() > 1
    # And go on from there.
    _, single_step = single
    after = step(batch, actions(2))
    same(after.obs, single_step(fresh, actions(2)).obs, ended)
    same(after.obs, unbroken[3].obs, others)
    assert after.done.tolist() == [False] * ROWS
    assert after.episode["length"].tolist() == [1, 3, 1, 3]


def test_rows_are_reset_a_few_at_a_time(env, mode, start, monkeypatch):
    """As if all had been reset at once, however many rows have ended."""
    whole = mode("same_step").step(start, actions(0))
    monkeypatch.setattr("mimicgym.envs.rows._room", lambda count: 2)
    batched = BatchedEnv(env, ROWS, keep_final=False)
    reset = jit(batched.reset_where)
    for count in range(ROWS + 1):
        # Not the first ones, and in one case more than two at once.
        mask = np.isin(np.arange(ROWS), [3, 1, 2, 0][:count])
        found = reset(whole, mask, keys(ROWS))
        same(found.state.key[~mask], whole.state.key[~mask])
        same(found.obs, whole.obs, ~mask)
        assert found.final is None
        fresh = BatchedEnv(env, ROWS)
        same(found.obs, fresh.reset(keys(ROWS)).obs, mask)
        assert found.state.step.tolist() == np.where(mask, 0, 1).tolist()


def test_next_step(mode, single, start, unbroken):
    reset, _ = single
    step = mode("next_step").step
    batch = step(step(start, actions(0)), actions(1))
    done = [True, False, True, False]
    assert batch.done.tolist() == batch.truncated.tolist() == done
    assert batch.reset_rows.tolist() == [False] * ROWS
    # The last observation is the observation.
    same(batch.obs, unbroken[2].obs)
    same(batch.final_obs, unbroken[2].obs)
    same(batch.reward, unbroken[2].reward)
    fresh = reset(jax.vmap(lambda key: jax.random.split(key)[0])(unbroken[2].key))
    # The next call ignores the action, even one that is no number.
    action = np.array(actions(2))
    action[[0, 2]] = np.nan
    batch = step(batch, action)
    assert batch.reset_rows.tolist() == done
    for name in ("done", "terminated", "truncated"):
        assert getattr(batch, name).tolist() == [False] * ROWS
    ended, others = np.array([0, 2]), np.array([1, 3])
    same(batch.obs, fresh.obs, ended)
    same(batch.state.key, fresh.key, ended)
    same(batch.obs, unbroken[3].obs, others)
    same(batch.reward, unbroken[3].reward, others)
    assert batch.reward[ended].tolist() == [0, 0]
    assert batch.episode["length"].tolist() == [0, 3, 0, 3]
    assert all(np.all(np.asarray(x)[ended] == 0) for x in batch.metrics.values())


def test_disabled(mode, start, unbroken):
    step = mode("disabled").step
    batch = start
    for i in range(3):
        batch = step(batch, actions(i))
    # Nothing is reset: the clip's last frame stays, and so does its end.
    same(batch.obs, unbroken[3].obs)
    assert batch.done.tolist() == [True, False, True, False]
    assert batch.reset_rows.tolist() == [False] * ROWS
    assert batch.episode["length"].tolist() == [3] * ROWS


@pytest.mark.parametrize("autoreset", ["disabled", "next_step"])
def test_reset_where(mode, single, start, unbroken, autoreset):
    reset, single_step = single
    chosen = mode(autoreset)
    batch = chosen.step(chosen.step(start, actions(0)), actions(1))
    mask = np.array([True, True, False, False])
    new = keys(ROWS, seed=9)
    batch = jit(chosen.batched.reset_where)(batch, mask, new)
    fresh = reset(new)
    chosen_rows, others = np.flatnonzero(mask), np.flatnonzero(~mask)
    same(batch.obs, fresh.obs, chosen_rows)
    same(batch.state.key, fresh.key, chosen_rows)
    same(batch.obs, unbroken[2].obs, others)
    same(batch.final_obs, batch.obs)
    assert batch.reset_rows.tolist() == mask.tolist()
    # Row 0 had ended and begins anew, row 2 had ended and is left so.
    assert batch.done.tolist() == [False, False, True, False]
    assert batch.truncated.tolist() == [False, False, True, False]
    assert batch.reward[chosen_rows].tolist() == [0, 0]
    assert batch.episode["length"].tolist() == [0, 0, 2, 2]
    same(batch.reward, unbroken[2].reward, others)
    same(batch.metrics, unbroken[2].metrics, others)
    after = chosen.step(batch, actions(2))
    same(after.obs, single_step(fresh, actions(2)).obs, chosen_rows)
    same(after.obs, unbroken[3].obs, np.array([3]))
    assert after.reset_rows.tolist() == [False, False, autoreset == "next_step", False]


def test_max_episode_steps(env, start, unbroken):
    limited = Batch(env, autoreset="same_step", max_episode_steps=3)
    batch, done = start, []
    for i in range(3):
        batch = limited.step(batch, actions(i))
        done.append(batch.done.tolist())
        assert batch.terminated.tolist() == [False] * ROWS
    # Rows 0 and 2 end with the clip, are reset and have two steps to go.
    assert done == [
        [False] * 4,
        [True, False, True, False],
        [False, True, False, True],
    ]
    assert batch.truncated.tolist() == [False, True, False, True]
    assert batch.final.truncated.tolist() == batch.truncated.tolist()
    assert batch.episode["length"].tolist() == [1, 3, 1, 3]
    same(batch.final_obs, unbroken[3].obs, np.array([1, 3]))
    batch = limited.step(limited.step(batch, actions(3)), actions(4))
    assert batch.done.tolist() == [True, False, True, False]


def test_a_failure_resets_its_row_and_no_other(mode, start, unbroken):
    """A state that is no number, in the mode that learning uses."""
    step = mode("same_step").step
    qvel = np.array(start.state.physics.qvel)
    qvel[3] = np.nan
    physics = start.state.physics.replace(qvel=qvel)
    batch = step(start.replace(state=start.state.replace(physics=physics)), actions(0))
    assert batch.terminated.tolist() == [False, False, False, True]
    assert batch.truncated.tolist() == [False] * ROWS
    assert batch.metrics["termination/nonfinite"].tolist() == [0, 0, 0, 1]
    assert batch.reset_rows.tolist() == [False, False, False, True]
    shown = (batch.obs, batch.final_obs, batch.reward, batch.metrics, batch.episode)
    assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(shown))
    others = np.arange(3)
    same(batch.obs, unbroken[1].obs, others)
    same(batch.reward, unbroken[1].reward, others)
    # The row is well again.
    assert np.all(np.isfinite(batch.state.physics.qvel))
    batch = step(batch, actions(1))
    assert batch.terminated.tolist() == [False] * ROWS
    assert batch.metrics["termination/nonfinite"].tolist() == [0] * ROWS


@pytest.mark.parametrize("autoreset", ["same_step", "next_step"])
def test_every_outcome_is_remembered_once(mode, start, unbroken, autoreset):
    step, batch = mode(autoreset).step, start
    counts = []
    for i in range(4):
        batch = step(batch, actions(i))
        counts.append(int(batch.sampler.count[0]))
    # Rows 0 and 2 end together; their next episodes are longer than this test.
    assert counts == [0, 2, 2, 3]
    assert float(batch.sampler.success_rate[0]) == 1.0
    # Where a reset takes the place of a step, that step is none.
    steps = 16 - (2 if autoreset == "next_step" else 0)
    assert float(batch.sampler.steps.sum()) == pytest.approx(steps, rel=1e-2)


def test_a_failure_is_remembered_as_one(mode, start):
    qvel = np.array(start.state.physics.qvel)
    qvel[3] = np.nan
    physics = start.state.physics.replace(qvel=qvel)
    ill = start.replace(state=start.state.replace(physics=physics))
    batch = mode("same_step").step(ill, actions(0))
    assert int(batch.sampler.count[0]) == 1 and int(batch.sampler.successes[0]) == 0


def test_a_row_is_a_single_environment(env, mode, start):
    """Batch of four against one environment of the same key, without vmap."""
    one = jit(env.reset)(keys(ROWS)[1], 0, ends(env)[1])
    same(jax.tree.map(lambda x: x[1], start.obs), one.obs)
    batch = mode("same_step").step(start, actions(0))
    after = jit(env.step)(one, actions(0)[1])
    same(jax.tree.map(lambda x: x[1], batch.obs), after.obs)
    same(batch.reward[1], after.reward)


def test_a_scan_is_a_loop_and_nothing_is_compiled_twice(mode, start):
    chosen = mode("same_step")
    batch = start
    for i in range(6):
        batch = chosen.step(batch, actions(i))
    # The results of a reset and of a step are the same kind of argument.
    assert chosen.traces == 1
    traces = []

    @jit
    def run(batch, many):
        def body(batch, action):
            traces.append(1)
            batch = chosen.batched.step(batch, action)
            return batch, batch.reward

        return jax.lax.scan(body, batch, many)

    last, rewards = run(start, jnp.stack([actions(i) for i in range(6)]))
    same(last.obs, batch.obs)
    same(rewards[-1], batch.reward)
    before = len(traces)
    run(last, jnp.stack([actions(i) for i in range(6)]))
    assert len(traces) == before


def test_helpers():
    chain = keys(ROWS)
    expected = [jax.random.split(key)[0] for key in chain]
    np.testing.assert_array_equal(
        jax.random.key_data(next_keys(chain)),
        [jax.random.key_data(key) for key in expected],
    )
    mask = np.array([True, False])
    found = select_rows(
        mask,
        {"a": jnp.ones((2, 3)), "b": jnp.ones(2)},
        {"a": 0.0 * jnp.ones((2, 3)), "b": jnp.zeros(2)},
    )
    assert found["a"].tolist() == [[1, 1, 1], [0, 0, 0]]
    assert found["b"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (0, {}, "num_envs is 0; it must be at least 1"),
        (-3, {}, "num_envs is -3"),
        (2, {"autoreset": "never"}, r"autoreset mode 'never'.*disabled, next_step"),
        (2, {"max_episode_steps": 0}, "max_episode_steps is 0"),
    ],
)
def test_bad_options(env, rows, options, message):
    with pytest.raises(UserError, match=message):
        BatchedEnv(env, rows, **options)


def test_sizes(env):
    batched = BatchedEnv(env, ROWS)
    assert batched.num_envs == ROWS
    assert batched.action_size == 23
    assert batched.observation_sizes == {"actor": 415, "critic": 623}
