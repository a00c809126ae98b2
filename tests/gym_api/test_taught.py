"""What resets keep of past episodes, where starts and judgement depend on them."""

from typing import Any

import numpy as np
import pytest

from mimicgym.envs.single import TrackingEnvironment
from tests.gym_api.conftest import OPTIONS, assert_same, make_vec

# A failure says where nearly all episodes after it start.
LEARNING: dict[str, Any] = {
    "overrides": {
        "reset.sampling": "failure_bins",
        "reset.bin_rate": 0.5,
        "reset.bin_uniform": 1e-3,
        "termination.curriculum.kind": "linear",
        "termination.curriculum.steps": 400,
    }
}
NOTHING = (0, 3.0)


@pytest.fixture
def single():
    return TrackingEnvironment(**OPTIONS, **LEARNING)


@pytest.fixture
def vector():
    return make_vec(3, **LEARNING)


def until_failure(env, seed: int = 0) -> list[Any]:
    """What comes of violent actions."""
    rng = np.random.default_rng(seed)
    found: list[Any] = []
    while not found or not np.any(found[-1][2]):
        found.append(env.step(rng.uniform(-1, 1, env.action_space.shape)))
        assert len(found) < 200
    return found


def taught(env) -> tuple[int, float]:
    """Episodes that are remembered, and how lax failures are judged."""
    batch = env._batch
    return int(batch.sampler.count.sum()), float(batch.curriculum.laxity)


def test_a_single_environment_forgets_with_a_seed_only(single):
    single.reset(seed=3)
    assert taught(single) == NOTHING
    for count in (1, 2):
        until_failure(single)
        remembered = taught(single)
        assert remembered[0] == count and remembered[1] < 3.0
        single.reset()
        assert taught(single) == remembered
    single.reset(seed=4)
    assert taught(single) == NOTHING


def test_the_same_seed_gives_the_same_episodes_twice(single):
    def play() -> list[Any]:
        found = [single.reset(seed=3)]
        for episode in range(4):
            found += [*until_failure(single, episode), single.reset()]
        return found

    assert_same(play(), play())
    # All of it with one program for each function.
    assert single._program.reset._cache_size() == 1
    assert single._program.step._cache_size() == 1


@pytest.mark.parametrize("seed", [3, [3, 4, 5]], ids=str)
def test_seeds_of_all_rows_give_the_same_episodes_twice(vector, seed):
    def play() -> list[Any]:
        found = [vector.reset(seed=seed)]
        assert taught(vector) == NOTHING
        for episode in range(4):
            found += until_failure(vector, episode)
        return [*found, vector.reset()]

    assert_same(play(), play())


@pytest.mark.parametrize(
    ("seed", "mask"),
    [
        (None, [True, True, True]),
        ([3, None, 5], [True, True, True]),
        (3, [True, False, True]),
        ([3, 4, 5], [True, False, True]),
        (None, [True, False, True]),
    ],
    ids=str,
)
def test_other_resets_of_a_vector_environment_keep_it(vector, seed, mask):
    vector.reset(seed=3)
    until_failure(vector)
    remembered = taught(vector)
    assert remembered[0] >= 1 and remembered[1] < 3.0
    vector.reset(seed=seed, options={"reset_mask": np.array(mask)})
    assert taught(vector) == remembered
    # A mask of all rows is none.
    vector.reset(seed=4, options={"reset_mask": np.ones(3, bool)})
    assert taught(vector) == NOTHING
