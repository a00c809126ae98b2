"""Compiled programs are kept for later processes, by JAX's compilation cache.

They lie in `mimicgym/jax` of the user's cache folder, below a name for the processor:
programs for one can be wrong for another that shares the folder.
JAX_COMPILATION_CACHE_DIR names another folder; JAX_ENABLE_COMPILATION_CACHE=false
switches it off.
"""

import hashlib
import os
import platform
import sys
from pathlib import Path

_FOLDER = "JAX_COMPILATION_CACHE_DIR"
# JAX keeps what takes a second to compile; a start consists of many smaller programs.
_SECONDS = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"


def configure() -> None:
    """Set JAX's cache folder, unless the user has. Does not import JAX; where it is
    imported already, its configuration is changed instead of its environment."""
    if _FOLDER in os.environ:
        return
    folder = str(default_folder())
    jax = sys.modules.get("jax")
    if jax is None:
        os.environ[_FOLDER] = folder
        os.environ.setdefault(_SECONDS, "0")
    elif jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", folder)
        if _SECONDS not in os.environ:
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def default_folder() -> Path:
    """Where programs for this processor are kept."""
    return cache_folder() / "mimicgym" / "jax" / processor()


def cache_folder() -> Path:
    """The user's, by the system's convention."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local) if local else Path.home() / "AppData" / "Local"
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(base) if base else Path.home() / ".cache"


def processor() -> str:
    """A short name for what this machine's processor can do."""
    told = f"{platform.machine()} {platform.processor()}"
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features", "model name")):
                told += line
            elif not line:
                break  # the first processor's entry is over
    except OSError:
        pass
    return f"{platform.machine()}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"
