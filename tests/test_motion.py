"""Reading, checking, resampling and writing clips."""

import re
import shutil
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.spatial.transform import Rotation, Slerp

from mimicgym.assets import embedded_motions
from mimicgym.errors import MotionError, UserError
from mimicgym.motion import (
    Motion,
    load_motion,
    resample,
    save_motion,
    select_joints,
    validate,
)
from mimicgym.motion.formats import READERS
from mimicgym.robot import JOINTS_23, JOINTS_29, WRIST_JOINTS


def clip(frames=6, fps=50.0, joints=JOINTS_29, **changes) -> Motion:
    """Upright, turning left, with a different number in every joint."""
    qpos = np.zeros((frames, 7 + len(joints)))
    qpos[:, :3] = np.linspace([0.0, 0.0, 0.78], [0.3, 0.1, 0.80], frames)
    half_yaw = np.linspace(0.5, 0.7, frames)
    qpos[:, 3], qpos[:, 6] = np.cos(half_yaw), np.sin(half_yaw)
    qpos[:, 7:] = 0.01 * np.arange(len(joints)) + 0.001 * np.arange(frames)[:, None]
    return replace(Motion(qpos, fps, joints, "clip"), **changes)


def with_value(motion: Motion, frame, column, value) -> Motion:
    qpos = motion.qpos.copy()
    qpos[frame, column] = value
    return replace(motion, qpos=qpos)


def arrays_of(motion: Motion) -> dict[str, np.ndarray]:
    return {
        "qpos": motion.qpos.astype(np.float32),
        "fps": np.float32(motion.fps),
        "joint_names": np.array(motion.joint_names),
        "source": np.array("somewhere"),
    }


def write_csv(path, motion: Motion, quat_order="xyzw", end="\n"):
    rows = motion.qpos.copy()
    if quat_order == "xyzw":
        rows[:, 3:7] = motion.qpos[:, [4, 5, 6, 3]]
    text = end.join(",".join(f"{x:.9f}" for x in row) for row in rows)
    path.write_text(text + end, newline="")
    return path


# Embedded and real clips


@pytest.mark.parametrize("name", ["wave", "squat"])
def test_embedded_clips_load_by_name(name):
    motion = load_motion(name)
    assert motion.name == name and motion.license == "Apache-2.0"
    assert motion.joint_names == JOINTS_29 and motion.fps == 50.0
    assert motion.num_frames > 200 and motion.duration_s > 4.0


def test_all_real_clips_load(real_motions):
    paths = sorted((real_motions / "curated").glob("*.npz"))
    assert len(paths) >= 30
    for path in paths:
        motion = load_motion(str(path))
        assert motion.name == path.stem and motion.path == str(path)
        assert motion.joint_names == JOINTS_29
        np.testing.assert_allclose(np.linalg.norm(motion.qpos[:, 3:7], axis=1), 1.0)
        assert motion.source and motion.license


@pytest.mark.parametrize("name", ["M_Move18", "B_HandsUp"])
def test_csv_agrees_with_the_same_clip_as_npz(real_motions, name):
    path = real_motions / "raw" / "unitree_csv_xyzw" / f"{name}.csv"
    csv = load_motion(str(path), fps=60, quat_order="xyzw")
    npz = load_motion(str(real_motions / "curated" / f"g1moves_{name}.npz"))
    assert csv.fps == npz.fps and csv.joint_names == npz.joint_names
    np.testing.assert_allclose(csv.qpos, npz.qpos, atol=1e-4)


def test_wxyz_csv_agrees_with_the_same_clip_as_npz(real_motions):
    path = real_motions / "raw" / "kimodo_csv_wxyz" / "output_walk.csv"
    csv = load_motion(str(path), fps=30, quat_order="wxyz")
    npz = load_motion(str(real_motions / "curated" / "kimodo_walk.npz"))
    np.testing.assert_allclose(csv.qpos, npz.qpos, atol=1e-4)


# Our own format


