"""Many clips: folders, patterns, YAML lists, bad files, and what becomes of them."""

from dataclasses import replace

import numpy as np
import pytest

from mimicgym.errors import MotionError
from mimicgym.motion import load_library, load_motion, save_motion
from mimicgym.motion.library import expand
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
    ],
)
def test_lists_that_are_wrong_name_item_and_key(folder, text, message):
    with pytest.raises(MotionError, match=message):
        listed(folder, text)


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
