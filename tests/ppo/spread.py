"""Trains on several devices and writes what comes out: run by test_devices.py, which
gives this process as many devices as it asks for.

python -m tests.ppo.spread ENV OUT DEVICES...

With COORDINATOR, PROCESSES and PROCESS set, it is one of several processes; the first
of them writes.
"""

import os
import sys

import jax
import numpy as np

import mimicgym  # noqa: F401  (sets what XLA needs on a CPU)
from mimicgym.configs import override
from mimicgym.ppo import Learner, PPOConfig
from tests.ppo.probes import Ring

CONFIG = PPOConfig(num_steps=8, epochs=2, minibatches=2, hidden=(16,), schedule="fixed")


def tracking():
    """The real task, few rows of it."""
    from mimicgym import env_config, make_env
    from mimicgym.envs.batch import BatchedEnv

    overrides = {
        "reset.sampling": "success_rate_adaptive",
        "termination.max_steps": 5,
        "termination.curriculum.kind": "success",
    }
    config = env_config("quick", motion=["wave", "walk"], engine="native")
    return BatchedEnv(make_env(override(config, overrides)), 16)


def plain(leaf) -> np.ndarray:
    """All of an array, wherever its parts lie."""
    if jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    if not leaf.is_fully_addressable:
        from jax.experimental.multihost_utils import process_allgather

        return process_allgather(leaf, tiled=True)
    return np.asarray(leaf)


def main(which: str, out: str, *devices: str) -> None:
    if "COORDINATOR" in os.environ:
        jax.distributed.initialize(
            os.environ["COORDINATOR"],
            num_processes=int(os.environ["PROCESSES"]),
            process_id=int(os.environ["PROCESS"]),
        )
    env = {"ring": lambda: Ring(num_envs=32, fail=0.1), "tracking": tracking}[which]()
    for count in devices:
        learner = Learner(env, CONFIG, devices=int(count))
        state = learner.init(jax.random.key(5))
        metrics = {}
        for _ in range(3):
            state, metrics = learner.iterate(state)
        leaves = {
            jax.tree_util.keystr(path): plain(leaf)
            for path, leaf in jax.tree_util.tree_leaves_with_path(state)
        }
        figures = {f"metrics/{k}": plain(v) for k, v in metrics.items()}
        places = {len(x.sharding.device_set) for x in jax.tree.leaves(state.batch)}
        assert places == {int(count)}, places
        if jax.process_index() == 0:
            np.savez(f"{out}/{count}.npz", **leaves, **figures)


if __name__ == "__main__":
    main(*sys.argv[1:])
