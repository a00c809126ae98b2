"""The reference against MuJoCo's kinematics, finite differences and SciPy."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimicgym.errors import MotionError, UserError
from mimicgym.motion import Motion, load_motion
from mimicgym.reference import build_reference, ref_frame
from mimicgym.robot import JOINTS_23, JOINTS_29, WRIST_JOINTS, build_model, get_robot

DT = 0.02


@pytest.fixture(scope="module")
def g1():
    """The model with 23 joints."""
    return build_model(get_robot("g1_23dof"), collisions="feet")


@pytest.fixture(scope="module")
def g1_29():
    return build_model(get_robot("g1_29dof"), collisions="feet")


@pytest.fixture(scope="module")
def wave():
    return load_motion("wave")


def swaying(dt_s=DT, duration_s=2.0, joints=JOINTS_23) -> Motion:
    """Every coordinate on a sine of its own; the root turns about all axes."""
    t = np.arange(round(duration_s / dt_s) + 1)[:, None] * dt_s
    rng = np.random.default_rng(1)
    qpos = np.empty((len(t), 7 + len(joints)))
    qpos[:, :3] = [0.3, -0.2, 0.8] + 0.2 * np.sin(t * [1.1, 1.7, 2.1])
    turn = Rotation.from_rotvec(np.sin(t * [1.0, 1.3, 0.9]) * [0.4, 0.3, 2.5])
    qpos[:, 3:7] = np.roll(turn.as_quat(), 1, axis=1)
    rates = rng.uniform(0.5, 2.0, len(joints))
    qpos[:, 7:] = 0.4 * np.sin(t * rates + rng.uniform(0, 6, len(joints)))
    return Motion(qpos, 1 / dt_s, joints, "swaying")


def standing(wave: Motion, frames=101) -> Motion:
    """The first pose of the wave, held."""
    return replace(wave, qpos=np.repeat(wave.qpos[:1], frames, axis=0), name="standing")


def with_joints(motion: Motion, frames: slice, **angles: float) -> Motion:
    qpos = motion.qpos.copy()
    for name, angle in angles.items():
        qpos[frames, 7 + motion.joint_names.index(f"{name}_joint")] += angle
    return replace(motion, qpos=qpos)


def raised(motion: Motion, height_m) -> Motion:
    qpos = motion.qpos.copy()
    qpos[:, 2] += height_m
    return replace(motion, qpos=qpos)


def body_poses(model, qpos):
    """(T, B, 3) positions and (T, B, 4) quaternions of the key bodies by MuJoCo."""
    data = mujoco.MjData(model.mj)
    pos, quat = [], []
    for row in qpos:
        data.qpos[:] = row
        mujoco.mj_kinematics(model.mj, data)
        pos.append([data.body(name).xpos.copy() for name in model.robot.key_bodies])
        quat.append([data.body(name).xquat.copy() for name in model.robot.key_bodies])
    return np.array(pos), np.array(quat)


def central(values, dt_s):
    return (values[2:] - values[:-2]) / (2 * dt_s)


# Kinematics


def test_frames_hold_the_clip_and_mujocos_kinematics(g1):
    motion = swaying()
    frames = build_reference([motion], g1, dt_s=DT).frames
    pos, quat = body_poses(g1, motion.qpos)
    np.testing.assert_allclose(frames.root_pos_w, motion.qpos[:, :3], atol=1e-6)
    np.testing.assert_allclose(frames.joint_pos, motion.qpos[:, 7:], atol=1e-6)
    np.testing.assert_allclose(frames.body_pos_w, pos, atol=1e-6)
    assert np.abs(np.sum(frames.body_quat_w * quat, axis=-1)).min() > 1 - 1e-6
    same_root = np.sum(np.asarray(frames.root_quat_w) * motion.qpos[:, 3:7], axis=1)
    assert np.abs(same_root).min() > 1 - 1e-6
    # The pelvis is the root and comes first among the key bodies.
    np.testing.assert_allclose(frames.body_pos_w[:, 0], frames.root_pos_w, atol=1e-6)
    np.testing.assert_allclose(
        frames.body_lin_vel_w[:, 0], frames.root_lin_vel_w, atol=1e-5
    )
    np.testing.assert_allclose(
        frames.body_ang_vel_w[:, 0], frames.root_ang_vel_w, atol=1e-5
    )


def test_arrays_are_float32_on_the_device_and_contacts_bool(g1):
    ref = build_reference([swaying()], g1, dt_s=DT)
    for name, leaf in vars(ref.frames).items():
        assert isinstance(leaf, jax.Array)
        assert leaf.dtype == (jnp.bool_ if name == "foot_contact" else jnp.float32)
    assert ref.clip_start.dtype == ref.clip_end.dtype == jnp.int32


def test_velocities_are_differences_of_positions(g1):
    errors = {}
    for dt_s in (0.02, 0.01):
        motion = swaying(dt_s)
        frames = build_reference([motion], g1, dt_s=dt_s).frames
        pos, quat = body_poses(g1, motion.qpos)
        linear = np.asarray(frames.body_lin_vel_w)[1:-1] - central(pos, dt_s)
        errors[dt_s] = np.abs(linear).max()
        scipy_of = Rotation.from_quat(np.roll(quat, -1, axis=-1).reshape(-1, 4))
        matrices = scipy_of.as_matrix().reshape(len(quat), -1, 3, 3)
        relative = matrices[2:] @ np.swapaxes(matrices[:-2], -1, -2)
        angular = Rotation.from_matrix(relative.reshape(-1, 3, 3)).as_rotvec()
        angular = angular.reshape(len(quat) - 2, -1, 3) / (2 * dt_s)
        np.testing.assert_allclose(
            frames.body_ang_vel_w[1:-1], angular, atol=3e-2 * (dt_s / 0.02) ** 2
        )
        np.testing.assert_allclose(
            frames.root_lin_vel_w[1:-1], central(motion.qpos[:, :3], dt_s), atol=1e-5
        )
        np.testing.assert_allclose(
            frames.joint_vel[1:-1], central(motion.qpos[:, 7:], dt_s), atol=1e-5
        )
    # What is left is the differences' own error, which falls with the square of dt.
    assert errors[0.02] < 1e-2
    assert errors[0.01] < 0.3 * errors[0.02]


def test_a_simulation_in_a_frames_state_reports_the_frame(g1):
    ref = build_reference([swaying()], g1, dt_s=DT)
    data = mujoco.MjData(g1.mj)
    velocity = np.empty(6)
    for index in (0, 13, 57, 100):
        frame = jax.tree.map(np.asarray, ref_frame(ref, index))
        root = Rotation.from_quat(np.roll(frame.root_quat_w, -1))
        data.qpos[:] = np.concatenate(
            [frame.root_pos_w, frame.root_quat_w, frame.joint_pos]
        )
        data.qvel[:] = np.concatenate(
            [
                frame.root_lin_vel_w,
                root.inv().apply(frame.root_ang_vel_w),
                frame.joint_vel,
            ]
        )
        mujoco.mj_forward(g1.mj, data)
        for b, body in enumerate(g1.key_body_ids):
            kind = mujoco.mjtObj.mjOBJ_XBODY
            mujoco.mj_objectVelocity(g1.mj, data, kind, body, velocity, 0)
            np.testing.assert_allclose(frame.body_ang_vel_w[b], velocity[:3], atol=1e-5)
            np.testing.assert_allclose(frame.body_lin_vel_w[b], velocity[3:], atol=1e-5)


def test_steady_motion_has_the_velocity_that_was_put_in(g1):
    """By hand: 2 rad/s about the vertical and 0.5 m/s along x, while tilted."""
    t = np.arange(50) * DT
    qpos = np.zeros((50, 30))
    qpos[:, 0], qpos[:, 2] = 0.5 * t, 0.8
    turn = Rotation.from_euler("z", (2.0 * t)[:, None]) * Rotation.from_euler("x", 0.3)
    qpos[:, 3:7] = np.roll(turn.as_quat(), 1, axis=1)
    qpos[:, 10] = 0.1 + 0.3 * t
    motion = Motion(qpos, 50.0, JOINTS_23, "turntable")
    frames = build_reference([motion], g1, dt_s=DT).frames
    np.testing.assert_allclose(
        frames.root_lin_vel_w, np.tile([0.5, 0, 0], (50, 1)), atol=1e-5
    )
    np.testing.assert_allclose(
        frames.root_ang_vel_w, np.tile([0, 0, 2.0], (50, 1)), atol=1e-5
    )
    expected = np.zeros(23)
    expected[3] = 0.3
    np.testing.assert_allclose(frames.joint_vel, np.tile(expected, (50, 1)), atol=1e-5)


def test_signs_of_quaternions_cause_no_spikes(g1):
    motion = swaying()
    flipped = motion.qpos.copy()
    flipped[np.random.default_rng(0).random(len(flipped)) < 0.5, 3:7] *= -1
    a = build_reference([motion], g1, dt_s=1 / 60).frames
    b = build_reference([replace(motion, qpos=flipped)], g1, dt_s=1 / 60).frames
    assert np.abs(a.root_ang_vel_w).max() < 4.0
    for name in ("root_ang_vel_w", "body_ang_vel_w", "body_lin_vel_w", "body_pos_w"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=1e-5)
    neighbours = np.asarray(b.root_quat_w)
    assert np.sum(neighbours[1:] * neighbours[:-1], axis=1).min() > 0


def test_clips_of_other_rates_are_brought_to_the_control_rate(g1):
    coarse = swaying(dt_s=1 / 30, duration_s=2.0)
    frames = build_reference([coarse], g1, dt_s=DT).frames
    assert frames.root_pos_w.shape == (101, 3)
    times = np.arange(101) * DT
    for column in range(7, 30):
        expected = np.interp(times, np.arange(61) / 30, coarse.qpos[:, column])
        np.testing.assert_allclose(frames.joint_pos[:, column - 7], expected, atol=1e-6)


# Joints


def test_wrists_are_dropped_for_23_joints_and_filled_for_29(g1, g1_29, wave):
    small = build_reference([wave], g1, dt_s=DT)
    assert small.filled_joints == ((),)
    for i, name in enumerate(JOINTS_23):
        column = wave.qpos[:, 7 + JOINTS_29.index(name)]
        np.testing.assert_allclose(small.frames.joint_pos[:, i], column, atol=1e-6)

    large = build_reference([wave, swaying()], g1_29, dt_s=DT)
    assert large.filled_joints == ((), WRIST_JOINTS)
    start = int(large.clip_start[1])
    wrists = [JOINTS_29.index(name) for name in WRIST_JOINTS]
    assert not np.any(large.frames.joint_pos[start:, wrists])
    assert not np.any(large.frames.joint_vel[start:, wrists])
    # Zero wrists are what the 23-joint model has fixed: bodies are where they were.
    alone = build_reference([swaying()], g1, dt_s=DT)
    np.testing.assert_allclose(
        large.frames.body_pos_w[start:], alone.frames.body_pos_w, atol=1e-6
    )


def test_joints_are_matched_by_name_in_any_order(g1):
    motion = swaying()
    backwards = replace(
        motion,
        qpos=np.concatenate([motion.qpos[:, :7], motion.qpos[:, :6:-1]], axis=1),
        joint_names=JOINTS_23[::-1],
    )
    a = build_reference([motion], g1, dt_s=DT)
    b = build_reference([backwards], g1, dt_s=DT)
    jax.tree.map(np.testing.assert_array_equal, a.frames, b.frames)


# Ground and contacts


def lowest_sole_m(model, ref):
    """(F,) by MuJoCo, from the reference's coordinates."""
    frames = ref.frames
    qpos = np.concatenate([frames.root_pos_w, frames.root_quat_w, frames.joint_pos], 1)
    data = mujoco.MjData(model.mj)
    lowest = []
    for row in qpos:
        data.qpos[:] = row
        mujoco.mj_kinematics(model.mj, data)
        lowest.append(
            min(
                data.geom(g).xpos[2] - model.mj.geom(g).size[0]
                for g in model.robot.foot_geoms
            )
        )
    return np.array(lowest)


