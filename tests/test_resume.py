"""Going on with a run is the same, to the bit, as not having stopped it."""

import json
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym import preparation
from mimicgym.cli import eval as eval_command
from mimicgym.envs.make import library_of, make_env
from mimicgym.errors import UserError
from mimicgym.evaluation import ClipScore, Evaluation, Evaluator
from mimicgym.identity import check_identity, identity
from mimicgym.ppo import Checkpoints, Learner
from mimicgym.recording import judge as judging
from mimicgym.run import RunConfig, RunFolder, load_policy, run_config
from mimicgym.training import train

pytestmark = pytest.mark.usefixtures("compile_quickly")

# Two clips and a sampler that remembers, so that more than weights has to be kept.
SETTINGS = {
    "ppo.num_steps": 8,
    "ppo.minibatches": 2,
    "ppo.epochs": 1,
    "ppo.hidden": (16,),
    "env.reset.sampling": "failure_bins",
    "training.checkpoint_every": 2,
    "training.keep": 2,
}
TIMES = (
    "seconds",
    "steps_per_s",
    "rollout_s",
    "update_s",
    "memory/process_peak_mb",
)


def config(eval_every: int = 0) -> RunConfig:
    return run_config(
        "quick",
        motion=("squat", "wave"),
        engine="native",
        num_envs=16,
        seed=3,
        overrides=SETTINGS | {"training.eval_every": eval_every},
    )


class Placed(Learner):
    """One whose fresh states are bound to the device, as restored ones are: a program
    is compiled for each of these kinds."""

    def init(self, key):
        return jax.device_put(super().init(key), jax.devices()[0])


class Compiled:
    """Environments, learners and evaluators by their configuration: trainings of this
    module do the same computations, so they compile them once. (The one that is killed
    is another process, and compiles its own.)"""

    def __init__(self):
        self.made = {}

    def once(self, key, make):
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]

    def env(self, config, library=None):
        return self.once(("env", config), lambda: make_env(config, library))

    def learner(self, batched, ppo, **more):
        assert not more["teachers"] and more["devices"] == 1
        key = "learner", id(batched.env), batched.num_envs, ppo
        return self.once(key, lambda: Placed(batched, ppo))

    def evaluator(self, env):
        return self.once(("evaluator", id(env)), lambda: Evaluator(env))


@pytest.fixture(scope="module")
def compiled():
    with pytest.MonkeyPatch.context() as patch:
        found = Compiled()
        patch.setattr(preparation, "make_env", found.env)
        patch.setattr(preparation, "Learner", found.learner)
        patch.setattr(judging, "make_env", found.env)
        patch.setattr(judging, "Evaluator", found.evaluator)
        yield found


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def whole(compiled, runs) -> RunFolder:
    """Six iterations without a stop."""
    return train(config(), out=runs / "whole", iterations=6).folder


@pytest.fixture(scope="module")
def judged(compiled, runs) -> RunFolder:
    """The same with evaluations meanwhile."""
    return train(config(eval_every=2), out=runs / "judged", iterations=6).folder


def arrays(run: RunFolder, compiled: Compiled) -> dict[str, np.ndarray]:
    """Every array of a run's newest state, through the learner that made it."""
    (learner,) = [v for k, v in compiled.made.items() if k[0] == "learner"]
    checkpoints = Checkpoints(run.checkpoints)
    state = checkpoints.restore(checkpoints.latest(), learner.init(jax.random.key(9)))

    def plain(x):
        is_key = jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(x) if is_key else x)

    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {jax.tree_util.keystr(path): plain(x) for path, x in leaves}


def assert_same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    assert a.keys() == b.keys() and len(a) > 100
    for name in a:
        assert a[name].dtype == b[name].dtype, name
        assert a[name].tobytes() == b[name].tobytes(), name


def timeless(lines: list[dict]) -> list[dict]:
    return [{k: v for k, v in line.items() if k not in TIMES} for line in lines]


def test_going_on_is_the_same_as_not_having_stopped(compiled, whole, runs):
    # Stopped between two saves, where one is made for the stop alone.
    first = train(config(), out=runs / "parts", iterations=3)
    assert int(first.iteration) == 3
    parts = train(config(), resume=first.folder, iterations=6).folder
    assert_same(arrays(parts, compiled), arrays(whole, compiled))
    assert timeless(parts.metrics()) == timeless(whole.metrics())
    assert [line["iteration"] for line in whole.metrics()] == [1, 2, 3, 4, 5, 6]


