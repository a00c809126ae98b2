"""Pipelines: their files, what is checked before anything is trained, and running."""

import json
import shutil
import tomllib
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml

from mimicgym.cli import main
from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.make import make_env
from mimicgym.errors import UserError
from mimicgym.motion import load_motion
from mimicgym.motion.load import save_motion
from mimicgym.pipeline import Watch, plan, read_file, run_pipeline, shipped
from mimicgym.pipeline.source import run_source, weights_from
from mimicgym.pipeline.stage import KEYS, Stage
from mimicgym.ppo import Checkpoints, Learner, LearnerState, policy_of
from mimicgym.ppo.stored import STORED, read_arrays
from mimicgym.ppo.transfer import USUAL
from mimicgym.run import RunFolder, load_policy

SMALL = """
[defaults]
task = "quick"
num_envs = 8
iterations = 2

[defaults.overrides]
ppo = { num_steps = 4, minibatches = 1, epochs = 1, hidden = [16] }
env.physics.collisions = "feet"
"""
TEACHER = """
[[stage]]
name = "wave"
motions = ["wave"]
"""
STUDENT = """
[[stage]]
name = "student"
motions = [{ clip = "wave", teacher = "wave" }, { clip = "stand", weight = 2 }]
teachers = ["wave"]
from = "wave"
init_std = 0.3
iterations = 4
overrides.ppo.bc_coef = 1.0
overrides.env.observation.actor = ["torso_xy_rel", "history_torso_real", "phase"]
"""
# Runs of two stages compile for minutes where the machine has other work.
pytestmark = [pytest.mark.timeout(900), pytest.mark.usefixtures("compile_quickly")]


def written(folder: Path, text: str) -> Path:
    path = folder / "my.toml"
    path.write_text(text)
    return path


def planned(folder: Path, text: str, **settings):
    file = read_file(str(written(folder, text)), **settings)
    return plan(file, folder / "out")


def go_on(folder: Path, watch: Watch | None = None) -> bool:
    """Run what is left of the pipeline in a folder."""
    stages = plan(read_file(str(folder / "my.toml")), folder / "out")
    return run_pipeline("my", stages, folder / "out", watch)


