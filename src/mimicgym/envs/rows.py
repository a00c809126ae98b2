"""Arrays whose first axis is that of a batch's environments."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

# How many rows are made anew at once on a CPU: this part of all, but no fewer than so
# many.
_SHARE = 16
_ROWS = 16


def renew(
    make: Callable[[jax.Array, jax.Array], Any],
    tree: Any,
    mask: jax.Array,
    keys: jax.Array,
) -> Any:
    """Put new rows in place of those of a mask. On a CPU it is a few at a time, so that
    only those asked for cost something; elsewhere all are made, which takes less than
    to pick some and to ask after each few whether there are more.

    Args:
      make: rows from keys (n,) and a mask (n,) of those that will be used.
      tree: arrays (B, ...).
      mask: (B,) bool.
      keys: (B,) one for each row.
    """
    count = len(mask)
    room = _room(count)
    if room == count:
        return select_rows(mask, make(keys, mask), tree)

    def some(carry: tuple[Any, jax.Array]) -> tuple[Any, jax.Array]:
        tree, left = carry
        (rows,) = jnp.nonzero(left, size=room, fill_value=count)
        chosen = jnp.minimum(rows, count - 1)
        fresh = make(keys[chosen], rows < count)
        tree = jax.tree.map(
            lambda old, new: old.at[rows].set(new, mode="drop"), tree, fresh
        )
        return tree, left.at[rows].set(False, mode="drop")

    return jax.lax.while_loop(lambda c: jnp.any(c[1]), some, (tree, mask))[0]


def _room(count: int) -> int:
    if jax.default_backend() != "cpu":
        return count
    return min(count, max(_ROWS, count // _SHARE))


def gathered(rows: tuple[jax.Array, ...], axis: str) -> tuple[jax.Array, ...]:
    """Arrays (b,) of whole numbers and bools, with the rows of all devices (B,): as one
    array, because each exchange takes its time however little it moves."""
    packed = jnp.stack([x.astype(jnp.int32) for x in rows])
    packed = jax.lax.all_gather(packed, axis, axis=1, tiled=True)
    return tuple(x.astype(row.dtype) for x, row in zip(packed, rows, strict=True))


def next_keys(keys: jax.Array) -> jax.Array:
    """(B,) the key with which each row starts its next episode."""
    return jax.vmap(lambda key: jax.random.split(key)[0])(keys)


def select_rows(mask: jax.Array, new: Any, old: Any) -> Any:
    """Leaves of `new` in the rows of mask (B,), of `old` elsewhere."""

    def select(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.where(mask.reshape(mask.shape + (1,) * (a.ndim - 1)), a, b)

    return jax.tree.map(select, new, old)