def test_evaluating_meanwhile_changes_nothing(compiled, whole, judged):
    assert_same(arrays(judged, compiled), arrays(whole, compiled))
    shown = [
        {k: v for k, v in line.items() if not k.startswith("eval/")}
        for line in timeless(judged.metrics())
    ]
    assert shown == timeless(whole.metrics())
    assert [m["iteration"] for m in judged.metrics() if "eval/success" in m] == [
        2,
        4,
        6,
    ]


def test_what_evaluations_say(compiled, judged):
    lines = judged.evaluations()
    assert [line["iteration"] for line in lines] == [2, 4, 6]
    for line in lines:
        assert [clip["name"] for clip in line["clips"]] == ["squat", "wave"]
        metrics = judged.metrics()[line["iteration"] - 1]
        for name in ("success", "completion", "mpkpe_mm"):
            assert metrics[f"eval/{name}"] == line["mean"][name]
    # They are of the policy that was saved then.
    (evaluator,) = [v for k, v in compiled.made.items() if k[0] == "evaluator"]
    again = evaluator(jax.device_get(load_policy(judged.path, 4)))
    assert lines[1] == {"iteration": 4, **again.to_dict()}
    assert lines[1]["mean"] != lines[2]["mean"]
    # Two trainings with three evaluations and one, and this: one program.
    assert evaluator.compilations == 1


KILLED = """
import sys, time
from pathlib import Path
from mimicgym.training import train
from tests.test_resume import config

def wait(progress):
    if progress.iteration == 5:
        time.sleep(600)

train(config(eval_every=2), out=Path(sys.argv[1]), iterations=6, on_iteration=wait)
"""


def test_going_on_after_a_kill(compiled, judged, runs, children):
    path = runs / "killed"
    root = Path(__file__).resolve().parents[1]
    child = children.start("-c", KILLED, path, PYTHONPATH=str(root))
    run = RunFolder(path)
    # Past the save of iteration 4 and before that of 6.
    while len(run.metrics()) < 5 or 4 not in Checkpoints(run.checkpoints).all():
        assert child.process.poll() is None, child.errors.read_text()
        time.sleep(0.1)
    child.process.kill()
    child.process.wait()
    assert len(run.metrics()) == 5
    # As if it had been killed while writing a line.
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"iteration": 6, "env_st')
    # And as if before the best checkpoint's forerunner was deleted.
    newest = Checkpoints(run.best).latest()
    shutil.copytree(run.best / str(newest), run.best / "1")

    resumed = train(config(eval_every=2), resume=run, iterations=6).folder
    assert_same(arrays(resumed, compiled), arrays(judged, compiled))
    assert timeless(resumed.metrics()) == timeless(judged.metrics())
    for name in ("evals.jsonl", "clips.jsonl"):
        assert (path / name).read_text() == (judged.path / name).read_text()
    for folder in ("checkpoints", "best"):
        found = Checkpoints(path / folder).all()
        assert found == Checkpoints(judged.path / folder).all()


def test_what_is_kept(judged):
    assert Checkpoints(judged.checkpoints).all() == (4, 6)
    best = max(
        judged.evaluations(),
        key=lambda line: (line["mean"]["success"], -line["mean"]["mpkpe_mm"]),
    )
    assert Checkpoints(judged.best).all() == (best["iteration"],)
    meta = Checkpoints(judged.best).meta(best["iteration"])
    assert meta["evaluation"] == best["mean"]


def weights(policy) -> bytes:
    return b"".join(np.asarray(x).tobytes() for x in jax.tree.leaves(policy))