@pytest.mark.parametrize("height_m", [0.12, -0.05])
def test_constant_ground_puts_the_whole_clip_on_the_floor(g1, wave, height_m):
    motion = raised(wave, height_m)
    left_alone = build_reference([motion], g1, dt_s=DT, ground="none")
    moved = build_reference([motion], g1, dt_s=DT, ground="constant")
    assert left_alone.ground_offset_m == (0.0,)
    assert moved.ground_offset_m[0] == pytest.approx(-height_m, abs=1e-3)
    np.testing.assert_allclose(lowest_sole_m(g1, left_alone), height_m, atol=1e-3)
    np.testing.assert_allclose(lowest_sole_m(g1, moved), 0.0, atol=1e-3)
    shift = np.array([0.0, 0.0, moved.ground_offset_m[0]])
    np.testing.assert_allclose(
        moved.frames.body_pos_w, left_alone.frames.body_pos_w + shift, atol=1e-6
    )
    for name in ("joint_pos", "body_lin_vel_w", "root_lin_vel_w", "foot_contact"):
        np.testing.assert_array_equal(
            getattr(moved.frames, name), getattr(left_alone.frames, name)
        )


def test_a_few_bad_frames_do_not_move_the_floor(g1, wave):
    motion = standing(wave, frames=301)
    qpos = motion.qpos.copy()
    qpos[150:153, 2] -= 0.2
    ref = build_reference([replace(motion, qpos=qpos)], g1, dt_s=DT, ground="constant")
    assert abs(ref.ground_offset_m[0]) < 1e-3


