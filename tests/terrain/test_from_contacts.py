"""The ground under a motion, estimated from its feet, against the true one."""

import numpy as np
import pytest

from mimicgym.cli import main
from mimicgym.errors import UserError
from mimicgym.motion import load_motion
from mimicgym.motion.kinematics import full_qpos
from mimicgym.motion.soles import above_ground, sole_contacts, sole_points
from mimicgym.terrain import field_from_npz, terrain_from_spec
from mimicgym.terrain.from_contacts import ContactGround, ground_from_soles

DT_S = 0.02


def estimate(name) -> tuple[ContactGround, np.ndarray]:
    motion = load_motion(name)
    soles_w, foot_up = sole_points(full_qpos(motion))
    return ground_from_soles(soles_w, foot_up, 1.0 / motion.fps), soles_w


def soles(*stands, swing_m=0.1):
    """(T, 2, 4, 3) of feet that are put at places: (left xyz, right xyz) by turns, each
    for 0.5 s, and in between lifted over 0.3 s to swing_m above the higher one."""
    corner = np.array([[-0.1, -0.03], [-0.1, 0.03], [0.1, -0.03], [0.1, 0.03]])
    path = []
    for before, after in zip(stands, (*stands[1:], stands[-1]), strict=True):
        before, after = np.array(before, float), np.array(after, float)
        path += [before] * 25
        moves = np.abs(after - before).max(axis=1, keepdims=True) > 1e-9
        for t in np.linspace(0.0, 1.0, 15):
            between = before + t * (after - before)
            top = np.maximum(before, after)[:, 2:] + swing_m
            lift = np.sin(np.pi * t) * (top - between[:, 2:])
            path.append(between + moves * lift * [0.0, 0.0, 1.0])
    points = np.array(path)[:, :, None] + np.append(corner, np.zeros((4, 1)), 1)
    return points, np.ones(points.shape[:2])


def test_the_stairs_under_climb_stairs():
    """Where feet rest the ground is at its true height to the millimetre, treads are
    found at all five levels, and feet go through nothing."""
    truth = terrain_from_spec(load_motion("climb_stairs").terrain)
    found, soles_w = estimate("climb_stairs")
    np.testing.assert_allclose(found.levels_m, 0.12 * np.arange(5), atol=1e-3)
    assert (len(found.rests), found.in_air) == (8, 0)
    for rest in found.rests:
        error_m = found.field.at(rest.places_xy) - truth.at(rest.places_xy)
        assert np.abs(error_m).max() < 1e-3  # seen: 3e-8
    assert above_ground(soles_w, found.field)[..., 2].min() > -1e-3
    # Under the whole path, wherever it is not the depth of a tread that is a guess.
    x, y = np.meshgrid(np.arange(-0.1, 1.6, 0.02), np.arange(-0.15, 0.16, 0.02))
    path_xy = np.stack([x.ravel(), y.ravel()], axis=1)
    error_m = np.abs(found.field.at(path_xy) - truth.at(path_xy))
    assert (error_m < 0.01).mean() > 0.85  # seen: 0.91
    assert error_m.max() < 0.13


@pytest.mark.parametrize("name", ["walk", "kick", "turn", "side_step", "march"])
def test_motions_on_the_floor_are_on_the_floor(name):
    """Legs that are held up, such as the kick's, make no ground."""
    found, _ = estimate(name)
    np.testing.assert_allclose(found.field.height_m, 0.0, atol=2e-3)
    assert found.in_air == {"kick": 2, "turn": 12}.get(name, 0)


def test_real_clips_on_a_floor_are_flat(real_motions):
    for name in ("kimodo_walk", "kimodoex_06_root_waypoints", "unitree_G1_Take_102"):
        found, _ = estimate(real_motions / "curated" / f"{name}.npz")
        assert np.ptp(found.field.height_m) < 1e-6
        assert abs(found.levels_m[0]) < 0.01


def test_the_stairs_under_a_real_clip(real_motions):
    """Seven treads, and soles at rest drift about them by centimetres."""
    found, soles_w = estimate(real_motions / "curated/kimodoex_07_text_terrain.npz")
    rises_m = np.diff(found.levels_m)
    assert len(rises_m) == 6 and rises_m.min() > 0.16 and rises_m.max() < 0.24
    over_m = above_ground(soles_w, found.field)[..., 2].min(axis=2)
    for rest in found.rests:
        rest_m = over_m[rest.start : rest.stop, rest.foot]
        assert abs(np.median(rest_m)) < 1e-3
        assert np.percentile(np.abs(rest_m), 90) < 0.03  # seen: 0.022
    assert over_m.min() > -0.02


