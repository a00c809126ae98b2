"""What `mimicgym bench` measures, as a suite and as a check against regressions."""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mimicgym.bench.bare import BARE_LOOPS, NativeLoop
from mimicgym.bench.case import Case, run_case, with_clips
from mimicgym.bench.cell import bench
from mimicgym.bench.chart import layout, plot_suite
from mimicgym.bench.check import fallen, read_rows
from mimicgym.bench.suite import run_apart
from mimicgym.cli import main
from mimicgym.envs.make import make_env
from mimicgym.envs.presets import env_preset
from mimicgym.errors import UserError
from mimicgym.ppo import ppo_preset

REFERENCE = Path(__file__).parent / "data" / "bench.json"
QUICK = replace(env_preset("quick"), engine="native")


@pytest.fixture(scope="module")
def measured():
    """A row of the case that the reference file has, and what measures it again."""
    (earlier,) = read_rows(REFERENCE)
    env = make_env(QUICK)
    case = Case("quick", QUICK, earlier["num_envs"])

    def measure(repeats: int) -> dict:
        found = bench(env, case.num_envs, steps=earlier["steps"], repeats=repeats)
        return case.axes | found.to_dict()

    return env, earlier, measure


@pytest.mark.alone
def test_the_ratio_has_not_fallen(measured):
    """The one check of speed. It compares ratios of medians of interleaved repeats; the
    tolerance is `mimicgym.bench.check.TOLERANCE`. Before an alarm it looks again."""
    _, earlier, measure = measured
    slower = fallen([measure(earlier["repeats"])], [earlier])
    if slower:
        slower = fallen([measure(2 * earlier["repeats"])], [earlier])
    assert not slower, slower


@pytest.mark.alone
def test_a_slowed_environment_is_noticed(measured, monkeypatch):
    env, earlier, measure = measured
    step = env.engine.host_step

    def slowed(*arguments):
        began = time.perf_counter()
        step(*arguments)
        time.sleep(3 * (time.perf_counter() - began))

    monkeypatch.setattr(env.engine, "host_step", slowed)
    (first, second) = fallen([measure(3)], [earlier])
    assert "preset quick" in first and ": ratio 0." in first
    assert ": ratio_same_motion 0." in second


def row(**changes) -> dict:
    figures = {"ratio": 0.6, "ratio_same_motion": 0.7}
    return Case("quick", QUICK, 8).axes | figures | changes


def test_the_tolerance_is_a_share_of_the_earlier_ratio():
    earlier = [row(), row(num_envs=16, ratio=0.1)]
    assert fallen([row(ratio=0.40)], earlier, 0.35) == []
    (line,) = fallen([row(ratio=0.38)], earlier, 0.35)
    assert "num_envs 8" in line
    assert "ratio 0.38 is below 0.39, which is 35% less than 0.60" in line
    (line,) = fallen([row(error="killed")], earlier)
    assert "killed" in line


def test_what_can_not_be_compared_is_said(tmp_path):
    with pytest.raises(UserError, match=r"no earlier figure of .*num_envs 32"):
        fallen([row(num_envs=32)], [row()])
    with pytest.raises(UserError, match="tolerance is 1"):
        fallen([row()], [row()], 1)
    file = tmp_path / "other.json"
    for text, words in (
        ("{", "is no JSON"),
        ("[]", "not written by"),
        ('{"rows": [{"ratio": 1}]}', "not written by"),
    ):
        file.write_text(text)
        with pytest.raises(UserError, match=words):
            read_rows(file)
    with pytest.raises(UserError, match="can not be read"):
        read_rows(tmp_path / "missing.json")