def test_saving_and_loading_loses_nothing(tmp_path):
    contact = np.array([[1, 0], [1, 1], [0, 1], [0, 0], [1, 1], [1, 0]], bool)
    motion = clip(
        source="lab", license="MIT", description="a turn", foot_contact=contact
    )
    path = tmp_path / "turn.npz"
    save_motion(motion, path)
    loaded = load_motion(str(path))
    np.testing.assert_allclose(loaded.qpos, motion.qpos, atol=1e-12)
    np.testing.assert_array_equal(loaded.foot_contact, contact)
    assert (loaded.name, loaded.fps) == ("turn", 50.0)
    assert (loaded.source, loaded.license, loaded.description) == (
        "lab",
        "MIT",
        "a turn",
    )
    assert loaded.joint_names == JOINTS_29


@settings(max_examples=20, deadline=None)
@given(
    st.integers(3, 9),
    st.floats(1.0, 240.0),
    st.sampled_from([JOINTS_23, JOINTS_29]),
    st.integers(0, 2**32 - 1),
)
def test_round_trip_of_any_clip(tmp_path_factory, frames, fps, joints, seed):
    rng = np.random.default_rng(seed)
    qpos = rng.uniform(-3, 3, (frames, 7 + len(joints)))
    qpos[:, 3:7] /= np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
    path = tmp_path_factory.getbasetemp() / "any.npz"
    save_motion(Motion(qpos, fps, joints, "any"), path)
    loaded = load_motion(str(path))
    np.testing.assert_allclose(loaded.qpos, qpos, atol=1e-6)
    assert loaded.fps == pytest.approx(fps) and loaded.joint_names == joints


def test_saving_under_another_name_or_a_bad_clip_is_refused(tmp_path):
    with pytest.raises(MotionError, match=r"ends in \.npz, \.csv"):
        save_motion(clip(), tmp_path / "turn.bvh")
    with pytest.raises(MotionError, match="fps is 0"):
        save_motion(clip(fps=0.0), tmp_path / "turn.npz")
    assert not list(tmp_path.iterdir())


def test_formats_are_found_by_content_not_by_suffix(tmp_path):
    save_motion(clip(), tmp_path / "a.npz")
    renamed = shutil.copy(tmp_path / "a.npz", tmp_path / "b.csv")
    assert load_motion(str(renamed)).num_frames == 6
    table = write_csv(tmp_path / "c.npz", clip())
    assert load_motion(str(table), fps=50, quat_order="xyzw").num_frames == 6


def test_fps_that_is_given_replaces_the_files_or_fills_its_lack(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, **arrays_of(clip(fps=30.0)))
    assert load_motion(str(path)).fps == 30.0
    assert load_motion(str(path), fps=60).fps == 60.0
    without = {k: v for k, v in arrays_of(clip()).items() if k != "fps"}
    np.savez(path, **without)
    assert load_motion(str(path), fps=60).fps == 60.0
    with pytest.raises(MotionError, match=r"lacks fps; give fps \(--fps\); found qpos"):
        load_motion(str(path))


def test_one_element_fps_and_byte_names_are_read(tmp_path):
    arrays = arrays_of(clip())
    arrays["fps"] = np.array([50])
    arrays["joint_names"] = np.array(JOINTS_29, dtype="S")
    np.savez(tmp_path / "a.npz", **arrays)
    motion = load_motion(str(tmp_path / "a.npz"))
    assert motion.fps == 50.0 and motion.joint_names == JOINTS_29


