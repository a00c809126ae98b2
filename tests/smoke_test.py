"""Whether an installed wheel works, run from another folder: `make build` does it.

A script, not a pytest module: the fresh environment has nothing but the wheel.
"""

import json
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import gymnasium

import mimicgym
from mimicgym.assets import asset_path, embedded_motions


def main() -> None:
    installed = Path(mimicgym.__file__).resolve()
    site = Path(sysconfig.get_path("purelib")).resolve()
    assert site in installed.parents, f"{installed} is not the wheel's"
    assert installed.with_name("py.typed").is_file()
    assert site in asset_path("g1", "g1.xml").resolve().parents
    assert {"squat", "wave"} <= set(embedded_motions())

    env = gymnasium.make("G1DeepMimic-v0", motion="squat", preset="quick")
    env.reset(seed=0)
    observation, reward, *_ = env.step(env.action_space.sample() * 0)
    assert observation in env.observation_space
    assert reward > 0
    env.close()

    command = Path(sys.executable).with_name("mimicgym")
    said = _run(command, "--version")
    assert said.strip() == mimicgym.__version__, said
    with tempfile.TemporaryDirectory() as folder:
        run, scores = Path(folder) / "run", Path(folder) / "eval.json"
        _run(command, "train", "--num-envs", "4", "--iterations", "1", "--out", run)
        _run(command, "eval", run, "--json", scores)
        (clip,) = json.loads(scores.read_text())["clips"]
        assert clip["name"] == "wave" and clip["mpkpe_mm"] > 0, clip
    print(f"mimicgym {mimicgym.__version__} works from {site}")


def _run(*command: object) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


if __name__ == "__main__":
    main()
