"""Writing checkpoints while training goes on.

What is passed to `save` is copied at once and written in the background, under another
name first, and what is deleted is given another name first: a checkpoint that has its
own name is whole.
"""

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.options import MultiprocessingOptions

from mimicgym.errors import UserError
from mimicgym.ppo import network
from mimicgym.ppo.config import PPOConfig
from mimicgym.ppo.policy import policy_of
from mimicgym.ppo.state import LearnerState

# Of what orbax writes before it is whole; a new writer removes what has this name.
_ASIDE = ".orbax-checkpoint-tmp"


class CheckpointWriter:
    """Writes checkpoints into one folder, by iteration. To be used in a `with`, at
    whose end all of them are written.

    Args:
      folder: made if it is not there. What a killed writer has left half done in it is
        removed.
      keep: how many to keep, the newest, or None for all. Older ones are deleted when
        a new one has been waited for.

    Raises:
      UserError: the folder can not be made.
    """

    def __init__(self, folder: Path, keep: int | None):
        self.folder = folder.absolute()
        self._keep = keep
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._refusal(error) from error
        self._manager = ocp.CheckpointManager(
            self.folder,
            options=ocp.CheckpointManagerOptions(
                create=False,
                enable_async_checkpointing=True,
                cleanup_tmp_directories=True,
                multiprocessing_options=by_itself(),
            ),
            item_handlers=handlers(),
        )

    def __enter__(self) -> "CheckpointWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        try:
            self.wait()
        except UserError:
            # Else, what ended the `with` is the news.
            if kind is None:
                raise
        finally:
            with suppress(OSError, ValueError):  # of which `wait` has told
                self._manager.close()

    def save(self, state: LearnerState, config: PPOConfig, meta: dict[str, Any]) -> int:
        """Begin to write a checkpoint, if it is not there, and return its iteration.

        The last one has to be written first; this waits for it.

        Args:
          state: may be iterated as soon as this returns.
          meta: JSON types that say what the policy is for; "observation_sizes",
            "gated_sizes", "action_size" and "iteration" are added.

        Raises:
          UserError: the last one could not be written.
        """
        iteration = int(state.iteration)
        self.wait()
        if iteration in self._manager.all_steps():
            return iteration
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
        # The next iteration takes this memory, however long the writing takes. Where
        # there are other processes, orbax takes arrays of JAX for theirs as well.
        copy = jnp.copy if jax.process_count() == 1 else np.array
        learner = jax.tree.map(copy, without_keys(state))
        bare = jax.tree.map(copy, {"params": policy.params, "stats": policy.stats})
        try:
            self._manager.save(
                iteration,
                args=ocp.args.Composite(
                    learner=ocp.args.StandardSave(learner),
                    policy=ocp.args.StandardSave(bare),
                    meta=ocp.args.JsonSave(full),
                ),
            )
        except (OSError, ValueError) as error:
            raise self._refusal(error) from error
        return iteration

    def go_on_from(self, iteration: int) -> None:
        """Delete what a run that goes on from `iteration` would not have: newer ones,
        and older ones that a writer was killed before deleting."""
        self._written()
        self._delete(i for i in self._manager.all_steps() if i > iteration)
        self._trim()

    def keep_those_of(self, iterations: Iterable[int]) -> None:
        """Delete all but the newest, and the newest at each of some iterations."""
        self.wait()
        found = sorted(self._manager.all_steps())
        past = [[i for i in found if i <= at] for at in iterations]
        kept = {each[-1] for each in [found, *past] if each}
        self._delete(set(found) - kept)

    def wait(self) -> None:
        """Until everything is written; `UserError` if it can not be."""
        self._written()
        self._trim()

    def _written(self) -> None:
        try:
            self._manager.wait_until_finished()
        except (OSError, ValueError) as error:
            raise self._refusal(error) from error

    def _trim(self) -> None:
        if self._keep is not None:
            self._delete(sorted(self._manager.all_steps())[: -self._keep])

    def _delete(self, iterations: Iterable[int]) -> None:
        gone = list(iterations)
        for number in gone:
            aside = self.folder / f"{number}{_ASIDE}"
            try:
                os.replace(self.folder / str(number), aside)
                shutil.rmtree(aside)
            except OSError as error:
                raise UserError(
                    f"a checkpoint can not be deleted from {self.folder}: {error}"
                ) from error
        if gone:
            self._manager.reload()

    def _refusal(self, error: Exception) -> UserError:
        reason = str(error).partition("\n")[0]
        return UserError(f"a checkpoint can not be written to {self.folder}: {reason}")


def by_itself() -> MultiprocessingOptions:
    """Options with which orbax does not wait for the other processes of a run, if there
    are any: one of them writes for all, and each reads for itself."""
    if jax.process_count() == 1:
        return MultiprocessingOptions()
    number = jax.process_index()
    return MultiprocessingOptions(
        primary_host=number,
        active_processes={number},
        barrier_sync_key_prefix=f"process_{number}",
    )


def handlers() -> dict[str, ocp.CheckpointHandler]:
    """What a checkpoint consists of."""
    options = by_itself()
    return {
        "learner": ocp.StandardCheckpointHandler(multiprocessing_options=options),
        "policy": ocp.StandardCheckpointHandler(multiprocessing_options=options),
        "meta": ocp.JsonCheckpointHandler(multiprocessing_options=options),
    }


def is_key(x: Any) -> bool:
    """Whether an array is one of typed random keys."""
    return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def without_keys(tree: Any) -> Any:
    """Typed random keys as the numbers they hold, which is what can be stored."""
    return jax.tree.map(lambda x: jax.random.key_data(x) if is_key(x) else x, tree)


def with_keys(tree: Any, template: Any) -> Any:
    """The other way round; keys are where `template` has them."""
    return jax.tree.map(
        lambda x, like: (
            jax.random.wrap_key_data(x, impl=jax.random.key_impl(like))
            if is_key(like)
            else x
        ),
        tree,
        template,
    )
