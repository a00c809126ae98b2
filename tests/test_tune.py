"""What `mimicgym tune` tries, in which order, and what it makes of it."""

import json
from dataclasses import replace

import pytest

from mimicgym.cli import main
from mimicgym.cli.tune import _train_command
from mimicgym.errors import UserError
from mimicgym.pipeline import plan, read_file
from mimicgym.run import run_config
from mimicgym.tuning import Attempt, Candidate, best, candidates, sweep
from mimicgym.tuning.file import stage_text

# 512 x 12 samples in 4 minibatches.
CONFIG = run_config("quick", motion="wave")
STEPS = CONFIG.ppo.num_steps


def test_the_preset_itself_comes_first_then_what_is_alike():
    found = candidates(CONFIG, cores=4)
    assert (found[0].num_envs, found[0].minibatches, found[0].threads) == (512, 4, 4)
    alike = [c.alike for c in found]
    assert alike == sorted(alike, reverse=True) and not all(alike)
    for c in found:
        assert c.batch == c.num_envs * STEPS // c.minibatches
        assert c.alike == (c.batch == 512 * STEPS // 4)
    assert {c.num_envs for c in found} == {128, 256, 512, 1024, 2048}
    assert {c.threads for c in found} == {4, 2}
    assert len(set(found)) == len(found)


def test_values_that_are_given_are_all_that_is_tried():
    found = candidates(CONFIG, cores=4, num_envs=[64, 100], minibatches=[2, 7])
    # 100 x 12 and 64 x 12 samples are no multiples of 7.
    assert {(c.num_envs, c.minibatches) for c in found} == {(64, 2), (100, 2)}
    assert not any(c.alike for c in found)
    assert {c.threads for c in candidates(CONFIG, cores=None)} == {None}
    assert {c.threads for c in candidates(CONFIG, cores=1)} == {1}


def test_values_that_can_not_be_used_are_named():
    for name in ("num_envs", "minibatches", "threads"):
        with pytest.raises(UserError, match=f"{name} is 0; at least 1"):
            candidates(CONFIG, cores=2, **{name: [4, 0]})
    with pytest.raises(UserError, match="threads 2 are the native engine's"):
        candidates(CONFIG, cores=None, threads=[2])
    with pytest.raises(UserError, match="no number of minibatches"):
        candidates(CONFIG, cores=2, num_envs=[1], minibatches=[7])


class Machine:
    """A clock, and candidates that take their time by it."""

    def __init__(self, speeds: dict[int, float], compile_s: float = 10.0):
        self.now = 0.0
        self.speeds = speeds
        self.compile_s = compile_s
        self.runs: list[int] = []

    def clock(self) -> float:
        return self.now

    def begin(self, candidate: Candidate):
        if candidate.num_envs not in self.speeds:
            raise UserError("needs more memory")
        self.now += self.compile_s
        return Running(self, candidate.num_envs)


class Running:
    def __init__(self, machine: Machine, num_envs: int):
        self.machine, self.num_envs = machine, num_envs
        self.compile_s = machine.compile_s

    def speed(self) -> float:
        self.machine.now += 2.0
        self.machine.runs.append(self.num_envs)
        return self.machine.speeds[self.num_envs]


def candidate(num_envs: int, alike: bool = True) -> Candidate:
    return Candidate(num_envs, 4, 2, 3072 if alike else 1536, alike)


def test_time_is_kept_and_the_fastest_are_measured_again():
    machine = Machine({1: 5.0, 2: 9.0, 3: 7.0, 4: 1.0})
    told = []
    found = sweep(
        [candidate(n) for n in (1, 2, 3, 4, 5, 6)],
        machine.begin,
        100.0,
        on_attempt=told.append,
        clock=machine.clock,
    )
    assert told == found
    # 4 x 12 s; 5 does not fit the memory; 6 would, but neither is there speed for it.
    assert found[4].skipped == "needs more memory"
    assert machine.now <= 100.0
    assert sorted(set(machine.runs[4:])) == [1, 2, 3]
    assert [len(a.speeds) for a in found[:4]] == [6, 6, 6, 1]
    assert best(found).candidate.num_envs == 2


def test_what_would_not_fit_the_time_is_not_begun():
    machine = Machine(dict.fromkeys((1, 2, 3, 4), 1.0), compile_s=30.0)
    found = sweep(
        [candidate(n) for n in (1, 2, 3, 4)], machine.begin, 100.0, clock=machine.clock
    )
    assert [a.skipped for a in found] == ["", "", "no time left", "no time left"]
    assert machine.now <= 100.0
    # The first is tried however little time there is.
    machine = Machine({1: 1.0, 2: 1.0})
    found = sweep([candidate(1), candidate(2)], machine.begin, 1.0, clock=machine.clock)
    assert found[0].speeds == [1.0] and found[1].skipped


def test_the_best_is_alike_the_preset_where_one_is():
    slow = Attempt(candidate(1), [5.0, 6.0, 100.0])
    fast = Attempt(candidate(2, alike=False), [50.0])
    assert slow.speed == 6.0
    assert best([fast, slow]) is slow
    assert best([fast]) is fast
    with pytest.raises(UserError, match=r"nothing could be tried: 1 environments.*why"):
        best([Attempt(candidate(1), skipped="why")])


def test_the_file_is_one_that_a_pipeline_runs(tmp_path):
    config = run_config(
        "quick", motion="squat", overrides={"env.control.action_scale": 0.3}
    )
    tuned = Candidate(256, 2, 2, 3072, True).applied(config)
    tuned = replace(tuned, ppo=replace(tuned.ppo, hidden=(8, 8)))
    file = tmp_path / "mine.toml"
    file.write_text(stage_text(tuned, "quick", "it's mine", 7))
    (stage,) = plan(read_file(str(file)), tmp_path / "out")
    assert stage.config.env == tuned.env
    assert stage.config.ppo == tuned.ppo
    assert stage.config.num_envs == 256
    assert stage.stage.iterations == 7


def test_a_setting_that_the_file_can_not_hold_is_said():
    config = replace(CONFIG, ppo=replace(CONFIG.ppo, critic_learning_rate=None))
    with pytest.raises(UserError, match=r"ppo\.critic_learning_rate is None"):
        stage_text(config, None, "", 1)


def test_the_command_has_what_was_given_and_what_was_found():
    given = ["--minutes", "3", "--motion", "a b", "--num-envs", "1", "2"]
    given += ["--ppo.minibatches=9", "--ppo.hidden", "8", "8", "--threads=1"]
    told = _train_command(given, Attempt(candidate(64), [1.0]))
    assert told == (
        "mimicgym train --motion 'a b' --ppo.hidden 8 8"
        " --num-envs 64 --ppo.minibatches 4 --env.threads 2"
    )


@pytest.mark.usefixtures("compile_quickly")
def test_it_tunes(tmp_path, capsys):
    """One candidate, for real."""
    file, out = tmp_path / "tune.json", tmp_path / "mine.toml"
    arguments = ["--motion=squat", "--num-envs=16", "--minibatches=2", "--threads=1"]
    arguments += ["--ppo.hidden=8", "--ppo.num-steps=4", "--ppo.epochs=1"]
    arguments += ["--minutes=0.1", f"--json={file}", f"--out={out}"]
    assert main(["tune", *arguments]) == 0
    data = json.loads(file.read_text())
    (attempt,) = data["attempts"]
    assert attempt["speed"] > 0 and attempt["candidate"]["num_envs"] == 16
    assert data["train"].endswith("--ppo.minibatches 2 --env.threads 1")
    assert "mimicgym train" in capsys.readouterr().out
    assert read_file(str(out)).stages[0].num_envs == 16


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--minutes", "0"], "--minutes is 0"),
        (["--out", "mine.yaml"], "mine.yaml; a .toml file"),
        (["--engine", "wrap"], "wrap"),
        (["--preset", "quik"], "quik"),
        (["--num-envs", "0"], "num_envs is 0"),
    ],
)
def test_bad_arguments_are_one_line(arguments, words, capsys):
    assert main(["tune", *arguments]) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    assert words in error
