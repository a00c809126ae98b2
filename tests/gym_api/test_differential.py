"""`make_vec` against Gymnasium's SyncVectorEnv of the single environment.

The same seed and actions have to give the same observations, rewards, flags and whole
info trees, in all autoreset modes.
"""

import numpy as np
import pytest

from tests.gym_api.conftest import LIMIT, assert_same, make_sync, make_vec

STEPS = 200


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
@pytest.mark.parametrize("num_envs", [1, 3])
def test_vector_environment_is_that_of_single_ones(mode, num_envs):
    ours = make_vec(num_envs, autoreset_mode=mode, observation="dict")
    theirs = make_sync(num_envs, mode, observation="dict")
    assert ours.single_observation_space == theirs.single_observation_space
    assert ours.observation_space == theirs.observation_space
    assert ours.single_action_space == theirs.single_action_space
    assert ours.action_space == theirs.action_space
    assert ours.metadata == theirs.metadata
    assert_same(ours.reset(seed=3), theirs.reset(seed=3))

    rng = np.random.default_rng(0)
    seen = {"terminated": 0, "truncated": 0, "limit": 0}
    age = np.zeros(num_envs, int)
    for step in range(STEPS):
        # From gentle to violent: some episodes last, some do not.
        scale = rng.choice([0.02, 0.05, 0.3])
        actions = scale * rng.uniform(-1, 1, (num_envs, 23)).astype(np.float32)
        a, b = ours.step(actions), theirs.step(actions)
        assert_same(a, b, f"step {step}: ")
        assert a[0] in ours.observation_space
        _, _, terminated, truncated, _ = a
        age += 1
        seen["terminated"] += terminated.sum()
        seen["truncated"] += truncated.sum()
        seen["limit"] += (truncated & (age == LIMIT)).sum()
        done = terminated | truncated
        age[done] = 0 if mode != "NextStep" else -1
        if mode == "Disabled" and done.any():
            seed = 100 + step
            a = ours.reset(seed=seed, options={"reset_mask": done})
            b = theirs.reset(seed=seed, options={"reset_mask": done})
            assert_same(a, b, f"reset after step {step}: ")
    assert min(seen.values()) > 0, seen
    ours.close()
    theirs.close()


def test_whole_resets_go_on_with_each_rows_randomness():
    ours, theirs = make_vec(3), make_sync(3, "NextStep")
    assert_same(ours.reset(seed=[4, 9, 4]), theirs.reset(seed=[4, 9, 4]))
    first = ours.reset()
    assert_same(first, theirs.reset())
    # A None among seeds goes on too.
    assert_same(ours.reset(seed=[4, None, 5]), theirs.reset(seed=[4, None, 5]))
    # Rows 0 and 2 had the same seed.
    np.testing.assert_array_equal(first[0][0], first[0][2])
    assert not np.array_equal(first[0][0], first[0][1])
    ours.close()
    theirs.close()


def test_a_row_does_not_depend_on_the_number_of_rows():
    one, three = make_vec(1), make_vec(3)
    rng = np.random.default_rng(1)
    assert_same(one.reset(seed=5)[0][0], three.reset(seed=3)[0][2])
    for _ in range(20):
        actions = 0.02 * rng.uniform(-1, 1, (3, 23))
        a, b = one.step(actions[2:]), three.step(actions)
        assert_same(a[0][0], b[0][2])
        np.testing.assert_allclose(a[1][0], b[1][2], rtol=1e-4, atol=1e-4)
    one.close()
    three.close()