@pytest.mark.alone
def test_the_bare_engine_does_what_the_environment_did(measured):
    """On the same targets from the same states: where no row was reset, robots end
    where the environment's do."""
    from mimicgym.bench.timed import Stretches

    env, earlier, _ = measured
    count, steps = earlier["num_envs"], earlier["steps"]
    stretches = Stretches(env, count, steps, 0, 0.1)
    stretches.begin()
    stretches.go()
    qpos, qvel, ctrl = stretches.taken()
    assert ctrl.shape == (steps, count, env.action_size)
    loop = NativeLoop(env.engine, count)
    loop.moving(qpos, qvel, ctrl)()
    error = np.abs(stretches.positions() - loop._qpos).max(axis=1)
    # Half a second; the environment keeps its state in single precision.
    assert np.median(error) < 5e-3
    assert stretches.reset_shares[0] < 0.02
    # Targets for each physics step, all alike, come to the same.
    by_step = np.repeat(ctrl[:, :, None], env.engine.decimation, axis=2)
    before = loop._qpos.copy()
    loop.moving(qpos, qvel, by_step)()
    assert np.abs(before - loop._qpos).max() < 1e-6


def test_every_engine_has_a_bare_loop():
    from mimicgym.physics import ENGINES

    assert {*BARE_LOOPS, "auto"} == {*ENGINES}


def test_clips_are_repeated():
    env = with_clips(replace(QUICK, motion=replace(QUICK.motion, clips=("a", "b"))), 5)
    assert env.motion.clips == ("a", "b", "a", "b", "a")
    with pytest.raises(UserError, match="num_clips is 0"):
        with_clips(QUICK, 0)


def test_a_case_survives_being_handed_over():
    case = Case("quick", QUICK, 8, ppo_preset("quick").ppo, 3, 2)
    assert Case.from_dict(json.loads(json.dumps(case.to_dict()))) == case


def test_a_case_that_fails_says_why_and_stops_no_other():
    motion = replace(QUICK.motion, clips=("wvae",))
    found = run_apart(Case("quick", replace(QUICK, motion=motion), 8))
    assert "wvae" in found["error"] and "wave" in found["error"]
    assert found["num_envs"] == 8


@pytest.mark.usefixtures("compile_quickly")
def test_a_learner_is_measured_too():
    ppo = replace(ppo_preset("quick").ppo, num_steps=4, hidden=(8,), epochs=1)
    found = run_case(Case("quick", QUICK, 16, ppo, steps=3, repeats=2))
    assert found["num_clips"] == 1 and found["joints"] == 23
    assert found["threads"] >= 1
    assert 0 < found["host_peak_mb"] < 1e5 and found["device_peak_mb"] is None
    assert found["programs"] >= found["from_cache"] >= 0
    part = found["ppo"]
    assert part["steps_per_iteration"] == 64
    assert part["ratio"] == pytest.approx(np.mean(part["ratio_spread"]))  # of two
    assert part["env_steps_per_s"] > 0


def test_the_chart_has_the_longest_axis_across(tmp_path):
    rows = [
        row(num_envs=n, engine=engine, ratio=0.1 * n, env_steps_per_s=n)
        for n in (64, 8, 16)
        for engine in ("native", "mjx")
    ]
    across, lines = layout(rows)
    assert across == "num_envs"
    assert list(lines) == ["native", "mjx"]
    assert [r["num_envs"] for r in lines["mjx"]] == [8, 16, 64]
    plot_suite([*rows, row(error="killed")], tmp_path / "c.png", "title")
    assert (tmp_path / "c.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--engine", "native", "wrap"], ["wrap", "warp", "mjx"]),
        (["--num-envs", "8", "0"], ["num_envs is 0"]),
        (["--preset", "quick", "quik"], ["quik"]),
        (["--collisions", "hands"], ["hands", "feet"]),
        (["--learner", "quick"], ["--ppo"]),
        (["--num-clips", "0"], ["num_clips is 0"]),
        (["--check", "missing.json"], ["missing.json"]),
    ],
)
def test_bad_arguments_are_refused_before_anything_runs(arguments, words, capsys):
    assert main(["bench", *arguments]) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    for word in words:
        assert word in error
