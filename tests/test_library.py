"""Many clips: folders, patterns, YAML lists, bad files, and what becomes of them."""

import os
import pickle
from dataclasses import replace

import numpy as np
import pytest

from mimicgym.errors import MotionError
from mimicgym.motion import load_library, load_motion, save_motion
from mimicgym.motion.entries import ClipEntry, expand
from mimicgym.reference import build_reference
from mimicgym.robot import build_model, get_robot


@pytest.fixture
def folder(tmp_path):
    wave = load_motion("wave")
    (tmp_path / "sub").mkdir()
    save_motion(wave, tmp_path / "a.npz")
    save_motion(wave, tmp_path / "sub" / "b.npz")
    save_motion(load_motion("stand"), tmp_path / "c.npz")
    (tmp_path / "notes.txt").write_text("not a clip")
    return tmp_path


def listed(folder, text):
    (folder / "list.yaml").write_text(text)
    return load_library([str(folder / "list.yaml")])


def test_a_folder_a_pattern_and_names_in_order(folder):
    names = [m.name for m in load_library([str(folder)]).motions]
    assert names == ["a", "c", "b"]
    names = [m.name for m in load_library([f"{folder}/*.npz", "squat"]).motions]
    assert names == ["a", "c", "squat"]
    names = [m.name for m in load_library([f"{folder}/**/b.*"]).motions]
    assert names == ["b"]


def test_identical_files_are_read_once_and_share_their_frames(folder):
    library = load_library([str(folder / "a.npz"), str(folder / "sub" / "b.npz")])
    assert library.motions[0].qpos is library.motions[1].qpos
    assert library.duration_s == pytest.approx(5.0)
    model = build_model(get_robot("g1_23dof"), collisions="feet")
    ref = build_reference(library.motions, model, dt_s=0.02, weights=(1, 3))
    assert len(ref.frames.root_pos_w) == 251
    np.testing.assert_array_equal(ref.clip_start, [0, 0])
    np.testing.assert_array_equal(ref.clip_end, [251, 251])
    np.testing.assert_allclose(ref.clip_weight, [0.25, 0.75])
    assert len(set(ref.clip_names)) == 2


def test_a_list_with_weights_windows_and_names(folder):
    library = listed(
        folder,
        """
clips:
  - clip: a.npz
    weight: 2
    repeat: 3
    start_s: 1.0
    end_s: 2.0
    name: middle
  - stand
  - clip: sub/*.npz
    fps: 25
""",
    )
    assert [m.name for m in library.motions] == ["middle", "stand", "b"]
    assert library.weights == (6, 1, 1)
    assert library.motions[0].num_frames == 51
    np.testing.assert_allclose(
        library.motions[0].qpos, load_motion("wave").qpos[50:101], atol=1e-7
    )
    assert library.motions[2].fps == 25


