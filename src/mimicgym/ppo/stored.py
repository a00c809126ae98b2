"""The arrays of a checkpoint as they are, whatever learner it is of."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from mimicgym.errors import UserError

STORED = ("params", "opt_state", "obs_stats", "return_stats", "learning_rate")
"""What is read of a `LearnerState`: not the environments, nor random keys."""


def read_arrays(
    folder: Path, iteration: int, parts: Sequence[str] | None = STORED
) -> dict[str, np.ndarray]:
    """A checkpoint's arrays by dotted names, such as "params.raw_std".

    Args:
      folder: of a run's checkpoints.
      parts: of a `LearnerState`; None for all. Random keys come as the numbers that
        they hold.

    Raises:
      UserError: there is none, or it is damaged.
    """
    handlers: dict[str, ocp.CheckpointHandler] = {
        "learner": ocp.PyTreeCheckpointHandler(),
        "policy": ocp.PyTreeCheckpointHandler(),
        "meta": ocp.JsonCheckpointHandler(),
    }
    try:
        with ocp.CheckpointManager(
            folder.absolute(), item_handlers=handlers
        ) as manager:
            tree = manager.item_metadata(iteration)["learner"].tree
            wanted = {name: tree[name] for name in parts or tree}
            how = jax.tree.map(
                lambda _: ocp.RestoreArgs(restore_type=np.ndarray), wanted
            )
            args = ocp.args.PyTreeRestore(wanted, how, partial_restore=True)
            found = manager.restore(iteration, args=ocp.args.Composite(learner=args))
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise UserError(
            f"the checkpoint {folder / str(iteration)} can not be read:"
            f" {str(error).partition(chr(10))[0]}"
        ) from error
    return {name: np.asarray(x) for name, x in by_name(found["learner"]).items()}


def by_name(tree: Any) -> dict[str, Any]:
    """The leaves of a tree by dotted names."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {dotted(path): x for path, x in leaves}


def dotted(path: Any) -> str:
    """The name of a leaf, such as "params.raw_std"."""
    return jax.tree_util.keystr(path, simple=True, separator=".")
