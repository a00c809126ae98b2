"""Readers of other projects' formats: real files, files made here, and bad ones."""

import bz2
import gzip
import lzma
import os
import pickle
import zipfile
import zlib
from dataclasses import replace

import h5py
import joblib
import numpy as np
import pytest

from mimicgym.errors import MotionError
from mimicgym.motion import Motion, load_motion, save_motion
from mimicgym.motion.formats import asap, gmr, videomimic
from mimicgym.motion.kinematics import (
    body_names,
    breadth_first,
    full_qpos,
    link_poses,
)
from mimicgym.motion.load import clip_specs
from mimicgym.robot import JOINTS_23, JOINTS_29


def swaying(frames=12, joints=JOINTS_29) -> Motion:
    """A clip in which every joint and link has a place of its own."""
    time_s = np.arange(frames)[:, None] / 30
    number = np.arange(len(joints))
    angles = 0.1 * np.sin(3 * time_s + number) + 0.01 * number
    root = np.tile([0.1, 0.2, 0.8, 0.9, 0.1, -0.2, 0.3], (frames, 1))
    root[:, 3:] /= np.linalg.norm(root[:, 3:], axis=1, keepdims=True)
    return Motion(np.hstack([root, angles]), 30.0, joints, "swaying")


def xyzw(motion: Motion) -> np.ndarray:
    return motion.qpos[:, [4, 5, 6, 3]]


def asap_clip(motion: Motion, **more) -> dict:
    return {
        "root_trans_offset": motion.qpos[:, :3].astype(np.float32),
        "root_rot": xyzw(motion),
        "dof": motion.qpos[:, 7:].astype(np.float32),
        "fps": 30,
    } | more


def gmr_clip(motion: Motion) -> dict:
    return {
        "fps": 30.0,
        "root_pos": motion.qpos[:, :3],
        "root_rot": xyzw(motion),
        "dof_pos": motion.qpos[:, 7:],
        "local_body_pos": None,
        "link_body_list": None,
    }


def videomimic_clip(motion: Motion) -> dict:
    pos_w, quat_w = link_poses(full_qpos(motion))
    return {
        "root_pos": motion.qpos[:, :3],
        "root_quat": xyzw(motion),
        "joints": motion.qpos[:, 7:],
        "joint_names": list(motion.joint_names),
        "link_names": [f"{name}.STL" for name in body_names()],
        "link_pos": pos_w,
        "link_quat": quat_w[..., [1, 2, 3, 0]],
        "contacts": {"left_foot": np.ones(12), "right_foot": np.zeros(12)},
        "fps": 30.0,
    }


def mjlab_arrays(motion: Motion, *, wide_joints=False, wide_bodies=False) -> dict:
    """As mjlab writes it, or with IsaacLab's orders."""
    pos_w, quat_w = link_poses(motion.qpos)
    bodies, joints = breadth_first()
    order = [body_names().index(name) for name in bodies]
    columns = [JOINTS_29.index(name) for name in joints]
    angles = motion.qpos[:, 7:]
    return {
        "fps": np.array([motion.fps]),
        "joint_pos": angles[:, columns] if wide_joints else angles,
        "body_pos_w": pos_w[:, order] if wide_bodies else pos_w,
        "body_quat_w": quat_w[:, order] if wide_bodies else quat_w,
    }


def same(a: Motion, b: Motion, atol=1e-6) -> None:
    columns = [a.joint_names.index(name) for name in b.joint_names]
    np.testing.assert_allclose(a.qpos[:, 7:][:, columns], b.qpos[:, 7:], atol=atol)
    np.testing.assert_allclose(a.qpos[:, :3], b.qpos[:, :3], atol=atol)
    dots = np.abs(np.sum(a.qpos[:, 3:7] * b.qpos[:, 3:7], axis=1))
    np.testing.assert_allclose(dots, 1.0, atol=atol)