def stage_of(keys: str, name: str = "a") -> str:
    return f'[[stage]]\nname = "{name}"\n{keys}\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stages = []", r"my\.toml: unknown key 'stages'; did you mean 'stage'\?"),
        ("", r"my\.toml: has no \[\[stage\]\]"),
        ("stage = [", r"my\.toml: is no TOML: Invalid value"),
        ("stage = [3]", r"stage 1 is 3; a table is needed"),
        (stage_of(""), r"stage 'a': lacks task, the name of a task"),
        (
            stage_of('task = "quick"\niterations = "many"'),
            r"stage 'a': iterations is 'many'; a whole number of 1 or more is needed",
        ),
        (
            stage_of('task = "quick"\niterations = true'),
            r"iterations is True; a whole number",
        ),
        (
            stage_of('task = "quick"\nitterations = 3'),
            r"stage 'a': unknown key 'itterations'; did you mean 'iterations'\?",
        ),
        (stage_of('task = "quick"\nsuccess = 90'), r"success is 90; a share above 0"),
        ('[[stage]]\nname = "a/b"', r"stage 'a/b': name is 'a/b'; a name of letters"),
        (stage_of("motions = []"), r"motions is \[\]; a list of clips or tables"),
        (
            SMALL + TEACHER + TEACHER,
            r"my\.toml: two stages are called 'wave'",
        ),
        (
            SMALL + stage_of('motions = ["$video"]'),
            r"stage 'a': motions: unknown set of motions 'video'; Choices: none",
        ),
        ("[defaults]\nfrom = 'x'", r"defaults: unknown key 'from'"),
        ('[motions]\nx = "wave"', r"motions\.x is 'wave'; a list of clips"),
        (
            SMALL + stage_of('reinitialize = ["critic"]'),
            r"stage 'a': reinitialize is \['critic'\], but there is no 'from'",
        ),
        (
            SMALL + stage_of('from = "x"\nreinitialize = ["criticc"]'),
            r"reinitialize: unknown part 'criticc'; did you mean 'critic'\?",
        ),
        (
            SMALL + stage_of('from = "x"\nkeep = ["std"]'),
            r"keep: unknown part 'std'; .*Choices: learning_rate, optimizer",
        ),
        (
            SMALL
            + stage_of('from="x"\nkeep=["optimizer"]\nreinitialize=["optimizer"]'),
            r"optimizer is in reinitialize and in keep",
        ),
    ],
)
def test_what_is_wrong_in_a_file(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read_file(str(written(tmp_path, text)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (stage_of('task = "quickk"'), r"my\.toml: stage 'a': .*'quickk'; did you mean"),
        (stage_of('learner = "quickk"'), r"stage 'a': .*'quickk'; did you mean"),
        (stage_of('motions = ["wav"]'), r"stage 'a': motions 1: unknown motion 'wav'"),
        (
            stage_of('motions = [{ clip = "wave", wieght = 2 }]'),
            r"stage 'a': motions 1: unknown key 'wieght'; did you mean 'weight'",
        ),
        (
            stage_of('motions = [{ clip = ["wave", "kick"], weight = 2 }]'),
            r"my\.toml: stage 'a': motions 1: lacks clip, a name or a path",
        ),
        (stage_of("motions = [{ clip = { a = 1 } }]"), r"motions 1: lacks clip"),
        (
            stage_of("overrides.num_seeds = 2"),
            r"my\.toml: stage 'a': overrides: num_seeds is 2; in a pipeline it has",
        ),
        (
            stage_of("overrides.logging.every = 0"),
            r"'a': logging\.every is 0; at least",
        ),
        (stage_of("overrides.num_seeds = 0"), r"stage 'a': .*num_seeds is 0; in a pip"),
        (stage_of('terrain = ["ruogh"]'), r"stage 'a': unknown terrain 'ruogh'"),
        (
            stage_of("overrides.ppo.epoch = 2"),
            r"stage 'a': overrides: unknown setting 'ppo\.epoch'; did you mean",
        ),
        (
            stage_of('overrides."env.reward.alive.weight" = "much"'),
            r"overrides: setting 'env\.reward\.alive\.weight' takes a float, not",
        ),
        (
            stage_of("overrides.ppo.minibatches = 3"),
            r"stage 'a': 8 environments x 4 steps .* ppo\.minibatches = 3 does not",
        ),
        (
            stage_of('overrides.env.observation.actor = ["toroso"]'),
            r"stage 'a': .*'toroso'",
        ),
        (
            stage_of('from = "b"') + stage_of("", "b"),
            r"stage 'a': from is 'b', which does not come before it",
        ),
        (stage_of('from = "a"'), r"from is 'a', which does not come before it"),
        (
            TEACHER + stage_of('from = "waves"'),
            r"'a': from: unknown stage 'waves'; did you mean 'wave'\?.*or the folder",
        ),
        (
            TEACHER + stage_of('from = "wave"\noverrides.ppo.hidden = [8]'),
            r"stage 'a': from is 'wave', which has ppo\.hidden \(16,\), here it is \(8",
        ),
        (
            TEACHER + stage_of('from = "wave"\nrobot = "g1_29dof"'),
            r"which has env\.robot 'g1_23dof', here it is 'g1_29dof'",
        ),
        (
            TEACHER
            + stage_of('from = "wave"\noverrides.env.observation.actor = ["torso"]'),
            r"from is 'wave', whose policy sees nothing that is seen here",
        ),
        (
            TEACHER + stage_of('teachers = ["wave"]'),
            r"teachers is \['wave'\], but ppo\.bc_coef is 0",
        ),
        (
            stage_of("overrides.ppo.bc_coef = 1.0"),
            r"ppo\.bc_coef is 1\.0, but there are no teachers",
        ),
        (
            TEACHER
            + stage_of(
                'teachers = ["wave"]\noverrides.ppo.bc_coef = 1.0\n'
                'motions = [{ clip = "wave", teacher = "wav" }]'
            ),
            r"motions: unknown teacher 'wav'; did you mean 'wave'\?",
        ),
        (
            TEACHER
            + TEACHER.replace('"wave"\nm', '"b"\nm')
            + stage_of('teachers = ["wave", "b"]\noverrides.ppo.bc_coef = 1.0'),
            r"teachers: no clip has the teacher 'wave'",
        ),
        (
            TEACHER
            + stage_of(
                'teachers = ["wave"]\noverrides.ppo.bc_coef = 1.0\n'
                'overrides.env.observation.teacher = ["torso_real"]'
            ),
            r"'wave' sees 2 numbers of torso_xy_rel, which in .*\.teacher is not there",
        ),
        (
            TEACHER
            + stage_of(
                'teachers = ["wave"]\noverrides.ppo.bc_coef = 1.0\n'
                'overrides.env.control.target = "default"'
            ),
            r"'wave' was trained with control\.target 'reference'; here it is 'def",
        ),
    ],
)
def test_what_is_wrong_with_a_stage_is_said_before_any_is_trained(
    tmp_path, text, message
):
    with pytest.raises(UserError, match=message):
        planned(tmp_path, SMALL + text)
    assert not (tmp_path / "out").exists()


def test_folders_that_can_not_be_made_are_refused_before_any_work(
    tmp_path, monkeypatch
):
    written(tmp_path, SMALL + TEACHER)
    file = read_file(str(tmp_path / "my.toml"))
    (tmp_path / "file").write_text("")
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "wave").write_text("")
    for out, there in (
        ("file", "file"),
        ("file/below/it", "file"),
        ("lost", "lost"),
        ("half", "half/wave"),
    ):
        message = rf"not be written to .*{out}.*: {tmp_path / there} is no folder; name"
        with pytest.raises(UserError, match=message):
            plan(file, tmp_path / out)
    with monkeypatch.context() as patch:
        patch.setattr("os.access", lambda path, how: path != tmp_path)
        message = rf"to {tmp_path}/out: {tmp_path} may not be written to; name"
        with pytest.raises(UserError, match=message):
            plan(file, tmp_path / "out")
    # Where it came to be so only afterwards.
    stages = plan(file, tmp_path / "out")
    (tmp_path / "out").write_text("")
    with pytest.raises(UserError, match=r"written to .*out.wave: Not a directory"):
        run_pipeline("my", stages, tmp_path / "out")


