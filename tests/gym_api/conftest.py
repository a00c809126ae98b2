"""What these tests share. A program is compiled once for the same options."""

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import VectorEnv

ID = "G1DeepMimic-v0"
# Two clips, so that `clip` tells something; the quick preset has noise in all places.
OPTIONS: dict[str, Any] = {
    "motion": ["wave", "squat"],
    "robot": "g1_23dof",
    "engine": "native",
    "preset": "quick",
}
# A TimeLimit on one side, BatchedEnv's own on the other.
LIMIT = 45


@pytest.fixture(scope="module", autouse=True)
def quick_compiling(compile_quickly) -> None:
    """All of these tests."""


def make_vec(num_envs: int = 3, **options: Any) -> VectorEnv:
    return gymnasium.make_vec(
        ID, num_envs=num_envs, **{"max_episode_steps": LIMIT, **OPTIONS, **options}
    )


def make_sync(num_envs: int, mode: str, **options: Any) -> VectorEnv:
    """Gymnasium's own vector environment of our single ones: the oracle."""
    return gymnasium.make_vec(
        ID,
        num_envs=num_envs,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": mode},
        **{"max_episode_steps": LIMIT, **OPTIONS, **options},
    )


@pytest.fixture
def single() -> Iterator[gymnasium.Env]:
    """A single environment with Gymnasium's usual wrappers."""
    env = gymnasium.make(ID, **OPTIONS)
    yield env
    env.close()


def assert_same(ours: Any, theirs: Any, path: str = "") -> None:
    """Same structure, types and masks; numbers to float32 precision."""
    assert type(ours) is type(theirs), path
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys(), path
        for key in ours:
            assert_same(ours[key], theirs[key], f"{path}/{key}")
    elif isinstance(ours, tuple | list) or _holds_objects(ours):
        assert len(ours) == len(theirs), path
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(a, b, f"{path}[{i}]")
    elif isinstance(ours, np.ndarray | np.generic):
        assert ours.dtype == theirs.dtype, path
        tolerance = 2e-4 if np.issubdtype(ours.dtype, np.floating) else 0
        np.testing.assert_allclose(
            ours, theirs, rtol=tolerance, atol=tolerance, err_msg=path
        )
    else:
        assert ours == theirs, path


def _holds_objects(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.dtype(object)