# Real files --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "options", "curated"),
    [
        ("unitree_csv_xyzw/M_Move18.csv", (60, "xyzw"), "g1moves_M_Move18"),
        ("mjlab_npz/M_Move18.npz", (None, None), "g1moves_M_Move18"),
        ("mjlab_npz/B_HandsUp.npz", (None, None), "g1moves_B_HandsUp"),
        ("kimodo_csv_wxyz/output_walk.csv", (30, "wxyz"), "kimodo_walk"),
        ("protomotions_motion/output_walk.motion", (None, None), "kimodo_walk"),
        (
            "videomimic_h5/g1moves_M_Move18_29dof_60fps/retarget_poses_g1.h5",
            (None, None),
            "g1moves_M_Move18",
        ),
        (
            "videomimic_h5/asap_squat_level2_23dof_30fps/retarget_poses_g1.h5",
            (None, None),
            "asap_squat_level2",
        ),
        *(
            (
                f"asap_pkl/0-motions_raw_tairantestbed_smpl_video_{name}"
                "_filter_amass.pkl",
                (None, None),
                f"asap_{name}",
            )
            for name in ("squat_level2", "walk_level2", "kick_level3")
        ),
    ],
)
def test_one_clip_is_the_same_in_every_format(real_motions, raw, options, curated):
    fps, quat_order = options
    motion = load_motion(real_motions / "raw" / raw, fps=fps, quat_order=quat_order)
    wanted = load_motion(real_motions / "curated" / f"{curated}.npz")
    assert motion.fps == pytest.approx(wanted.fps)
    frames = min(motion.num_frames, wanted.num_frames)
    assert abs(motion.num_frames - wanted.num_frames) <= 1
    # mjlab's files lack the first or the last frame of what they were made from.
    cut = replace(motion, qpos=motion.qpos[:frames].copy(), foot_contact=None)
    if raw.endswith(".motion"):
        # ProtoMotions has put every frame on the ground: heights are its own.
        lifted = cut.qpos[:, 2] - wanted.qpos[:frames, 2]
        assert np.abs(lifted).max() < 0.02
        cut.qpos[:, 2] -= lifted
    shifts = {
        shift: np.abs(
            wanted.qpos[shift : shift + frames, 7:30] - full_qpos(cut)[:, 7:30]
        ).max()
        for shift in range(wanted.num_frames - frames + 1)
    }
    shift = min(shifts, key=lambda key: shifts[key])
    ours = replace(wanted, qpos=wanted.qpos[shift : shift + frames], foot_contact=None)
    same(ours, cut, atol=1e-4)
    apart_m = np.abs(link_poses(full_qpos(ours))[0] - link_poses(full_qpos(cut))[0])
    # The root's orientation in mjlab's M_Move18 differs by up to 2.6 mrad.
    assert apart_m.max() < (2e-3 if raw == "mjlab_npz/M_Move18.npz" else 1e-3)
    assert motion.findings == ()


# Files made here ---------------------------------------------------------------------


@pytest.mark.parametrize("compress", [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), "xz"])
def test_asap_pickles_of_joblib_with_every_compression(tmp_path, compress):
    motion = swaying(joints=JOINTS_23)
    mask = np.tile([1.0, 0.0], (12, 1))
    path = tmp_path / "a.pkl"
    joblib.dump({"one": asap_clip(motion, contact_mask=mask)}, path, compress=compress)
    loaded = load_motion(path)
    same(loaded, motion)
    assert loaded.joint_names == JOINTS_23 and loaded.name == "a"
    assert loaded.foot_contact is not None
    np.testing.assert_array_equal(loaded.foot_contact, mask > 0)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_pickles_of_every_protocol(tmp_path, protocol):
    motion = swaying()
    fortran = gmr_clip(motion)
    fortran["dof_pos"] = np.asfortranarray(fortran["dof_pos"])
    fortran["fps"] = np.float64(30.0)
    path = tmp_path / "b.pkl"
    path.write_bytes(pickle.dumps(fortran, protocol=protocol))
    same(load_motion(path), motion)
    assert load_motion(path).fps == 30.0


