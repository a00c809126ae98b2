"""What XLA needs on a CPU so as not to hang, and on a GPU so as to compile soon.

With its default CPU scheduler, jaxlib 0.10 deadlocks in programs such as a vmapped
physics step: every thread waits and none works. Switching the "concurrency optimized"
scheduler off cures it at no loss of speed. The flag counts only if it is set before JAX
starts its backend, so importing mimicgym sets it.

On GPUs JAX writes each drawing of random numbers out as some hundred operations, and
XLA's fusion takes longer than in proportion to those. A setting of JAX makes them a
kernel of its own, with the same numbers: XLA then compiles what starts episodes in a
third of the time and what acts in half (docs/performance.md).
"""

import importlib.util
import mmap
import os
import sys
import warnings
from importlib import metadata
from pathlib import Path

RANDOM = "jax_threefry_gpu_kernel_lowering"
FLAG = "--xla_cpu_enable_concurrency_optimized_scheduler"
# Releases known to have the flag. XLA ends the process over a flag that it does not
# know, so that for others it is looked up in the library first.
_KNOWN = ("0.10.",)


def configure() -> None:
    """Add the flag to XLA_FLAGS, keeping what the user has set there, and have random
    numbers of a GPU drawn by a kernel.

    The user's own variables for either stay. If JAX has started its backend already,
    the flag can not be changed any more, and a warning says so.
    """
    _draw_by_kernel()
    flags = os.environ.get("XLA_FLAGS", "")
    if FLAG in flags or not _flag_exists():
        return
    if backend_started():
        warnings.warn(
            "JAX started before mimicgym was imported, without"
            f" XLA_FLAGS={FLAG}=false: on a CPU it can hang for ever."
            " Import mimicgym first, or set that variable yourself.",
            RuntimeWarning,
            stacklevel=3,
        )
        return
    os.environ["XLA_FLAGS"] = f"{flags} {FLAG}=false".strip()


def _draw_by_kernel() -> None:
    """By its variable, or in JAX's configuration where JAX is imported already."""
    variable = RANDOM.upper()
    if variable in os.environ:
        return
    jax = sys.modules.get("jax")
    if jax is None:
        os.environ[variable] = "true"
    elif hasattr(jax.config, RANDOM):
        jax.config.update(RANDOM, True)


def backend_started() -> bool:
    """Whether JAX has read XLA_FLAGS already. Does not import JAX."""
    bridge = sys.modules.get("jax._src.xla_bridge")
    return bool(getattr(bridge, "_backends", None))


def _flag_exists() -> bool:
    try:
        version = metadata.version("jaxlib")
    except metadata.PackageNotFoundError:
        return False
    return version.startswith(_KNOWN) or library_has_flag(FLAG)


def library_has_flag(flag: str) -> bool:
    """Whether an XLA flag's name stands in the installed jaxlib."""
    spec = importlib.util.find_spec("jaxlib")
    if spec is None or not spec.submodule_search_locations:
        return False
    name = flag.removeprefix("--").encode()
    for folder in spec.submodule_search_locations:
        for library in Path(folder).glob("*.so"):
            with (
                library.open("rb") as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
            ):
                if content.find(name) >= 0:
                    return True
    return False
