"""NumPy functions in jitted programs."""

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym.physics import foreign
from mimicgym.physics.foreign import HostFunction, available

# On GPUs the native engine is called through JAX's own callbacks.
pytestmark = pytest.mark.skipif(jax.default_backend() != "cpu", reason="of CPUs")

SHAPE = jax.ShapeDtypeStruct((2,), jnp.float32)


def test_it_is_there():
    """With the jaxlib that tests run with; elsewhere there is another way."""
    assert available()


def test_arguments_and_results_of_nested_vmaps():
    seen = []

    def compute(arguments, results):
        seen.append([(x.shape, x.dtype, x.flags.writeable) for x in arguments])
        a, mask, count = arguments
        results[0][:] = np.where(mask[..., None], a + count[..., None], -1.0)

    function = HostFunction("test_nested", compute)

    def call(a, mask, count):
        return function(SHAPE, a, mask, count)

    a = np.random.default_rng(0).normal(size=(3, 4, 2)).astype(np.float32)
    mask = np.arange(12).reshape(3, 4) % 3 > 0
    count = np.arange(4, dtype=np.int32)
    program = jax.jit(jax.vmap(jax.vmap(call), in_axes=(0, 0, None)))
    expected = np.where(mask[..., None], a + count[None, :, None], -1.0)
    expected = expected.astype(np.float32)
    np.testing.assert_array_equal(program(a, mask, count), expected)
    assert len(seen) == 1
    shapes, dtypes, writeable = zip(*seen[0], strict=True)
    assert shapes == ((3, 4, 2), (3, 4), (3, 4))
    assert dtypes == (np.float32, np.bool_, np.int32)
    assert writeable == (False, False, False)


def test_calls_in_a_loop_come_in_order():
    calls = []

    def compute(arguments, results):
        calls.append(float(arguments[0][0]))
        results[0][:] = arguments[0] + 1

    function = HostFunction("test_loop", compute)

    @jax.jit
    def program(x):
        return jax.lax.scan(lambda x, _: (function(SHAPE, x), None), x, length=50)[0]

    np.testing.assert_array_equal(program(jnp.zeros(2)), [50, 50])
    assert calls == list(range(50))


def test_what_goes_wrong_is_told():
    def compute(arguments, results):
        raise ValueError("no such robot")

    function = HostFunction("test_wrong", compute)
    program = jax.jit(lambda x: function(SHAPE, x))
    with pytest.raises(Exception, match="no such robot"):
        jax.block_until_ready(program(jnp.zeros(2)))


def test_a_program_keeps_its_function():
    def make():
        function = HostFunction("test_kept", lambda a, r: np.copyto(r[0], 2 * a[0]))
        return jax.jit(lambda x: function(SHAPE, x))

    program = make()
    np.testing.assert_array_equal(program(jnp.ones(2)), [2, 2])
    gc.collect()
    np.testing.assert_array_equal(program(jnp.ones(2)), [2, 2])
    np.testing.assert_array_equal(
        jax.vmap(program)(jnp.ones((3, 2))), np.full((3, 2), 2)
    )


def test_nothing_keeps_a_function_but_its_user():
    """JAX remembers for long what it has traced; an engine and its threads would live
    as long."""
    function = HostFunction("test_dropped", lambda a, r: np.copyto(r[0], 2 * a[0]))
    program = jax.jit(lambda x, function=function: function(SHAPE, x))
    np.testing.assert_array_equal(program(jnp.ones(2)), [2, 2])
    alone = program.lower(jnp.ones(2)).compile()
    gone = weakref.ref(function)
    del function, program
    gc.collect()
    assert gone() is None
    error = jax.errors.JaxRuntimeError
    with pytest.raises(error, match=r"calls test_dropped_0, which is gone"):
        jax.block_until_ready(alone(jnp.ones(2)))


def test_it_can_be_asked_within_a_trace():
    available.cache_clear()

    @jax.jit
    def program(x):
        assert available()
        return x + 1

    assert program(1.0) == 2.0


def test_another_version_is_not_relied_on(monkeypatch):
    available.cache_clear()
    monkeypatch.setattr(foreign, "_version", lambda: (0, 99))
    assert not available()
    monkeypatch.undo()
    available.cache_clear()
    assert available()


def test_what_does_not_work_is_told_and_done_without(monkeypatch):
    def refuse(*arguments, **more):
        raise RuntimeError("no such platform")

    available.cache_clear()
    monkeypatch.setattr(jax.ffi, "register_ffi_target", refuse)
    with pytest.warns(RuntimeWarning, match="no such platform"):
        assert not available()
    monkeypatch.undo()
    available.cache_clear()
    assert available()


CACHED = """
import sys, time
import mimicgym, jax, jax.numpy as jnp, numpy as np
from mimicgym.physics.foreign import HostFunction, available
jax.config.update("jax_compilation_cache_dir", sys.argv[1])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
assert available()
function = HostFunction("test_cached", lambda a, r: np.copyto(r[0], a[0] * 3))
program = jax.jit(lambda x: function(jax.ShapeDtypeStruct((2,), jnp.float32), x) + 1)
hits = []
jax.monitoring.register_event_listener(
    lambda name, **more: hits.append(name) if "cache_hit" in name else None
)
print(np.asarray(program(jnp.ones(2))).tolist(), len(hits))
"""


def test_programs_are_found_in_the_compilation_cache(tmp_path: Path):
    said = [
        subprocess.run(
            [sys.executable, "-c", CACHED, str(tmp_path)],
            env=os.environ | {"JAX_PLATFORMS": "cpu"},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout.split("]")
        for _ in range(2)
    ]
    assert [values for values, _ in said] == ["[4.0, 4.0", "[4.0, 4.0"]
    assert int(said[0][1]) < int(said[1][1])