def test_a_policy_is_chosen(judged, monkeypatch):
    found = {which: weights(load_policy(judged.path, which)) for which in (4, 6)}
    assert found[4] != found[6]
    assert weights(load_policy(judged.path)) == found[6]
    assert weights(load_policy(judged.path, "4")) == found[4]
    (best,) = Checkpoints(judged.best).all()
    expected = weights(Checkpoints(judged.best).policy(best, config().ppo))
    assert weights(load_policy(judged.path, "best")) == expected
    with pytest.raises(UserError, match=r"no checkpoint 5; choose from latest, best, "):
        load_policy(judged.path, 5)
    # And on the command line.
    asked = []

    def stop(env, policy):
        asked.append(weights(policy))
        raise UserError("enough")

    monkeypatch.setattr(eval_command, "evaluate", stop)
    monkeypatch.setattr(eval_command, "make_env", lambda config: None)
    for which in ("4", "best"):
        with pytest.raises(UserError, match="enough"):
            eval_command.main([str(judged.path), "--checkpoint", which])
    assert asked == [found[4], expected]


def copied(run: RunFolder, path: Path) -> RunFolder:
    shutil.copytree(run.path, path)
    return RunFolder(path)


def change_meta(run: RunFolder, **changes) -> None:
    """Of the newest checkpoint."""
    latest = Checkpoints(run.checkpoints).latest()
    (file,) = (run.checkpoints / str(latest) / "meta").glob("metadata")
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_other_content_is_refused(compiled, whole, tmp_path):
    run = copied(whole, tmp_path / "run")
    meta = Checkpoints(run.checkpoints).meta(6)
    other = [meta["motions"][0] | {"sha256": 64 * "0"}, meta["motions"][1]]
    change_meta(run, motions=other)
    with pytest.raises(
        UserError,
        match=r"checkpoints/6 belongs to another training \(setting: there, here\):"
        r" content of clip 'squat': 000000000000, \w{12}$",
    ):
        train(config(), resume=run, iterations=7)
    change_meta(run, motions=meta["motions"], engine="mjx")
    with pytest.raises(UserError, match=r"here\): engine: 'mjx', 'native'$"):
        train(config(), resume=run, iterations=7)
    stored = meta["config"] | {"seed": 4}
    change_meta(run, engine="native", config=stored)
    with pytest.raises(UserError, match=r"here\): seed: 4, 3$"):
        train(config(), resume=run, iterations=7)
    with pytest.raises(UserError, match=r"seed: 3, 5$"):
        train(replace(config(), seed=5), resume=run, iterations=7)
    assert [line["iteration"] for line in run.metrics()] == [1, 2, 3, 4, 5, 6]


def test_other_packages_are_told(compiled, whole, tmp_path):
    run = copied(whole, tmp_path / "run")
    meta = Checkpoints(run.checkpoints).meta(6)
    change_meta(run, versions=meta["versions"] | {"jax": "0.0.1"})
    notes = []
    train(config(), resume=run, iterations=7, on_note=notes.append)
    (note,) = [note for note in notes if "saved with" in note]
    assert f"saved with jax 0.0.1, here {jax.__version__}:" in note
    notes.clear()
    train(config(), resume=run, iterations=8, on_note=notes.append)
    assert not [note for note in notes if "saved with" in note]


def test_content_counts_and_not_the_file(compiled, tmp_path):
    library = library_of(config().env)
    env = compiled.env(config().env, library)
    here = identity(config(), env, library)
    assert check_identity(here, here, "it") == []
    # As JSON, in which it is stored, and from other paths.
    moved = tuple(replace(m, path="/elsewhere", license="") for m in library.motions)
    there = identity(config(), env, replace(library, motions=moved))
    assert check_identity(json.loads(json.dumps(there)), here, "it") == []
    squat, wave = library.motions
    qpos = squat.qpos.copy()
    qpos[7, 9] = np.nextafter(qpos[7, 9], 9)
    for change in ({"qpos": qpos}, {"fps": squat.fps + 1}):
        motions = replace(squat, **change), wave
        there = identity(config(), env, replace(library, motions=motions))
        with pytest.raises(UserError, match="content of clip 'squat'"):
            check_identity(there, here, "it")
    entries = library.entries[0], replace(library.entries[1], weight=2.0)
    there = identity(config(), env, replace(library, entries=entries))
    with pytest.raises(UserError, match=r"weight of clip 2: 2\.0, 1\.0"):
        check_identity(there, here, "it")
    there = here | {"motions": here["motions"][:1], "terrain": 64 * "a"}
    with pytest.raises(UserError, match=r"number of clips: 1, 2; .* ground: a+, flat"):
        check_identity(there, here, "it")


