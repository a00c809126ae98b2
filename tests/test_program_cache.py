"""Where compiled programs are kept."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mimicgym import program_cache
from mimicgym.program_cache import cache_folder, default_folder, processor

SHOW = """
import {first}
import {second}
import jax
print(jax.config.jax_compilation_cache_dir)
print(jax.config.jax_persistent_cache_min_compile_time_secs)
"""


def shown(first: str, second: str, **environment: str) -> list[str]:
    """JAX's folder and threshold after two imports, in a process of its own."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    return subprocess.run(
        [sys.executable, "-c", SHOW.format(first=first, second=second)],
        env=plain | {"JAX_PLATFORMS": "cpu"} | environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()


@pytest.mark.parametrize("order", [("mimicgym", "jax"), ("jax", "mimicgym")])
def test_it_is_on_whichever_is_imported_first(order):
    assert shown(*order) == [str(default_folder()), "0.0"]


def test_what_the_user_has_set_stands(tmp_path: Path):
    folder = str(tmp_path / "mine")
    assert shown("mimicgym", "jax", JAX_COMPILATION_CACHE_DIR=folder) == [folder, "1.0"]
    seconds = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"
    assert shown("mimicgym", "jax", **{seconds: "3"})[1] == "3.0"


def test_folders_follow_the_system(monkeypatch: pytest.MonkeyPatch):
    home = Path.home()
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for system, expected in (
        ("linux", home / ".cache"),
        ("darwin", home / "Library" / "Caches"),
    ):
        monkeypatch.setattr(sys, "platform", system)
        assert cache_folder() == expected
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert default_folder() == Path("/elsewhere/mimicgym/jax") / processor()


def test_another_processor_has_another_folder(monkeypatch: pytest.MonkeyPatch):
    here = processor()
    assert processor() == here
    told = "flags : fpu avx512f\n\nflags : other\n"
    monkeypatch.setattr(program_cache.Path, "read_text", lambda self: told)
    assert processor() != here
