"""Damage that `tools/fuzz_readers.py` found readers to stumble over, and more alike."""

import io
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from mimicgym.errors import MotionError
from mimicgym.motion import load_motion, save_motion
from mimicgym.motion.formats import arrays
from mimicgym.retarget.smpl import read_smpl

from .test_formats import (
    gmr_clip,
    hostile,
    mjlab_arrays,
    same,
    swaying,
    videomimic_clip,
)

TOOL = Path(__file__).resolve().parents[1] / "tools" / "fuzz_readers.py"


def refused(path, match):
    with pytest.raises(MotionError, match=match) as caught:
        load_motion(path)
    assert str(path) in str(caught.value)


def loco_arrays(**more):
    joints = swaying().joint_names
    return {
        "qpos": swaying().qpos,
        "joint_names": np.array(["root", *joints]),
        "jnt_type": np.array([0.0] + [3.0] * len(joints)),
        "frequency": 30.0,
        "split_points": np.array([0.0, 12.0]),
    } | more


def own_arrays(**more):
    names = np.array(swaying().joint_names)
    return {"qpos": swaying().qpos, "fps": 30.0, "joint_names": names} | more


def test_a_short_run_finds_no_fault(tmp_path):
    for name in ("own.npz", "table.csv"):
        save_motion(swaying(), tmp_path / name)
    (tmp_path / "gmr.pkl").write_bytes(pickle.dumps(gmr_clip(swaying())))
    command = [sys.executable, str(TOOL), *map(str, sorted(tmp_path.iterdir()))]
    command += ["--cases", "300", "--out", str(tmp_path / "faults")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "300 files, 0 faults" in run.stdout


# Small files without end -------------------------------------------------------------


def endless(kind):
    value = kind([1.0])
    for _ in range(60):
        value = kind([value, value])
    return value


def circle():
    value = [1.0]
    value += [value, value]
    return value


@pytest.mark.parametrize("value", [endless(list), endless(tuple), circle()])
@pytest.mark.parametrize("key", ["fps", "dof_pos", "other"])
def test_lists_that_hold_one_list_again_and_again(tmp_path, key, value):
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(gmr_clip(swaying()) | {key: value}))
    if key == "other":
        same(load_motion(path), swaying())
    else:
        refused(path, f"{key} is no array: ")


def test_lists_longer_than_a_motion(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "_MAX_LISTED", 100)
    clip = gmr_clip(swaying())
    hostile(tmp_path, clip | {"dof_pos": clip["dof_pos"].tolist()}, "lists more than")


def test_arrays_and_texts_beyond_the_limits(tmp_path, monkeypatch):
    path = tmp_path / "m.npz"
    np.savez(path, **own_arrays(joint_names=np.array(["a"] * 10_001)))
    refused(path, "joint_names holds 10001 texts; at most")
    np.savez_compressed(path, **own_arrays(qpos=np.zeros((1000, 36), dtype=bool)))
    monkeypatch.setattr(arrays, "MAX_BYTES", 100_000)
    refused(path, r"qpos has shape \(1000, 36\); at most")


_TUPLES = b")" + b"2\x86" * 60  # a tuple of the tuple before, twice, 60 times


@pytest.mark.parametrize("opcodes", [
    b"}" + _TUPLES + b"Ns.",
    b"}(" + _TUPLES + b"Nu.",
    b"(" + _TUPLES + b"Nd.",
    b"\x8f(" + _TUPLES + b"\x90.",
    b"(" + _TUPLES + b"\x91.",
    b"ccollections\nOrderedDict\n](" + _TUPLES + b"N\x86e\x85R.",
])  # fmt: skip
def test_keys_that_have_no_end_of_parts(tmp_path, opcodes):
    hostile(tmp_path, b"\x80\x04" + opcodes, "asks for a tuple as a key")


def test_pickles_of_endless_steps(tmp_path, monkeypatch):
    monkeypatch.setattr("mimicgym.motion.formats.unpickler._MAX_STEPS", 1000)
    hostile(tmp_path, b"\x80\x04" + b"N0" * 1000 + b"N.", "more than 1000 steps")