@pytest.mark.parametrize("squeeze", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_pickles(tmp_path, squeeze):
    path = tmp_path / "b.pkl.gz"
    path.write_bytes(squeeze(pickle.dumps(gmr_clip(swaying()))))
    same(load_motion(path), swaying())


def test_one_of_many_clips_in_a_pickle(tmp_path):
    path = tmp_path / "many.pkl"
    other = replace(swaying(), qpos=swaying().qpos * 1.0)
    other.qpos[:, 10] += 0.1
    joblib.dump({"a": asap_clip(swaying()), "b": asap_clip(other)}, path)
    same(load_motion(f"{path}#b"), other)
    assert load_motion(f"{path}#b").name == "b"
    assert clip_specs(f"{path}#*") == (f"{path}#a", f"{path}#b")
    with pytest.raises(MotionError, match=r"holds 2 clips; name one as .*#a"):
        load_motion(path)
    with pytest.raises(MotionError, match="unknown clip 'c'"):
        load_motion(f"{path}#c")


@pytest.mark.parametrize("slash", ["", "/"])
def test_videomimic_hdf5_with_attributes_of_both_kinds(tmp_path, slash):
    motion, path = swaying(), tmp_path / "walk" / "retarget_poses_g1.h5"
    path.parent.mkdir()
    with h5py.File(path, "w") as file:
        for key, value in videomimic_clip(motion).items():
            if key == "contacts":
                for foot, flags in value.items():
                    file[f"contacts/{foot}"] = flags
            elif key in ("joint_names", "link_names", "fps"):
                file.attrs[f"{slash}{key}"] = value
            else:
                file[key] = value
    loaded = load_motion(path)
    same(loaded, motion)
    assert loaded.name == "walk" and loaded.findings == ()
    assert loaded.foot_contact is not None and loaded.foot_contact[:, 0].all()


def test_videomimic_pickle_without_a_waist_says_so(tmp_path):
    motion = swaying()
    values = videomimic_clip(motion)
    waist = [i for i, name in enumerate(JOINTS_29) if "waist" in name]
    values["joints"] = np.delete(values["joints"], waist, axis=1)
    values["joint_names"] = [n for n in JOINTS_29 if "waist" not in n]
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(values))
    loaded = load_motion(tmp_path / "w.pkl")
    by_name = dict(zip(loaded.joint_names, loaded.qpos[:, 7:].T, strict=True))
    for i, name in enumerate(JOINTS_29):
        np.testing.assert_allclose(
            by_name[name], 0.0 if i in waist else motion.qpos[:, 7 + i]
        )
    codes = [finding.code for finding in loaded.findings]
    assert codes == ["joints-filled", "links-differ"]
    assert "waist_yaw_joint" in loaded.findings[0].message


@pytest.mark.parametrize("wide_joints", [False, True])
@pytest.mark.parametrize("wide_bodies", [False, True])
def test_mjlab_orders_are_found_by_kinematics(tmp_path, wide_joints, wide_bodies):
    motion, path = swaying(), tmp_path / "m.npz"
    np.savez(
        path, **mjlab_arrays(motion, wide_joints=wide_joints, wide_bodies=wide_bodies)
    )
    loaded = load_motion(path)
    same(loaded, motion)
    said = " ".join(finding.message for finding in loaded.findings)
    assert ("breadth-first" in said) == (wide_joints or wide_bodies)
    assert ("bodies" in said) == wide_bodies


def test_mjlab_bodies_that_belong_to_other_joints_are_refused(tmp_path):
    arrays = mjlab_arrays(swaying())
    arrays["body_pos_w"] = arrays["body_pos_w"][:, ::-1].copy()
    arrays["body_pos_w"][:, 0] = swaying().qpos[:, :3]
    np.savez(tmp_path / "m.npz", **arrays)
    with pytest.raises(MotionError, match="do not belong together"):
        load_motion(tmp_path / "m.npz")


def test_a_wrong_frame_rate_shows_in_stored_velocities(tmp_path):
    motion, path = swaying(frames=40), tmp_path / "m.npz"
    save_motion(motion, path, format="mjlab")
    assert load_motion(path).findings == ()
    with np.load(path) as file:
        arrays = dict(file) | {"fps": np.array([15.0])}
    np.savez(path, **arrays)
    (finding,) = load_motion(path).findings
    assert finding.code == "fps" and finding.mend == "--fps 30"


@pytest.mark.parametrize("format", ["mimicgym", "csv", "mjlab"])
def test_round_trips(tmp_path, format):
    motion = swaying()
    path = tmp_path / ("m.csv" if format == "csv" else "m.npz")
    save_motion(motion, path, format=format)
    told = {"fps": 30.0, "quat_order": "xyzw"} if format == "csv" else {}
    same(load_motion(path, **told), motion)


def test_locomujoco_trajectories_one_after_the_other(tmp_path):
    motion, path = swaying(), tmp_path / "l.npz"
    np.savez(
        path,
        qpos=np.vstack([motion.qpos, motion.qpos[::-1]]),
        joint_names=np.array(["root", *JOINTS_29]),
        jnt_type=np.array([0] + [3] * 29),
        frequency=30.0,
        split_points=np.array([0, 12, 24]),
        metadata=np.array(None, dtype=object),
        body_names=np.array(None, dtype=object),
    )
    same(load_motion(f"{path}#0"), motion)
    np.testing.assert_allclose(load_motion(f"{path}#1").qpos, motion.qpos[::-1])
    with pytest.raises(MotionError, match="holds 2 clips"):
        load_motion(path)


