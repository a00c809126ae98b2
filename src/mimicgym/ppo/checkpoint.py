"""Checkpoints with orbax: the whole learner, the bare policy and what they are of."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from mimicgym.errors import UserError
from mimicgym.ppo import network
from mimicgym.ppo.config import PPOConfig
from mimicgym.ppo.normalize import init_stats
from mimicgym.ppo.policy import Policy
from mimicgym.ppo.state import LearnerState
from mimicgym.ppo.writer import (
    CheckpointWriter,
    by_itself,
    handlers,
    with_keys,
    without_keys,
)

KEEP = 3


class Checkpoints:
    """The checkpoints in one folder, by iteration. See `CheckpointWriter` for writing
    them beside a training."""

    def __init__(self, folder: Path):
        self.folder = folder.absolute()

    def save(self, state: LearnerState, config: PPOConfig, meta: dict[str, Any]) -> int:
        """Write a checkpoint, wait for it and return its iteration. The newest `KEEP`
        are kept. Arguments as of `CheckpointWriter.save`."""
        with CheckpointWriter(self.folder, KEEP) as writer:
            return writer.save(state, config, meta)

    def all(self) -> tuple[int, ...]:
        """Iterations of all that are whole, oldest first."""
        if not self.folder.is_dir():
            return ()
        with self._manager() as manager:
            return tuple(sorted(manager.all_steps()))

    def latest(self) -> int:
        """Iteration of the newest checkpoint; `UserError` where there is none."""
        found = self.all()
        if not found:
            raise UserError(f"{self.folder} holds no checkpoint")
        return found[-1]

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
        plain = without_keys(template)
        return with_keys(self._read_arrays(iteration, "learner", plain), template)

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
        # Not on the devices that it was saved from, which may not be there.
        here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        template = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=here), template
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
                create=False,
                enable_async_checkpointing=False,
                multiprocessing_options=by_itself(),
            ),
            item_handlers=handlers(),
        )


def _shapes(tree: Any) -> dict[str, str]:
    """What each array of a tree is, such as {"params.raw_std": "float32(23,)"}."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): f"{x.dtype}{x.shape}"
        for path, x in jax.tree_util.tree_leaves_with_path(tree)
    }
