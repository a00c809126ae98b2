"""What all tests share. Set up before JAX starts."""

import os
from pathlib import Path

# Compiled programs are kept between runs: compiling is most of the tests' time. Small
# ones are not worth the writing.
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")
os.environ.setdefault("MUJOCO_GL", "egl")

import mimicgym  # noqa: F401  (sets what XLA needs on a CPU)

# isort: split

from collections.abc import Iterator

import jax
import pytest

from tests.children import Children


@pytest.fixture(scope="session")
def real_motions() -> Path:
    """The folder that holds `curated/` and `raw/` with other people's clips."""
    default = Path(__file__).resolve().parents[2] / "shared" / "motions"
    folder = Path(os.environ.get("MIMICGYM_TEST_MOTIONS", default))
    if not (folder / "curated").is_dir():
        pytest.skip(f"no clips at {folder}; set MIMICGYM_TEST_MOTIONS to their folder")
    return folder


@pytest.fixture(scope="module")
def compile_quickly() -> Iterator[None]:
    """For tests in which compiling is most of the time, and speed of what comes of it
    is none; for the processes that they start as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
        jax.config.update("jax_disable_most_optimizations", True)
        yield
        jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def children(tmp_path) -> Iterator[Children]:
    """Starts processes, which end with the test."""
    folder = tmp_path / "children"
    folder.mkdir()
    with Children(folder) as children:
        yield children
