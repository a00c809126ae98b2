"""Checkpoints with orbax: the whole learner, the bare policy, and what they belong to.

Each is written under another name first and renamed when it is complete, so that one
that exists is whole.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp

from mimicgym.errors import UserError
from mimicgym.ppo import network
from mimicgym.ppo.config import PPOConfig
from mimicgym.ppo.learner import LearnerState
from mimicgym.ppo.normalize import init_stats
from mimicgym.ppo.policy import Policy, policy_of

KEEP = 3


class Checkpoints:
    """The checkpoints in one folder, by iteration."""

    def __init__(self, folder: Path):
        self.folder = folder.absolute()

    def save(self, state: LearnerState, config: PPOConfig, meta: dict[str, Any]) -> int:
        """Write a checkpoint and return its iteration.

        Args:
          meta: JSON types that say what the policy is for; "observation_sizes",
            "gated_sizes" and "action_size" are added.
        """
        iteration = int(state.iteration)
        policy = policy_of(state, config)
        sizes = {k: int(v.mean.shape[0]) for k, v in state.obs_stats.items()}
        full = meta | {
            "observation_sizes": sizes,
            "action_size": policy.action_size,
            "gated_sizes": {
                group: network.gated_size(state.params[group])
                for group in ("actor", "critic")
            },
            "iteration": iteration,
        }
        with self._manager() as manager:
            if iteration not in manager.all_steps():
                manager.save(
                    iteration,
                    args=ocp.args.Composite(
                        learner=ocp.args.StandardSave(_without_keys(state)),
                        policy=ocp.args.StandardSave(
                            {"params": policy.params, "stats": policy.stats}
                        ),
                        meta=ocp.args.JsonSave(full),
                    ),
                )
                manager.wait_until_finished()
        return iteration

    def latest(self) -> int:
        """Iteration of the newest checkpoint; `UserError` where there is none."""
        if self.folder.is_dir():
            with self._manager() as manager:
                step = manager.latest_step()
            if step is not None:
                return step
        raise UserError(f"{self.folder} holds no checkpoint")

    def meta(self, iteration: int) -> dict[str, Any]:
        """What a checkpoint belongs to."""
        return self._read(iteration, "meta", ocp.args.JsonRestore())

    def restore(
        self, iteration: int, template: LearnerState, **belongs: Any
    ) -> LearnerState:
        """The learner's state, for a learner whose fresh state is `template`.

        belongs: entries that its meta must have.
        """
        sizes = {k: int(v.mean.shape[0]) for k, v in template.obs_stats.items()}
        action_size = template.params["raw_std"].shape[0]
        self._check(
            iteration, observation_sizes=sizes, action_size=action_size, **belongs
        )
        plain = _without_keys(template)
        return _with_keys(self._read_arrays(iteration, "learner", plain), template)

    def policy(self, iteration: int, config: PPOConfig, **belongs: Any) -> Policy:
        """The bare policy. belongs: entries that its meta must have."""
        self._check(iteration, **belongs)
        meta = self.meta(iteration)
        sizes, action_size = meta["observation_sizes"], meta["action_size"]
        gated = meta.get("gated_sizes", {})
        template = jax.eval_shape(
            lambda: {
                "params": network.init_params(
                    jax.random.key(0), config, sizes, action_size, gated
                )["actor"],
                "stats": init_stats(sizes["actor"]),
            }
        )
        restored = self._read_arrays(iteration, "policy", template)
        return Policy(restored["params"], restored["stats"], config, action_size)

    def _check(self, iteration: int, **belongs: Any) -> None:
        meta = self.meta(iteration)
        for name, wanted in belongs.items():
            if meta.get(name) != wanted:
                raise UserError(
                    f"the checkpoint {self.folder / str(iteration)} has {name}"
                    f" {meta.get(name)!r}, here it is {wanted!r}"
                )

    def _read_arrays(self, iteration: int, item: str, template: Any) -> Any:
        """One of a checkpoint's trees, which has to be like `template`.

        Orbax itself would tell of another structure in pages.
        """
        with self._reading(iteration) as manager:
            stored = manager.item_metadata(iteration)[item]
        there = {} if stored is None else _shapes(stored.tree)
        here = _shapes(template)
        for name in [*here, *there]:
            if there.get(name) != here.get(name):
                raise UserError(
                    f"the checkpoint {self.folder / str(iteration)} has {item}.{name}"
                    f" {there.get(name, 'not at all')}, here it is"
                    f" {here.get(name, 'not there')}"
                )
        return self._read(iteration, item, ocp.args.StandardRestore(template))

    def _read(self, iteration: int, item: str, how: Any) -> Any:
        with self._reading(iteration) as manager:
            args = ocp.args.Composite(**{item: how})
            return manager.restore(iteration, args=args)[item]

    @contextmanager
    def _reading(self, iteration: int) -> Iterator[ocp.CheckpointManager]:
        try:
            with self._manager() as manager:
                yield manager
        except (KeyError, OSError, ValueError) as error:
            raise UserError(
                f"the checkpoint {self.folder / str(iteration)} can not be read:"
                f" {str(error).partition(chr(10))[0]}"
            ) from error

    def _manager(self) -> ocp.CheckpointManager:
        return ocp.CheckpointManager(
            self.folder,
            options=ocp.CheckpointManagerOptions(
                max_to_keep=KEEP, enable_async_checkpointing=False
            ),
            item_handlers={
                "learner": ocp.StandardCheckpointHandler(),
                "policy": ocp.StandardCheckpointHandler(),
                "meta": ocp.JsonCheckpointHandler(),
            },
        )


def _shapes(tree: Any) -> dict[str, str]:
    """What each array of a tree is, such as {"params.raw_std": "float32(23,)"}."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): f"{x.dtype}{x.shape}"
        for path, x in jax.tree_util.tree_leaves_with_path(tree)
    }


def _is_key(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def _without_keys(tree: Any) -> Any:
    """Typed random keys as the numbers they hold, which is what can be stored."""
    return jax.tree.map(lambda x: jax.random.key_data(x) if _is_key(x) else x, tree)


def _with_keys(tree: Any, template: Any) -> Any:
    return jax.tree.map(
        lambda x, like: (
            jax.random.wrap_key_data(x, impl=jax.random.key_impl(like))
            if _is_key(like)
            else x
        ),
        tree,
        template,
    )