def test_the_keys_of_videomimic_are_understood(folder):
    scene = folder / "scene"
    scene.mkdir()
    save_motion(load_motion("wave"), scene / "clip.npz")
    (scene / "background_mesh.obj").write_text("v 0 0 0")
    library = listed(
        folder,
        """
- folder_path: scene
  human_video_data_pattern: clip.npz
  teacher_checkpoint_run_name: teacher_7
  default_data_fps_override: 25
  start_frame: 10
  end_frame: 40
""",
    )
    (entry,), (motion,) = library.entries, library.motions
    assert motion.num_frames == 31 and motion.fps == 25
    assert entry.teacher == "teacher_7"
    assert entry.terrain.endswith("background_mesh.obj")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- clip: a.npz\n  wieght: 2", "item 1: unknown key 'wieght'; did you mean"),
        ("- weight: 2", "item 1: lacks clip"),
        ("- clip: a.npz\n  weight: heavy", "weight is 'heavy'"),
        ("- clip: a.npz\n  weight: -1", "weight is -1"),
        ("- clip: a.npz\n  repeat: 0", "repeat is 0"),
        ("- clip: a.npz\n  start_s: 9", "9"),
        ("- clip: d.npz", "d.npz: there is no such"),
        ("- 7", "item 1 is 7"),
        ("clips: 3", "a list of clips is needed"),
        ("a: [", "is no YAML"),
        ("- clip: a.npz\n  start_s: 2001-99-99", "is no YAML"),
        ("fps: 30\nclips:\n- a.npz", r"unknown key 'fps'; Choices: clips"),
        ("- clip: a.npz\n  weight:", "item 1: weight is left empty; int or float is"),
        ("- clip: a.npz\n  repeat:", "item 1: repeat is left empty; int is needed"),
        ("- clip: a.npz\n  terrain:", "item 1: terrain is left empty; str is needed"),
        ("- clip: a.npz\n  name:", "item 1: name is left empty; str is needed"),
        ("- clip: a.npz\n  teacher:", "item 1: teacher is left empty; str is needed"),
        ("- clip: a.npz\n  fps: 0", "item 1: fps is 0; it must be a positive number"),
        ("- clip: a.npz\n  fps: .inf", "item 1: fps is inf"),
        ("- clip: a.npz\n  quat_order: ''", "item 1: unknown quat_order ''; Choices"),
        ("- clip: a.npz\n  start_frame: 0.5", "start_frame is 0.5; int is needed"),
        ("- clip: a.npz\n  end_frame: -1", "item 1: end_frame is -1; at least 0"),
        (
            "- clip: a.npz\n  end_frame: 251",
            "end_frame is 251; the clip has frames 0 to",
        ),
        (
            "- {clip: a.npz, start_s: 1, start_frame: 9}",
            "start_s and start_frame are both given",
        ),
        ("- {clip: a.npz, folder_path: sub}", "clip and folder_path are both given"),
        (
            "- {folder_path: sub, human_video_data_pattern: 5}",
            "item 1: human_video_data_pattern is 5; str is needed",
        ),
        (
            "- {clip: a.npz, human_video_terrain_pattern: x.obj}",
            "human_video_terrain_pattern is given without folder_path",
        ),
        ('- clip: "a\\0.npz"', "can not be read: embedded null"),
        (
            "- a.npz\n- list.yaml",
            "item 2: clip is 'list.yaml', a list that this item is",
        ),
    ],
)
def test_lists_that_are_wrong_name_item_and_key(folder, text, message):
    with pytest.raises(MotionError, match=message):
        listed(folder, text)


def test_what_may_be_empty_is_as_if_left_out(folder):
    keys = ("start_s", "end_s", "start_frame", "end_frame", "fps", "quat_order")
    listed(folder, "- clip: a.npz\n" + "".join(f"  {key}:\n" for key in keys))
    (entry,) = expand([str(folder / "list.yaml")])
    assert entry == ClipEntry(str(folder / "a.npz"))
    # Nor does it take the place of what a list in it says.
    (folder / "inner.yaml").write_text("- {clip: a.npz, fps: 30, end_frame: 9}\n")
    (folder / "list.yaml").write_text("- {clip: inner.yaml, fps: , end_s: }\n")
    (entry,) = expand([str(folder / "list.yaml")])
    assert (entry.fps, entry.end_frame) == (30, 9)


def test_lists_that_hold_each_other_are_refused(folder):
    (folder / "other.yaml").write_text("- stand\n- list.yaml\n")
    message = r"other\.yaml: item 2: clip is 'list\.yaml', a list that this item is in"
    with pytest.raises(MotionError, match=message):
        listed(folder, "- other.yaml\n")
    # The same list twice is no circle.
    (folder / "other.yaml").write_text("- stand\n")
    assert len(listed(folder, "- other.yaml\n- other.yaml\n").motions) == 2


def test_frames_are_those_of_the_clip_as_it_is_read(folder):
    save_motion(load_motion("wave"), folder / "w.csv")
    text = "- {clip: w.csv, start_frame: 10, end_frame: 60}\n"
    (folder / "list.yaml").write_text(text)
    names = [str(folder / "list.yaml")]
    whole = load_motion(folder / "w.csv", fps=30, quat_order="xyzw")
    cut = load_library(names, fps=30, quat_order="xyzw").motions[0]
    np.testing.assert_array_equal(cut.qpos, whole.qpos[10:61])
    assert cut.fps == 30
    # What is said of a list takes the place of what it says itself, in either unit.
    outer = "- {clip: list.yaml, start_s: 1}\n"
    (folder / "outer.yaml").write_text(outer)
    (entry,) = expand([str(folder / "outer.yaml")])
    assert (entry.start_s, entry.start_frame, entry.end_frame) == (1, None, 60)


def test_a_bad_clip_with_frame_numbers_is_skipped(folder):
    (folder / "bad.npz").write_bytes(b"PK\x03\x04 broken")
    (folder / "list.yaml").write_text("- stand\n- {clip: bad.npz, start_frame: 3}\n")
    library = load_library([str(folder / "list.yaml")], skip_bad=True)
    assert [m.name for m in library.motions] == ["stand"]
    assert len(library.skipped) == 1 and "bad.npz" in library.skipped[0]