def test_every_key_is_documented():
    known = {*Stage.__dataclass_fields__, "from", "keep"} - {"source"}
    assert set(KEYS) == known


def test_a_success_to_reach_is_looked_for(tmp_path):
    (stage,) = planned(tmp_path, SMALL + stage_of("success = 0.9"))
    assert stage.config.training.eval_every == 50
    text = SMALL + stage_of("success = 0.9\noverrides.training.eval_every = 7")
    (stage,) = planned(tmp_path, text)
    assert stage.config.training.eval_every == 7
    with pytest.raises(UserError, match=r"success is 0\.9, .*eval_every has to be"):
        planned(tmp_path, text.replace("= 7", "= 0"))


def test_unknown_pipelines():
    with pytest.raises(UserError, match="unknown pipeline 'cpuu'; did you mean 'cpu'"):
        read_file("cpuu")
    with pytest.raises(UserError, match=r"no\.toml: there is no such file"):
        read_file("no.toml")


def test_overrides_are_merged_and_go_as_deep_as_settings_do(tmp_path):
    text = SMALL + stage_of(
        'overrides."env.reward.alive.weight" = 200\n'
        "overrides.env.randomization.push = { interval_s = [1, 3] }\n"
        "overrides.ppo.epochs = 2"
    )
    (stage,) = planned(tmp_path, text)
    config = stage.config
    assert config.env.reward.alive.weight == 200.0
    assert config.env.randomization.push.interval_s == (1.0, 3.0)
    assert (config.ppo.epochs, config.ppo.num_steps, config.ppo.hidden) == (2, 4, (16,))