class Bomb:
    """Unpickling it would leave a trace."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_arrays_of_objects_are_refused_and_never_unpickled(tmp_path):
    arrays = arrays_of(clip())
    trace = tmp_path / "trace"
    arrays["joint_names"] = np.array([Bomb(trace)], dtype=object)
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(MotionError, match="array 'joint_names' can not be read"):
        load_motion(str(tmp_path / "a.npz"))
    assert not trace.exists()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("qpos", np.array(["x"]), "qpos holds <U1, not numbers"),
        ("qpos", np.zeros(36), r"qpos has shape \(36,\)"),
        ("qpos", np.zeros((5, 35)), r"shape \(5, 35\); 29 joint names call for"),
        ("fps", np.array([30, 60]), r"fps has shape \(2,\); one number is needed"),
        ("fps", np.array(0.0), "fps is 0; it must be a positive number"),
        ("fps", np.array(np.inf), "fps is inf; it must be a positive number"),
        ("joint_names", np.arange(29), "joint_names holds int64, not text"),
        ("foot_contact", np.ones((5, 2)), r"foot_contact has shape \(5, 2\)"),
        (
            "foot_contact",
            np.full((6, 2), np.nan),
            "foot_contact holds nan; 0 and 1 are",
        ),
    ],
)
def test_arrays_of_the_wrong_kind_are_named(tmp_path, key, value, message):
    np.savez(tmp_path / "a.npz", **(arrays_of(clip()) | {key: value}))
    with pytest.raises(MotionError, match=message) as caught:
        load_motion(str(tmp_path / "a.npz"))
    assert str(caught.value).startswith(f"{tmp_path / 'a.npz'}: ")
    assert "\n" not in str(caught.value)


def test_contacts_are_what_is_above_a_half(tmp_path):
    contact = np.tile([0.1, 0.9], (6, 1))
    np.savez(tmp_path / "a.npz", **arrays_of(clip()), foot_contact=contact)
    loaded = load_motion(str(tmp_path / "a.npz")).foot_contact
    assert loaded is not None
    np.testing.assert_array_equal(loaded, np.tile([False, True], (6, 1)))


def test_missing_arrays_are_named(tmp_path):
    np.savez(tmp_path / "a.npz", joint_pos=np.zeros((5, 29)), fps=30)
    with pytest.raises(
        MotionError, match="lacks qpos, joint_names; found joint_pos, fps"
    ):
        load_motion(str(tmp_path / "a.npz"))


def test_truncated_and_damaged_archives_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    save_motion(clip(), path)
    content = path.read_bytes()
    for length in (1, 3, 40, len(content) // 2, len(content) - 5):
        path.write_bytes(content[:length])
        with pytest.raises(MotionError):
            load_motion(str(path))
    path.write_bytes(content[:60] + b"\xff" * 20 + content[80:])
    with pytest.raises(MotionError, match="can not be read"):
        load_motion(str(path))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_anywhere_gives_our_own_error_or_a_clip(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    source = folder / "whole.npz"
    if not source.exists():
        save_motion(clip(), source)
    content = bytearray(source.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(
            st.integers(0, 255)
        )
    damaged = folder / "damaged.npz"
    damaged.write_bytes(bytes(content))
    try:
        assert load_motion(str(damaged)).num_frames >= 3
    except MotionError as error:
        assert "\n" not in str(error)


# Unitree CSV


@pytest.mark.parametrize("quat_order", ["xyzw", "wxyz"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_csv_in_both_quaternion_orders(tmp_path, quat_order, end):
    path = write_csv(tmp_path / "turn.csv", clip(), quat_order, end)
    motion = load_motion(str(path), fps=30, quat_order=quat_order)
    np.testing.assert_allclose(motion.qpos, clip().qpos, atol=1e-8)
    assert (motion.name, motion.fps, motion.joint_names) == ("turn", 30.0, JOINTS_29)


def test_csv_with_a_byte_order_mark(tmp_path):
    path = write_csv(tmp_path / "turn.csv", clip())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_motion(str(path), fps=30, quat_order="xyzw").num_frames == 6


def test_csv_asks_for_what_it_does_not_say(tmp_path):
    path = str(write_csv(tmp_path / "turn.csv", clip()))
    both = (
        r"give fps, such as 30 \(--fps\) and quat_order xyzw or wxyz \(--quat-order\)"
    )
    with pytest.raises(MotionError, match=both):
        load_motion(path)
    with pytest.raises(MotionError, match=r"give quat_order xyzw or wxyz"):
        load_motion(path, fps=30)
    with pytest.raises(MotionError, match=r"give fps, such as 30 \(--fps\)$"):
        load_motion(path, quat_order="xyzw")


def test_csv_in_the_wrong_quaternion_order_names_the_other(tmp_path):
    for right, wrong in (("xyzw", "wxyz"), ("wxyz", "xyzw")):
        path = write_csv(tmp_path / "turn.csv", clip(), right)
        with pytest.raises(MotionError, match=f"look like {right}, not {wrong}"):
            load_motion(str(path), fps=30, quat_order=wrong)


def test_csv_lines_that_do_not_fit_are_named(tmp_path):
    path = write_csv(tmp_path / "turn.csv", clip())
    lines = path.read_text().splitlines()

    def refused(new_lines, message):
        path.write_text("\n".join(new_lines))
        with pytest.raises(MotionError, match=message):
            load_motion(str(path), fps=30, quat_order="xyzw")

    refused([line + ",0.0" for line in lines], "line 1 has 37 columns; 36 are needed")
    refused([line[:-12] for line in lines], "line 1 has 35 columns")
    refused([*lines, lines[0][:90]], "line 7 has 8 columns")
    refused(["root_x,root_y,root_z", *lines], "line 1, column 1 is 'root_x', not a num")
    refused([*lines[:3], lines[3].replace(",", ",x", 1)], "line 4, column 2 is 'x0")
    refused([*lines[:2], "nan" + lines[2][11:], lines[3]], "frame 2 has nan for root x")


# What makes a clip unusable


@pytest.mark.parametrize(
    ("motion", "message"),
    [
        (clip(frames=2), "has 2 frames; at least 3 are needed"),
        (clip(frames=1), "has 1 frames"),
        (clip(fps=0.0), "fps is 0; it must be a positive number"),
        (clip(fps=-30.0), "fps is -30"),
        (clip(fps=float("nan")), "fps is nan"),
        (with_value(clip(), 4, 7 + 3, np.nan), "frame 4 has nan for left_knee_joint"),
        (with_value(clip(), 2, 1, np.inf), "frame 2 has inf for root y"),
        (with_value(clip(), 2, 1, 1e30), r"frame 2 has 1e\+30 for root y"),
        (
            with_value(clip(), slice(3, 6), 3, 2.0),
            r"quaternion of frame 3 has length 2\.\d+, not 1 \(3 of 6 frames are off",
        ),
        (with_value(clip(), 5, slice(3, 7), 0.0), "of frame 5 has length 0, not 1"),
        (
            clip(joints=(*JOINTS_29[:-1], "right_wrist_jaw_joint")),
            "unknown joint 'right_wrist_jaw_joint'; did you mean 'right_wrist_yaw_joi",
        ),
        (
            clip(joints=(*JOINTS_29[:-1], JOINTS_29[0])),
            "joint 'left_hip_pitch_joint' is named more than once",
        ),
        (
            clip(joints=(*JOINTS_29[:-1], "left_hip_pitch")),
            "joint 'left_hip_pitch_joint' is named more than once",
        ),
        (replace(clip(), joint_names=JOINTS_23), "23 joint names call for"),
    ],
)
def test_unusable_clips_are_refused(motion, message):
    with pytest.raises(MotionError, match=message) as caught:
        validate(motion)
    assert str(caught.value).startswith("clip: ")


def test_small_deviations_of_quaternions_are_mended():
    motion = clip()
    off = motion.qpos.copy()
    off[:, 3:7] *= 1.005
    mended = validate(replace(motion, qpos=off))
    np.testing.assert_allclose(mended.qpos, motion.qpos, atol=1e-12)
    assert off[0, 3] != mended.qpos[0, 3], "the caller's array is left alone"


def test_joint_names_without_suffix_are_completed():
    short = tuple(name.removesuffix("_joint") for name in JOINTS_29)
    assert validate(clip(joints=short)).joint_names == JOINTS_29


# Joints by name


def test_29_to_23_drops_the_wrists():
    motion = clip()
    selected, filled = select_joints(motion, JOINTS_23)
    assert filled == () and selected.joint_names == JOINTS_23
    for name in JOINTS_23:
        np.testing.assert_array_equal(
            selected.qpos[:, 7 + JOINTS_23.index(name)],
            motion.qpos[:, 7 + JOINTS_29.index(name)],
        )
    np.testing.assert_array_equal(selected.qpos[:, :7], motion.qpos[:, :7])


def test_23_to_29_fills_the_wrists_with_zeros_and_says_so():
    motion = clip(joints=JOINTS_23)
    selected, filled = select_joints(motion, JOINTS_29)
    assert filled == WRIST_JOINTS
    for i, name in enumerate(JOINTS_29):
        if name in WRIST_JOINTS:
            expected = np.zeros(6)
        else:
            expected = motion.qpos[:, 7 + JOINTS_23.index(name)]
        np.testing.assert_array_equal(selected.qpos[:, 7 + i], expected)


def test_joints_in_another_order_and_without_suffix_are_matched_by_name():
    shuffled = tuple(reversed(JOINTS_29))
    short = tuple(name.removesuffix("_joint") for name in shuffled)
    motion = clip()
    turned = replace(
        motion,
        qpos=np.concatenate([motion.qpos[:, :7], motion.qpos[:, :6:-1]], axis=1),
        joint_names=short,
    )
    selected, filled = select_joints(turned, JOINTS_29)
    assert filled == ()
    np.testing.assert_array_equal(selected.qpos, motion.qpos)


def test_other_joints_can_not_be_made_up():
    without_waist = tuple(j for j in JOINTS_23 if "waist" not in j)
    with pytest.raises(
        MotionError,
        match="clip: the clip lacks waist_yaw_joint, waist_roll_joint, waist_pitch",
    ):
        select_joints(clip(joints=without_waist), JOINTS_23)


# Names and paths


def test_unknown_names_list_the_embedded_clips():
    with pytest.raises(MotionError, match="unknown motion 'wav'; did you mean 'wave'"):
        load_motion("wav")
    with pytest.raises(MotionError, match=r"Choices: climb_stairs, .*, wave"):
        load_motion("moonwalk")
    assert {"wave", "squat"} <= set(embedded_motions())


def test_an_embedded_name_wins_over_a_file_of_that_name(tmp_path, monkeypatch):
    save_motion(clip(), tmp_path / "wave.npz")
    (tmp_path / "wave.npz").rename(tmp_path / "wave")
    monkeypatch.chdir(tmp_path)
    assert load_motion("wave").num_frames > 200
    assert load_motion("./wave").num_frames == 6


def test_files_that_can_not_be_read_say_why(tmp_path):
    missing = tmp_path / "no.npz"
    with pytest.raises(
        MotionError, match=re.escape(f"{missing}: there is no such motion file")
    ):
        load_motion(str(missing))
    with pytest.raises(MotionError, match="is a folder; name a motion file in it"):
        load_motion(str(tmp_path))
    for name, content, message in (
        ("empty.npz", b"", "the file is empty"),
        ("noise.npz", bytes(range(256)) * 20, r"is in no format .*mimicgym \.npz"),
        ("note.txt", b"hello\nworld\n", "is in no format that can be read"),
        ("zip.npz", b"PK\x03\x04 not really", "truncated or damaged archive"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(MotionError, match=message) as caught:
            load_motion(str(path))
        assert str(path) in str(caught.value)
    with pytest.raises(MotionError, match=r"can not be read|no such motion file"):
        load_motion("a" * 5000 + ".npz")
    with pytest.raises(MotionError):
        load_motion("a\0b.npz")


@pytest.mark.parametrize("fps", [0, -1.0, float("inf"), float("nan")])
def test_fps_that_is_given_must_be_positive(fps):
    with pytest.raises(MotionError, match=f"wave: fps is {fps:g}; it must be a pos"):
        load_motion("wave", fps=fps)


def test_unknown_quaternion_order_is_refused_for_every_format():
    with pytest.raises(UserError, match=r"unknown quat_order 'xzyw'.*wxyz, xyzw"):
        load_motion("wave", quat_order="xzyw")


def test_each_reader_has_a_name_of_its_own():
    assert len({reader.name for reader in READERS}) == len(READERS) >= 2


# Resampling


def smooth_clip(frames=31, fps=30.0) -> Motion:
    t = np.arange(frames)[:, None] / fps
    rng = np.random.default_rng(3)
    qpos = np.empty((frames, 36))
    qpos[:, :3] = [0, 0, 0.8] + 0.2 * np.sin(t * rng.uniform(1, 3, 3))
    rotation = Rotation.from_rotvec(
        np.sin(t * [1.0, 1.7, 2.3]) * [0.4, 0.3, 2.5]
    ) * Rotation.from_euler("z", 1.0)
    qpos[:, 3:7] = np.roll(rotation.as_quat(canonical=True), 1, axis=1)
    qpos[:, 7:] = 0.5 * np.sin(t * rng.uniform(1, 4, 29) + rng.uniform(0, 6, 29))
    return Motion(qpos, fps, JOINTS_29, "smooth")


@pytest.mark.parametrize(("fps", "dt_s"), [(30.0, 0.02), (60.0, 0.02), (24.0, 1 / 100)])
def test_resampling_against_scipy_on_the_exact_time_base(fps, dt_s):
    motion = smooth_clip(fps=fps)
    result = resample(motion, dt_s)
    times = np.arange(motion.num_frames) / fps
    expected_times = np.arange(result.num_frames) * dt_s
    assert expected_times[-1] <= times[-1] + 1e-9 < expected_times[-1] + dt_s
    assert result.fps == pytest.approx(1 / dt_s)
    for column in (0, 1, 2, *range(7, 36)):
        np.testing.assert_allclose(
            result.qpos[:, column],
            np.interp(expected_times, times, motion.qpos[:, column]),
            atol=1e-12,
        )
    rotations = Rotation.from_quat(np.roll(motion.qpos[:, 3:7], -1, axis=1))
    expected = Slerp(times, rotations)(np.minimum(expected_times, times[-1]))
    found = Rotation.from_quat(np.roll(result.qpos[:, 3:7], -1, axis=1))
    assert (expected.inv() * found).magnitude().max() < 1e-9
    dots = np.sum(result.qpos[1:, 3:7] * result.qpos[:-1, 3:7], axis=1)
    assert dots.min() > 0.0


def test_resampling_to_the_same_rate_keeps_every_frame():
    for fps in (50.0, 30.0, 59.94, 120.0):
        motion = smooth_clip(frames=500, fps=fps)
        result = resample(motion, 1.0 / fps)
        assert result.num_frames == 500
        for columns in (slice(0, 3), slice(7, None)):
            np.testing.assert_allclose(
                result.qpos[:, columns], motion.qpos[:, columns], atol=1e-14
            )
        same = np.abs(np.sum(result.qpos[:, 3:7] * motion.qpos[:, 3:7], axis=1))
        np.testing.assert_allclose(same, 1.0, atol=1e-14)


def test_one_second_stays_one_second():
    # 31 frames at 30 Hz last exactly 1 s: 51 frames at 50 Hz, first and last kept.
    motion = smooth_clip(frames=31, fps=30.0)
    result = resample(motion, 0.02)
    assert result.num_frames == 51
    np.testing.assert_allclose(result.qpos[-1, 7:], motion.qpos[-1, 7:])


def test_signs_of_quaternions_do_not_matter_for_resampling():
    motion = smooth_clip()
    flipped = motion.qpos.copy()
    flipped[::3, 3:7] *= -1
    a = resample(motion, 0.02)
    b = resample(replace(motion, qpos=flipped), 0.02)
    same = np.abs(np.sum(a.qpos[:, 3:7] * b.qpos[:, 3:7], axis=1))
    np.testing.assert_allclose(same, 1.0, atol=1e-12)


def test_contacts_are_those_of_the_nearest_frame():
    contact = np.zeros((31, 2), bool)
    contact[10:20, 0] = True
    result = resample(replace(smooth_clip(), foot_contact=contact), 0.02)
    nearest = np.rint(np.arange(51) * 0.02 * 30).astype(int)
    np.testing.assert_array_equal(result.foot_contact, contact[nearest])


def test_a_time_step_must_be_positive():
    with pytest.raises(MotionError, match="time step is 0"):
        resample(smooth_clip(), 0.0)
