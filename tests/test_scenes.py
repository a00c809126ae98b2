"""Which ground a clip comes with: its own word, a file beside it, a folder's scene."""

from dataclasses import replace

import numpy as np
import pytest

from mimicgym.cli import main
from mimicgym.configs import override
from mimicgym.envs.make import make_env
from mimicgym.errors import MotionError, UserError
from mimicgym.motion import load_library, load_motion, save_motion
from mimicgym.terrain import field_from_array, save_field, terrain_from_spec
from tests.envs.cases import PLAIN
from tests.terrain.scenes import sheet

FLAT = np.zeros((60, 60))


@pytest.fixture
def folder(tmp_path):
    save_motion(load_motion("stand"), tmp_path / "stand.npz")
    return tmp_path


def mesh(file, height_m=0.0):
    sheet((-2.0, 2.0), (-2.0, 2.0), lambda x, y: height_m).export(file)
    return str(file)


def array(file, height_m=0.0):
    save_field(field_from_array(FLAT + height_m, 0.05), file)
    return str(file)


def terrain_of(*specs):
    library = load_library([str(spec) for spec in specs])
    (entry,), (motion,) = library.entries, library.motions
    assert entry.terrain == motion.terrain
    return motion.terrain


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".stl", ".glb", ".npz"])
def test_a_file_beside_a_clip(folder, suffix):
    scene = folder / f"stand.terrain{suffix}"
    made = array(scene) if suffix == ".npz" else mesh(scene)
    assert load_motion(folder / "stand.npz").terrain == made
    assert terrain_of(folder / "stand.npz") == terrain_of(folder) == made
    (finding,) = load_motion(folder / "stand.npz").findings
    assert (finding.code, finding.level) == ("terrain", "note")
    assert f"stands on stand.terrain{suffix}, which lies beside it" in finding.message


@pytest.mark.parametrize(
    "name",
    [
        "other.terrain.obj",
        "stand_terrain.obj",
        "stand.terrain.png",
        "stand.terrain.obj.bak",
        "terrain.obj",
        "standing.terrain.obj",
        "mesh.obj",
        "stand.npz.terrain.obj",
    ],
)
def test_other_files_are_not_picked_up(folder, name):
    (folder / name).write_text("v 0 0 0")
    motion = load_motion(folder / "stand.npz")
    assert (motion.terrain, motion.findings) == ("", ())


def test_a_mesh_of_the_same_name_is_told_of_and_not_taken(folder):
    mesh(folder / "stand.obj")
    motion = load_motion(folder / "stand.npz")
    assert motion.terrain == ""
    (finding,) = motion.findings
    assert "stand.obj beside it is not taken" in finding.message
    assert finding.mend == "name it stand.terrain.obj if it is"


def test_the_scene_of_a_folder(folder):
    """As VideoMimic lays them out: one for all clips of the folder, not below it."""
    scene = mesh(folder / "background_mesh.obj")
    (folder / "sub").mkdir()
    save_motion(load_motion("stand"), folder / "sub" / "other.npz")
    save_motion(load_motion("wave"), folder / "wave.npz")
    library = load_library([str(folder)])
    found = {motion.name: motion.terrain for motion in library.motions}
    assert found == {"stand": scene, "wave": scene, "other": ""}
    noted = [name for name, finding in library.findings if finding.code == "terrain"]
    assert noted == ["stand", "wave"]


def test_what_goes_before_what(folder):
    """A list, then the clip's own word, then a file of its name, then the folder's."""
    clip = folder / "stand.npz"
    listed = folder / "list.yaml"
    shared = mesh(folder / "background_mesh.obj")
    assert terrain_of(clip) == shared
    beside = mesh(folder / "stand.terrain.ply")
    assert terrain_of(clip) == beside
    own = replace(load_motion("stand"), terrain="stairs:steps=2")
    save_motion(own, clip)
    assert terrain_of(clip) == "stairs:steps=2"
    assert load_motion(clip).findings == ()
    listed.write_text("- {clip: stand.npz, terrain: flat}")
    assert terrain_of(listed) == "flat"
    listed.write_text("- {clip: stand.npz, terrain: background_mesh.obj}")
    assert terrain_of(listed) == shared


def test_two_files_beside_a_clip_are_refused(folder):
    mesh(folder / "stand.terrain.obj")
    mesh(folder / "stand.terrain.ply")
    message = r"stand\.npz: stand\.terrain\.obj, stand\.terrain\.ply lie beside it"
    with pytest.raises(MotionError, match=message):
        load_motion(folder / "stand.npz")
    listed = folder / "list.yaml"
    listed.write_text("- {clip: stand.npz, terrain: stand.terrain.ply}")
    assert terrain_of(listed).endswith("stand.terrain.ply")


def test_grounds_are_no_clips_of_their_folder(folder):
    array(folder / "stand.terrain.npz")
    assert len(load_library([str(folder)]).motions) == 1
    assert len(load_library([f"{folder}/*.npz"]).motions) == 1
    # Named outright it is one that can not be read.
    with pytest.raises(MotionError, match=r"stand\.terrain\.npz: lacks qpos"):
        load_motion(folder / "stand.terrain.npz")


