"""Height fields from arrays, .npz files and pictures."""

import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from mimicgym.errors import UserError
from mimicgym.terrain import (
    field_from_array,
    field_from_image,
    field_from_npz,
    save_field,
)


def test_an_array_and_where_it_is():
    field = field_from_array([[0.0, 1.0], [2.0, 3.0]], 0.5, [10.0, 20.0])
    assert field.at([10.5, 20.0]) == 1.0
    assert field.at([10.0, 20.5]) == 2.0
    with pytest.raises(UserError, match="ramp: height_m has shape"):
        field_from_array([0.0], 0.5, name="ramp")


def test_a_saved_field_comes_back_the_same(tmp_path):
    heights = np.random.default_rng(0).normal(size=(7, 5))
    field = field_from_array(heights, 0.037, [1.0 / 3.0, -2.0])
    save_field(field, tmp_path / "ground.npz")
    again = field_from_npz(tmp_path / "ground.npz")
    np.testing.assert_array_equal(again.height_m, field.height_m)
    np.testing.assert_array_equal(again.origin_xy, field.origin_xy)
    assert again.cell_m == field.cell_m
    assert again.name == str(tmp_path / "ground.npz")
    with pytest.raises(UserError, match=r"ground.npy: height fields are saved as .npz"):
        save_field(field, tmp_path / "ground.npy")
    with pytest.raises(UserError, match="can not be written: No such file"):
        save_field(field, tmp_path / "none" / "ground.npz")


def test_without_an_origin_the_middle_is_at_zero(tmp_path):
    np.savez(tmp_path / "ground.npz", height_m=np.zeros((3, 5)), cell_m=0.5)
    field = field_from_npz(tmp_path / "ground.npz")
    np.testing.assert_array_equal(field.bounds_m, [[-1.0, -0.5], [1.0, 0.5]])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"height_m": np.zeros((2, 2))}, "lacks cell_m; found height_m"),
        ({"cell_m": 0.1}, "lacks height_m; found cell_m"),
        ({"height_m": np.zeros((2, 2)), "cell_m": [0.1, 0.1]}, r"cell_m is .0.1, 0.1"),
        ({"height_m": np.zeros((2, 2)), "cell_m": "a"}, "cell_m is 'a'; one number"),
        ({"height_m": np.zeros((2, 2)), "cell_m": 0.0}, "cell_m is 0; it must be"),
        ({"height_m": np.full((2, 2), np.nan), "cell_m": 0.1}, "4 values that are not"),
        ({"height_m": np.zeros((2, 2)), "cell_m": 0.1, "origin_xy": [1]}, "origin_xy"),
        ({"height_m": np.array([[None]]), "cell_m": 0.1}, "can not be read as .npz"),
    ],
)
def test_wrong_arrays_in_a_file_are_named(arrays, message, tmp_path):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(UserError, match=rf"bad.npz: .*{message}"):
        field_from_npz(tmp_path / "bad.npz")


def test_files_that_are_no_npz_are_named(tmp_path):
    path = tmp_path / "bad.npz"
    path.write_bytes(b"hello")
    with pytest.raises(UserError, match=r"bad.npz: is no .npz file"):
        field_from_npz(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("height_m.npy", b"hello")
    with pytest.raises(UserError, match=r"bad.npz: lacks cell_m|bad.npz: can not be"):
        field_from_npz(path)
    with pytest.raises(UserError, match=r"none.npz: there is no such"):
        field_from_npz(tmp_path / "none.npz")


@pytest.mark.parametrize(("kind", "white"), [(np.uint8, 255), (np.uint16, 65535)])
def test_a_picture_is_a_map_with_y_up(kind, white, tmp_path):
    # White in the upper left corner, a fifth of it in the lower right one.
    grey = np.array([[white, 0, 0], [0, 0, white // 5]], kind)
    Image.fromarray(grey).save(tmp_path / "map.png")
    field = field_from_image(tmp_path / "map.png", cell_m=0.5, low_m=-1.0, high_m=2.0)
    np.testing.assert_array_equal(field.bounds_m, [[-0.5, -0.25], [0.5, 0.25]])
    assert field.at([-0.5, 0.25]) == 2.0
    assert field.at([0.5, -0.25]) == pytest.approx(-0.4, abs=1e-6)
    assert field.at([0.5, 0.25]) == -1.0
    placed = field_from_image(
        tmp_path / "map.png", cell_m=0.5, high_m=1.0, origin_xy=[3.0, 4.0]
    )
    assert placed.at([3.0, 4.5]) == 1.0


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("RGB", "colours RGB"),
        ("P", "colours P"),
        ("LA", "LA; a grey"),
        ("1", "colours 1"),
    ],
)
def test_only_grey_pictures(mode, message, tmp_path):
    Image.new(mode, (4, 4)).save(tmp_path / "map.png")
    with pytest.raises(UserError, match=rf"map.png: has the {message}|{message}"):
        field_from_image(tmp_path / "map.png", cell_m=0.1, high_m=1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell_m": 0.0, "high_m": 1.0}, "cell_m is 0"),
        ({"cell_m": 0.1, "high_m": 0.0}, "high_m is 0; it must be above low_m, 0 m"),
        ({"cell_m": 0.1, "high_m": np.inf}, "high_m is inf"),
        ({"cell_m": 0.1, "high_m": np.nan}, "high_m is nan"),
        ({"cell_m": 0.1, "high_m": 1.0, "low_m": -np.inf}, "low_m is -inf"),
        ({"cell_m": 0.1, "high_m": 1.0, "max_megabytes": 1e-5}, "4 x 4 cells of 0.1 m"),
    ],
)
def test_wrong_settings_of_a_picture_are_named(options, message, tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "map.png")
    with pytest.raises(UserError, match=rf"map.png: {message}"):
        field_from_image(tmp_path / "map.png", **options)


def test_damaged_pictures_are_named(tmp_path):
    path = tmp_path / "map.png"
    path.write_bytes(b"hello")
    with pytest.raises(UserError, match=r"map.png: can not be read as PNG"):
        field_from_image(path, cell_m=0.1, high_m=1.0)
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError, match=r"map.png: can not be read as PNG"):
        field_from_image(path, cell_m=0.1, high_m=1.0)
    Image.fromarray(noise).save(path, format="JPEG")
    with pytest.raises(UserError, match=r"map.png: can not be read as PNG"):
        field_from_image(path, cell_m=0.1, high_m=1.0)
    path.write_bytes(b"")
    with pytest.raises(UserError, match=r"map.png: the file is empty"):
        field_from_image(path, cell_m=0.1, high_m=1.0)


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_read(
    tmp_path, monkeypatch
):
    path = tmp_path / "map.png"
    Image.new("L", (40, 40)).save(path)
    # Pillow warns of more pixels than this, and refuses twice as many.
    for most in (1000, 500):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
        with pytest.raises(UserError, match=r"more than max_megabytes|can not be read"):
            field_from_image(path, cell_m=0.1, high_m=1.0, max_megabytes=0.001)


def test_without_pillow_its_extra_is_named(tmp_path, monkeypatch):
    Image.new("L", (4, 4)).save(tmp_path / "map.png")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(UserError, match=r'pip install "mimicgym\[terrain\]"'):
        field_from_image(tmp_path / "map.png", cell_m=0.1, high_m=1.0)