@pytest.mark.parametrize("target", ["/", "/persons"])
def test_hdf5_groups_in_a_circle(tmp_path, target):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("persons")
        for name in ("a", "b"):
            group[name] = file[target]
    refused(path, "x.h5")


def test_hdf5_groups_used_many_times(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        group = file
        for depth in range(40):
            inner = file.create_group(f"g{depth}")
            group["a"] = group["b"] = inner
            group = inner
    refused(path, "holds more than 1000 groups")


@pytest.mark.parametrize("size", [0, 2**63])
def test_hdf5_texts_that_the_c_library_would_not_get_past(tmp_path, size):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        for key, value in videomimic_clip(swaying()).items():
            if key in ("joint_names", "fps"):
                file.attrs[key] = value
            elif key != "contacts":
                file[key] = value
    same(load_motion(path), swaying())
    data = bytearray(path.read_bytes())
    part = data.index(b"GCOL") + 16
    data[part : part + 2] = b"\0\0"
    data[part + 8 : part + 16] = size.to_bytes(8, "little")
    path.write_bytes(data)
    refused(path, "the HDF5 can not be read: the heap at byte")


# `.motion` ---------------------------------------------------------------------------


def motion_file(tmp_path, opcodes: bytes) -> Path:
    path = tmp_path / "p.motion"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("p/data.pkl", b"\x80\x02" + opcodes)
    return path


def test_a_motion_archive_can_not_change_what_it_gets(tmp_path):
    function = b"ctorch._utils\n_rebuild_tensor_v2\n"
    path = motion_file(tmp_path, function + b"N}X\x01\0\0\0aNs\x86b.")
    refused(path, "asks for a function with a state")


@pytest.mark.parametrize("place", range(4))
def test_storages_without_an_end_of_parts(tmp_path, place):
    parts = [
        b"X\x07\0\0\0storage",
        b"ctorch\nFloatStorage\n",
        b"X\x01\0\0\x000",
        b"K\x01",
    ]
    parts[place] = _TUPLES
    pid = b"(" + b"".join([*parts[:3], b"N", parts[3]]) + b"tQ."
    refused(motion_file(tmp_path, pid), "an unknown kind of storage")


# Values ------------------------------------------------------------------------------


def test_texts_of_characters_that_are_none(tmp_path):
    names = np.array(swaying().joint_names)
    names.view(np.uint32)[3] = 0x7F00_0000
    for values in (own_arrays(joint_names=names), loco_arrays(joint_names=names)):
        np.savez(tmp_path / "m.npz", **values)
        refused(tmp_path / "m.npz", "joint_names holds damaged text")


def test_texts_that_can_not_be_printed_are_replaced(tmp_path):
    np.savez(tmp_path / "m.npz", **own_arrays(source=np.array("a\ud800b")))
    assert load_motion(tmp_path / "m.npz").source == "a?b"


@pytest.mark.parametrize("value", ["fps", 3, None, ["a"]])
def test_lists_of_texts_with_something_else(tmp_path, value):
    clip = videomimic_clip(swaying())
    clip["joint_names"][4] = value
    hostile(tmp_path, clip, "joint_names holds|unknown joint 'fps'")


def test_numbers_too_large_for_float64(tmp_path):
    wide = np.full((12, 36), 10, dtype=np.longdouble) ** 400
    np.savez(tmp_path / "m.npz", **own_arrays(qpos=wide))
    refused(tmp_path / "m.npz", "frame 0 has inf for root x")


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("split_points", np.array([0.0, np.nan]), "split_points holds nan; whole"),
        ("split_points", np.array([0.0, np.inf]), "split_points holds inf"),
        ("split_points", np.array([0.0, 11.5]), "split_points holds 11.5"),
        ("jnt_type", np.array([0.0] + [1e300] * 29), r"jnt_type holds 1e\+300"),
    ],
)
def test_places_that_are_no_whole_numbers(tmp_path, key, value, match):
    np.savez(tmp_path / "l.npz", **loco_arrays())
    same(load_motion(tmp_path / "l.npz"), swaying())
    np.savez(tmp_path / "l.npz", **loco_arrays(**{key: value}))
    refused(tmp_path / "l.npz", match)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300, -1e5])