def test_a_folder_named_like_an_embedded_clip_does_not_hide_it(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "walk").mkdir()
    save_motion(load_motion("stand"), folder / "walk" / "other.npz")
    (folder / "list.yaml").write_text("- walk\n- walk/\n")
    for specs in (["walk", "walk/"], ["list.yaml"]):
        assert [m.name for m in load_library(specs).motions] == ["walk", "other"]


def test_links_to_folders_are_followed_once(folder):
    elsewhere = folder / "sub" / "elsewhere"
    elsewhere.mkdir()
    save_motion(load_motion("squat"), elsewhere / "d.npz")
    clips = folder / "clips"
    clips.mkdir()
    save_motion(load_motion("kick"), clips / "k.npz")
    (clips / "link").symlink_to(elsewhere, target_is_directory=True)
    (clips / "again").symlink_to(elsewhere, target_is_directory=True)
    (clips / "round").symlink_to(clips, target_is_directory=True)
    assert [m.name for m in load_library([str(clips)]).motions] == ["d", "k"]


@pytest.mark.parametrize("name", ["[v1]", "s#1", "a*"])
def test_letters_of_folders_that_mean_something_elsewhere(folder, name, monkeypatch):
    place = folder / name
    place.mkdir()
    save_motion(load_motion("stand"), place / "a.npz")
    squat = load_motion("squat")
    clip = {
        "root_trans_offset": squat.qpos[:, :3],
        "root_rot": squat.qpos[:, [4, 5, 6, 3]],
        "dof": squat.qpos[:, 7:],
        "fps": 50,
    }
    (place / "m.pkl").write_bytes(pickle.dumps({"one": clip, "b#2": clip}))
    (place / "list.yaml").write_text("- '*.npz'\n- 'm.pkl#b#2'\n- a.npz\n")
    monkeypatch.chdir(folder)
    for at in (str(place), name):
        many = f"{at}/m.pkl"
        assert load_motion(f"{many}#one").name == "one"
        assert [m.name for m in load_library([f"{many}#b#2"]).motions] == ["b#2"]
        assert [m.name for m in load_library([f"{many}#*"]).motions] == ["one", "b#2"]
        assert len(load_library([f"{at}/*.npz"]).motions) == 1
        listed_there = load_library([f"{at}/list.yaml"]).motions
        assert [m.name for m in listed_there] == ["a", "b#2", "a"]
    os.remove(place / "m.pkl")
    assert [m.name for m in load_library([name]).motions] == ["a"]


def test_a_clip_of_a_file_that_holds_one_is_refused(folder):
    with pytest.raises(
        MotionError, match=r"a\.npz: is mimicgym \.npz, which holds one"
    ):
        load_motion(f"{folder / 'a.npz'}#nonsense")
    # All clips of it are that one.
    assert len(load_library([f"{folder / 'a.npz'}#*"]).motions) == 1


def test_a_bad_clip_stops_or_is_skipped_and_named(folder):
    (folder / "bad.npz").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(MotionError, match=r"bad\.npz"):
        load_library([str(folder)])
    library = load_library([str(folder)], skip_bad=True)
    assert [m.name for m in library.motions] == ["a", "c", "b"]
    assert len(library.skipped) == 1 and "bad.npz" in library.skipped[0]
    with pytest.raises(MotionError, match=r"no clip of .* can be used"):
        load_library([str(folder / "bad.npz")], skip_bad=True)


def test_nothing_found_says_what_was_looked_for(tmp_path):
    with pytest.raises(MotionError, match="has no motion files"):
        expand([str(tmp_path)])
    with pytest.raises(MotionError, match="matches no file"):
        expand([f"{tmp_path}/*.npz"])


def test_contents_not_names_decide_what_is_shared(folder):
    other = load_motion("wave")
    save_motion(replace(other, qpos=other.qpos[::-1].copy()), folder / "a.npz")
    library = load_library([str(folder / "a.npz"), str(folder / "sub" / "b.npz")])
    assert library.motions[0].qpos is not library.motions[1].qpos


def test_a_ground_in_a_list_is_relative_to_it(folder):
    (folder / "hill.obj").write_text("")
    specs = ("hill.obj", "hill.obj:cell_m=0.1", "stairs", "rough:seed=2", "gone.obj")
    lines = [f"- {{clip: a.npz, terrain: '{spec}'}}\n" for spec in specs]
    (folder / "list.yaml").write_text("".join(lines))
    found = [entry.terrain for entry in expand([str(folder / "list.yaml")])]
    hill = str(folder / "hill.obj")
    assert found == [hill, f"{hill}:cell_m=0.1", *specs[2:]]
