"""Several machines as one: each runs the same command, and JAX joins their devices.

Every machine reads the same motions and computes the same things from them; only the
first writes the run's folder. Arrays that are spread over machines can be looked at
only after all of them have handed over their part.
"""

from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from mimicgym.errors import UserError
from mimicgym.ppo.writer import with_keys, without_keys

AUTO = "auto"


def join(hosts: str) -> None:
    """Join the other processes; to be called before anything is computed.

    Args:
      hosts: "auto" where a cluster's environment says who takes part (SLURM, Open MPI,
        TPU pods), or ADDRESS:PORT/COUNT/NUMBER: where the first process is to be
        reached, how many there are, and which of them this is, from 0.

    Raises:
      UserError: another text, or the others can not be reached.
    """
    if hosts == AUTO:
        address, count, number = None, None, None
    else:
        address, count, number = parse(hosts)
    try:
        jax.distributed.initialize(address, num_processes=count, process_id=number)
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"--hosts {hosts}: {reason}") from error


def parse(hosts: str) -> tuple[str, int, int]:
    """Address, count and number of ADDRESS:PORT/COUNT/NUMBER."""
    parts = hosts.split("/")
    good = len(parts) == 3 and ":" in parts[0]
    good = good and all(part.isdecimal() for part in parts[1:])
    good = good and parts[0].rpartition(":")[2].isdecimal()
    if not good or not int(parts[2]) < int(parts[1]):
        raise UserError(
            f"--hosts is {hosts!r}; give {AUTO!r} on a cluster, or"
            " ADDRESS:PORT/COUNT/NUMBER with NUMBER from 0 to COUNT - 1, such as"
            " 10.0.0.1:1234/2/0"
        )
    return parts[0], int(parts[1]), int(parts[2])


def several() -> bool:
    """Whether there are other processes."""
    return jax.process_count() > 1


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return jax.process_index() == 0


def agreed(choice: bool) -> bool:
    """What the first process has chosen. All of them have to ask."""
    if not several():
        return choice
    return bool(multihost_utils.broadcast_one_to_all(np.bool_(choice)))


def gathered(tree: Any) -> Any:
    """A tree of arrays that all processes hold together, whole on each of them. All of
    them have to ask."""
    return with_keys(jax.tree.map(_whole, without_keys(tree)), tree)


def placed(tree: Any, like: Any) -> Any:
    """A tree that every process holds whole, spread as the arrays of `like` are."""

    def place(x: Any, there: jax.Array) -> jax.Array:
        return jax.make_array_from_callback(
            there.shape, there.sharding, lambda part: x[part]
        )

    plain = jax.tree.map(np.asarray, without_keys(tree))
    return with_keys(jax.tree.map(place, plain, without_keys(like)), like)


def _whole(x: jax.Array) -> np.ndarray:
    if x.is_fully_replicated:
        return np.asarray(x.addressable_data(0))
    if x.is_fully_addressable:
        return np.asarray(x)
    return np.asarray(multihost_utils.process_allgather(x, tiled=True))