def test_motions_are_found_beside_the_file_and_replaced_by_name(tmp_path, monkeypatch):
    (tmp_path / "clips").mkdir()
    for name in ("one", "two"):
        save_motion(load_motion("stand"), tmp_path / "clips" / f"{name}.npz")
    text = SMALL + (
        '[motions]\nmine = ["clips/*.npz"]\nothers = ["squat"]\n'
        + stage_of('motions = ["$mine", { clip = "$others", weight = 3 }]')
    )
    (stage,) = planned(tmp_path, text)
    assert stage.clips == ("one", "two", "squat")
    assert stage.config.env.motion.clips == (
        str(tmp_path / "out" / "a" / "motions.yaml"),
    )
    listed = yaml.safe_load(stage.motions.text())
    assert listed[0] == {"clip": str(tmp_path / "clips" / "one.npz")}
    assert listed[2] == {"clip": "squat", "weight": 3}
    # What the command line gives is beside whoever gives it.
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "clips").mkdir(parents=True)
    save_motion(load_motion("stand"), elsewhere / "clips" / "three.npz")
    monkeypatch.chdir(elsewhere)
    given = ("mine=clips/*.npz", "mine=kick")
    (stage,) = planned(tmp_path, text, motions=given)
    assert stage.clips == ("three", "kick", "squat")
    (stage,) = planned(tmp_path, text, motions=("kick",))
    assert stage.motions.items == [{"clip": "kick"}, {"clip": "kick", "weight": 3}]
    with pytest.raises(UserError, match=r"unknown set of motions .* 'mien'; did"):
        planned(tmp_path, text, motions=("mien=kick",))
    with pytest.raises(UserError, match=r"has no \[motions\] that 'kick' could"):
        planned(tmp_path, SMALL + TEACHER, motions=("kick",))


def test_what_a_stage_says_of_a_list_goes_before_what_the_list_says(tmp_path):
    (tmp_path / "list.yaml").write_text("- stand\n- {clip: kick, weight: 2, repeat: 3}")
    text = SMALL + (
        '[motions]\nmine = ["list.yaml"]\n'
        + stage_of('motions = ["$mine", { clip = "$mine", weight = 5 }]')
    )
    (stage,) = planned(tmp_path, text)
    assert stage.motions.items == [
        {"clip": "stand"},
        {"clip": "kick", "weight": 2, "repeat": 3},
        {"clip": "stand", "weight": 5},
        {"clip": "kick", "weight": 5, "repeat": 3},
    ]


def test_changes_are_for_all_stages(tmp_path):
    stages = planned(tmp_path, SMALL + TEACHER + STUDENT)
    assert [s.config.num_envs for s in stages] == [8, 8]
    assert [s.stage.iterations for s in stages] == [2, 4]
    assert stages[1].stage.reinitialize == ("std", *USUAL)
    file = read_file(str(tmp_path / "my.toml"), changes={"num_envs": 4, "seed": 5})
    stages = plan(file, tmp_path)
    assert [(s.config.num_envs, s.config.seed) for s in stages] == [(4, 5), (4, 5)]


def test_the_original_s_numbers():
    """Section by section as in the stage scripts of VideoMimic."""
    stages = plan(read_file("videomimic"), Path("none"))
    ppo = [planned.config.ppo for planned in stages]
    env = [planned.config.env for planned in stages]
    assert [p.learning_rate for p in ppo] == [1e-3, 2e-5, 1e-3, 3e-5]
    assert [p.schedule for p in ppo] == ["adaptive", "fixed", "fixed", "fixed"]
    assert [p.bc_coef for p in ppo] == [0, 0, 1, 0]
    assert [e.termination.tracking_error for e in env] == [0.5, 0.5, 0.3, 0.5]
    assert [e.termination.max_steps for e in env] == [500, 500, 500, 0]
    assert [e.reset.respawn_z_m for e in env] == [0, 0.1, 0.1, 0.1]
    assert [e.reward.action_rate.weight for e in env] == [-25, -3, -0.2, -0.2]
    assert [e.reward.alive.weight for e in env] == [0, 200, 0, 200]
    assert [e.reward.termination.weight for e in env] == [-500, -2000, -500, -2000]
    assert [len(p.hidden) for p in ppo] == [3, 3, 4, 4]
    assert [p.init_std for p in ppo][1::2] == [0.5, 0.5]
    sources = [planned.source and planned.source.name for planned in stages]
    assert sources == [None, "mocap", None, "student"]
    assert [t.name for t in stages[2].teachers] == ["scenes"]
    assert stages[2].config.env.motion.teacher == "scenes"
    assert {planned.config.num_envs for planned in stages} == {2 * 4096}
    assert env[0].terrain.ground[0] == "flat" and len(env[0].terrain.ground) == 2


def test_shipped_pipelines_name_their_stages(capsys):
    assert main(["pipeline", "--list"]) == 0
    out = capsys.readouterr().out
    for name, path in shipped().items():
        data = tomllib.loads(path.read_text())
        assert name in out and data["description"]
    assert main(["pipeline"]) == 2
    assert "name a pipeline (cpu, videomimic)" in capsys.readouterr().err


