"""Errors are one line, name the thing and offer what is near."""

import pytest

from mimicgym import assets
from mimicgym.errors import MotionError, UserError, closest, unknown_name


def test_unknown_name_suggests_and_sorts():
    error = unknown_name("robot", "g1_23", ["g1_29dof", "g1_23dof"])
    assert isinstance(error, UserError) and isinstance(error, ValueError)
    assert str(error) == (
        "unknown robot 'g1_23'; did you mean 'g1_23dof'? Choices: g1_23dof, g1_29dof"
    )


def test_unknown_name_without_anything_near():
    error = unknown_name("engine", "physx", ["native", "mjx"])
    assert str(error) == "unknown engine 'physx'; Choices: mjx, native"
    assert str(unknown_name("clip", "wave", [])) == "unknown clip 'wave'; Choices: none"


def test_unknown_name_takes_any_value_and_mapping():
    assert "unknown preset 3;" in str(unknown_name("preset", 3, {"quick": 1}))


def test_closest_ignores_case():
    assert closest("WAVE", ["squat", "wave"]) == "wave"
    assert closest("zzz", ["squat", "wave"]) is None


def test_messages_are_one_line():
    assert str(MotionError("a\n  b")) == "a b"
    assert issubclass(MotionError, UserError)


def test_asset_path_of_the_robot():
    path = assets.asset_path("g1", "g1.xml")
    assert path.is_absolute() and path.read_text().lstrip().startswith("<")


def test_asset_path_of_a_missing_file_says_where_it_looked():
    with pytest.raises(FileNotFoundError, match=r"'g1/h2\.xml' is missing; looked in"):
        assets.asset_path("g1", "h2.xml")


def test_a_wheel_keeps_its_assets_inside_the_package(tmp_path, monkeypatch):
    inside, checkout = tmp_path / "_assets", tmp_path / "assets"
    for root, names in ((inside, "ab"), (checkout, "c")):
        (root / "motions").mkdir(parents=True)
        for name in names:
            (root / "motions" / f"{name}.npz").touch()
    monkeypatch.setattr(assets, "_ROOTS", (inside, checkout))
    assert list(assets.embedded_motions()) == ["a", "b"]
    assert assets.asset_path("motions") == inside / "motions"
    monkeypatch.setattr(assets, "_ROOTS", (tmp_path / "nothing", checkout))
    assert list(assets.embedded_motions()) == ["c"]
