"""One device or many: the same program runs on each, on its share of environments.

What all of them have to agree on is averaged over the mapped axis `AXIS`. Functions
take the axis by name, or None where there is one device, which costs nothing then.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mimicgym.errors import UserError

AXIS = "devices"
Axis = str | None


def mean_over(tree: Any, axis: Axis) -> Any:
    """Means over devices of each array of a tree."""
    return tree if axis is None else jax.lax.pmean(tree, axis)


def sum_over(tree: Any, axis: Axis) -> Any:
    """Sums over devices of each array of a tree."""
    return tree if axis is None else jax.lax.psum(tree, axis)


def size(axis: Axis) -> int:
    """How many devices there are."""
    return 1 if axis is None else jax.lax.axis_size(axis)


def index(axis: Axis) -> jax.Array | int:
    """() which of them this one is."""
    return 0 if axis is None else jax.lax.axis_index(axis)


def moments(x: jax.Array, axis: Axis) -> tuple[jax.Array, jax.Array]:
    """Mean and variance over the first axis of x and over devices."""
    mean = mean_over(jnp.mean(x, axis=0), axis)
    return mean, mean_over(jnp.mean(jnp.square(x - mean), axis=0), axis)


class Spread:
    """Programs over `count` devices of this and all other processes.

    Args:
      count: 1 for a plain jitted program; else all of the devices there are, or the
        first `count` of a single process.
    """

    def __init__(self, count: int):
        available = jax.devices()
        if not 1 <= count <= len(available):
            raise UserError(f"devices is {count}; here are {len(available)}")
        if jax.process_count() > 1 and count != len(available):
            raise UserError(
                f"devices is {count}; {jax.process_count()} processes have"
                f" {len(available)} together, all of which have to take part"
            )
        self.count = count
        self.axis: Axis = AXIS if count > 1 else None
        self.mesh = Mesh(np.array(available[:count]), (AXIS,)) if count > 1 else None

    def compile(
        self,
        function: Callable[..., Any],
        in_specs: Any,
        out_specs: Any,
        donate: tuple[int, ...] = (),
    ) -> Callable[..., Any]:
        """`function`, jitted, run on each device with its part of the arguments.

        in_specs, out_specs: `ROWS`, `STEPS` or `SHARED` for (parts of) arguments and
        results.
        """
        if self.mesh is not None:
            function = jax.shard_map(
                # Jitted by itself it keeps its constants, of which an engine has
                # hundreds. As operands of the spread program, those that it does not
                # use crash XLA (jaxlib 0.11.2, in Shardy's
                # ManualComputationUnusedInputsPattern).
                jax.jit(function),
                mesh=self.mesh,
                in_specs=in_specs,
                out_specs=out_specs,
                # Replication can not be inferred through callbacks and scans.
                check_vma=False,
            )
        return jax.jit(function, donate_argnums=donate)

    def share(self, tree: Any) -> Any:
        """Arrays that are equal everywhere, put on every device."""
        if self.mesh is None:
            return tree
        return jax.device_put(tree, NamedSharding(self.mesh, SHARED))


# How an array lies on devices: the first axis divided, the second, or a copy on each.
ROWS = PartitionSpec(AXIS)
STEPS = PartitionSpec(None, AXIS)
SHARED = PartitionSpec()


def divided(whole: Any, part: Any) -> Any:
    """`ROWS` for the arrays whose shapes differ between two trees of shapes, `SHARED`
    for the others."""
    return jax.tree.map(
        lambda a, b: SHARED if a.shape == b.shape else ROWS, whole, part
    )
