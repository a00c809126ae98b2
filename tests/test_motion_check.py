"""`mimicgym motion`: what is said of good clips and of clips broken on purpose."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mimicgym.assets import embedded_motions
from mimicgym.cli import main
from mimicgym.motion import load_library, load_motion, save_motion
from mimicgym.motion.check import check_motion
from mimicgym.motion.checks.joints import jumps
from mimicgym.motion.edit import trim
from mimicgym.motion.kinematics import body_names, breadth_first
from mimicgym.robot import JOINTS_29
from mimicgym.terrain import terrain_from_spec


def codes(motion) -> set[str]:
    return {finding.code for finding in check_motion(motion)}


@pytest.mark.parametrize("name", sorted(embedded_motions()))
def test_embedded_clips_have_nothing_against_them(name):
    motion = load_motion(name)
    terrain = terrain_from_spec(motion.terrain) if motion.terrain else None
    assert check_motion(motion, terrain) == ()


def test_real_clips_are_not_called_broken_for_their_orders(real_motions):
    for path in sorted((real_motions / "curated").glob("*.npz")):
        found = codes(load_motion(path))
        assert not found & {"quat-order", "joint-order"}, path.stem


def test_a_wrong_quaternion_order_is_named(real_motions, tmp_path):
    motion = load_motion(real_motions / "curated" / "g1moves_M_Move18.npz")
    qpos = motion.qpos.copy()
    qpos[:, 3:7] = qpos[:, [4, 5, 6, 3]]
    broken = replace(motion, qpos=qpos)
    (finding,) = [f for f in check_motion(broken) if f.code == "quat-order"]
    assert finding.level == "error" and finding.mend == "--quat-order xyzw"
    save_motion(broken, tmp_path / "b.npz")
    mended = load_motion(tmp_path / "b.npz", quat_order="xyzw")
    np.testing.assert_allclose(mended.qpos, motion.qpos)


@pytest.mark.parametrize(("fps", "seconds"), [(60, 29), (60, 170), (50, 24.72), (7, 3)])
def test_the_mend_of_a_jump_removes_it(fps, seconds):
    """In time stamps of whole milliseconds, whatever the frame rate."""
    stand = load_motion("stand")
    frames = int((seconds + 2) * fps)
    qpos = np.tile(stand.qpos[:1], (frames, 1))
    first = replace(stand, qpos=qpos, fps=float(fps))
    for column in (0, 10):  # the root, a joint
        for frame in range(int(seconds * fps), int(seconds * fps) + 4):
            jumping = first.qpos.copy()
            jumping[frame + 1 :, column] += 1.2
            motion = replace(first, qpos=jumping)
            (finding,) = jumps(motion, None)
            _, end_s, _, _, start_s = finding.mend.split()
            before, after = (
                trim(motion, None, float(end_s)),
                trim(motion, float(start_s)),
            )
            assert not [*jumps(before, None), *jumps(after, None)]
            assert before.num_frames + after.num_frames >= frames - 2


def test_no_mend_of_a_jump_leaves_less_than_a_clip():
    stand = load_motion("stand")
    for frame, mend in ((0, "--start-s"), (len(stand.qpos) - 2, "--end-s")):
        qpos = stand.qpos.copy()
        qpos[frame + 1 :, 10] += 1.2
        (finding,) = jumps(replace(stand, qpos=qpos), None)
        assert finding.mend.split()[0] == mend and len(finding.mend.split()) == 2


def test_joints_in_breadth_first_order_are_named(real_motions):
    motion = load_motion(real_motions / "curated" / "g1moves_M_Move18.npz")
    wide = breadth_first()[1]
    qpos = motion.qpos.copy()
    qpos[:, 7:] = motion.qpos[:, [7 + JOINTS_29.index(name) for name in wide]]
    found = check_motion(replace(motion, qpos=qpos))
    assert "joint-order" in {f.code for f in found if f.level == "error"}


def test_bodies_in_breadth_first_order_are_named(real_motions, tmp_path):
    with np.load(real_motions / "raw" / "mjlab_npz" / "M_Move18.npz") as file:
        arrays = dict(file)
    order = [body_names().index(name) for name in breadth_first()[0]]
    for key in ("body_pos_w", "body_quat_w"):
        arrays[key] = arrays[key][:, order]
    np.savez(tmp_path / "b.npz", **arrays)
    (finding,) = [
        f for f in check_motion(load_motion(tmp_path / "b.npz")) if "order" in f.code
    ]
    assert finding.code == "body-order" and "bodies are in breadth-first" in (
        finding.message
    )


def test_half_the_frame_rate_shows_in_velocities_and_in_flight(real_motions, tmp_path):
    with np.load(real_motions / "raw" / "mjlab_npz" / "M_Move18.npz") as file:
        np.savez(tmp_path / "h.npz", **(dict(file) | {"fps": np.array([30.0])}))
    found = {f.code: f for f in check_motion(load_motion(tmp_path / "h.npz"))}
    assert found["fps"].level == "error" and "--fps 60" in found["fps"].mend


def test_a_fall_that_is_not_at_g_tells_of_the_frame_rate():
    stand = load_motion("stand")
    time_s = np.clip(np.arange(stand.num_frames) / stand.fps - 1.0, 0.0, 2 * 2.0 / 9.81)
    qpos = stand.qpos.copy()
    qpos[:, 2] += 2.0 * time_s - 0.5 * 9.81 * time_s**2
    jump = replace(stand, qpos=qpos)
    assert codes(jump) == set()
    (finding,) = [f for f in check_motion(replace(jump, fps=25.0)) if f.code == "fps"]
    assert finding.mend == "--fps 50"
    qpos = stand.qpos.copy()
    qpos[80:120, 2] += 0.1
    assert "hovering" in codes(replace(stand, qpos=qpos))


def test_limits_jumps_speeds_heights_and_overlaps_are_named():
    wave = load_motion("wave")

    def changed(joint, value, frames=slice(None)):
        qpos = wave.qpos.copy()
        qpos[frames, 7 + JOINTS_29.index(joint)] = value
        return replace(wave, qpos=qpos)

    assert "joint-limits" in codes(changed("left_knee_joint", -0.2))
    assert {"jump", "joint-speed"} <= codes(changed("left_elbow_joint", -1, slice(9)))
    # The left hand inside the right one's side of the body.
    assert "self-contact" in codes(changed("left_shoulder_roll_joint", -1.2))
    high = wave.qpos.copy()
    high[:, 2] += 0.1
    assert "height" in codes(replace(wave, qpos=high))
    high[:, 2] += np.linspace(0, 0.1, len(high))
    assert "floating" in codes(replace(wave, qpos=high))
    sliding = wave.qpos.copy()
    sliding[:, 0] += 0.3 * np.arange(len(sliding)) / wave.fps
    assert "skating" in codes(replace(wave, qpos=sliding))


def test_check_and_info_on_the_command_line(tmp_path, capsys):
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    save_motion(load_motion("stand"), tmp_path / "good.npz")
    file = tmp_path / "found.json"
    assert main(["motion", "check", str(tmp_path), "--json", str(file)]) == 1
    verdicts = {c["name"]: c["verdict"] for c in json.loads(file.read_text())["clips"]}
    assert verdicts == {str(tmp_path / "bad.npz"): "error", "good": "ok"}
    assert main(["motion", "check", "wave", "squat"]) == 0
    assert main(["motion", "list"]) == 0
    assert "jumping_jack" in capsys.readouterr().out
    info = ["motion", "info", str(tmp_path / "good.npz"), "--json", str(file)]
    assert main(info) == 0
    assert json.loads(file.read_text())["clips"][0]["frames"] == 201
    assert main(["motion", "chek"]) == 2
    assert "did you mean 'check'" in capsys.readouterr().err


def test_convert_on_the_command_line(tmp_path, capsys):
    target = tmp_path / "w.csv"
    options = ["--start-s", "1", "--end-s", "2", "--mirror", "--origin"]
    assert main(["motion", "convert", "wave", str(target), *options]) == 0
    cut = load_motion(target, fps=50, quat_order="xyzw")
    assert cut.num_frames == 51
    np.testing.assert_allclose(cut.qpos[0, :2], 0.0, atol=1e-9)
    many = ["--speed", "2", "--smooth-hz", "6", "--clip-limits", "--out-fps", "30"]
    more = ["--ground", "per_frame", "--hold-first-s", "0.5", "--hold-last-s", "0.5"]
    target = tmp_path / "w.npz"
    assert main(["motion", "convert", "wave", str(target), *many, *more]) == 0
    assert load_motion(target).duration_s == pytest.approx(3.5, abs=0.05)
    assert "30 fps" in capsys.readouterr().out
    assert main(["motion", "convert", "wave", str(tmp_path / "w.bvh")]) == 2
    assert "ends in .npz, .csv" in capsys.readouterr().err


def test_retarget_on_the_command_line(real_motions, tmp_path, capsys):
    source = real_motions / "raw" / "human_bvh" / "jumping_jacks.bvh"
    target = tmp_path / "j.npz"
    window = ["--start-s", "0", "--end-s", "0.5"]
    assert main(["motion", "retarget", str(source), str(target), *window]) == 0
    assert load_motion(target).duration_s == pytest.approx(0.5, abs=0.05)
    assert "joint at its limit" in capsys.readouterr().out


def test_clips_are_judged_on_their_own_ground(tmp_path, capsys):
    walk = load_motion("walk")
    flat = terrain_from_spec("flat")
    assert check_motion(walk, flat) == ()
    codes = [
        finding.code for finding in check_motion(walk, terrain_from_spec("stairs"))
    ]
    assert "terrain" in codes
    qpos = walk.qpos.copy()
    qpos[:, 2] += 0.3
    raised = replace(walk, qpos=qpos)
    (finding,) = [f for f in check_motion(raised, flat) if f.code == "terrain"]
    # 30 cm, whatever the sole: the embedded walk is within 5 mm of the floor.
    assert "30.0" in finding.message or "29.9" in finding.message, finding.message
    listed = tmp_path / "clips.yaml"
    listed.write_text(
        "- {clip: walk, terrain: stairs}\n- {clip: walk, terrain: moon}\n"
    )
    out = tmp_path / "check.json"
    command = ["motion", "check", str(listed), "--no-simulate", "--json", str(out)]
    assert main(command) == 1
    stairs_row, moon_row = json.loads(out.read_text())["clips"]
    assert stairs_row["verdict"] == "warning"
    assert "clip and ground do not fit" in stairs_row["findings"][0]["message"]
    assert "moon" in moon_row["findings"][0]["message"]
    capsys.readouterr()


def test_a_list_says_which_ground_a_clip_is_judged_on(tmp_path, capsys):
    """Its word goes before the clip's own, as in training."""
    save_motion(load_motion("climb_stairs"), tmp_path / "climb.npz")
    listed = tmp_path / "list.yaml"
    listed.write_text("- climb.npz\n- {clip: climb.npz, terrain: flat, name: level}\n")
    out = tmp_path / "check.json"
    command = ["motion", "check", str(listed), "--no-simulate", "--json", str(out)]
    assert main(command) == 0
    own, level = json.loads(out.read_text())["clips"]
    assert (own["name"], own["verdict"]) == ("climb", "ok")
    assert (level["name"], level["verdict"]) == ("level", "warning")
    on_the_floor = load_library([str(listed)]).motions[1]
    assert on_the_floor.terrain == "flat"
    said = {finding["message"] for finding in level["findings"]}
    found = check_motion(on_the_floor, terrain_from_spec("flat"))
    assert found and {finding.message for finding in found} <= said
    capsys.readouterr()