def test_bodies_without_names_need_places_that_can_be(tmp_path, value):
    values = mjlab_arrays(swaying())
    values["body_pos_w"][5, 7, 1] = value
    np.savez(tmp_path / "m.npz", **values)
    refused(tmp_path / "m.npz", "frame 5 of body_pos_w has .* for body 7")


@pytest.mark.parametrize("names", [["pelvis"] * 31, ["pelvis"]])
def test_as_many_names_as_bodies(tmp_path, names):
    values = mjlab_arrays(swaying())
    values |= {"joint_names": swaying().joint_names, "body_names": names}
    np.savez(tmp_path / "m.npz", **values)
    refused(tmp_path / "m.npz", f"body_names has {len(names)} names and .* 30 bodies")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_links_about_the_root_that_can_not_be(tmp_path, value):
    clip = gmr_clip(swaying())
    clip["link_body_list"] = ["pelvis", "torso_link"]
    clip["local_body_pos"] = np.full((12, 2, 3), value)
    (tmp_path / "g.pkl").write_bytes(pickle.dumps(clip))
    (finding,) = load_motion(tmp_path / "g.pkl").findings
    assert "numbers that can not be" in finding.message


@pytest.mark.parametrize("change", [
    {"fps": 1e200}, {"fps": 5e-324}, {"joint_vel": np.ones((12, 29))},
    {"joint_vel": np.full((12, 29), np.nan)}, {"joint_vel": np.full((12, 29), 1e308)},
])  # fmt: skip
def test_velocities_that_tell_nothing_are_not_judged(tmp_path, change):
    values = mjlab_arrays(swaying()) | {"joint_vel": np.zeros((12, 29))}
    np.savez(tmp_path / "m.npz", **(values | change))
    assert load_motion(tmp_path / "m.npz").findings == ()


def test_numbers_of_a_person_that_are_none(tmp_path):
    poses = np.zeros((12, 66), dtype=np.float32)
    # A signalling NaN: the processor raises a flag when it is converted.
    poses.view(np.uint32)[4, 5] = 0x7F80_0001
    values = {"poses": poses, "trans": np.zeros((12, 3)), "mocap_framerate": 30.0}
    np.savez(tmp_path / "s.npz", **values)
    with pytest.raises(MotionError, match="poses has nan in frame 4, column 5"):
        read_smpl(tmp_path / "s.npz")


# Archives and kinds ------------------------------------------------------------------


def repacked(path: Path, change, method=zipfile.ZIP_STORED) -> None:
    """The archive anew, with its members' bytes changed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, change(data))


def test_archives_with_damaged_xz(tmp_path):
    path = tmp_path / "m.npz"
    np.savez(path, **own_arrays())
    repacked(path, bytes, zipfile.ZIP_LZMA)
    same(load_motion(path), swaying())
    data = bytearray(path.read_bytes())
    at = data.index(b"qpos.npy") + len("qpos.npy")
    data[at + 4 : at + 9] = b"\xff" * 5
    path.write_bytes(data)
    refused(path, "array 'qpos' can not be read")


def test_headers_that_python_2_wrote(tmp_path):
    path = tmp_path / "m.npz"
    np.savez(path, **own_arrays())
    repacked(path, lambda data: data.replace(b"(12, 36), } ", b"(12L, 36L)} "))
    same(load_motion(path), swaying())


@pytest.mark.parametrize("kind", [b"a8", b"1f8", b"f4,", b"M8", b"T8"])
def test_kinds_of_arrays_by_other_names(tmp_path, kind):
    data = pickle.dumps(gmr_clip(swaying()), protocol=2)
    new = b"X" + len(kind).to_bytes(4, "little") + kind
    changed = data.replace(b"X\x02\0\0\0f8", new)
    assert changed != data
    hostile(tmp_path, changed, f"asks for an array of '{kind.decode()}'")


def test_pickles_in_frames_with_arrays_between(tmp_path):
    clip = gmr_clip(swaying()) | {"more": [b"x" * 70_000, "y" * 70_000]}
    out = io.BytesIO()
    pickle.Pickler(out, protocol=4).dump(clip)
    (tmp_path / "f.pkl").write_bytes(out.getvalue())
    same(load_motion(tmp_path / "f.pkl"), swaying())