# Bad files ---------------------------------------------------------------------------


class Call:
    """What a hostile pickle would do."""

    def __init__(self, function, *arguments):
        self._call = function, arguments

    def __reduce__(self):
        return self._call


def hostile(tmp_path, values, match):
    path = tmp_path / "x.pkl"
    path.write_bytes(values if isinstance(values, bytes) else pickle.dumps(values))
    with pytest.raises(MotionError, match=match) as caught:
        load_motion(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_pickles_that_call_anything_are_refused_before_they_do(tmp_path):
    made = tmp_path / "made"
    hostile(tmp_path, {"a": Call(os.mkdir, str(made))}, r"asks for \w+\.mkdir")
    hostile(tmp_path, Call(eval, "1"), r"builtins\.eval")
    hostile(tmp_path, {"a": np.array([Call(os.getcwd)], dtype=object)}, "asks for")
    hostile(
        tmp_path, gmr_clip(swaying()) | {"dof_pos": np.array([{}])}, "array of object"
    )
    assert not made.exists()


def test_broken_and_foreign_pickles_are_named(tmp_path):
    whole = pickle.dumps(gmr_clip(swaying()))
    hostile(tmp_path, whole[: len(whole) // 2], "can not be read")
    hostile(tmp_path, zlib.compress(whole)[:-9], "end too early")
    hostile(tmp_path, {"hello": 1}, "no format that can be read")
    hostile(tmp_path, asap_clip(swaying()) | {"root_rot": None}, "no format")
    without = {k: v for k, v in gmr_clip(swaying()).items() if k != "dof_pos"}
    hostile(tmp_path, without, "lacks dof_pos; found fps")
    short = gmr_clip(swaying()) | {"root_pos": np.zeros((5, 3))}
    hostile(tmp_path, short, r"root_pos has shape \(5, 3\)")
    few = gmr_clip(swaying()) | {"dof_pos": np.zeros((12, 21))}
    hostile(tmp_path, few, "dof_pos has 21 columns")


def test_links_that_are_no_numbers_are_not_compared(tmp_path):
    for value in (np.nan, 1e300):
        values = videomimic_clip(swaying())
        values["link_pos"] = np.full_like(values["link_pos"], value)
        (tmp_path / "v.pkl").write_bytes(pickle.dumps(values))
        (finding,) = load_motion(tmp_path / "v.pkl").findings
        assert finding.code == "links-differ" and "can not be" in finding.message


def test_kinds_of_arrays_that_are_no_kinds_are_damage(tmp_path):
    whole = pickle.dumps(gmr_clip(swaying()), protocol=4)
    for text in (b"f0", b"(0", b"08"):
        hostile(tmp_path, whole.replace(b"f8", text), "can not be read|asks for")


def test_a_compressed_pickle_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("mimicgym.motion.formats.pickles.MAX_BYTES", 2**20)
    hostile(tmp_path, zlib.compress(b"\x80\x04" + b"0" * 2**22), "unpacks to more")


def test_motion_archives_that_ask_for_more_than_tensors_are_refused(tmp_path):
    path = tmp_path / "p.motion"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("p/data.pkl", pickle.dumps(Call(os.getcwd)))
    with pytest.raises(MotionError, match="only tensors"):
        load_motion(path)


def test_hdf5_of_something_else_is_named(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["hello"] = np.zeros(3)
    with pytest.raises(MotionError, match="found hello"):
        load_motion(tmp_path / "x.h5")
    head = (tmp_path / "x.h5").read_bytes()[:700]
    (tmp_path / "y.h5").write_bytes(head)
    with pytest.raises(MotionError, match="HDF5 can not be read"):
        load_motion(tmp_path / "y.h5")


def test_the_readers_of_pickles_tell_their_files_apart():
    assert asap.holds_clips({"a": asap_clip(swaying())})
    assert not asap.holds_clips(gmr_clip(swaying()))
    assert gmr.is_clip(gmr_clip(swaying()))
    assert not gmr.is_clip(videomimic_clip(swaying()))
    assert not videomimic._is_clip(gmr_clip(swaying()))
