"""Clips made into other clips."""

import re
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.signal import butter, filtfilt
from scipy.spatial.transform import Rotation

from mimicgym.errors import MotionError
from mimicgym.motion import Motion, load_motion, resample, validate
from mimicgym.motion.edit import (
    align_to_ground,
    blend,
    change_speed,
    clip_joints,
    clip_to_limits,
    hold,
    joint_ranges_rad,
    loop,
    mirror,
    repeat,
    reset_origin,
    smooth,
    trim,
)
from mimicgym.motion.kinematics import body_names, full_qpos, link_poses
from mimicgym.motion.quaternions import (
    heading_rad,
    quat_about_z,
    quat_conj,
    quat_mul,
    quat_rotate,
    quat_to_rotvec,
    slerp,
)
from mimicgym.motion.soles import sole_contacts, sole_points
from mimicgym.motion.velocity import velocities
from mimicgym.robot import JOINTS_23, JOINTS_29

PROPERTY = settings(max_examples=40, deadline=None)
XY, JOINTS = slice(0, 2), slice(7, None)


def moving(
    seed=0, frames=61, fps=30.0, joints=JOINTS_29, turn_rad=2.0, contact=True
) -> Motion:
    """Smooth, leaning, turning and walking away, with foot contacts."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames)[:, None] / fps
    qpos = np.empty((frames, 7 + len(joints)))
    qpos[:, :3] = [1.0, -2.0, 0.8] + t * [0.7, 0.4, 0.0]
    qpos[:, :3] += 0.05 * np.sin(t * rng.uniform(1, 3, 3))
    lean = Rotation.from_rotvec(np.sin(t * [1.0, 1.7, 1.3]) * [0.4, 0.3, 0.2])
    yaw = about_z(rng.uniform(-3, 3) + turn_rad * t[:, 0])
    qpos[:, 3:7] = wxyz_of(yaw * lean)
    count = len(joints)
    qpos[:, 7:] = 0.3 * np.sin(t * rng.uniform(1, 4, count) + rng.uniform(0, 6, count))
    feet = rng.random((frames, 2)) < 0.6 if contact else None
    return Motion(qpos, fps, joints, "moving", "lab", "MIT", "a", foot_contact=feet)


MOTIONS = st.builds(
    moving,
    seed=st.integers(0, 2**32 - 1),
    frames=st.integers(20, 80),
    fps=st.sampled_from([24.0, 29.97, 50.0, 60.0]),
    joints=st.sampled_from([JOINTS_23, JOINTS_29]),
    turn_rad=st.floats(-6.0, 6.0),
    contact=st.booleans(),
)


def about_z(angle_rad) -> Rotation:
    return Rotation.from_rotvec(np.multiply.outer(angle_rad, [0.0, 0.0, 1.0]))


def wxyz_of(rotation: Rotation) -> np.ndarray:
    return np.roll(rotation.as_quat(), 1, axis=-1)


def rotations(rows: np.ndarray) -> Rotation:
    return Rotation.from_quat(np.roll(rows[..., 3:7], -1, axis=-1))


def apart_rad(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (rotations(a).inv() * rotations(b)).magnitude()


def without_place(rows: np.ndarray) -> np.ndarray:
    """Joints, height, and which way is up for the root: all but x, y and yaw."""
    up = rotations(rows).inv().apply([0.0, 0.0, 1.0])
    return np.concatenate([rows[..., 2:3], up, rows[..., JOINTS]], axis=-1)


def steps(rows: np.ndarray) -> np.ndarray:
    """How each frame differs from the one before, seen from the one before."""
    turned = rotations(rows[:-1]).inv()
    shift = turned.apply(np.diff(rows[:, :3], axis=0))
    turn = (turned * rotations(rows[1:])).as_rotvec()
    return np.concatenate([shift, turn, np.diff(rows[:, JOINTS], axis=0)], axis=1)


def assert_same_but(result: Motion, motion: Motion, **changed):
    """A clip that can be used, with the same fields but `qpos` and `foot_contact`."""
    for field in ("name", "source", "license", "description", "path", "joint_names"):
        assert getattr(result, field) == changed.get(field, getattr(motion, field))
    assert result.fps == motion.fps
    assert (result.foot_contact is None) == (motion.foot_contact is None)
    validate(result)


def refused(message: str, edit, *args, **kwargs):
    with pytest.raises(MotionError, match=message) as caught:
        edit(*args, **kwargs)
    assert "\n" not in str(caught.value) and str(caught.value).startswith("moving: ")


# Rotations


@PROPERTY
@given(st.integers(0, 2**32 - 1))
def test_quaternions_against_scipy(seed):
    rng = np.random.default_rng(seed)
    a, b = Rotation.random(9, rng=rng), Rotation.random(9, rng=rng)
    v, angle = rng.normal(size=(9, 3)), rng.uniform(-np.pi, np.pi, 9)
    qa, qb = wxyz_of(a), wxyz_of(b)

    def same(q, rotation):
        dots = np.abs(np.sum(q * wxyz_of(rotation), axis=1))
        np.testing.assert_allclose(dots, 1.0, atol=1e-12)

    same(quat_mul(qa, qb), a * b)
    same(quat_mul(qa[:1], qb), a[0] * b)
    same(quat_conj(qa), a.inv())
    same(quat_about_z(angle), about_z(angle))
    np.testing.assert_allclose(quat_rotate(qa, v), a.apply(v), atol=1e-12)
    np.testing.assert_allclose(quat_to_rotvec(qa), a.as_rotvec(), atol=1e-9)
    x_axis = a.apply([1.0, 0.0, 0.0])
    heading = np.arctan2(x_axis[:, 1], x_axis[:, 0])
    np.testing.assert_allclose(heading_rad(qa), heading, atol=1e-9)
    part = rng.random((9, 1))
    near = np.where(np.sum(qa * qb, axis=1, keepdims=True) < 0, -qb, qb)
    same(
        slerp(qa, near, part),
        a * Rotation.from_rotvec(part * (a.inv() * b).as_rotvec()),
    )


# Soles


def test_soles_of_a_robot_that_stands_and_one_that_lies():
    qpos = np.zeros((2, 36))
    qpos[:, 2:4] = [0.793, 1.0]
    qpos[1, 3:7] = [np.sqrt(0.5), 0.0, np.sqrt(0.5), 0.0]
    soles_w, foot_up = sole_points(qpos)
    assert soles_w.shape == (2, 2, 4, 3) and foot_up.shape == (2, 2)
    np.testing.assert_allclose(foot_up, [[1, 1], [0, 0]], atol=1e-9)
    np.testing.assert_allclose(np.ptp(soles_w[0, ..., 2]), 0.0, atol=1e-9)
    assert (soles_w[0, 0, :, 1] > 0).all() and (soles_w[0, 1, :, 1] < 0).all()
    np.testing.assert_allclose(soles_w[0, 0, :, 2], 0.0, atol=0.01)


def test_a_clips_own_contacts_are_taken_for_granted():
    motion = moving(contact=True)
    np.testing.assert_array_equal(sole_contacts(motion)[1], motion.foot_contact)
    assert sole_contacts(moving(contact=False))[1].shape == (61, 2)


# Parts, pauses, speed


@PROPERTY
@given(MOTIONS, st.data())
def test_trimming_keeps_the_frames_within(motion, data):
    last = motion.num_frames - 1
    first = data.draw(st.integers(0, last - 2))
    end = data.draw(st.integers(first + 2, last))
    result = trim(motion, first / motion.fps, end / motion.fps)
    assert_same_but(result, motion)
    np.testing.assert_array_equal(result.qpos, motion.qpos[first : end + 1])
    if motion.foot_contact is not None:
        np.testing.assert_array_equal(
            result.foot_contact, motion.foot_contact[first : end + 1]
        )
    # Times between frames leave out the frames beyond them.
    start_s, end_s = max(0, first - 0.5) / motion.fps, min(last, end + 0.5) / motion.fps
    np.testing.assert_array_equal(trim(motion, start_s, end_s).qpos, result.qpos)


def test_trimming_at_one_end_and_not_at_all():
    motion = moving()
    assert trim(motion).num_frames == 61
    assert trim(motion, start_s=0.5).num_frames == 46
    assert trim(motion, end_s=0.5).num_frames == 16


@pytest.mark.parametrize(
    ("start_s", "end_s", "message"),
    [
        (-0.1, None, r"start_s is -0\.1; it must be from 0 to 2 s \(the clip lasts 2"),
        (2.1, None, r"start_s is 2\.1; it must be from 0 to 2 s"),
        (None, 2.1, r"end_s is 2\.1; it must be from start_s, 0, to 2 s \(the clip l"),
        (1.5, 1.0, r"end_s is 1; it must be from start_s, 1\.5, to 2 s"),
        (1.0, 1.01, r"trimming to 1\.\.1\.01 s leaves 1 frames; at least 3 are needed"),
        (1.01, 1.02, r"leaves 0 frames"),
        (np.nan, None, "start_s is nan"),
        (None, np.inf, "end_s is inf"),
    ],
)
def test_trimming_outside_the_clip_is_refused(start_s, end_s, message):
    refused(message, trim, moving(), start_s, end_s)


@PROPERTY
@given(MOTIONS, st.integers(0, 40), st.integers(0, 40))
def test_holding_adds_frames_that_stand_still(motion, before, after):
    result = hold(motion, before / motion.fps, after / motion.fps)
    assert_same_but(result, motion)
    count = motion.num_frames
    assert result.num_frames == before + count + after
    np.testing.assert_array_equal(result.qpos[before : before + count], motion.qpos)
    assert (result.qpos[: before + 1] == motion.qpos[0]).all()
    assert (result.qpos[before + count - 1 :] == motion.qpos[-1]).all()
    if motion.foot_contact is not None:
        assert (result.foot_contact[: before + 1] == motion.foot_contact[0]).all()
        assert result.foot_contact.shape == (result.num_frames, 2)


def test_holds_that_make_no_sense_are_refused():
    refused(r"first_s is -1; it must be from 0 to 3600 s", hold, moving(), -1.0)
    refused(r"last_s is 1e\+09", hold, moving(), last_s=1e9)
    refused("last_s is nan", hold, moving(), 0.0, np.nan)


@PROPERTY
@given(MOTIONS, st.floats(0.2, 4.0))
def test_speed_changes_the_duration_and_not_the_rate(motion, factor):
    result = change_speed(motion, factor)
    assert_same_but(result, motion)
    exact = (motion.num_frames - 1) / factor
    assert result.num_frames == int(np.floor(exact + 1e-6)) + 1
    assert result.duration_s <= motion.duration_s / factor + 1e-6
    same = resample(motion, factor / motion.fps)
    np.testing.assert_allclose(result.qpos, same.qpos, atol=1e-7)


def test_twice_as_fast_has_every_second_frame_and_once_as_fast_all():
    motion = moving()
    twice = change_speed(motion, 2.0)
    assert twice.num_frames == 31
    np.testing.assert_allclose(twice.qpos[:, JOINTS], motion.qpos[::2, JOINTS])
    np.testing.assert_array_equal(twice.foot_contact, motion.foot_contact[::2])
    assert apart_rad(twice.qpos, motion.qpos[::2]).max() < 1e-9
    same = change_speed(motion, 1.0)
    np.testing.assert_allclose(same.qpos, motion.qpos, atol=1e-12)
    slow = velocities(change_speed(motion, 0.5).qpos, 1 / 30)[0]
    assert np.abs(slow[::2] - 0.5 * velocities(motion.qpos, 1 / 30)[0]).max() < 0.05
    refused(r"factor is 0; it must be from 0\.01 to 30", change_speed, motion, 0.0)
    refused(r"factor is 31; it must be", change_speed, motion, 31.0)
    refused("factor is nan", change_speed, motion, np.nan)
    assert change_speed(motion, 30.0).num_frames == 3


@PROPERTY
@given(MOTIONS, st.floats(20.0, 120.0))
def test_resampling_keeps_ends_ranges_and_duration(motion, fps):
    result = resample(motion, 1.0 / fps)
    np.testing.assert_allclose(result.qpos[0, JOINTS], motion.qpos[0, JOINTS])
    assert motion.duration_s - 1.0 / fps < result.duration_s + 1e-6
    assert result.duration_s <= motion.duration_s + 1e-6
    assert (
        result.qpos[:, JOINTS].max(0) <= motion.qpos[:, JOINTS].max(0) + 1e-12
    ).all()
    assert (
        result.qpos[:, JOINTS].min(0) >= motion.qpos[:, JOINTS].min(0) - 1e-12
    ).all()


# Smoothing


@PROPERTY
@given(MOTIONS, st.floats(0.1, 0.9))
def test_smoothing_is_scipys_filtfilt(motion, part):
    cutoff_hz = part * motion.fps / 2.0
    rough = motion.qpos.copy()
    rough[:, 7:] += 0.1 * np.random.default_rng(1).normal(size=rough[:, 7:].shape)
    motion = replace(motion, qpos=rough)
    b, a = butter(2, cutoff_hz, fs=motion.fps)
    for given_motion in (motion, trim(motion, end_s=4 / motion.fps)):
        rows = given_motion.qpos
        expected = filtfilt(b, a, rows, axis=0, padlen=min(9, len(rows) - 1))
        result = smooth(given_motion, cutoff_hz)
        assert_same_but(result, given_motion)
        for columns in (slice(0, 3), JOINTS):
            np.testing.assert_allclose(
                result.qpos[:, columns], expected[:, columns], rtol=0, atol=1e-9
            )
        quats = expected[:, 3:7]
        quats /= np.linalg.norm(quats, axis=1, keepdims=True)
        np.testing.assert_allclose(result.qpos[:, 3:7], quats, rtol=0, atol=1e-9)
        if motion.foot_contact is not None:
            np.testing.assert_array_equal(
                result.foot_contact, given_motion.foot_contact
            )


def test_smoothing_has_no_delay_and_halves_at_the_cutoff():
    frames, fps, cutoff_hz = 1001, 100.0, 5.0
    t = np.arange(frames) / fps
    motion = moving(frames=frames, fps=fps, turn_rad=0.0)
    for at_hz, gain in ((1.0, 0.998), (5.0, 0.5), (20.0, 0.002)):
        qpos = motion.qpos.copy()
        qpos[:, 7] = np.sin(2 * np.pi * at_hz * t)
        found = smooth(replace(motion, qpos=qpos), cutoff_hz).qpos[200:-200, 7]
        phase = np.exp(2j * np.pi * at_hz * t[200:-200])
        response = np.mean(found * phase.conj()) / np.mean(
            qpos[200:-200, 7] * phase.conj()
        )
        assert abs(response) == pytest.approx(gain, abs=2e-3)
        if gain > 0.1:
            assert abs(np.angle(response)) < 1e-3


def test_smoothing_keeps_turns_at_constant_speed_however_many():
    t = np.arange(301) / 30.0
    qpos = np.zeros((301, 36))
    qpos[:, 2] = 0.8
    qpos[:, 3:7] = wxyz_of(about_z(5.0 * t))  # signs jump
    motion = Motion(qpos, 30.0, JOINTS_29, "moving")
    result = smooth(motion, 3.0)
    assert apart_rad(result.qpos, qpos)[20:-20].max() < 1e-5
    refused("cutoff_hz is 0.1; around frame .* turns too fast", smooth, motion, 0.1)


def test_smoothing_calms_a_noisy_root():
    motion = moving(frames=300, fps=60.0)
    noise = Rotation.from_rotvec(0.05 * np.random.default_rng(2).normal(size=(300, 3)))
    noisy = motion.qpos.copy()
    noisy[:, 3:7] = wxyz_of(rotations(noisy) * noise)
    noisy[::3, 3:7] *= -1.0
    result = smooth(replace(motion, qpos=noisy), 5.0)
    before, after = apart_rad(noisy, motion.qpos), apart_rad(result.qpos, motion.qpos)
    assert np.sqrt(np.mean(after**2)) < 0.5 * np.sqrt(np.mean(before**2))


@pytest.mark.parametrize("cutoff_hz", [0.0, -1.0, 15.0, np.inf, np.nan])
def test_a_cutoff_must_be_below_half_the_frame_rate(cutoff_hz):
    message = rf"cutoff_hz is {cutoff_hz:g}; it must be above 0 and below 15 Hz"
    refused(message, smooth, moving(), cutoff_hz)


# Ground


def lowest_m(motion: Motion) -> np.ndarray:
    return sole_points(full_qpos(motion))[0][..., 2].min(axis=(1, 2))


def standing(frames=90, fps=30.0) -> Motion:
    qpos = np.zeros((frames, 36))
    qpos[:, 2:4] = [0.8, 1.0]
    qpos[:, 7:] = 0.0
    return Motion(qpos, fps, JOINTS_29, "moving")


def test_constant_moves_a_clip_as_a_whole():
    motion = load_motion("squat")
    high = motion.qpos.copy()
    high[:, 2] += 0.3
    result = align_to_ground(replace(motion, qpos=high), "constant")
    assert_same_but(result, motion)
    shift = result.qpos - high
    np.testing.assert_allclose(shift[:, 2], shift[0, 2], atol=1e-12)
    assert np.percentile(lowest_m(result), 2) == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(np.delete(shift, 2, axis=1), 0.0, atol=1e-12)


def test_per_frame_takes_out_drift_and_leaves_a_jump():
    motion = standing()
    t = np.arange(90) / 30.0
    contact = np.ones((90, 2), bool)
    contact[40:52] = False
    air = np.clip((t - 39 / 30) * (52 / 30 - t), 0, None) * 9.81 / 2
    qpos = motion.qpos.copy()
    qpos[:, 2] += air + 0.02 * t  # floats away by 6 cm
    result = align_to_ground(
        replace(motion, qpos=qpos, foot_contact=contact), "per_frame"
    )
    np.testing.assert_allclose(lowest_m(result), air, atol=1e-5)
    np.testing.assert_array_equal(result.foot_contact, contact)


def test_per_frame_adds_no_steps_in_velocity():
    motion = standing()
    qpos = motion.qpos.copy()
    qpos[45:, 2] += 0.05  # a step, as where two takes were joined
    contact = np.ones((90, 2), bool)
    result = align_to_ground(
        replace(motion, qpos=qpos, foot_contact=contact), "per_frame"
    )
    correction = result.qpos[:, 2] - qpos[:, 2]
    assert np.abs(np.diff(correction)).max() * 30.0 < 0.7  # of the step's 1.5 m/s
    slow = replace(motion, fps=5.0, qpos=qpos, foot_contact=contact)
    np.testing.assert_allclose(
        lowest_m(align_to_ground(slow, "per_frame")), 0.0, atol=1e-9
    )


def test_ground_modes_that_can_not_be_are_refused():
    motion = standing()
    refused(
        "unknown mode 'perframe'; did you mean 'per_frame'",
        align_to_ground,
        motion,
        "perframe",
    )
    flying = replace(motion, foot_contact=np.zeros((90, 2), bool))
    message = "no foot is on the ground in any of 90 frames, .* must be 'constant'"
    refused(message, align_to_ground, flying, "per_frame")


def test_per_frame_mends_a_squat_that_floats_and_leaves_a_jump(real_motions):
    squat = load_motion(str(real_motions / "curated" / "asap_squat_level2.npz"))
    contact = sole_contacts(squat)[1].any(axis=1)
    assert np.ptp(lowest_m(squat)) > 0.09
    mended = lowest_m(align_to_ground(squat, "per_frame"))
    assert np.abs(mended[contact]).max() < 0.003 and np.abs(mended).max() < 0.015

    jump = load_motion(str(real_motions / "curated" / "asap_jump_forward_level2.npz"))
    air = slice(49, 66)  # between the estimated take-off and landing
    assert not sole_contacts(jump)[1][air].any()
    result = align_to_ground(jump, "per_frame")
    apex = []
    for clip in (jump, result):
        low = lowest_m(clip)
        line = np.interp(np.arange(49, 66), [48, 66], low[[48, 66]])
        apex.append((low[air] - line).max())
    assert apex[0] == pytest.approx(0.198, abs=0.001)
    assert apex[1] == pytest.approx(apex[0], abs=0.005)
    contact = sole_contacts(jump)[1].any(axis=1)
    assert np.abs(lowest_m(result)[contact]).max() < 0.01


# Mirror


@PROPERTY
@given(MOTIONS)
def test_a_mirrored_mirror_image_is_the_clip(motion):
    image = mirror(motion)
    assert_same_but(image, motion)
    again = mirror(image)
    np.testing.assert_array_equal(again.qpos, motion.qpos)
    if motion.foot_contact is not None:
        np.testing.assert_array_equal(image.foot_contact, motion.foot_contact[:, ::-1])
        np.testing.assert_array_equal(again.foot_contact, motion.foot_contact)


@PROPERTY
@given(MOTIONS)
def test_the_mirrored_root_is_the_mirrored_rotation_matrix(motion):
    flip = np.diag([1.0, -1.0, 1.0])
    expected = flip @ rotations(motion.qpos).as_matrix() @ flip
    image = mirror(motion).qpos
    np.testing.assert_allclose(rotations(image).as_matrix(), expected, atol=1e-12)


def test_joints_change_sides_by_name():
    shuffled = tuple(np.random.default_rng(0).permutation(JOINTS_29).tolist())
    a, b = moving(), moving()
    order = [7 + JOINTS_29.index(name) for name in shuffled]
    b = replace(b, qpos=b.qpos[:, [*range(7), *order]], joint_names=shuffled)
    np.testing.assert_array_equal(mirror(b).qpos[:, 7:], mirror(a).qpos[:, order])
    one_side = replace(a, qpos=a.qpos[:, :13], joint_names=JOINTS_29[:6])
    refused(
        "has 'left_hip_pitch_joint' without 'right_hip_pitch_joint'", mirror, one_side
    )


def test_links_of_a_mirrored_clip_are_mirrored(real_motions):
    motion = load_motion(str(real_motions / "curated" / "asap_kick_level3.npz"))
    sides = {"left": "right", "right": "left"}
    names = body_names()
    other = [
        names.index("_".join([sides.get(head, head), *rest]))
        for head, *rest in (name.split("_") for name in names)
    ]
    here = link_poses(full_qpos(motion))[0]
    there = link_poses(full_qpos(mirror(motion)))[0]
    error = np.linalg.norm(here[:, other] * [1, -1, 1] - there, axis=-1).max(axis=0)
    # Unitree's model has the shoulders at y = 0.10022 and -0.10021 m.
    arms = [re.search("shoulder|elbow|wrist", name) is not None for name in names]
    assert error[~np.array(arms)].max() < 1e-6
    assert error.max() < 2e-5


# Place


@PROPERTY
@given(MOTIONS, st.booleans(), st.booleans())
def test_a_clip_is_moved_as_a_whole(motion, yaw, xy):
    result = reset_origin(motion, yaw=yaw, xy=xy)
    assert_same_but(result, motion)
    np.testing.assert_allclose(steps(result.qpos), steps(motion.qpos), atol=1e-9)
    np.testing.assert_array_equal(result.qpos[:, 2], motion.qpos[:, 2])
    np.testing.assert_allclose(
        without_place(result.qpos), without_place(motion.qpos), atol=1e-12
    )
    heading, start = heading_rad(result.qpos[:, 3:7])[0], result.qpos[0, XY]
    was = heading_rad(motion.qpos[:, 3:7])[0]
    assert heading == pytest.approx(0.0 if yaw else was, abs=1e-12)
    np.testing.assert_allclose(
        start, np.zeros(2) if xy else motion.qpos[0, XY], atol=1e-12
    )


# Cycles


@PROPERTY
@given(MOTIONS, st.floats(0.05, 1.0), st.integers(1, 4))
def test_a_loop_closes_and_repeats(motion, part, count):
    overlap = max(1, int(part * ((motion.num_frames - 1) // 2)))  # as steps
    cycle = loop(motion, overlap / motion.fps)
    assert_same_but(cycle, motion)
    assert cycle.num_frames == motion.num_frames - overlap
    rows = without_place(cycle.qpos)
    np.testing.assert_allclose(rows[-1], rows[0], atol=1e-9)
    kept = slice(overlap, motion.num_frames - overlap)
    np.testing.assert_array_equal(cycle.qpos[kept, JOINTS], motion.qpos[kept, JOINTS])
    assert apart_rad(cycle.qpos[kept], motion.qpos[kept]).max(initial=0.0) < 1e-9

    middle = (overlap + 1) // 2
    np.testing.assert_allclose(
        cycle.qpos[middle, XY], motion.qpos[middle, XY], atol=1e-9
    )

    chain = repeat(cycle, count)
    assert_same_but(chain, cycle)
    period = cycle.num_frames - 1
    assert chain.num_frames == count * period + 1
    once, all_steps = steps(cycle.qpos), steps(chain.qpos)
    np.testing.assert_allclose(all_steps, np.tile(once, (count, 1)), atol=1e-7)
    if motion.foot_contact is not None:
        assert (cycle.foot_contact[0] == cycle.foot_contact[-1]).all()
        expected = np.tile(cycle.foot_contact[:-1], (count, 1))
        np.testing.assert_array_equal(chain.foot_contact[:-1], expected)


def test_a_walk_in_a_circle_goes_on_in_the_circle():
    # One turn a 4 s: of any part the cycles together stay on the circle.
    t = np.arange(91) / 30.0
    qpos = np.zeros((91, 36))
    angle = 2 * np.pi * t / 4.0
    qpos[:, 0], qpos[:, 1], qpos[:, 2] = np.sin(angle), 1.0 - np.cos(angle), 0.8
    qpos[:, 3:7] = wxyz_of(about_z(angle))
    qpos[:, 7] = 0.2 * np.sin(2 * np.pi * t)
    chain = repeat(loop(Motion(qpos, 30.0, JOINTS_29, "circle"), 1.0), 6)
    radius = np.linalg.norm(chain.qpos[:, XY] - [0.0, 1.0], axis=1)
    np.testing.assert_allclose(radius, 1.0, atol=1e-9)
    assert chain.num_frames == 6 * 60 + 1
    dots = np.sum(chain.qpos[1:, 3:7] * chain.qpos[:-1, 3:7], axis=1)
    assert dots.min() > 0.99
    np.testing.assert_allclose(
        chain.qpos[:, 7], 0.2 * np.sin(2 * np.pi * np.arange(361) / 30), atol=1e-9
    )


def test_a_loop_of_a_real_clip_has_no_jerk_at_the_seam(real_motions):
    motion = load_motion(str(real_motions / "curated" / "asap_walk_level2.npz"))
    chain = repeat(loop(motion, 0.5), 3)
    before, after = steps(motion.qpos), steps(chain.qpos)
    assert np.abs(after).max() < 1.5 * np.abs(before).max()
    assert (
        np.abs(np.diff(after, axis=0)).max()
        < 1.5 * np.abs(np.diff(before, axis=0)).max()
    )


def test_cycles_that_can_not_be_are_refused():
    motion = moving()
    message = r"blend_s is {}; it must be from 0\.03333 \(a frame\) to 1 s"
    for blend_s in (0.0, -1.0, 1.1, np.nan):
        refused(message.format(f"{blend_s:g}"), loop, motion, blend_s)
    refused(
        "the last frame is not the first one again, .* differs by", repeat, motion, 2
    )
    shortest = trim(motion, end_s=2 / 30)
    refused("making it periodic leaves 2 frames", loop, shortest, 1 / 30)
    assert loop(trim(motion, end_s=3 / 30), 1 / 30).num_frames == 3
    cycle = loop(motion, 0.3)
    for count in (0, -1, 1.5):
        refused(
            f"count is {count}; it must be an integer, 1 or more", repeat, cycle, count
        )


# Two clips


@PROPERTY
@given(MOTIONS, st.integers(0, 2**32 - 1), st.data())
def test_a_blend_is_both_clips_outside_the_overlap(a, seed, data):
    b = moving(seed, 25, a.fps, a.joint_names, contact=a.foot_contact is not None)
    overlap = data.draw(st.integers(2, min(a.num_frames, 25) - 1))
    result = blend(a, b, (overlap - 1) / a.fps)
    assert_same_but(result, a, name="moving+moving" if a.name != b.name else "moving")
    assert result.num_frames == a.num_frames + 25 - overlap
    start, rest = a.num_frames - overlap, 25 - overlap
    np.testing.assert_array_equal(result.qpos[:start, :3], a.qpos[:start, :3])
    assert apart_rad(result.qpos[:start], a.qpos[:start]).max() < 1e-9
    np.testing.assert_allclose(
        without_place(result.qpos[-rest:]), without_place(b.qpos[-rest:]), atol=1e-9
    )
    np.testing.assert_allclose(
        steps(result.qpos[-rest:]), steps(b.qpos[-rest:]), atol=1e-9
    )
    if a.foot_contact is not None:
        np.testing.assert_array_equal(
            result.foot_contact[:start], a.foot_contact[:start]
        )
        np.testing.assert_array_equal(
            result.foot_contact[-rest:], b.foot_contact[-rest:]
        )


@PROPERTY
@given(MOTIONS, st.floats(-3.0, 3.0), st.floats(-5.0, 5.0))
def test_a_clip_cut_in_two_and_moved_is_put_together_again(motion, yaw_rad, x_m):
    turn = about_z(yaw_rad)
    moved = motion.qpos.copy()
    moved[:, :3] = turn.apply(moved[:, :3]) + [x_m, 1.0, 0.0]
    moved[:, 3:7] = wxyz_of(turn * rotations(moved))
    overlap = motion.num_frames // 3
    first = trim(motion, end_s=2 * overlap / motion.fps)
    second = trim(replace(motion, qpos=moved), start_s=(overlap + 1) / motion.fps)
    whole = blend(first, second, (overlap - 1) / motion.fps)
    np.testing.assert_allclose(whole.qpos[:, :3], motion.qpos[:, :3], atol=1e-9)
    np.testing.assert_allclose(whole.qpos[:, 7:], motion.qpos[:, 7:], atol=1e-9)
    assert apart_rad(whole.qpos, motion.qpos).max() < 1e-7


def test_a_blend_meets_in_the_middle_and_starts_and_ends_level():
    standing_still, walking = standing(61), standing(61)
    walking.qpos[:, 0] = np.arange(61) / 30.0  # 1 m/s
    walking.qpos[:, 7] = 1.0
    result = blend(walking, standing_still, 1.0).qpos
    assert len(result) == 61 + 61 - 31
    # Frames 30 to 60 overlap; in their middle both are where the walk is then.
    np.testing.assert_allclose(result[45, 0], 1.5, atol=1e-9)
    np.testing.assert_allclose(result[60:, 0], 1.5, atol=1e-9)
    weight = 1.0 - result[30:61, 7]
    np.testing.assert_allclose(weight[[0, 15, 30]], [0.0, 0.5, 1.0], atol=1e-12)
    change = np.diff(weight)
    assert change.min() > 0.0
    assert max(change[0], change[-1]) < 0.1 * change.max()


def test_blends_match_joints_by_name_and_say_what_does_not_match():
    a, b = moving(1), moving(2)
    turned = tuple(reversed(JOINTS_29))
    b_turned = replace(
        b, qpos=np.concatenate([b.qpos[:, :7], b.qpos[:, :6:-1]], 1), joint_names=turned
    )
    np.testing.assert_array_equal(blend(a, b_turned, 0.5).qpos, blend(a, b, 0.5).qpos)
    message = r"b must have the same joints, but other lacks left_wrist_pitch_joint, l"
    other = replace(moving(3, joints=JOINTS_23), name="other")
    refused(message, blend, a, other, 0.5)
    with pytest.raises(MotionError, match=r"other: .*, but other lacks left_wrist_pit"):
        blend(other, a, 0.5)


def test_blends_of_mixed_rates_and_labels():
    a = moving(1)
    b = replace(
        moving(2, fps=60.0), name="b", source="web", license="MIT", path="b.npz"
    )
    refused(
        r"b \(b\.npz\) has 60 frames per second; it must have 30, or be res",
        blend,
        a,
        b,
        0.5,
    )
    result = blend(a, b, 0.5, resample_b=True)
    assert result.fps == 30.0 and result.num_frames == 61 + 31 - 16
    assert (result.name, result.source, result.license) == (
        "moving+b",
        "lab; web",
        "MIT",
    )
    assert result.path == "" and result.foot_contact is not None
    assert blend(a, moving(2, contact=False), 0.5).foot_contact is None
    refused(
        r"blend_s is 3; it must be from 0\.03333 \(a frame\) to 2 s",
        blend,
        a,
        moving(2),
        3.0,
    )


# Limits


def test_joints_are_held_within_ranges_and_reported():
    motion = standing(frames=5)
    qpos = motion.qpos.copy()
    knee, hip = (
        7 + JOINTS_29.index(f"left_{part}_joint") for part in ("knee", "hip_roll")
    )
    qpos[:, knee] = [0.0, 0.5, 1.2, 1.5, 1.0]
    qpos[2, hip] = -0.1
    motion = replace(motion, qpos=qpos)
    ranges = {"left_hip_roll_joint": (0.0, 1.0), "left_knee_joint": (0.2, 1.0)}
    result, report = clip_joints(motion, ranges)
    np.testing.assert_allclose(result.qpos[:, knee], [0.2, 0.5, 1.0, 1.0, 1.0])
    found = [
        (j.joint, j.frames, round(j.largest_excess_rad, 9), j.frame) for j in report
    ]
    assert found == [("left_knee_joint", 3, 0.5, 3), ("left_hip_roll_joint", 1, 0.1, 2)]
    others = [c for c in range(36) if c not in (knee, hip)]
    np.testing.assert_array_equal(result.qpos[:, others], qpos[:, others])
    assert clip_joints(result, ranges)[1] == ()
    refused(
        "ranges: unknown joint 'left_kne'; did you mean 'left_kn",
        clip_joints,
        motion,
        {"left_kne": (0, 1)},
    )
    refused(
        "the range of left_knee_joint is 1 to 0; the lower",
        clip_joints,
        motion,
        {"left_knee_joint": (1, 0)},
    )


@PROPERTY
@given(MOTIONS, st.floats(0.1, 20.0))
def test_clipping_to_the_robots_ranges(motion, scale):
    qpos = motion.qpos.copy()
    qpos[:, JOINTS] *= scale
    result, report = clip_to_limits(replace(motion, qpos=qpos))
    assert_same_but(result, motion)
    ranges = joint_ranges_rad()
    low, high = np.array([ranges[name] for name in motion.joint_names]).T
    assert (result.qpos[:, 7:] >= low).all() and (result.qpos[:, 7:] <= high).all()
    outside = (qpos[:, 7:] < low) | (qpos[:, 7:] > high)
    assert {j.joint for j in report} == {
        name
        for name, bad in zip(motion.joint_names, outside.any(0), strict=True)
        if bad
    }
    assert sum(j.frames for j in report) == outside.sum()


def test_edits_refuse_clips_that_can_not_be_used():
    bad = moving()
    bad.qpos[3, 9] = np.nan
    for edit in (trim, hold, mirror, reset_origin, clip_to_limits):
        refused("frame 3 has nan for left_hip_yaw_joint", edit, bad)
    for edit, value in (
        (smooth, 3.0),
        (change_speed, 2.0),
        (loop, 0.5),
        (repeat, 2),
        (align_to_ground, "constant"),
        (clip_joints, {}),
    ):
        refused("frame 3 has nan for left_hip_yaw_joint", edit, bad, value)
    refused("frame 3 has nan", blend, bad, moving(), 0.5)


@pytest.mark.parametrize(
    "edit",
    [
        lambda m: trim(m, 0.1, 1.0),
        lambda m: smooth(m, 5.0),
        lambda m: align_to_ground(m, "per_frame"),
        mirror,
        reset_origin,
        lambda m: repeat(loop(m, 0.5), 2),
        lambda m: blend(m, m, 0.5),
        lambda m: hold(m, 1.0, 1.0),
        lambda m: change_speed(m, 2.0),
        lambda m: clip_to_limits(m)[0],
    ],
)
def test_edits_leave_their_input_alone(edit):
    motion, same = moving(), moving()
    result = edit(motion)
    result.qpos[:] = 0.0
    result.foot_contact[:] = False
    np.testing.assert_array_equal(motion.qpos, same.qpos)
    if result.foot_contact is not motion.foot_contact:
        np.testing.assert_array_equal(motion.foot_contact, same.foot_contact)
