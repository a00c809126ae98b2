"""Functions of one environment that are computed for a whole batch at once."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def of_one_row(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """From a function of n rows, n being the first axis of all it takes and gives, one
    of a single row. `jax.vmap` of it calls the former with all rows at once."""

    @jax.custom_batching.custom_vmap
    def rows(operands: Any) -> Any:
        return function(operands)

    @rows.def_vmap
    def _(axis_size: int, batched: tuple[Any], operands: Any):
        def flat(x: jax.Array, is_batched: bool) -> jax.Array:
            if not is_batched:
                x = jnp.broadcast_to(x, (axis_size, *x.shape))
            return x.reshape(-1, *x.shape[2:])

        result = rows(jax.tree.map(flat, operands, batched[0]))
        shaped = jax.tree.map(lambda x: x.reshape(axis_size, -1, *x.shape[1:]), result)
        return shaped, jax.tree.map(lambda _: True, shaped)

    def one(operands: Any) -> Any:
        result = rows(jax.tree.map(lambda x: x[None], operands))
        return jax.tree.map(lambda x: x[0], result)

    return one