def test_per_frame_ground_follows_a_floor_that_drifts(g1, wave):
    qpos = wave.qpos.copy()
    drift_m = 0.1 + 0.1 * np.arange(len(qpos)) / len(qpos)
    qpos[:, 2] += drift_m
    drifting = replace(wave, qpos=qpos)
    whole = build_reference([drifting], g1, dt_s=DT, ground="constant")
    ref = build_reference([drifting], g1, dt_s=DT, ground="per_frame")
    assert lowest_sole_m(g1, whole).max() > 0.08
    np.testing.assert_allclose(lowest_sole_m(g1, ref), 0.0, atol=3e-3)
    assert ref.ground_offset_m[0] == pytest.approx(-drift_m.mean(), abs=2e-3)


def test_each_clip_has_an_offset_of_its_own(g1, wave):
    motions = [raised(wave, 0.1), wave]
    ref = build_reference(motions, g1, dt_s=DT, ground="constant")
    assert ref.ground_offset_m == pytest.approx((-0.1, 0.0), abs=1e-3)


@pytest.mark.parametrize("name", ["wave", "squat"])
def test_both_feet_stay_down_in_clips_that_stand(g1, name):
    ref = build_reference([load_motion(name)], g1, dt_s=DT)
    assert bool(jnp.all(ref.frames.foot_contact))