@pytest.mark.parametrize("command", ["info", "check"])
def test_reports_make_their_folders_or_are_refused_at_once(
    command, tmp_path, capsys, monkeypatch
):
    file = tmp_path / "new" / "folder" / "x.json"
    more = ["--no-simulate"] if command == "check" else []
    assert main(["motion", command, "stand", *more, "--json", str(file)]) == 0
    assert json.loads(file.read_text())["clips"]
    capsys.readouterr()
    # That it is no folder is said before the clip is looked for.
    below = str(file / "y.json")
    assert main(["motion", command, "gone.npz", *more, "--json", below]) == 2
    error = capsys.readouterr().err
    assert f"--json: {below} can not be written" in error and error.count("\n") == 1
    assert main(["motion", command]) == 2
    assert "files is empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--out-fps=1e15"], "--out-fps is 1e+15; it must be above 0 and at most 1000"),
        (["--out-fps=nan"], "--out-fps is nan; it must be above 0"),
        (
            ["--fps=1e-5", "--out-fps=50"],
            "makes 1e+09 frames of 2e+07 s; at most 3728270 can be read again",
        ),
    ],
)
def test_rates_that_make_too_much_are_refused(options, words, tmp_path, capsys):
    target = tmp_path / "s.npz"
    assert main(["motion", "convert", "stand", str(target), *options]) == 2
    assert words in capsys.readouterr().err
    assert not target.exists()


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("o.bvh", "ends in .npz, .csv"),
        ("none/o.npz", "can not be written: there is no"),
        ("", "is a folder"),
    ],
)
def test_targets_are_looked_at_before_the_work(target, words, tmp_path, capsys):
    """The sources are not there, which would be said if they were read."""
    for command, source in (("retarget", "gone.bvh"), ("convert", "gone.npz")):
        assert main(["motion", command, source, str(tmp_path / target)]) == 2
        said = capsys.readouterr().err
        assert words in said or (target == "" and "ends in" in said)
