"""What all tests share. Set up before JAX starts."""

import os
from pathlib import Path

os.environ.setdefault("MUJOCO_GL", "egl")

import mimicgym  # noqa: F401  (sets what XLA needs on a CPU)

# isort: split

import jax
import pytest

_CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
# Compiled programs are kept between runs: compiling is most of the tests' time.
jax.config.update("jax_compilation_cache_dir", str(_CACHE / "mimicgym" / "jax"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


@pytest.fixture(scope="session")
def real_motions() -> Path:
    """The folder that holds `curated/` and `raw/` with other people's clips."""
    default = Path(__file__).resolve().parents[2] / "shared" / "motions"
    folder = Path(os.environ.get("MIMICGYM_TEST_MOTIONS", default))
    if not (folder / "curated").is_dir():
        pytest.skip(f"no clips at {folder}; set MIMICGYM_TEST_MOTIONS to their folder")
    return folder
