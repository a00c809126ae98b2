"""Products of matrices keep float32's digits on a GPU, which by itself would multiply
with TF32's ten bits."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax.lax import Precision

from mimicgym.envs.make import env_config, make_env

FULL = (Precision.HIGHEST, Precision.HIGHEST)


def products(jaxpr: Any) -> Iterator[Any]:
    """Its products and convolutions, with those of the programs within it."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in ("dot_general", "conv_general_dilated"):
            yield equation
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=program):
            if program(inner):
                yield from products(getattr(inner, "jaxpr", inner))


def program(x: Any) -> bool:
    return hasattr(x, "eqns") or hasattr(x, "jaxpr")


def careless(function: Any, *args: Any) -> tuple[int, list[str]]:
    """How many products there are, and where those stand that may lose digits."""
    found = list(products(jax.make_jaxpr(function)(*args).jaxpr))
    # Of whole numbers there is nothing to lose.
    floats = [e for e in found if jnp.issubdtype(e.outvars[0].aval.dtype, jnp.inexact)]
    return len(floats), [
        str(e.source_info.traceback) for e in floats if e.params["precision"] != FULL
    ]


def test_one_that_loses_digits_is_found():
    x = jnp.ones((3, 3))

    def within(x):
        times = jax.jit(lambda y: y @ x)
        y = jax.lax.scan(lambda y, _: (times(y), None), x, length=2)[0]
        return jnp.matmul(y, x, precision="highest")

    count, lost = careless(within, x)
    assert count == 2
    assert len(lost) == 1
    assert "test_precision" in lost[0]


@pytest.mark.parametrize("engine", ["native", "mjx", "warp"])
@pytest.mark.parametrize(
    ("preset", "motion"), [("default", "climb_stairs"), ("beyondmimic", "walk")]
)
def test_environment(engine, preset, motion):
    if engine == "warp":
        pytest.importorskip("warp")
    env = make_env(env_config(preset, motion=motion, engine=engine))
    state = jax.eval_shape(env.reset, jax.random.key(0))
    for function, args in (
        (env.reset, (jax.random.key(0),)),
        (env.step, (state, jnp.zeros(env.action_size))),
    ):
        count, lost = careless(function, *args)
        assert count > 0
        assert not lost, lost[0]