def ramp(frames, start, end, length):
    """0 outside, 1 between, with half-cosine flanks of `length` frames."""
    at = np.arange(frames)
    up = np.clip((at - start) / length, 0, 1)
    down = np.clip((end - at) / length, 0, 1)
    return 0.5 - 0.5 * np.cos(np.pi * np.minimum(up, down))


def test_a_lifted_foot_is_not_in_contact(g1, wave):
    motion = standing(wave)
    lift = ramp(101, 30, 70, 10)
    motion = with_joints(
        motion,
        slice(None),
        left_hip_pitch=-0.6 * lift,
        left_knee=1.2 * lift,
        left_ankle_pitch=-0.6 * lift,
    )
    contact = np.asarray(build_reference([motion], g1, dt_s=DT).frames.foot_contact)
    assert contact[:, 1].all(), "the right foot stands all the time"
    assert contact[:31, 0].all() and contact[72:, 0].all()
    assert not contact[37:64, 0].any()
    assert np.count_nonzero(np.diff(contact[:, 0])) == 2


def test_no_foot_is_in_contact_in_the_air(g1, wave):
    motion = raised(standing(wave), 0.25 * ramp(101, 40, 60, 10))
    contact = np.asarray(build_reference([motion], g1, dt_s=DT).frames.foot_contact)
    assert not contact[46:55].any()
    assert contact[:40].all() and contact[62:].all()


def test_contacts_do_not_depend_on_height_or_slow_drift(g1, wave):
    drift = raised(standing(wave), np.linspace(0.0, 0.1, 101) + 0.3)
    assert build_reference([drift], g1, dt_s=DT).frames.foot_contact.all()


def test_a_foot_with_its_sole_up_is_not_in_contact(g1, wave):
    motion = standing(wave)
    qpos = motion.qpos.copy()
    qpos[:, 3:7] = [0.0, 1.0, 0.0, 0.0]
    ref = build_reference([replace(motion, qpos=qpos)], g1, dt_s=DT)
    assert not ref.frames.foot_contact.any()


def test_contacts_in_the_file_are_used(g1, wave):
    contact = np.zeros((wave.num_frames, 2), bool)
    contact[100:, 1] = True
    ref = build_reference([replace(wave, foot_contact=contact)], g1, dt_s=DT)
    np.testing.assert_array_equal(ref.frames.foot_contact, contact)


# Several clips


