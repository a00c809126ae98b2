"""MJX-Warp's kernels for a GPU, compiled ahead and many at once, by another process.

Warp compiles a module of kernels when one of them is first launched: for a G1 some
forty modules, one after the other, which takes longer than all that XLA compiles. They
are kept in Warp's cache. So, while this process is busy with XLA, another one makes a
step of the same model in which nothing is launched, notes what would have been, and
fills the cache with it, on all cores. Nothing is lost where that fails: what is not in
the cache is compiled when it is needed.

This file is run by its path, without the rest of mimicgym and without JAX.
"""

import atexit
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any
from unittest import mock

import mujoco
import numpy as np

# Those under way and those that have ended, by what they compile.
_started: dict[Path, subprocess.Popen] = {}


def compile_ahead(
    mj: mujoco.MjModel, sizes: dict[str, int], options: dict[str, int], device: Any
) -> None:
    """Start to fill Warp's cache, unless it has been done.

    Args:
      mj: the model.
      sizes: of `mjx.make_data`, for one environment.
      options: of MJX-Warp, which are not in mj.
      device: of JAX. On others than NVIDIA's nothing is done: Warp is for tests there.
    """
    if device.platform not in ("gpu", "cuda"):
        return
    import warp

    warp.init()
    cuda = f"cuda:{device.local_hardware_id}"
    folder = tempfile.TemporaryDirectory(prefix="mimicgym-kernels-")
    file = Path(folder.name, "model.mjb")
    mujoco.mj_saveModel(mj, str(file), None)
    told = json.dumps([sizes, options], sort_keys=True)
    about = (told, warp.get_device(cuda).arch, metadata.version("mujoco-mjx"))
    label = hashlib.sha256(file.read_bytes() + repr(about).encode()).hexdigest()
    cache = Path(str(warp.config.kernel_cache_dir))
    note = cache / f"mimicgym-{label[:16]}.json"
    if note in _started or _kept(note):
        folder.cleanup()
        return
    output = Path(folder.name, "output.txt")
    with output.open("w") as stream:
        _started[note] = process = subprocess.Popen(
            # Not -m, which would import mimicgym; and not from the folder of this
            # file, where modules have the names of packages.
            [sys.executable, "-P", __file__, str(file), told, cuda, str(note)],
            # Warp adds its version to the folder.
            env=os.environ | {"WARP_CACHE_PATH": str(cache.parent)},
            stdout=stream,
            stderr=stream,
        )
    atexit.register(_end, process, output, folder)


def wait() -> list[int]:
    """Until everything that was started has ended. Returns what their exit codes are;
    an output that says why one is not 0 is shown when this process ends."""
    return [process.wait() for process in _started.values()]


def step_kernels(
    mj: mujoco.MjModel, sizes: dict[str, int], options: dict[str, int], device: str
) -> dict[Any, list[int]]:
    """What a physics step would launch: Warp's modules, each with its block sizes.

    The step is that of MuJoCo Warp within MJX. Its functions launch kernels by
    `warp.launch` and `warp.launch_tiled`, and ask for sizes by
    `warp.get_suggested_block_size`, in whose place others stand meanwhile.
    """
    import mujoco.mjx.third_party.mujoco_warp as mujoco_warp
    import warp

    found: dict[Any, list[int]] = {}
    usual = 1 if warp.get_device(device).is_cpu else 256

    def note(module: Any, size: int) -> None:
        known = found.setdefault(module, [])
        if size not in known:
            known.append(size)

    def suggested_block_size(kernel: Any, device: Any = None) -> tuple[int, int]:
        # Warp loads a kernel with the usual size to see how many of it fit.
        note(kernel.module, usual)
        return usual, 1

    def launch(
        kernel: Any, dim: Any, *_: Any, block_dim: int | None = None, **__: Any
    ) -> None:
        if 0 in np.atleast_1d(dim):
            return  # as Warp does: the model has none of these
        size = block_dim if block_dim and block_dim > 0 and usual > 1 else usual
        note(kernel.module, size)

    def loop(condition: Any, while_body: Any, **given: Any) -> None:
        while_body(**given)

    def branch(condition: Any, on_true: Any = None, on_false: Any = None, **given: Any):
        for body in (on_true, on_false):
            if body is not None:
                body(**given)

    # MJX prepares models on the CPU.
    with warp.ScopedDevice("cpu"):
        model = mujoco_warp.put_model(mj)
        data = mujoco_warp.make_data(mj, nworld=1, **sizes)
    for name, value in options.items():
        setattr(model.opt, name, value)
    instead = {
        "launch": launch,
        "launch_tiled": launch,
        "capture_while": loop,
        "capture_if": branch,
        "get_suggested_block_size": suggested_block_size,
    }
    with warp.ScopedDevice(device), mock.patch.multiple(warp, **instead):
        mujoco_warp.step(model, data)
    return found


def load(modules: dict[Any, list[int]], device: str) -> list[str]:
    """Compile modules, many at once, or find them in Warp's cache. Returns the names of
    their folders there."""
    import warp

    def one(item: tuple[Any, list[int]]) -> list[str]:
        module, sizes = item
        for size in sizes:
            module.load(warp.get_device(device), size)
        return [module.get_module_identifier(size) for size in sizes]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return sorted(
            {name for names in pool.map(one, modules.items()) for name in names}
        )


def _kept(note: Path) -> bool:
    """Whether a process has noted what it compiled, and all of it is still there."""
    try:
        names = json.loads(note.read_text())
    except (OSError, ValueError):
        return False
    return all((note.parent / name).is_dir() for name in names)


def _end(
    process: subprocess.Popen, output: Path, folder: tempfile.TemporaryDirectory
) -> None:
    if (process.poll() or 0) > 0:  # not one that was interrupted, or is at work
        said = output.read_text(errors="replace").strip().splitlines()
        print(
            "mimicgym: Warp's kernels could not be compiled ahead, which made this"
            f" start slower: {said[-1] if said else f'exit {process.returncode}'}",
            file=sys.stderr,
        )
    # What one that is still at work has compiled stays.
    process.terminate()
    process.wait()
    folder.cleanup()


def main(file: str, told: str, device: str, note: str) -> None:
    """Of the other process."""
    import warp

    warp.config.log_level = warp.LOG_WARNING
    warp.init()
    mj = mujoco.MjModel.from_binary_path(file)
    sizes, options = json.loads(told)
    names = load(step_kernels(mj, sizes, options, device), device)
    Path(note).write_text(json.dumps(names))


if __name__ == "__main__":
    main(*sys.argv[1:])
