"""Environments computed some at a time are the environments computed at once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym.configs import override
from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.make import make_env
from mimicgym.errors import UserError
from tests.envs.cases import PLAIN, jit, keys

ROWS, STEPS = 5, 4
NOISY = override(
    PLAIN,
    {
        "observation.noise": True,
        "reset.joint_pos": 0.02,
        "control.action_offset_std": 0.1,
        "termination.curriculum.kind": "linear",
    },
)


def played(chunk: int):
    """All that is known after each of some steps, in two of which rows are reset, and
    for how many rows at once the engine was asked."""
    env = make_env(override(NOISY, {"chunk": chunk}))
    batched = BatchedEnv(env, ROWS)
    end = int(env.reference.clip_end[0])
    starts = np.array([end - 3, 0, end - 4, 20, 40], np.int32)
    sizes = []
    scratch_for = env.engine._scratch_for
    env.engine._scratch_for = lambda size, fields: (
        sizes.append(size) or scratch_for(size, fields)
    )

    def play(keys):
        batch = batched.reset_at(keys, jnp.zeros(ROWS, jnp.int32), starts)
        actions = 0.3 * jax.random.normal(jax.random.key(1), (STEPS, ROWS, 23))

        def step(batch, action):
            batch = batched.step(batch, action)
            return batch, batch

        return batch, jax.lax.scan(step, batch, actions)[1]

    return jax.device_get(jit(play)(keys(ROWS))), sizes


def plain(x):
    is_key = jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(x) if is_key else x)


def test_chunks_give_what_all_at_once_give():
    whole, sizes = played(0)
    assert set(sizes) == {ROWS}
    assert whole[1].reset_rows.any()
    # A chunk of three and a rest of two.
    found, sizes = played(3)
    assert set(sizes) == {3, 2}
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(plain(a), plain(b), rtol=1e-5, atol=1e-5)
    for name in ("clip", "frame", "step", "start"):
        np.testing.assert_array_equal(
            getattr(found[1].state, name), getattr(whole[1].state, name)
        )


def test_a_chunk_of_less_than_nothing():
    env = make_env(override(PLAIN, {"chunk": -1}))
    with pytest.raises(UserError, match=r"env\.chunk is -1"):
        BatchedEnv(env, 4)
