"""`mimicgym motion plot` and `view`: pictures and films of clips."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from mimicgym.cli import main
from mimicgym.envs.render import Renderer
from mimicgym.motion import load_motion, save_motion, select_joints
from mimicgym.motion.edit import trim
from mimicgym.motion.soles import sole_points
from mimicgym.robot import JOINTS_23, WRIST_JOINTS, get_robot

SMALL = ["--width", "64", "--height", "48"]


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


@pytest.fixture
def shown(monkeypatch) -> list:
    """What would be played in a window: (robot, qpos, ghost_qpos, dt_s)."""
    calls = []

    def show(robot, qpos, ghost_qpos, *, dt_s, terrain):
        assert terrain is None
        calls.append((robot, qpos, ghost_qpos, dt_s))

    monkeypatch.setattr("mimicgym.cli.motion.view.has_screen", lambda: True)
    monkeypatch.setattr("mimicgym.cli.motion.view.show_window", show)
    return calls


@pytest.fixture
def short_kick(tmp_path) -> Path:
    """Half a second of `kick` from the middle, with the leg up."""
    path = tmp_path / "short_kick.npz"
    save_motion(trim(load_motion("kick"), 0.8, 1.3), path)
    return path


def test_a_plot_has_curves_in_every_panel(tmp_path, capsys):
    path = tmp_path / "walk.png"
    assert main(["motion", "plot", "walk", "--out", str(path)]) == 0
    assert capsys.readouterr().out.split() == ["saved", str(path)]
    picture = pixels(path)
    height, width, _ = picture.shape
    assert (height, width) == (1200, 1700)
    coloured = np.ptp(picture, axis=2) > 60  # grid, frame and letters are grey
    for row in np.split(coloured, 4, axis=0):
        for panel in np.array_split(row, 3, axis=1):
            assert panel.sum() > 200


def test_several_clips_go_into_a_folder(tmp_path, capsys):
    listed = tmp_path / "list.yaml"
    listed.write_text("- {clip: kick, name: a/b}\n- kick\n- {clip: wave, name: kick}\n")
    folder = tmp_path / "new" / "pictures"
    assert main(["motion", "plot", str(listed), "--out", str(folder)]) == 0
    names = {"a_b.png", "kick.png", "kick_2.png"}
    assert {path.name for path in folder.iterdir()} == names
    assert capsys.readouterr().out.count("saved") == 3
    below_title = np.s_[100:]
    kick, again, wave = (
        pixels(folder / f"{name}.png")[below_title]
        for name in ("a_b", "kick", "kick_2")
    )
    np.testing.assert_array_equal(kick, again)
    assert (kick != wave).any(axis=2).mean() > 0.01
    one = ["motion", "plot", "wave", "kick", "--clip", "wave"]
    assert main([*one, "--out", str(tmp_path / "one.png")]) == 0
    np.testing.assert_array_equal(pixels(tmp_path / "one.png")[below_title], wave)


def test_clips_without_wrists_and_with_contacts_are_plotted(tmp_path):
    motion = select_joints(load_motion("kick"), JOINTS_23)[0]
    contact = np.zeros((motion.num_frames, 2), bool)
    save_motion(replace(motion, foot_contact=contact), tmp_path / "k.npz")
    path = tmp_path / "k.png"
    assert main(["motion", "plot", str(tmp_path / "k.npz"), "--out", str(path)]) == 0
    assert path.stat().st_size > 50_000


def test_a_strip_shows_the_robot_as_it_moves(tmp_path, capsys):
    path = tmp_path / "strip.png"
    assert main(["motion", "view", "kick", "--video", str(path)]) == 0
    assert f"saved {path}" in capsys.readouterr().out
    strip = pixels(path)
    assert strip.shape == (480, 6 * 320, 3)
    renderer = Renderer(get_robot("g1_29dof"), width=320, height=480)
    below_floor = load_motion("kick").qpos[0].copy()
    below_floor[2] = -5.0
    empty = renderer.frame(below_floor).astype(int)
    renderer.close()
    robot = (np.abs(strip[:, :320] - empty) > 30).any(axis=2)
    assert 0.03 < robot.mean() < 0.5
    rows = np.flatnonzero(np.any(robot, axis=1))
    assert 20 < rows.min() < 200 and rows.max() > 300  # from head to feet
    moved = (np.abs(strip[:, 640:960] - strip[:, :320]) > 30).any(axis=2)
    assert moved.mean() > 0.01


def test_films_last_as_long_as_the_clip(short_kick, tmp_path, capsys):
    film = tmp_path / "k.gif"
    view = ["motion", "view", str(short_kick), *SMALL]
    assert main([*view, "--video", str(film), "--speed=0.75"]) == 0
    assert "short_kick: 0.67 s on g1_29dof" in capsys.readouterr().out
    with Image.open(film) as image:
        frames = [f.convert("RGB") for f in ImageSequence.Iterator(image)]
    assert len(frames) == 17  # 25 a second, from 0 to 0.64 s
    assert frames[0].size == (64, 48)
    first, last = (np.asarray(frames[i]).astype(int) for i in (0, -1))
    assert np.abs(last - first).max() > 50
    film = tmp_path / "k.mp4"
    assert main([*view, "--video", str(film), "--speed=2"]) == 0
    assert film.stat().st_size > 1000


def test_a_ghost_is_drawn_beside_the_clip(short_kick, tmp_path):
    strips = []
    for number, ghost in enumerate(([], ["--ghost", "stand"])):
        path = tmp_path / f"{number}.png"
        view = ["motion", "view", str(short_kick), "--video", str(path)]
        assert main([*view, *ghost]) == 0
        strips.append(pixels(path))
    bluer = (
        strips[1][..., 2] - strips[0][..., 2] - (strips[1][..., 0] - strips[0][..., 0])
    )
    assert (bluer > 40).mean() > 0.005


def test_a_window_plays_at_50_frames_a_second(shown, capsys):
    walk = load_motion("walk")
    assert main(["motion", "view", "walk", "kick"]) == 0
    assert main(["motion", "view", "walk", "kick", "--clip", "walk", "--speed=2"]) == 0
    (robot, qpos, ghost, dt_s), (_, fast, *_) = shown
    assert robot.name == "g1_29dof" and ghost is None and dt_s == 0.02
    np.testing.assert_allclose(qpos, walk.qpos, atol=1e-9)
    np.testing.assert_allclose(fast, walk.qpos[::2], atol=1e-9)
    out = capsys.readouterr().out
    assert out.count("not shown: kick; choose with --clip") == 1


def test_joints_are_those_of_the_robot(shown, tmp_path, capsys):
    path = tmp_path / "k.npz"
    save_motion(select_joints(load_motion("kick"), JOINTS_23)[0], path)
    assert main(["motion", "view", str(path)]) == 0
    assert f"lacks {', '.join(WRIST_JOINTS)}; drawn at 0" in capsys.readouterr().out
    assert main(["motion", "view", "kick", "--robot=g1_23dof"]) == 0
    assert f"fixed on g1_23dof: {', '.join(WRIST_JOINTS)}" in capsys.readouterr().out
    assert [call[1].shape[1] for call in shown] == [36, 30]


def test_the_clip_can_be_put_on_the_floor(shown, tmp_path):
    motion = load_motion("kick")
    qpos = motion.qpos.copy()
    qpos[:, 2] += 0.2
    save_motion(replace(motion, qpos=qpos), tmp_path / "high.npz")
    view = ["motion", "view", str(tmp_path / "high.npz")]
    assert main(view) == main([*view, "--ground=constant"]) == 0
    heights = [sole_points(call[1])[0][..., 2].min() for call in shown]
    np.testing.assert_allclose(heights, [0.2, 0.0], atol=0.01)


def test_the_shorter_clip_holds_its_last_frame(shown):
    kick, wave = load_motion("kick").qpos, load_motion("wave").qpos
    assert len(kick) < len(wave)
    assert main(["motion", "view", "kick", "--ghost", "wave"]) == 0
    assert main(["motion", "view", "wave", "--ghost", "kick"]) == 0
    (_, qpos, ghost, _), (_, longer, held, _) = shown
    assert len(qpos) == len(ghost) == len(longer) == len(held) == len(wave)
    np.testing.assert_allclose(ghost, wave, atol=1e-9)
    np.testing.assert_array_equal(ghost, longer)
    np.testing.assert_array_equal(qpos, held)
    np.testing.assert_array_equal(qpos[len(kick) :] - qpos[len(kick) - 1], 0.0)


def test_a_ghost_is_read_in_its_own_way(shown, tmp_path):
    save_motion(load_motion("kick"), tmp_path / "kick.csv")
    own = ["--ghost-fps=25", "--ghost-quat-order=xyzw"]
    ghost = str(tmp_path / "kick.csv")
    assert main(["motion", "view", "kick", "--ghost", ghost, *own]) == 0
    ((_, qpos, ghost_qpos, _),) = shown
    np.testing.assert_allclose(ghost_qpos[::2], load_motion("kick").qpos, atol=1e-4)
    assert len(qpos) == len(ghost_qpos)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plot", "walk", "--out=w.jpg"], ["--out is w.jpg", ".png", "folder"]),
        (
            ["plot", "walk", "kick", "--out=w.png"],
            ["w.png", "2 clips", "folder", "walk, kick", "--clip"],
        ),
        (["plot", "walk", "--out=no/w.png"], ["no/w.png", "No such file"]),
        (["plot", "walk", "--clip=wlak", "--out=w.png"], ["'wlak'", "'walk'"]),
        (["plot", "--out=w.png"], ["files is empty"]),
        (["view", "walk", "--video=w.avi"], ["w.avi", ".mp4, .gif, .png"]),
        (["view", "walk", "--video=no/w.gif"], ["no folder no"]),
        (["view", "walk", "--video=w.gif", "--clip=kik"], ["'kik'", "walk"]),
        (["view", "wlak", "--video=w.gif"], ["'wlak'", "'walk'"]),
        (["view", "walk", "--video=w.gif", "--ghost=kik"], ["'kik'", "'kick'"]),
        (["view", "walk", "--video=w.gif", "--robot=h1"], ["'h1'", "g1_29dof"]),
        (["view", "walk", "--video=w.gif", "--speed=0"], ["--speed is 0", "0.01"]),
        (["view", "walk", "--video=w.gif", "--speed=nan"], ["--speed is nan"]),
        (["view", "walk", "--video=w.gif", "--width=0"], ["--width is 0"]),
        (["view", "walk"], ["no display", "--video"]),
    ],
)
def test_bad_input_is_one_line(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mimicgym.cli.motion.view.has_screen", lambda: False)
    assert main(["motion", *arguments]) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    for word in words:
        assert word in error
    assert not any(tmp_path.iterdir()), "a failed command left something behind"