def test_a_dry_run_says_what_would_be_done(tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["pipeline", "cpu", "--dry-run", f"--out={out}"]) == 0
    text = capsys.readouterr().out
    assert "200 iterations, 2.5 M steps" in text
    assert "refined, from student" in text
    assert "ppo.bc_coef: 1.0, 0.0" in text
    assert not out.exists()


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> Path:
    """A folder with a pipeline that was stopped in its second stage and then ended."""
    folder = tmp_path_factory.mktemp("pipeline")
    stages = planned(folder, SMALL + TEACHER + STUDENT)
    out = folder / "out"
    seen: list[tuple[str, str]] = []
    students: list[int] = []

    def on_iteration(now, progress):
        if now.stage.name == "student":
            students.append(progress.iteration)

    watch = Watch(
        on_stage=lambda now, state: seen.append((now.stage.name, state)),
        on_iteration=on_iteration,
        should_stop=lambda: bool(students),
    )
    assert not run_pipeline("my", stages, out, watch)
    assert seen == [("wave", "begins"), ("student", "begins")]
    for name in ("report.json", "report.md"):
        shutil.copy(out / name, folder / f"stopped_{name}")
    with redirect_stdout(StringIO()) as text:
        assert main(["pipeline", str(folder / "my.toml"), f"--out={out}"]) == 0
    (folder / "printed.txt").write_text(text.getvalue())
    return folder


def test_stages_go_on_where_they_were_stopped(ran):
    stopped = json.loads((ran / "stopped_report.json").read_text())
    assert not stopped["finished"] and stopped["final"] is None
    assert [stage["state"] for stage in stopped["stages"]] == ["finished", "begun"]
    assert 1 <= stopped["stages"][1]["iterations"] < 4
    assert "student (begun)" in (ran / "stopped_report.md").read_text()
    for name, iterations in (("wave", 2), ("student", 4)):
        run = RunFolder.open(ran / "out" / name)
        numbers = [m["iteration"] for m in run.metrics()]
        assert numbers == list(range(1, iterations + 1))
        assert Checkpoints(run.checkpoints).latest() == iterations


def test_what_is_printed(ran):
    text = " ".join((ran / "printed.txt").read_text().split())
    assert "stage wave is finished already" in text
    assert "stage student goes on" in text
    assert "student 4 of 4: " in text
    assert "stage student finished: completion" in text
    assert f"report: {ran / 'out' / 'report.md'}" in text


def test_the_report_has_everything(ran):
    data = json.loads((ran / "out" / "report.json").read_text())
    assert data["finished"] and data["env_steps"] == (2 + 4) * 8 * 4
    wave, student = data["stages"]
    assert [c["name"] for c in data["final"]["clips"]] == ["wave", "stand"]
    assert data["final"] == student["evaluation"]
    stored = json.loads((ran / "out/student/report/eval.json").read_text())
    assert data["final"] == stored
    assert (wave["teachers"], student["teachers"]) == ([], ["wave"])
    assert all(stage["seconds"] > 0 for stage in data["stages"])
    assert wave["weights"] is None
    weights = student["weights"]
    assert (weights["from"], weights["iteration"]) == ("wave", 2)
    terms = weights["arrays"]["terms"]["actor"]
    assert terms["new"] == ["history_torso_real (375)"]
    assert terms["taken"] == ["torso_xy_rel", "phase"]
    assert "started anew: std, optimizer, learning_rate" in weights["summary"]
    assert "ppo.init_std: 0.5, 0.3" in weights["changed"]
    text = (ran / "out" / "report.md").read_text()
    (row,) = [line for line in text.splitlines() if line.startswith("| student ")]
    assert "| wave, stand | 4 of 4 | 128 |" in row
    assert row.endswith("| wave | wave |")
    assert "## The final policy (student)" in text
    assert "- new inputs of actor: history_torso_real (375)" in text


