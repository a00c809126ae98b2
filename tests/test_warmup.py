"""After `mimicgym warmup`, `train` compiles nothing of substance."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mimicgym.cli import main

pytestmark = pytest.mark.usefixtures("compile_quickly")

SMALL = [
    "--motion=squat",
    "--num-envs=16",
    "--ppo.num-steps=4",
    "--ppo.minibatches=2",
    "--ppo.epochs=1",
    "--ppo.hidden",
    "16",
]
# A command, and what XLA was asked for meanwhile.
CODE = """
import json, sys
from mimicgym.cli import main
from mimicgym.compilations import CompilationLog
with CompilationLog() as log:
    assert main(sys.argv[2:]) == 0
found = [(p.name, p.seconds, p.from_cache) for p in log.programs]
open(sys.argv[1], "w").write(json.dumps(found))
"""


def programs(file: Path, cache: Path, *arguments: str) -> list[tuple[str, float, bool]]:
    """Name, seconds and whether it was in the cache, of each program of a command."""
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    command = [sys.executable, "-c", CODE, str(file), *arguments]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return [tuple(x) for x in json.loads(file.read_text())]


@pytest.mark.timeout(900)
def test_a_training_after_it_finds_its_programs(tmp_path):
    cache, file = tmp_path / "cache", tmp_path / "programs.json"
    warm = programs(file, cache, "warmup", *SMALL)
    assert not any(from_cache for name, _, from_cache in warm if "pure_" in name)
    out = tmp_path / "run"
    found = programs(file, cache, "train", *SMALL, "--iterations=1", f"--out={out}")
    missed = [(name, seconds) for name, seconds, from_cache in found if not from_cache]
    # Some copies of arrays may differ; none of them takes longer than this.
    assert sum(seconds for _, seconds in missed) < 0.5, missed
    hits = [name for name, _, from_cache in found if from_cache]
    names = ("_new_networks", "_pure_start", "pure_collect", "pure_improve", "_rollout")
    for part in names:
        assert any(part in name for name in hits), (part, hits)


def test_several_hosts_are_refused(capsys):
    assert main(["warmup", "--hosts", "auto"]) == 2
    assert "--hosts" in capsys.readouterr().err


def test_it_says_that_nothing_would_be_kept(capsys):
    import jax

    jax.config.update("jax_enable_compilation_cache", False)
    try:
        assert main(["warmup", *SMALL]) == 2
    finally:
        jax.config.update("jax_enable_compilation_cache", True)
    assert "keeps no compiled programs" in capsys.readouterr().err