@dataclass
class Judge:
    """An evaluator that says what it was told to."""

    scores: list[tuple[float, float]]

    def __call__(self, policy) -> Evaluation:
        success, mpkpe_mm = self.scores.pop(0)
        score = ClipScore("wave", 9, success, success == 1, mpkpe_mm, mpkpe_mm, 0.1)
        score = replace(score, success=success)
        return Evaluation((score,), (), (), ("",))


def test_the_best_has_more_success_or_else_less_error(compiled, monkeypatch, tmp_path):
    scores = [(0.5, 10.0), (0.8, 30.0), (0.8, 20.0), (0.8, 25.0), (0.7, 5.0)]
    judge = Judge(scores)
    monkeypatch.setattr(judging, "Evaluator", lambda env: judge)
    run = train(config(eval_every=1), out=tmp_path / "run", iterations=5).folder
    assert judge.scores == []
    assert Checkpoints(run.best).all() == (3,)
    # What was best is known to those who go on.
    judge.scores = [(0.8, 21.0), (0.8, 19.0)]
    train(config(eval_every=1), resume=run, iterations=6)
    assert Checkpoints(run.best).all() == (3,)
    train(config(eval_every=1), resume=run, iterations=7)
    assert Checkpoints(run.best).all() == (7,)
    # Killed with the newest checkpoint written, but not the best.
    shutil.rmtree(run.best / "7")
    judge.scores = [(0.1, 99.0)]
    train(config(eval_every=1), resume=run, iterations=8)
    assert Checkpoints(run.best).all() == (7,)


def test_success_ends_a_training(compiled, monkeypatch, tmp_path):
    judge = Judge([(0.5, 9.0), (0.9, 9.0)])
    monkeypatch.setattr(judging, "Evaluator", lambda env: judge)
    seen = []
    result = train(
        config(eval_every=2),
        out=tmp_path / "run",
        success=0.9,
        on_iteration=lambda progress: seen.append(progress.iteration),
    )
    assert seen == [1, 2, 3, 4]
    assert result.iteration == 4
    assert result.evaluation.mean["success"] == 0.9
    # There is nothing left to do, even where it was killed before it said so.
    judge.scores = [(0.9, 9.0)]
    again = train(
        config(eval_every=2),
        resume=result.folder,
        success=0.9,
        on_iteration=lambda progress: seen.append(progress.iteration),
    )
    assert again.iteration == 4 and seen == [1, 2, 3, 4]
    assert len(result.folder.evaluations()) == 2


@pytest.mark.parametrize(
    ("eval_every", "ends", "message"),
    [
        (0, {}, "nothing says when to stop"),
        (0, {"success": 0.9}, r"training\.eval_every has to be above 0"),
        (2, {"success": 1.5}, r"success is 1\.5; a share"),
        (-1, {"iterations": 2}, r"training\.eval_every is -1; at least 0"),
    ],
)
def test_ends_that_never_come(eval_every, ends, message, tmp_path):
    with pytest.raises(UserError, match=message):
        train(config(eval_every), out=tmp_path / "run", **ends)
    assert not (tmp_path / "run").exists()


def test_what_a_run_begins_with(compiled, tmp_path):
    def doubled(state):
        return state.replace(params=jax.tree.map(lambda x: 2 * x, state.params))

    run = train(config(), out=tmp_path / "run", iterations=1, initial=doubled).folder
    (learner,) = [v for k, v in compiled.made.items() if k[0] == "learner"]
    fresh = learner.init(jax.random.key(3))
    # It is saved before the first iteration.
    begun = Checkpoints(run.checkpoints).restore(0, fresh)
    for x, y in zip(
        jax.tree.leaves(fresh.params), jax.tree.leaves(begun.params), strict=True
    ):
        np.testing.assert_array_equal(2 * np.asarray(x), y)
    result = train(config(), resume=run, iterations=2, initial=lambda state: 1 / 0)
    assert result.iteration == 2


def test_runs_from_before_there_were_such_settings(whole, tmp_path):
    run = copied(whole, tmp_path / "run")
    file = run.path / "config.json"
    data = json.loads(file.read_text())
    del data["training"], data["started"]
    file.write_text(json.dumps(data))
    plain = run_config("quick").training
    assert run.config() == replace(config(), training=plain)
