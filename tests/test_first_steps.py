"""Which termination ends a clip's first steps, and the words for it."""

import json
from dataclasses import replace

import numpy as np

from mimicgym.cli import main
from mimicgym.envs.presets import env_preset
from mimicgym.first_steps import first_failures, first_steps_finding
from mimicgym.motion import load_motion, save_motion


def raised(motion, metres: float):
    qpos = motion.qpos.copy()
    qpos[:, 2] += metres
    return replace(motion, qpos=qpos)


def thrown(motion):
    """Its first frames say that the robot flies sideways at 15 m/s."""
    qpos = motion.qpos.copy()
    qpos[:, 1] += 0.3 * (np.arange(len(qpos)) % 2)
    return replace(motion, qpos=qpos, name="shaken")


def test_failures_are_found_and_named():
    config = env_preset("default")
    config = replace(config, motion=replace(config.motion, ground="none"))
    stand = load_motion("stand")
    deep = raised(stand, -0.25)
    fine, sunk, shaken = first_failures(config, (stand, deep, thrown(stand)))
    assert not fine
    assert first_steps_finding(fine) is None
    finding = first_steps_finding(sunk)
    assert finding is not None
    assert finding.level == "warning"
    assert "tracking_error" in finding.message
    assert "above it" in finding.message
    assert "starts inside the floor" in finding.message
    assert any("tracking_error" in failure.cause for failure in shaken)
    assert all(failure.steps >= 2 for failure in (*sunk, *shaken))


def test_check_tells_of_the_first_steps(tmp_path, capsys):
    file = tmp_path / "sunk.npz"
    save_motion(raised(load_motion("stand"), 0.0), file)
    out = tmp_path / "check.json"
    assert main(["motion", "check", str(file), "--json", str(out)]) == 0
    (row,) = json.loads(out.read_text())["clips"]
    assert row["verdict"] == "ok"
    save_motion(thrown(load_motion("stand")), file)
    assert main(["motion", "check", str(file), "--json", str(out)]) == 1
    (row,) = json.loads(out.read_text())["clips"]
    assert row["verdict"] == "error"
    assert "jump" in [finding["code"] for finding in row["findings"]]
    capsys.readouterr()