def test_a_stage_starts_with_what_the_one_before_it_learnt(ran):
    """On what both see, the student does at first what its source did at last."""
    wave, student = plan(read_file(str(ran / "my.toml")), ran / "out")
    env = make_env(student.config.env)
    learner = Learner(BatchedEnv(env, 8), replace(student.config.ppo, bc_coef=0.0))
    fill = weights_from(
        student.source, student.layout, USUAL, lambda iteration, told: None
    )
    policy = policy_of(fill(learner.init(jax.random.key(0))), student.config.ppo)
    before = load_policy(wave.folder)
    rng = np.random.default_rng(0)
    shared = {name: rng.normal(size=(5, 2)) for name in ("torso_xy_rel", "phase")}

    def seen(planned, rest):
        parts = [shared.get(term, rest(n)) for term, n in planned.layout["actor"]]
        return np.hstack(parts)

    # What the student does not see was as its source is used to.
    usual = np.asarray(before.stats.mean)
    there = seen(wave, lambda n: np.full((5, n), np.nan))
    there = np.where(np.isnan(there), usual, there)
    here = seen(student, lambda n: rng.normal(size=(5, n)))
    a, b = (
        np.asarray(p(jnp.asarray(obs, jnp.float32)))
        for p, obs in ((before, there), (policy, here))
    )
    np.testing.assert_allclose(a, b, atol=1e-6)
    assert np.ptp(a, axis=0).max() > 1e-4


def test_the_student_s_clips_name_their_teachers(ran):
    listed = yaml.safe_load((ran / "out/student/motions.yaml").read_text())
    assert listed == [
        {"clip": "wave", "teacher": "wave"},
        {"clip": "stand", "weight": 2},
    ]
    run = RunFolder.open(ran / "out" / "student")
    assert run.config().teachers == (str(ran / "out" / "wave"),)
    assert all(m["ppo/imitation_share"] == 1.0 for m in run.metrics())


def copied(ran: Path, folder: Path) -> Path:
    """The pipeline in a folder of its own, whose runs may be changed."""
    shutil.copytree(ran, folder / "copy")
    for path in (folder / "copy").rglob("*.json"):
        path.write_text(path.read_text().replace(str(ran), str(folder / "copy")))
    return folder / "copy"


def test_nothing_is_done_twice(ran, tmp_path):
    folder = copied(ran, tmp_path)
    before = read_arrays(folder / "out/student/checkpoints", 4)
    seen = []
    watch = Watch(
        on_stage=lambda now, state: seen.append(state),
        on_iteration=lambda now, progress: pytest.fail("trained again"),
    )
    assert go_on(folder, watch)
    assert seen == ["finished"] * 2
    after = read_arrays(folder / "out/student/checkpoints", 4)
    for name, x in before.items():
        np.testing.assert_array_equal(x, after[name])


def test_a_result_that_was_not_written_is_found_without_training(ran, tmp_path):
    folder = copied(ran, tmp_path)
    path = folder / "out" / "wave" / "stage.json"
    data = json.loads(path.read_text())
    result = data.pop("result")
    path.write_text(json.dumps(data))
    watch = Watch(on_iteration=lambda now, progress: pytest.fail("trained again"))
    assert go_on(folder, watch)
    found = json.loads(path.read_text())["result"]
    assert found == result


def test_a_stage_killed_within_its_last_evaluation_gets_what_it_lacks(ran, tmp_path):
    folder = copied(ran, tmp_path)
    wave = RunFolder.open(folder / "out" / "wave")
    path = wave.path / "stage.json"
    data = json.loads(path.read_text())
    result = data.pop("result")
    path.write_text(json.dumps(data))
    (wave.path / "evals.jsonl").unlink()
    shutil.rmtree(wave.report)
    shutil.rmtree(wave.best / "2")
    watch = Watch(on_iteration=lambda now, progress: pytest.fail("trained again"))
    assert go_on(folder, watch)
    assert json.loads(path.read_text())["result"] == result
    before = ran / "out" / "wave"
    for name in ("metrics.jsonl", "clips.jsonl", "evals.jsonl", "report/eval.json"):
        assert (wave.path / name).read_text() == (before / name).read_text()
    assert {x.name for x in wave.path.iterdir()} == {x.name for x in before.iterdir()}
    assert (wave.report / "curves.png").exists() and (
        wave.report / "clips.png"
    ).exists()
    for kept in ("checkpoints", "best"):
        assert Checkpoints(wave.path / kept).all() == Checkpoints(before / kept).all()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'name = "wave"\n',
            'name = "wave"\nseed = 3\n',
            r"stage 'wave' has begun in .* \(setting: there, here\): seed: 0, 3",
        ),
        ("iterations = 4", "iterations = 5", r"stage 'student' .*iterations: 4, 5"),
        ("weight = 2", "weight = 3", r"stage 'student' .*motions: .*'weight': 3"),
        ("init_std = 0.3", "init_std = 0.4", r"stage 'student'.*init_std: 0\.3, 0\.4"),
        ("bc_coef = 1.0", "bc_coef = 0.9", r"overrides\.ppo\.bc_coef: 1\.0, 0\.9"),
    ],
)
def test_a_stage_that_has_changed_is_refused(ran, tmp_path, old, new, message):
    folder = copied(ran, tmp_path)
    path = folder / "my.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError, match=message):
        go_on(folder)


