"""Grounds named in one line of text."""

import numpy as np
import pytest
from PIL import Image

from mimicgym.errors import UserError
from mimicgym.terrain import (
    generators,
    height_field,
    save_field,
    terrain_from_spec,
)
from mimicgym.terrain.ground import Rough
from mimicgym.terrain.obstacles import Stairs
from tests.terrain.scenes import box, sheet


@pytest.mark.parametrize("name", list(generators))
def test_a_name_alone_has_the_defaults(name):
    field = terrain_from_spec(name)
    np.testing.assert_array_equal(field.height_m, generators.generate(name).height_m)
    assert field.name == name


def test_settings_of_all_kinds():
    field = terrain_from_spec("rough:difficulty=2,seed=1")
    expected = generators.generate("rough", Rough(difficulty=2, seed=1))
    np.testing.assert_array_equal(field.height_m, expected.height_m)
    field = terrain_from_spec("stairs: down=false, steps=3 ,step_height_m=1e-1")
    expected = generators.generate(
        "stairs", Stairs(down=False, steps=3, step_height_m=0.1)
    )
    np.testing.assert_array_equal(field.height_m, expected.height_m)
    assert field.height_m[:, -1].max() == pytest.approx(0.3)
    # A field's name stands for it.
    again = terrain_from_spec(field.name)
    np.testing.assert_array_equal(again.height_m, field.height_m)


def test_files(tmp_path):
    mesh = sheet((-1, 1), (-1, 1), lambda x, y: 0.0) + box([0.4] * 3, [0.0, 0.0, 0.0])
    mesh.export(tmp_path / "scene.obj")
    field = terrain_from_spec(f"{tmp_path}/scene.obj")
    assert field.cell_m == 0.05
    assert field.at([0.0, 0.0]) == pytest.approx(0.4)
    field = terrain_from_spec(f"{tmp_path}/scene.obj:cell_m=0.1,scale=2")
    assert field.cell_m == 0.1
    assert field.at([0.0, 0.0]) == pytest.approx(0.8)
    with pytest.raises(UserError, match="smaller"):
        terrain_from_spec(f"{tmp_path}/scene.obj:up=y,cell_m=0.6")
    save_field(height_field(np.full((3, 3), 0.7), 0.1), tmp_path / "ground.npz")
    assert terrain_from_spec(f"{tmp_path}/ground.npz").at([0, 0]) == pytest.approx(0.7)
    Image.new("L", (4, 3), 255).save(tmp_path / "map.png")
    field = terrain_from_spec(f"{tmp_path}/map.png:cell_m=0.5,high_m=0.3")
    assert field.length_m == 1.5
    assert field.height_m.min() == pytest.approx(0.3)


def test_a_folder_is_no_terrain(tmp_path):
    with pytest.raises(UserError, match=r"is a folder; name a file with a terrain"):
        terrain_from_spec(str(tmp_path))


def test_what_was_odd_about_a_mesh_is_noted(tmp_path):
    parts = [sheet((x, x + 1), (0, 1), lambda x, y: 0.0) for x in (0, 2)]
    (parts[0] + parts[1]).export(tmp_path / "rift.ply")
    (note,) = terrain_from_spec(f"{tmp_path}/rift.ply").notes
    assert "have no surface" in note


def test_a_path_with_a_colon_and_an_equals_sign(tmp_path):
    folder = tmp_path / "day:take=2"
    folder.mkdir()
    save_field(height_field(np.ones((3, 3)), 0.1), folder / "ground.npz")
    assert terrain_from_spec(f"{folder}/ground.npz").at([0, 0]) == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ruogh", r"unknown terrain 'ruogh'; did you mean 'rough'.*or a file \(.glb,"),
        ("ruogh:seed=1", "unknown terrain 'ruogh'"),
        ("", "unknown terrain ''"),
        ("rough:sede=1", "unknown setting 'rough.sede'; did you mean 'rough.seed'"),
        ("rough:seed=1.5", "setting 'rough.seed' takes a int, not 1.5"),
        ("rough:seed=x", "setting 'rough.seed' takes a int, not 'x'"),
        ("rough:seed=1,seed=2", "seed is given twice"),
        ("rough:seed", "rough:seed: 'seed' is no setting; name=value is needed"),
        ("rough:", "rough:: '' is no setting"),
        ("rough:seed=,difficulty=1", "'seed=' is no setting"),
        ("rough:difficulty=9", "rough: difficulty is 9; it must be one of 1, 2, 3, 4"),
        ("rough:length_m=nan", "'rough.length_m' takes a number, not nan"),
        ("none.obj", "none.obj: there is no such terrain file"),
        (
            "none.fbx",
            "none.fbx: unknown format '.fbx'; .*Choices: .glb, .npz, .obj, .p",
        ),
        ("none.obj:up=x", "unknown none.obj.up 'x'"),
        (
            "none.png",
            "none.png: cell_m and high_m must be given, as in none.png:cell_m",
        ),
        ("none.png:cell_m=1,high_m=1", "none.png: there is no such terrain file"),
        ("none.npz:cell_m=1", "unknown setting 'none.npz.cell_m'"),
    ],
)
def test_what_is_wrong_is_named(text, message):
    with pytest.raises(UserError, match=message):
        terrain_from_spec(text)


def test_the_limit_of_memory_holds_for_all(tmp_path):
    save_field(height_field(np.ones((30, 30)), 0.1), tmp_path / "ground.npz")
    for text in ("flat", f"{tmp_path}/ground.npz"):
        with pytest.raises(UserError, match=r"more than max_megabytes, 0.001"):
            terrain_from_spec(text, max_megabytes=0.001)