def test_a_box_beside_the_way():
    """By hand: the left foot steps on a box, the right one beside it, then both on."""
    start = [(0.0, 0.1, 0.0), (0.0, -0.1, 0.0)]
    on_box = [(0.5, 0.1, 0.2), (0.0, -0.1, 0.0)]
    beside = [(0.5, 0.1, 0.2), (1.0, -0.1, 0.0)]
    end = [(1.0, 0.1, 0.0), (1.0, -0.1, 0.0)]
    found = ground_from_soles(*soles(start, on_box, beside, end), DT_S)
    np.testing.assert_allclose(found.levels_m, [0.0, 0.2])
    places = np.array([[0, 0.1], [0.5, 0.1], [0.5, 0.3], [1, 0.1], [1, -0.1], [2, 0]])
    np.testing.assert_allclose(
        found.field.at(places), [0, 0.2, 0.2, 0, 0, 0], atol=1e-6
    )
    # Corners of a foot that rests are over cells of its own height.
    np.testing.assert_allclose(found.field.at([[0.4, 0.07], [0.6, 0.13]]), 0.2)


def test_a_foot_that_is_held_up_and_put_down_there_makes_no_ground():
    stands = [(0.0, 0.1, 0.0), (0.0, -0.1, 0.0)]
    held = [(0.5, 0.1, 0.3), (0.0, -0.1, 0.0)]
    down = [(0.5, 0.1, 0.0), (0.0, -0.1, 0.0)]
    found = ground_from_soles(*soles(stands, held, down), DT_S)
    assert found.in_air == 1
    np.testing.assert_allclose(found.field.height_m, 0.0)


def test_feet_that_swing_low_lower_what_is_next_to_a_step():
    """A high tread is nearest to places that a foot passes over below its height."""
    stands = [(0.0, 0.1, 0.0), (0.0, -0.1, 0.0)]
    ahead = [(0.9, 0.1, 0.0), (0.0, -0.1, 0.0)]
    up = [(0.9, 0.1, 0.0), (1.2, -0.1, 0.5)]
    points, foot_up = soles(stands, ahead, up, swing_m=0.05)
    found = ground_from_soles(points, foot_up, DT_S)
    np.testing.assert_allclose(found.levels_m, [0.0, 0.5])
    assert above_ground(points, found.field)[..., 2].min() > -0.03


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"cell_m": 0.0}, "clip: cell_m is 0; it must be above 0 m"),
        ({"margin_m": -1.0}, "clip: margin_m is -1; it must be 0 m or more"),
        ({"cell_m": 1e-4}, "clip: .* more than max_megabytes, 64"),
    ],
)
def test_wrong_arguments_are_named(more, message):
    points, foot_up = soles([(0.0, 0.1, 0.0), (0.0, -0.1, 0.0)])
    with pytest.raises(UserError, match=message):
        ground_from_soles(points, foot_up, DT_S, name="clip", **more)


def test_a_clip_whose_feet_never_rest():
    points, foot_up = soles([(0.0, 0.1, 0.0), (0.0, -0.1, 0.0)])
    points[..., 0] += np.arange(len(points))[:, None, None] * 0.05  # 2.5 m/s
    with pytest.raises(UserError, match="clip: no foot rests anywhere"):
        ground_from_soles(points, foot_up, DT_S, name="clip")


def test_the_command_puts_the_ground_into_the_clip(tmp_path, capsys):
    out, field = tmp_path / "climb.npz", tmp_path / "field.npz"
    command = ["motion", "terrain", "climb_stairs", "--out", str(out)]
    assert main([*command, "--field", str(field)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "8 rests of the feet at -0.000, 0.120, 0.240, 0.360, 0.480 m" in shown
    motion = load_motion(out)
    assert motion.terrain == str(out)
    ground = terrain_from_spec(motion.terrain)
    np.testing.assert_array_equal(ground.height_m, field_from_npz(field).height_m)
    soles_w, contact = sole_contacts(motion, ground)
    down_m = above_ground(soles_w, ground)[..., 2].min(axis=2)[contact]
    assert abs(np.median(down_m)) < 1e-3
    assert main(["motion", "check", str(out), "--no-simulate"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "cm above the ground" in shown
    assert main([*command[:-1], str(tmp_path / "climb.csv")]) == 2
    assert "--out is" in capsys.readouterr().err
