"""Products of matrices keep float32's digits on a GPU, which by itself would multiply
with TF32's ten bits."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax.lax import Precision

from mimicgym.envs.make import env_config, make_env
from mimicgym.envs.tracking import TrackingEnv

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
def test_an_engine_by_itself(engine, preset, motion):
    if engine == "warp":
        pytest.importorskip("warp")
    physics = make_env(env_config(preset, motion=motion, engine=engine)).engine
    mj = physics.model.mj
    rows = jnp.ones((2, mj.nq)), jnp.zeros((2, mj.nv)), jnp.ones(2, bool)
    place = jax.vmap(physics.place)
    count, lost = careless(place, *rows)
    assert count > 0
    assert not lost, lost[0]
    state, _ = jax.eval_shape(place, *rows)
    count, lost = careless(jax.vmap(physics.step), state, jnp.zeros((2, mj.nu)))
    assert count > 0
    assert not lost, lost[0]


@pytest.mark.parametrize(
    ("preset", "motion"), [("default", "climb_stairs"), ("beyondmimic", "walk")]
)
def test_an_environment_with_a_careless_term(preset, motion, monkeypatch):
    usual = TrackingEnv._errors

    def errors(self, robot, ref):
        nothing = 0 * (robot.joint_vel @ robot.joint_vel)
        return {k: v + nothing for k, v in usual(self, robot, ref).items()}

    env = make_env(env_config(preset, motion=motion, engine="native"))
    key, action = jax.random.key(0), jnp.zeros(env.action_size)
    state = jax.eval_shape(env.reset, key)
    without, _ = careless(env.step, state, action)
    monkeypatch.setattr(TrackingEnv, "_errors", errors)
    count, lost = careless(env.step, state, action)
    assert count > without
    assert not lost, lost[0]
    count, lost = careless(env.reset, key)
    assert count > 0
    assert not lost, lost[0]