def test_a_run_that_is_no_stage_is_left_alone(ran, tmp_path):
    folder = copied(ran, tmp_path)
    (folder / "out" / "wave" / "stage.json").unlink()
    with pytest.raises(UserError, match="holds a run that is no stage of a pipeline"):
        go_on(folder)
    with pytest.raises(UserError, match="wave holds a run, not a pipeline"):
        run_pipeline("my", (), folder / "out" / "wave")


def test_weights_from_a_run_of_before(ran, tmp_path):
    """A run that is no stage of the file is a source and a teacher too."""
    wave = ran / "out" / "wave"
    text = SMALL + stage_of(
        f'motions = ["stand"]\nfrom = "{wave}"\nteachers = ["old={wave}"]\n'
        "overrides.ppo.bc_coef = 0.5"
    )
    (stage,) = planned(tmp_path, text)
    assert stage.source.config.preset == "quick"
    assert [t.name for t in stage.teachers] == ["old"]
    assert stage.config.env.motion.teacher == "old"
    assert stage.config.teachers == (f"old={wave}",)


def blank(stage) -> LearnerState:
    """A state of a stage's learner, with zeros in all that can be stored."""
    ppo = replace(stage.config.ppo, bc_coef=0.0)
    learner = Learner(BatchedEnv(make_env(stage.config.env), 8), ppo)
    state = jax.eval_shape(learner.pure_init, jax.random.key(0))
    zeros = {
        name: jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), getattr(state, name))
        for name in STORED
    }
    return state.replace(**zeros)


def test_weights_from_a_student_of_before(ran, tmp_path):
    """Its settings do not say what it was shown for its teachers."""
    folder = copied(ran, tmp_path)
    student = folder / "out" / "student"
    settings = json.loads((student / "config.json").read_text())
    settings["env"]["observation"]["teacher"] = []
    (student / "config.json").write_text(json.dumps(settings))
    wave = ran / "out" / "wave"
    text = SMALL + stage_of(
        f'motions = ["stand"]\nfrom = "{student}"\nteachers = ["{wave}"]\n'
        "overrides.ppo.bc_coef = 0.5"
    )
    (stage,) = planned(tmp_path, text)
    source, fresh, told = stage.source, blank(stage), []

    def filled(source):
        fill = weights_from(source, stage.layout, USUAL, lambda i, t: told.append(t))
        return fill(fresh)

    assert source.layout["teacher"] == stage.layout["teacher"]
    mean = read_arrays(student / "checkpoints", 4)["obs_stats.teacher.mean"]
    np.testing.assert_array_equal(filled(source).obs_stats["teacher"].mean, mean)
    assert "obs_stats.teacher" in told[-1].taken
    # Its teacher is another by now, and then none at all.
    teacher = folder / "out" / "wave" / "config.json"
    settings = json.loads(teacher.read_text())
    settings["env"]["observation"]["actor"] = ["torso_xy_rel"]
    teacher.write_text(json.dumps(settings))
    assert "teacher" not in run_source("student", student).layout
    teacher.unlink()
    source = run_source("student", student)
    np.testing.assert_array_equal(filled(source).obs_stats["teacher"].mean, 0)
    assert "left: obs_stats.teacher" in told[-1].summary()
    assert "obs_stats.actor" in told[-1].taken


def test_a_source_of_several_seeds_is_refused(ran, tmp_path):
    folder = copied(ran, tmp_path)
    wave = folder / "out" / "wave"
    (wave / "seed_0").mkdir()
    (wave / "checkpoints").rename(wave / "seed_0" / "checkpoints")
    with pytest.raises(UserError, match=r"several seeds; choose a run of it: seed_0"):
        planned(tmp_path, SMALL + stage_of(f'motions = ["stand"]\nfrom = "{wave}"'))
