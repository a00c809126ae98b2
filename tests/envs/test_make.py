"""From options to a configuration."""

import os
from pathlib import Path

import gymnasium
import pytest

from mimicgym.configs import to_dict
from mimicgym.envs.make import env_config
from mimicgym.motion import load_motion, save_motion
from mimicgym.run import run_config


@pytest.fixture
def clip(tmp_path) -> Path:
    file = tmp_path / "clip.npz"
    save_motion(load_motion("stand"), file)
    return file


def test_motions_are_text_or_paths_alone_or_in_a_list(clip):
    (entry,) = os.scandir(clip.parent)
    text = str(clip)
    for motion in (text, clip, [text], (clip,), [entry]):
        assert env_config(motion=motion).motion.clips == (text,)
    assert env_config(motion=["wave", clip]).motion.clips == ("wave", text)


def test_a_configuration_holds_text_where_a_path_was_given(clip):
    found = run_config("quick", motion=clip)
    assert found == run_config("quick", motion=str(clip))
    assert to_dict(found)["env"]["motion"]["clips"] == [str(clip)]


def test_gymnasium_takes_paths(clip):
    options = {"robot": "g1_23dof", "engine": "native"}
    env = gymnasium.make("G1DeepMimic-v0", motion=clip, **options)
    envs = gymnasium.make_vec("G1DeepMimic-v0", motion=[clip], **options)
    for made in (env, envs):
        assert made.unwrapped.env.reference.clip_names == ("clip",)
