"""What `import mimicgym` does, and what it leaves for later."""

import subprocess
import sys
import tomllib
from pathlib import Path

import gymnasium
import pytest

import mimicgym

ROOT = Path(__file__).resolve().parents[1]

IMPORT = """
import sys, time
began = time.perf_counter()
import mimicgym
seconds = time.perf_counter() - began
heavy = {"jax", "jaxlib", "mujoco", "flax", "tyro", "rich", "matplotlib"}
print(seconds, *sorted(heavy & set(sys.modules)))
"""


@pytest.mark.alone
def test_import_is_quick_and_brings_nothing_heavy():
    # The best of several: other programs may be using the machine.
    best = float("inf")
    for _ in range(12):
        command = [sys.executable, "-c", IMPORT]
        out = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds, *heavy = out.stdout.split()
        assert heavy == []
        best = min(best, float(seconds))
    assert best < 0.3


def test_every_public_name_is_there():
    for name in mimicgym.__all__:
        assert getattr(mimicgym, name) is not None
        assert name in dir(mimicgym)
    with pytest.raises(AttributeError, match="no attribute 'make_envs'"):
        mimicgym.make_envs  # noqa: B018


def test_version_is_that_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert mimicgym.__version__ == project["version"]


def test_dependencies_have_lower_bounds_only():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [r for group in project["optional-dependencies"].values() for r in group]
    for requirement in (*project["dependencies"], *extras):
        assert not set("<!~") & set(requirement), requirement
        assert "==" not in requirement


def test_package_is_typed():
    assert Path(mimicgym.__file__).with_name("py.typed").is_file()


def test_id_is_registered_with_strings():
    spec = gymnasium.spec("G1DeepMimic-v0")
    assert spec.entry_point == "mimicgym.envs.single:TrackingEnvironment"
    assert spec.vector_entry_point == "mimicgym.envs.vector:TrackingVectorEnvironment"
    assert spec.max_episode_steps is None


def test_registering_again_changes_nothing():
    before = gymnasium.registry["G1DeepMimic-v0"]
    mimicgym.envs.registration.register_environments()
    assert gymnasium.registry["G1DeepMimic-v0"] is before
