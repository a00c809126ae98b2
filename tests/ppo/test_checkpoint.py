"""Saving and going on."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from mimicgym.errors import UserError
from mimicgym.ppo import (
    Checkpoints,
    CheckpointWriter,
    Learner,
    LearnerState,
    policy_of,
)
from tests.ppo.probes import Probe
from tests.ppo.test_learner import CONFIG

PROBE = Probe("both")


def leaves(state) -> list[np.ndarray]:
    def plain(x):
        is_key = jax.numpy.issubdtype(x.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(x) if is_key else x)

    return [plain(x) for x in jax.tree.leaves(state)]


def iterate(learner, state, times: int):
    for _ in range(times):
        state, _ = learner.iterate(state)
    return state


@pytest.fixture(scope="module")
def learner() -> Learner:
    return Learner(PROBE, CONFIG)


@pytest.fixture(scope="module")
def state(learner) -> LearnerState:
    """After three iterations; not to be iterated, which would use it up."""
    return iterate(learner, learner.init(jax.random.key(0)), 3)


@pytest.fixture
def checkpoints(state, tmp_path) -> Checkpoints:
    """A folder with that state in it, for the robot "g1_23dof"."""
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    assert checkpoints.save(state, CONFIG, {"robot": "g1_23dof"}) == 3
    return checkpoints


def fresh(probe=PROBE, config=CONFIG) -> LearnerState:
    return Learner(probe, config).init(jax.random.key(9))


def test_going_on_equals_not_having_stopped(learner, checkpoints):
    whole = iterate(learner, learner.init(jax.random.key(0)), 6)
    # As in another process: another learner, and a state of another seed to restore to.
    again = Learner(PROBE, CONFIG)
    folder = Checkpoints(checkpoints.folder)
    restored = folder.restore(folder.latest(), again.init(jax.random.key(9)))
    resumed = iterate(again, restored, 3)
    for a, b in zip(leaves(whole), leaves(resumed), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_policy_alone(state, checkpoints):
    loaded = checkpoints.policy(3, CONFIG, robot="g1_23dof")
    obs = jax.numpy.linspace(-1, 1, 5)[:, None]
    np.testing.assert_array_equal(loaded(obs), policy_of(state, CONFIG)(obs))


def test_only_the_newest_are_kept(state, tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for i in range(1, 6):
        checkpoints.save(state.replace(iteration=jax.numpy.int32(i)), CONFIG, {})
    kept = sorted(int(p.name) for p in tmp_path.iterdir() if p.name.isdigit())
    assert kept == [3, 4, 5]
    assert checkpoints.latest() == 5


def test_training_goes_on_while_a_checkpoint_is_written(learner, tmp_path):
    state = iterate(learner, learner.init(jax.random.key(0)), 1)
    before = leaves(jax.tree.map(lambda x: x.copy(), state))
    with CheckpointWriter(tmp_path, keep=2) as writer:
        assert writer.save(state, CONFIG, {"robot": "a"}) == 1
        # Its memory is used up by now, and an iteration has filled it anew.
        state, _ = learner.iterate(state)
        assert writer.save(state, CONFIG, {}) == 2
        after = leaves(jax.tree.map(lambda x: x.copy(), state))
        iterate(learner, state, 5)
    found = Checkpoints(tmp_path)
    assert found.all() == (1, 2)
    for number, expected in ((1, before), (2, after)):
        restored = found.restore(number, fresh())
        for a, b in zip(leaves(restored), expected, strict=True):
            np.testing.assert_array_equal(a, b)
    assert found.meta(1)["robot"] == "a"


def test_a_checkpoint_is_written_once(state, tmp_path):
    with CheckpointWriter(tmp_path, keep=2) as writer:
        writer.save(state, CONFIG, {"said": 1})
        writer.save(state, CONFIG, {"said": 2})
    with CheckpointWriter(tmp_path, keep=2) as writer:
        writer.save(state, CONFIG, {"said": 3})
    assert Checkpoints(tmp_path).meta(3)["said"] == 1


def save_several(writer: CheckpointWriter, state: LearnerState, *numbers: int) -> None:
    for i in numbers:
        writer.save(state.replace(iteration=jax.numpy.int32(i)), CONFIG, {})


def test_newer_ones_are_forgotten(state, tmp_path):
    with CheckpointWriter(tmp_path, keep=3) as writer:
        save_several(writer, state, 2, 4, 6)
        writer.go_on_from(2)
        writer.save(state, CONFIG, {})
    assert Checkpoints(tmp_path).all() == (2, 3)


def test_what_a_killed_writer_had_not_deleted_is_deleted(state, tmp_path):
    with CheckpointWriter(tmp_path, keep=4) as writer:
        save_several(writer, state, 1, 2, 4, 6)
    # One of which half was deleted.
    shutil.rmtree(tmp_path / "1" / "learner")
    with CheckpointWriter(tmp_path, keep=2) as writer:
        writer.go_on_from(4)
        assert Checkpoints(tmp_path).all() == (2, 4)
    with CheckpointWriter(tmp_path, keep=1) as writer:
        writer.go_on_from(4)
    assert Checkpoints(tmp_path).all() == (4,)


def test_what_a_killed_writer_left_is_removed(state, tmp_path):
    left = tmp_path / "7.orbax-checkpoint-tmp"
    (left / "learner").mkdir(parents=True)
    with CheckpointWriter(tmp_path, keep=2) as writer:
        writer.save(state, CONFIG, {})
    assert Checkpoints(tmp_path).all() == (3,)
    assert not left.exists()


def test_what_can_not_be_written_is_told(state, tmp_path, monkeypatch):
    def full() -> None:
        raise OSError("No space left on device")

    message = f"can not be written to {tmp_path}: No space left on device"
    with (
        pytest.raises(UserError, match=message),
        CheckpointWriter(tmp_path, keep=2) as writer,
    ):
        writer.save(state, CONFIG, {})
        monkeypatch.setattr(writer._manager, "wait_until_finished", full)
        writer.save(state, CONFIG, {})
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=f"can not be written to {tmp_path}/file"):
        CheckpointWriter(tmp_path / "file", keep=2)


def test_a_policy_from_devices_that_are_not_here(state, checkpoints):
    file = checkpoints.folder / "3" / "policy" / "_sharding"
    text = file.read_text()
    elsewhere, count = re.subn(r"\b(cpu|cuda):0", "cuda:7", text)
    assert count
    file.write_text(elsewhere)
    obs = jax.numpy.linspace(-1, 1, 5)[:, None]
    loaded = checkpoints.policy(3, CONFIG)
    np.testing.assert_array_equal(loaded(obs), policy_of(state, CONFIG)(obs))


def test_what_does_not_belong_is_refused(state, checkpoints):
    other = r"robot 'g1_23dof', here it is 'g1_29dof'"
    with pytest.raises(UserError, match=other):
        checkpoints.policy(3, CONFIG, robot="g1_29dof")
    with pytest.raises(UserError, match=other):
        checkpoints.restore(3, state, robot="g1_29dof")
    with pytest.raises(UserError, match="action_size 1, here it is 2"):
        checkpoints.restore(3, fresh(replace(PROBE, action_size=2)))


@pytest.mark.parametrize(
    ("probe", "config", "message"),
    [
        (
            PROBE,
            replace(CONFIG, hidden=(16,)),
            r"has learner\.params\.actor\.params\.Dense_0\.bias float32\(32,\),"
            r" here it is float32\(16,\)$",
        ),
        (
            PROBE,
            replace(CONFIG, hidden=(32, 32)),
            r"has learner\.params\.\S+ .* here it is",
        ),
        (
            replace(PROBE, num_envs=32),
            CONFIG,
            r"has learner\.batch\.\S+ \w+\(64.* here it is \w+\(32",
        ),
    ],
)
def test_another_structure_is_named_in_one_line(checkpoints, probe, config, message):
    with pytest.raises(UserError, match=message):
        checkpoints.restore(3, fresh(probe, config))


def test_another_policy_is_named_in_one_line(checkpoints):
    wider = replace(CONFIG, hidden=(16,))
    with pytest.raises(UserError, match=r"has policy\.params.* here it is"):
        checkpoints.policy(3, wider)


def test_what_was_not_finished_does_not_count(state, checkpoints):
    (checkpoints.folder / "7.orbax-checkpoint-tmp" / "learner").mkdir(parents=True)
    assert checkpoints.latest() == 3
    assert int(checkpoints.restore(3, state).iteration) == 3


def test_what_can_not_be_read_is_named(state, checkpoints):
    folder: Path = checkpoints.folder
    with pytest.raises(UserError, match=f"{folder}/2 can not be read"):
        checkpoints.restore(2, state)
    shutil.rmtree(folder / "3" / "meta")
    with pytest.raises(UserError, match=f"{folder}/3 can not be read.*meta"):
        checkpoints.restore(3, state)


def test_no_checkpoint(tmp_path):
    with pytest.raises(UserError, match="holds no checkpoint"):
        Checkpoints(tmp_path / "none").latest()
