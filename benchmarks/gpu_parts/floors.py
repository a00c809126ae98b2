"""What the device can do at best: copies, matrix products, starting a kernel."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from gpu_parts.part import Part, attempt, median, seconds_of

PRODUCTS = 8  # of a chain


def run(part: Part) -> None:
    _copies(part)
    _products(part)
    _starts(part)


def _copies(part: Part) -> None:
    for mib in (1,) if part.dry else (64, 1024, 4096):
        with attempt(part, what="copy", mib=mib):
            array = jnp.ones((mib, 1024, 256), jnp.float32)
            times = seconds_of(jax.jit(jnp.copy), array, repeats=10)
            rate = 2 * array.nbytes / median(times)
            part.add(
                {
                    "what": "copy",
                    "mib": mib,
                    "gb_per_s_read_and_written": rate / 1e9,
                    "best": 2 * array.nbytes / min(times) / 1e9,
                }
            )


def _kinds() -> Iterator[tuple[str, Any, Any]]:
    yield "float32, highest", jnp.float32, "highest"
    yield "float32, tensorfloat32", jnp.float32, "tensorfloat32"
    yield "float32, default", jnp.float32, None
    yield "bfloat16", jnp.bfloat16, None


def _products(part: Part) -> None:
    for size in (256,) if part.dry else (2048, 8192):
        for name, dtype, precision in _kinds():
            with attempt(part, what="product", size=size, kind=name):
                keys = jax.random.split(jax.random.key(0), 2)
                # Products of products keep their size.
                a = jax.random.normal(keys[0], (size, size)) / size**0.5
                b = jax.random.normal(keys[1], (size, size))
                a, b = a.astype(dtype), b.astype(dtype)

                def chain(a: jax.Array, b: jax.Array, p=precision) -> jax.Array:
                    def body(_: Any, b: jax.Array) -> jax.Array:
                        return jnp.matmul(a, b, precision=p)

                    return jax.lax.fori_loop(0, PRODUCTS, body, b)

                times = seconds_of(jax.jit(chain), a, b, repeats=5)
                flop = 2 * size**3 * PRODUCTS
                part.add(
                    {
                        "what": "product",
                        "size": size,
                        "kind": name,
                        "tflop_per_s": flop / median(times) / 1e12,
                        "best": flop / min(times) / 1e12,
                    }
                )


def _starts(part: Part) -> None:
    """What a loop whose iterations do next to nothing takes for each."""
    count = 100 if part.dry else 10_000

    @jax.jit
    def loop(x: jax.Array) -> jax.Array:
        return jax.lax.fori_loop(0, count, lambda _, x: jnp.sin(x) + 1, x)

    with attempt(part, what="iteration of a loop"):
        times = seconds_of(loop, jnp.ones(1024))
        row = {"what": "iteration of a loop", "us": 1e6 * median(times) / count}
        part.add(row)
