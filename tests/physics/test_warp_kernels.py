"""Kernels of MJX-Warp, compiled ahead by another process."""

import json
import subprocess
import sys
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import mujoco
import pytest

from mimicgym.physics import warp_kernels
from mimicgym.physics.buffers import buffers_of
from mimicgym.physics.warp import WarpEngine
from mimicgym.physics.warp_model import options_of, sizes_of, supported
from mimicgym.robot import build_model, get_robot

pytest.importorskip("warp")

DEVICE = "cpu" if jax.default_backend() == "cpu" else "cuda:0"


@pytest.fixture(scope="module")
def model():
    return build_model(get_robot("g1_23dof"), collisions="feet", visuals=False)


@pytest.fixture
def of_a_gpu(monkeypatch, tmp_path):
    """JAX's device of a machine with a GPU, as far as the first process looks at it; no
    other process finds that one. What is started and kept is forgotten."""
    import warp

    warp.init()
    monkeypatch.setattr(warp.config, "kernel_cache_dir", str(tmp_path / "1.0"))
    monkeypatch.setattr(warp, "get_device", lambda name: SimpleNamespace(arch=90))
    monkeypatch.setattr(warp_kernels, "_started", {})
    return SimpleNamespace(platform="gpu", local_hardware_id=99)


def test_what_a_step_loads_was_known_before(model, monkeypatch):
    """By what Warp loads when the engine makes its first step and is placed."""
    from warp._src.context import Module

    engine = WarpEngine(model, decimation=1)
    mj = engine._mj
    known = warp_kernels.step_kernels(
        mj, sizes_of(engine.buffers), options_of(mj), DEVICE
    )
    names = set(warp_kernels.load(known, DEVICE))
    assert names == {
        m.get_module_identifier(s) for m, sizes in known.items() for s in sizes
    }

    loaded = set()
    usual = Module.load

    def noted(self, device, block_dim=None, *rest, **options):
        loaded.add(self.get_module_identifier(block_dim))
        return usual(self, device, block_dim, *rest, **options)

    monkeypatch.setattr(Module, "load", noted)
    qpos = jnp.asarray(mj.qpos0, jnp.float32)[None]
    qvel = jnp.zeros((1, mj.nv))
    place = jax.jit(jax.vmap(lambda q, v: engine.place(q, v, jnp.array(True))))
    step = jax.jit(jax.vmap(engine.step))
    physics, _ = place(qpos, qvel)
    jax.block_until_ready(step(physics, qpos[:, 7:]))
    # A module of MJX's own, of a single small kernel, is not part of the step.
    missed = {name for name in loaded - names if "mujoco.mjx.warp.ffi" not in name}
    assert not missed
    assert len(names) > 20 and names <= loaded


def test_another_process_notes_what_it_has_compiled(model, tmp_path):
    mj = supported(model.mj)
    file, note = tmp_path / "model.mjb", tmp_path / "note.json"
    mujoco.mj_saveModel(mj, str(file), None)
    told = json.dumps([sizes_of(buffers_of(mj)), options_of(mj)])
    command = [sys.executable, "-P", warp_kernels.__file__]
    subprocess.run([*command, str(file), told, DEVICE, str(note)], check=True)
    names = json.loads(note.read_text())
    assert len(names) > 20
    # A note counts as long as all that it names is there.
    assert not warp_kernels._kept(note)
    for name in names:
        (tmp_path / name).mkdir()
    assert warp_kernels._kept(note)
    (tmp_path / names[3]).rmdir()
    assert not warp_kernels._kept(note)


def test_nothing_is_started_for_a_cpu(model, of_a_gpu):
    of_a_gpu.platform = "cpu"
    warp_kernels.compile_ahead(model.mj, {}, {}, of_a_gpu)
    assert warp_kernels._started == {}


def test_what_has_been_done_is_not_started(model, of_a_gpu, capsys):
    mj = supported(model.mj)
    # The other process fails, for want of a GPU: that does no harm, and is told.
    ends = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warp_kernels.atexit, "register", lambda *end: ends.append(end))
        for _ in range(2):
            warp_kernels.compile_ahead(mj, {"naconmax": 7}, {}, of_a_gpu)
            assert warp_kernels.wait() == [1]
    ((end, *arguments),) = ends
    end(*arguments)
    assert "slower: ValueError: Invalid device identifier: cuda:99" in (
        capsys.readouterr().err
    )
    ((note, _),) = warp_kernels._started.items()
    assert not note.exists()
    # As if it had been done by an earlier program.
    warp_kernels._started.clear()
    note.parent.mkdir()
    note.write_text("[]")
    warp_kernels.compile_ahead(mj, {"naconmax": 7}, {}, of_a_gpu)
    assert warp_kernels._started == {}
    # Other sizes, other kernels.
    warp_kernels.compile_ahead(mj, {"naconmax": 8}, {}, of_a_gpu)
    ((_, process),) = warp_kernels._started.items()
    process.kill()
    process.wait()
