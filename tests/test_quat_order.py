"""Clips in the wrong order of quaternions are refused; those that lie are not."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimicgym.assets import embedded_motions
from mimicgym.errors import MotionError
from mimicgym.motion import Motion, load_motion, save_motion
from mimicgym.motion.check import check_motion
from mimicgym.motion.formats import protomotions
from mimicgym.motion.kinematics import body_names, full_qpos, link_poses
from mimicgym.motion.quat_order import doubt_of, judge_order
from mimicgym.motion.reader import probe
from mimicgym.robot import JOINTS_29
from tests.test_formats import asap_clip, gmr_clip, mjlab_arrays, videomimic_clip

HEADINGS_DEG = range(0, 360, 30)
# By the order that a clip seems to be in: its wxyz quaternions, read in the other one.
MISREAD = {"xyzw": [1, 2, 3, 0], "wxyz": [3, 0, 1, 2]}


def turned(motion: Motion, rotation: Rotation) -> Motion:
    """The clip with its root turned where it is."""
    qpos = motion.qpos.copy()
    root = rotation * Rotation.from_quat(qpos[:, 3:7], scalar_first=True)
    qpos[:, 3:7] = root.as_quat(scalar_first=True)
    return replace(motion, qpos=qpos)


def heading(degrees: float) -> Rotation:
    return Rotation.from_euler("z", degrees, degrees=True)


def misread(motion: Motion, seems: str) -> Motion:
    qpos = motion.qpos.copy()
    qpos[:, 3:7] = qpos[:, 3:7][:, MISREAD[seems]]
    return replace(motion, qpos=qpos)


def on_the_floor(motion: Motion) -> Motion:
    """The clip with its lowest link as high as an ankle, in every frame."""
    qpos = motion.qpos.copy()
    qpos[:, 2] += 0.06 - link_poses(qpos)[0][..., 2].min(axis=1)
    return replace(motion, qpos=qpos)


@pytest.fixture(scope="module")
def facing_left() -> Motion:
    """Of a quarter turn, which order it is in shows clearly."""
    walk = load_motion("walk")
    return turned(replace(walk, qpos=walk.qpos[:60], findings=()), heading(90))


def test_real_clips_and_ours_are_in_no_doubt_and_clearly_in_the_wrong_one(real_motions):
    found = {"xyzw": [], "wxyz": []}
    clips = sorted((real_motions / "curated").glob("*.npz"))
    for path in clips:
        motion = load_motion(path)
        assert motion.findings == ()
        for seems in MISREAD:
            assert doubt_of(full_qpos(motion), seems) is None, path.stem
            doubt = doubt_of(full_qpos(misread(motion, seems)), seems)
            assert doubt is not None and doubt.order == seems, path.stem
            found[seems].append(doubt.clear)
            # Nor is it taken for what the other misreading would have made.
            other = "wxyz" if seems == "xyzw" else "xyzw"
            assert doubt_of(full_qpos(misread(motion, seems)), other) is None
    # Those that face along x are seen less well if their w comes last.
    assert sum(found["wxyz"]) == len(clips) and sum(found["xyzw"]) >= len(clips) // 3
    for name in embedded_motions():
        for degrees in HEADINGS_DEG[::3]:
            motion = turned(load_motion(name), heading(degrees))
            assert not any(doubt_of(motion.qpos, seems) for seems in MISREAD), name


def test_raw_files_are_in_no_doubt(real_motions):
    for path in sorted((real_motions / "raw").rglob("*")):
        if path.suffix in (".pkl", ".h5", ".motion") or "mjlab_npz/" in str(path):
            found = load_motion(path).findings
            assert "quat-order" not in {finding.code for finding in found}, path


def npz(motion: Motion, path) -> None:
    names = np.array(motion.joint_names)
    np.savez(path, qpos=motion.qpos, fps=motion.fps, joint_names=names)


def holosoma(motion: Motion, path) -> None:
    arrays = mjlab_arrays(motion) | {"joint_pos": motion.qpos}
    names = np.array(JOINTS_29), np.array(body_names())
    np.savez(path, **arrays, joint_names=names[0], body_names=names[1])


def locomujoco(motion: Motion, path) -> None:
    names, types = np.array(["root", *JOINTS_29]), np.array([0] + [3] * 29)
    np.savez(
        path, qpos=motion.qpos, joint_names=names, jnt_type=types, frequency=motion.fps
    )


def pickled(clip):
    def write(motion: Motion, path) -> None:
        path.write_bytes(pickle.dumps(clip(motion)))

    return write


def without_contacts(motion: Motion) -> dict:
    return {k: v for k, v in videomimic_clip(motion).items() if k != "contacts"}


@pytest.mark.parametrize(
    ("write", "own"),
    [
        (npz, "wxyz"),
        (holosoma, "wxyz"),
        (locomujoco, "wxyz"),
        (pickled(lambda motion: {"one": asap_clip(motion)}), "xyzw"),
        (pickled(gmr_clip), "xyzw"),
        (pickled(without_contacts), "xyzw"),
    ],
    ids=["mimicgym", "holosoma", "locomujoco", "asap", "gmr", "videomimic"],
)
def test_every_format_refuses_what_is_clearly_in_the_other_order(
    tmp_path, facing_left, write, own
):
    other = "wxyz" if own == "xyzw" else "xyzw"
    path = tmp_path / "clip.npz"
    write(facing_left, path)
    right = load_motion(path, fps=50)
    assert "quat-order" not in {finding.code for finding in right.findings}
    write(misread(facing_left, other), path)
    message = (
        rf"clip\.npz: the quaternions look like {other}, not {own} \(tilt.*; give "
        rf"quat_order {other} \(--quat-order {other}\), or {own} if that is right"
    )
    with pytest.raises(MotionError, match=message):
        load_motion(path, fps=50)
    mended = load_motion(path, fps=50, quat_order=other)
    np.testing.assert_allclose(mended.qpos, right.qpos, atol=1e-7)
    # Who says that it is right is believed, and told of.
    believed = load_motion(path, fps=50, quat_order=own)
    (finding,) = [f for f in check_motion(believed) if f.code == "quat-order"]
    assert finding.level == "warning" and finding.mend == f"--quat-order {other}"


def test_so_does_protomotions(real_motions, monkeypatch):
    (path,) = (real_motions / "raw" / "protomotions_motion").glob("*.motion")
    values = protomotions.read_fields(probe(path))
    quats = values["rigid_body_rot"][..., [3, 0, 1, 2]]  # as wxyz
    left = heading(90) * Rotation.from_quat(quats[:, 0], scalar_first=True)
    stored = values | {
        "rigid_body_rot": left.as_quat(scalar_first=True)[:, None].astype("f4")
    }
    monkeypatch.setattr(protomotions, "read_fields", lambda probe: stored)
    with pytest.raises(MotionError, match=r"not xyzw.*\(--quat-order wxyz\)"):
        load_motion(path)
    load_motion(path, quat_order="wxyz")


def test_mjlab_tells_by_its_links(tmp_path, facing_left):
    arrays = mjlab_arrays(facing_left)
    path = tmp_path / "m.npz"
    np.savez(
        path, **(arrays | {"body_quat_w": arrays["body_quat_w"][..., MISREAD["xyzw"]]})
    )
    with pytest.raises(MotionError, match=r"look like xyzw, not wxyz: read so, joint_"):
        load_motion(path)
    mended = load_motion(path, quat_order="xyzw")
    np.testing.assert_allclose(mended.qpos, facing_left.qpos, atol=1e-9)
    assert mended.findings == ()


def test_what_is_in_some_doubt_loads_with_a_warning(tmp_path):
    """A clip that faces along x looks nearly upright in either order."""
    walk = load_motion("walk")
    save_motion(misread(walk, "xyzw"), tmp_path / "w.npz")
    (finding,) = load_motion(tmp_path / "w.npz").findings
    assert (finding.code, finding.level) == ("quat-order", "warning")
    assert finding.mend == "--quat-order xyzw"
    found = check_motion(load_motion(tmp_path / "w.npz"))
    assert [f.code for f in found].count("quat-order") == 1
    # In a table, whose order can only have been guessed, it is refused.
    save_motion(walk, tmp_path / "w.csv")
    rows = np.loadtxt(tmp_path / "w.csv", delimiter=",")
    rows[:, 3:7] = walk.qpos[:, 3:7]
    np.savetxt(tmp_path / "w.csv", rows, delimiter=",")
    with pytest.raises(MotionError, match=r"--quat-order wxyz\)$"):
        load_motion(tmp_path / "w.csv", fps=50, quat_order="xyzw")


def about(axis: str, degrees) -> Rotation:
    """(60,) rotations about an axis, by an angle for each or the same for all."""
    unit = np.eye(3)["xyz".index(axis)]
    return Rotation.from_rotvec(np.full(60, np.radians(degrees))[:, None] * unit)


def poses() -> dict[str, Rotation]:
    """Of what lies, rolls, spins and gets up, by name."""
    t = np.linspace(0, 1, 60)
    risen = np.clip((t - 0.6) / 0.15, 0, 1)
    return {
        "on its back": about("y", -90),
        "on its belly": about("y", 90),
        "on its left": about("x", 90),
        "on its right": about("x", -90),
        "on its head": about("y", 180),
        "rolling": about("y", -90) * about("z", 500 * t),
        "windmill": about("z", 1000 * t) * about("y", -90) * about("z", 1400 * t),
        "spinning on its head": about("z", 1000 * t) * about("y", 180),
        "somersaults": about("y", 720 * t),
        "getting up from its back": about("y", -90 * (1 - risen)),
        "getting up from its side": about("x", 90 * (1 - risen)),
    }


@pytest.mark.parametrize("name", sorted(poses()))
@pytest.mark.parametrize("clip", ["squat", "kick"])
def test_lying_rolling_and_getting_up_are_no_wrong_order(clip, name):
    motion = load_motion(clip)
    frames = np.linspace(0, motion.num_frames - 1, 60).astype(int)
    motion = replace(motion, qpos=motion.qpos[frames], terrain="", findings=())
    lying = on_the_floor(turned(motion, poses()[name]))
    for degrees in HEADINGS_DEG:
        for order in MISREAD:
            # As a table, of which the least doubt is enough.
            judge_order(turned(lying, heading(degrees)), None, order)


def test_a_few_frames_are_not_enough_to_be_refused(tmp_path, facing_left):
    few = replace(facing_left, qpos=facing_left.qpos[:9])
    npz(misread(few, "xyzw"), tmp_path / "few.npz")
    (finding,) = load_motion(tmp_path / "few.npz").findings
    assert finding.code == "quat-order"
