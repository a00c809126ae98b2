"""The XLA flag that keeps JAX on a CPU from hanging."""

import os
import subprocess
import sys
from importlib import metadata

import pytest

from mimicgym import xla

OFF = f"{xla.FLAG}=false"


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """As if JAX had not started and nothing was set."""
    monkeypatch.setattr(xla, "backend_started", lambda: False)
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, OFF),
        ("", OFF),
        ("--xla_dump_to=dumps", f"--xla_dump_to=dumps {OFF}"),
        # The user's own word on this flag stands.
        (OFF, OFF),
        (f"{xla.FLAG}=true", f"{xla.FLAG}=true"),
        (f"--xla_dump_to=dumps {xla.FLAG}", f"--xla_dump_to=dumps {xla.FLAG}"),
    ],
)
def test_flag_joins_what_the_user_has_set(fresh, before, after):
    if before is not None:
        fresh.setenv("XLA_FLAGS", before)
    xla.configure()
    assert os.environ["XLA_FLAGS"] == after


def test_configuring_twice_adds_the_flag_once(fresh):
    xla.configure()
    xla.configure()
    assert os.environ["XLA_FLAGS"] == OFF


def test_flag_stands_in_the_installed_library():
    # The tested releases take a short cut; this is what others go by.
    assert xla.library_has_flag(xla.FLAG)
    assert not xla.library_has_flag("--xla_cpu_enable_a_flag_that_is_not_there")


def test_flag_unknown_to_another_release_is_not_set(fresh):
    # XLA would end the process over it.
    fresh.setattr(metadata, "version", lambda name: "0.99.0")
    fresh.setattr(xla, "library_has_flag", lambda flag: False)
    xla.configure()
    assert "XLA_FLAGS" not in os.environ


def test_flag_known_to_another_release_is_set(fresh):
    fresh.setattr(metadata, "version", lambda name: "0.99.0")
    xla.configure()
    assert os.environ["XLA_FLAGS"] == OFF


def _python(code: str, timeout_s: float, **env: str) -> subprocess.CompletedProcess:
    ours = ("XLA_FLAGS", xla.RANDOM.upper())
    inherited = {k: v for k, v in os.environ.items() if k not in ours}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=inherited | {"JAX_PLATFORMS": "cpu"} | env,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def test_import_sets_the_flag_and_xla_accepts_it():
    code = """
import mimicgym, os, jax
print(os.environ["XLA_FLAGS"], jax.jit(lambda x: 2 * x)(21))
"""
    done = _python(code, 60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [OFF, "42"]
    assert "Warning" not in done.stderr


STARTED = """
import os, warnings, jax
jax.devices()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import mimicgym
print([(w.category.__name__, str(w.message)) for w in caught])
print("XLA_FLAGS" in os.environ)
"""


RANDOM = """
import mimicgym, jax
print(jax.config.jax_threefry_gpu_kernel_lowering)
program = jax.jit(lambda key: jax.random.uniform(key, (4,)))
traced = program.trace(jax.random.key(0))
print("threefry2x32_ffi" in traced.lower(lowering_platforms=("cuda",)).as_text())
"""


@pytest.mark.parametrize(
    ("before", "said", "by_kernel"),
    [("", None, True), ("import jax", None, True), ("", "false", False)],
)
def test_a_gpu_draws_random_numbers_by_a_kernel(before, said, by_kernel):
    """Unless the user wants it otherwise, and by whoever was imported first."""
    told = {} if said is None else {"JAX_THREEFRY_GPU_KERNEL_LOWERING": said}
    done = _python(before + RANDOM, 60, **told)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(by_kernel)] * 2


def test_import_after_the_start_of_jax_warns_and_says_what_to_do():
    done = _python(STARTED, 60)
    assert done.returncode == 0, done.stderr
    said, is_set = done.stdout.splitlines()
    assert "RuntimeWarning" in said
    assert "Import mimicgym first" in said
    assert f"XLA_FLAGS={OFF}" in said
    # Setting it now would only look as if it had been in force.
    assert is_set == "False"


def test_import_after_the_start_of_jax_is_silent_where_the_user_set_it():
    done = _python(STARTED, 60, XLA_FLAGS=OFF)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "[]"


MJX_STEPS = """
import mimicgym
import jax
from mujoco import mjx
from mimicgym.robot import build_model, get_robot

model = build_model(get_robot("g1_23dof"), collisions="feet", visuals=False)
device_model = mjx.put_model(model.mj)
data = mjx.make_data(device_model)
qpos = data.qpos.at[2].set(0.78)
heights = 0.02 * jax.numpy.arange(64)

def start(height):
    return data.replace(qpos=qpos.at[2].add(height))

batch = jax.vmap(start)(heights)
step = jax.jit(jax.vmap(lambda d: mjx.step(device_model, d)))
for _ in range(10):
    batch = jax.block_until_ready(step(batch))
print(bool(jax.numpy.isfinite(batch.qpos).all()))
"""


@pytest.mark.timeout(420)
def test_vmapped_mjx_step_on_a_cpu_does_not_hang():
    # Without the flag this hangs for ever, at the first call or some calls later, on
    # two cores. Compiling takes half a minute of the time allowed.
    done = _python(MJX_STEPS, 400)
    assert done.returncode == 0, done.stderr
    # mujoco.mjx may say something of its own before.
    assert done.stdout.splitlines()[-1] == "True"