def test_clips_lie_one_after_the_other(g1, wave):
    again = replace(wave, qpos=wave.qpos.copy())
    motions = [wave, swaying(), again]
    ref = build_reference(motions, g1, dt_s=DT, weights=[1, 2, 1])
    lengths = [wave.num_frames, 101, wave.num_frames]
    assert ref.clip_start.tolist() == [0, lengths[0], lengths[0] + 101]
    assert ref.clip_end.tolist() == np.cumsum(lengths).tolist()
    assert len(ref.frames.root_pos_w) == sum(lengths)
    assert ref.clip_weight.tolist() == [0.25, 0.5, 0.25]
    assert ref.clip_names == ("wave", "swaying", "wave-2")
    assert ref.dt_s == DT
    alone = build_reference([swaying()], g1, dt_s=DT).frames
    part = slice(int(ref.clip_start[1]), int(ref.clip_end[1]))
    jax.tree.map(
        lambda a, b: np.testing.assert_array_equal(a[part], b), ref.frames, alone
    )


def test_weights_are_equal_by_default(g1):
    ref = build_reference([swaying(), swaying()], g1, dt_s=DT)
    assert ref.clip_weight.tolist() == [0.5, 0.5]


def test_a_frame_is_gathered_by_its_global_index(g1):
    ref = build_reference([swaying()], g1, dt_s=DT)
    one = jax.jit(ref_frame)(ref, jnp.int32(7))
    assert one.body_pos_w.shape == (18, 3) and one.foot_contact.shape == (2,)
    np.testing.assert_array_equal(one.joint_pos, ref.frames.joint_pos[7])
    many = jax.vmap(lambda i: ref_frame(ref, i))(jnp.array([3, 7]))
    np.testing.assert_array_equal(many.joint_pos[1], one.joint_pos)


# Bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"motions": []}, "no motions"),
        ({"ground": "flat"}, "unknown ground 'flat'; Choices: constant, none"),
        ({"dt_s": 0.0}, "dt_s is 0; it must be a positive number of seconds"),
        ({"dt_s": float("nan")}, "dt_s is nan"),
        ({"weights": [1.0, 2.0]}, "2 clip weights for 1 clips; give one each"),
        ({"weights": [0.0]}, r"clip weights are \[0.0\]"),
        ({"weights": [-1.0]}, "none negative"),
        ({"weights": [float("inf")]}, "must be finite"),
    ],
)
def test_arguments_that_make_no_sense(g1, arguments, message):
    given = {"motions": [swaying()], "dt_s": DT} | arguments
    with pytest.raises(UserError, match=message):
        build_reference(given.pop("motions"), g1, **given)


def test_a_clip_that_is_too_short_at_the_control_rate(g1):
    motion = replace(swaying(), fps=200.0)
    short = replace(motion, qpos=motion.qpos[:5])
    with pytest.raises(
        MotionError, match=r"swaying: 0\.02 s give 2 frames of 0\.02 s; at least 3"
    ):
        build_reference([short], g1, dt_s=DT)


def test_clips_made_by_hand_are_checked_too(g1):
    motion = swaying()
    motion.qpos[5, 9] = np.nan
    with pytest.raises(MotionError, match="swaying: frame 5 has nan for left_hip_yaw"):
        build_reference([motion], g1, dt_s=DT)
    with pytest.raises(MotionError, match="lacks waist_yaw_joint"):
        legs = tuple(j for j in JOINTS_23 if "waist" not in j)
        build_reference([swaying(joints=legs)], g1, dt_s=DT)


# Real clips


def test_real_clips_become_one_reference(g1, real_motions):
    paths = sorted((real_motions / "curated").glob("*.npz"))
    motions = [load_motion(str(path)) for path in paths]
    ref = build_reference(motions, g1, dt_s=DT, ground="constant")
    assert len(ref.clip_names) == len(paths)
    assert all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree.leaves(ref.frames))
    for motion, start, end in zip(
        motions, ref.clip_start.tolist(), ref.clip_end.tolist(), strict=True
    ):
        assert end - start == int(motion.duration_s / DT + 1e-6) + 1
    # Spikes from sign changes would be of the order of pi / dt, 157 rad/s.
    assert float(jnp.abs(ref.frames.root_ang_vel_w).max()) < 20.0
    assert float(jnp.abs(ref.frames.joint_vel).max()) < 40.0
    # Clips of people who stand on both feet, and of one who walks on alternate ones.
    contact = dict(
        zip(
            ref.clip_names,
            np.split(np.asarray(ref.frames.foot_contact), ref.clip_end[:-1]),
            strict=True,
        )
    )
    assert contact["kimodo_wave"].all() and contact["g1moves_B_HandsUp"].all()
    walk = contact["kimodo_walk"]
    assert walk.any(axis=1).all() and 0.5 < walk.mean() < 0.8
    assert np.count_nonzero(np.diff(walk, axis=0)) > 10
