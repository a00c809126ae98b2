"""Runs as teachers of another run."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from mimicgym import env_config, make_env, run_config
from mimicgym.envs.batch import BatchedEnv
from mimicgym.errors import UserError
from mimicgym.ppo import Checkpoints, Learner, policy_of
from mimicgym.run import RunFolder
from mimicgym.teaching import load_teachers, named_folders, taught_config

pytestmark = pytest.mark.usefixtures("compile_quickly")

SMALL = {
    "num_envs": 4,
    "ppo.num_steps": 2,
    "ppo.epochs": 1,
    "ppo.minibatches": 1,
    "ppo.hidden": (8,),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs that have done nothing yet, of policies that see other things."""
    root = tmp_path_factory.mktemp("teachers")
    policies = {}
    terms = {
        "one": ("projected_gravity", "joint_pos", "target_joints"),
        "two": ("target_joints", "torso_xy_rel", "last_action"),
    }
    for name, actor in terms.items():
        overrides = SMALL | {"env.observation.actor": actor}
        config = run_config("quick", motion="wave", overrides=overrides)
        learner = Learner(BatchedEnv(make_env(config.env), 4), config.ppo)
        state = learner.init(jax.random.key(len(policies)))
        folder = RunFolder.create(root / name, config)
        meta = {"robot": config.env.robot}
        Checkpoints(folder.checkpoints).save(state, config.ppo, meta)
        policies[name] = policy_of(state, config.ppo)
    return root, policies


def library(tmp_path, **teachers: str):
    clips = [f"- {{clip: {c}, teacher: {t}}}" for c, t in teachers.items()]
    path = tmp_path / "clips.yaml"
    path.write_text("\n".join(clips) + "\n- {clip: stand}\n")
    return str(path)


def test_every_teacher_takes_its_own_terms_of_the_shared_group(runs, tmp_path):
    """The group shows what any of them sees, once; each acts on it as it would on its
    own observations."""
    root, policies = runs
    folders = [str(root / "one"), f"zwei={root / 'two'}"]
    clips = library(tmp_path, wave="zwei", squat="one")
    config = taught_config(env_config("quick", motion=clips), folders)
    assert config.observation.teacher == (
        "projected_gravity",
        "joint_pos",
        "target_joints",
        "torso_xy_rel",
        "last_action",
    )
    env = make_env(config)
    teachers = load_teachers(env, folders)
    assert env.reference.teachers == ("zwei", "one")
    np.testing.assert_array_equal(env.reference.clip_teacher, [0, 1, -1])
    batched = BatchedEnv(env, 3)
    batch = batched.reset_at(
        jax.random.split(jax.random.key(0), 3), np.arange(3), np.full(3, 5)
    )
    np.testing.assert_array_equal(batched.teacher_of(batch), [0, 1, -1])
    shown = np.asarray(batch.obs["teacher"])
    parts = {
        row.term: shown[:, row.start : row.stop]
        for row in env.observation_layout()
        if row.group == "teacher"
    }
    for number, (name, terms) in enumerate(
        {
            "two": ("target_joints", "torso_xy_rel", "last_action"),
            "one": ("projected_gravity", "joint_pos", "target_joints"),
        }.items()
    ):
        teacher = teachers[number]
        own = np.concatenate([parts[term] for term in terms], axis=1)
        np.testing.assert_allclose(
            teacher.policy(shown[:, teacher.columns]), policies[name](own), atol=1e-6
        )


def test_a_clip_without_a_teacher_of_its_own_has_the_common_one(runs):
    root, _ = runs
    config = env_config("quick", motion="wave", overrides={"motion.teacher": "one"})
    env = make_env(taught_config(config, [str(root / "one")]))
    (teacher,) = load_teachers(env, [str(root / "one")])
    assert teacher.policy.action_size == 23
    np.testing.assert_array_equal(env.reference.clip_teacher, [0])


def test_who_can_not_teach_is_refused(runs, tmp_path):
    root, _ = runs
    one, two = str(root / "one"), str(root / "two")

    def load(folders, motion, **overrides):
        config = env_config("quick", motion=motion, overrides=overrides)
        load_teachers(make_env(taught_config(config, folders)), folders)

    with pytest.raises(UserError, match="no clip names a teacher"):
        load([one], "wave")
    with pytest.raises(UserError, match="'three'"):
        load([one], library(tmp_path, wave="three"))
    with pytest.raises(UserError, match="no clip has the teacher 'two'"):
        load([one, two], library(tmp_path, wave="one"))
    clips = library(tmp_path, wave="one")
    with pytest.raises(UserError, match=r"control.action_scale 0.25; here it is 0.5"):
        load([one], clips, **{"control.action_scale": 0.5})
    with pytest.raises(UserError, match=r"joint_pos.scale 1.0; here it is 2.0"):
        load([one], clips, **{"observation.joint_pos.scale": 2.0})
    with pytest.raises(UserError, match="does not show"):
        load([one], clips, **{"observation.teacher": ("joint_pos",)})
    with pytest.raises(UserError, match="two teachers are called 'one'"):
        named_folders([one, f"one={two}"])
    with pytest.raises(UserError, match="robot 'g1_23dof'; here it is 'g1_29dof'"):
        config = env_config("quick", motion=clips, robot="g1_29dof")
        load_teachers(make_env(taught_config(config, [one])), [one])


def test_a_group_that_was_chosen_stays(runs):
    root, _ = runs
    config = env_config("quick", overrides={"observation.teacher": ("joint_pos",)})
    assert taught_config(config, [str(root / "one")]) is config
    plain = replace(config, observation=env_config("quick").observation)
    assert taught_config(plain, []) is plain