def test_the_same_content_in_two_folders_keeps_two_grounds(folder):
    (folder / "sub").mkdir()
    save_motion(load_motion("stand"), folder / "sub" / "stand.npz")
    first = mesh(folder / "stand.terrain.obj")
    second = mesh(folder / "sub" / "stand.terrain.obj")
    library = load_library([str(folder)])
    assert [motion.terrain for motion in library.motions] == [first, second]
    assert library.motions[0].qpos is library.motions[1].qpos


def test_files_named_in_a_clip_are_relative_to_it(folder, monkeypatch):
    mesh(folder / "scene.obj", 0.3)
    own = replace(load_motion("stand"), terrain=f"{folder / 'scene.obj'}:cell_m=0.1")
    (folder / "sub").mkdir()
    save_motion(own, folder / "sub" / "low.npz")
    with np.load(folder / "sub" / "low.npz") as file:
        assert str(file["terrain"]) == "../scene.obj:cell_m=0.1"
    monkeypatch.chdir(folder.parent)
    found = terrain_of(folder / "sub" / "low.npz")
    np.testing.assert_allclose(terrain_from_spec(found).height_m, 0.3)


def test_a_ground_is_found_from_where_a_link_leads_to(folder):
    mesh(folder / "scene.obj", 0.3)
    deep = folder / "far" / "away" / "deep"
    deep.mkdir(parents=True)
    (folder / "link").symlink_to(deep, target_is_directory=True)
    own = replace(load_motion("stand"), terrain=str(folder / "scene.obj"))
    save_motion(own, folder / "link" / "clip.npz")
    for place in (folder / "link", deep):
        found = terrain_of(place / "clip.npz")
        np.testing.assert_allclose(terrain_from_spec(found).height_m, 0.3)
    # A scene that is a link itself keeps its name.
    (folder / "store").write_bytes((folder / "scene.obj").read_bytes())
    (folder / "kept.obj").symlink_to(folder / "store")
    save_motion(replace(own, terrain=str(folder / "kept.obj")), folder / "k.npz")
    assert terrain_of(folder / "k.npz") == str(folder / "kept.obj")


def test_heights_go_into_the_clips_file(folder):
    """A clip that stands on an array takes it along, wherever it is saved."""
    made = array(folder / "stand.terrain.npz", 0.2)
    (folder / "sub").mkdir()
    moved = folder / "sub" / "moved.npz"
    save_motion(load_motion(folder / "stand.npz"), moved)
    (folder / "stand.terrain.npz").rename(folder / "gone.npz")
    assert terrain_of(moved) == str(moved) != made
    field = terrain_from_spec(str(moved))
    np.testing.assert_allclose(field.height_m, 0.2)
    assert field.cell_m == 0.05


def test_environments_stand_on_it(folder):
    """Without being shifted to the floor, as with a ground that a list names."""
    array(folder / "stand.terrain.npz", 0.25)
    env = make_env(override(PLAIN, {"motion.clips": [str(folder / "stand.npz")]}))
    assert env.ground.heights is not None
    np.testing.assert_allclose(np.asarray(env.ground.heights), 0.25)
    stands_m = float(env.reference.frames.root_pos_w[0, 2])
    assert stands_m == pytest.approx(load_motion("stand").qpos[0, 2], abs=1e-6)


def test_a_ground_that_is_missing_is_named_with_its_clip(folder):
    own = replace(load_motion("stand"), terrain="gone.obj")
    save_motion(own, folder / "lost.npz")
    config = override(PLAIN, {"motion.clips": [str(folder / "lost.npz")]})
    message = r"the ground of lost: gone\.obj: there is no such terrain file"
    with pytest.raises(UserError, match=message):
        make_env(config)


def test_info_and_check_say_where_it_came_from(folder, capsys):
    mesh(folder / "stand.terrain.obj", 0.02)
    json_file = folder / "check.json"
    clip = str(folder / "stand.npz")
    assert main(["motion", "info", clip]) == 0
    assert "stands on stand.terrain.obj" in " ".join(capsys.readouterr().out.split())
    check = ["motion", "check", clip, "--no-simulate", "--json", str(json_file)]
    assert main(check) == 0
    text = json_file.read_text()
    assert "stands on stand.terrain.obj, which lies beside it" in text
    # The soles are 2 cm in the ground.
    assert "feet that are down are -2.0 to -2.0 cm above the ground" in text


def test_holes_of_a_mesh_are_reported(folder, capsys):
    left = sheet((-2.0, -0.5), (-2.0, 2.0), lambda x, y: 0.0)
    right = sheet((0.5, 2.0), (-2.0, 2.0), lambda x, y: 0.0)
    (left + right).export(folder / "stand.terrain.obj")
    json_file = folder / "check.json"
    clip = str(folder / "stand.npz")
    main(["motion", "check", clip, "--no-simulate", "--json", str(json_file)])
    assert "have no surface and got the height of the nearest" in json_file.read_text()
