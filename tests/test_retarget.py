"""From motions of people to clips for the robot."""

import builtins
import itertools
import re

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimicgym.assets import asset_path
from mimicgym.errors import MotionError, UserError
from mimicgym.motion import validate
from mimicgym.retarget import retarget_file, smpl
from mimicgym.retarget.body import find_body, resample_body
from mimicgym.retarget.bvh import read_bvh
from mimicgym.retarget.matrices import (
    about_axis,
    from_rotation_vectors,
    from_yaw_pitch_roll,
    nearest_rotations,
    yaw_pitch_roll,
)
from mimicgym.retarget.names import find_joints
from mimicgym.retarget.proportions import load_model, measure
from mimicgym.retarget.skeleton import HumanMotion
from mimicgym.robot import JOINTS_29

# A person of 1.73 m in cm: y up, facing z, arms level, left at +x.
TREE = (
    ("Hips", None, (0, 0, 0)),
    ("Spine", "Hips", (0, 12, 0)),
    ("Chest", "Spine", (0, 25, 0)),
    ("Neck", "Chest", (0, 18, 0)),
    *(
        joint
        for side, sign in (("Left", 1), ("Right", -1))
        for joint in (
            (f"{side}UpLeg", "Hips", (sign * 9, -8, 0)),
            (f"{side}Leg", f"{side}UpLeg", (0, -42, 0)),
            (f"{side}Foot", f"{side}Leg", (0, -43, 0)),
            (f"{side}ToeBase", f"{side}Foot", (0, -7, 14)),
            (f"{side}Shoulder", "Chest", (sign * 5, 12, 0)),
            (f"{side}Arm", f"{side}Shoulder", (sign * 13, 0, 0)),
            (f"{side}ForeArm", f"{side}Arm", (sign * 28, 0, 0)),
            (f"{side}Hand", f"{side}ForeArm", (sign * 25, 0, 0)),
        )
    ),
)
STANDING_CM = (0.0, 8 + 42 + 43 + 8, 0.0)  # the hips, with 8 cm from ankle to floor


def bvh_text(frames=40, turns=None, root_cm=None, tree=TREE, fps=50.0) -> str:
    """A BVH file of TREE.

    Args:
      turns: by joint the (frames, 3) or (3,) degrees about z, x and y, in this order.
      root_cm: (frames, 3) or (3,) where the hips are.
    """
    turns = turns or {}
    lines, order = ["HIERARCHY"], []

    def write(name, offset, depth):
        order.append(name)
        kind = "JOINT" if depth else "ROOT"
        moves = "6 Xposition Yposition Zposition" if not depth else "3"
        lines.extend(
            [
                f"{kind} {name}",
                "{",
                "OFFSET " + " ".join(f"{x:g}" for x in offset),
                f"CHANNELS {moves} Zrotation Xrotation Yrotation",
            ]
        )
        children = [(n, o) for n, parent, o in tree if parent == name]
        for child in children:
            write(*child, depth + 1)
        if not children:
            lines.extend(["End Site", "{", "OFFSET 0 0 0", "}"])
        lines.append("}")

    write(tree[0][0], tree[0][2], 0)
    root = STANDING_CM if root_cm is None else root_cm
    columns = [np.broadcast_to(root, (frames, 3))]
    for name in order:
        columns.append(np.broadcast_to(turns.get(name, (0, 0, 0)), (frames, 3)))
    lines += ["MOTION", f"Frames: {frames}", f"Frame Time: {1 / fps:.8f}"]
    lines += [
        " ".join(f"{x:.6f}" for x in row) for row in np.concatenate(columns, axis=1)
    ]
    return "\n".join(lines) + "\n"


ARMS_DOWN = {"LeftArm": (-80, 0, 0), "RightArm": (80, 0, 0)}


def write_bvh(folder, **kwargs):
    path = folder / "person.bvh"
    path.write_text(bvh_text(**kwargs))
    return path


def write_smpl(folder, frames=30, **changes):
    """A person who stands, y up turned to z up as in AMASS."""
    poses = np.zeros((frames, 72))
    poses[:, 0] = np.pi / 2
    arrays = {
        "poses": poses,
        "trans": np.tile([0.0, 0.0, 0.98], (frames, 1)),
        "betas": np.zeros(16),
        "gender": np.array("neutral"),
        "mocap_framerate": np.array(30.0),
    } | changes
    path = folder / "person.npz"
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return path


def angles(motion, frame=-1) -> dict[str, float]:
    return dict(zip(JOINTS_29, motion.qpos[frame, 7:], strict=True))


def soles(motion) -> np.ndarray:
    """(T, 2, 4, 3) lowest points of the robot's feet, straight from MuJoCo."""
    model = mujoco.MjModel.from_xml_path(str(asset_path("g1", "g1.xml")))
    data = mujoco.MjData(model)
    names = [[f"{side}_foot_{i}" for i in range(4)] for side in ("left", "right")]
    ids = np.array([[model.geom(name).id for name in row] for row in names])
    points = np.empty((len(motion.qpos), 2, 4, 3))
    for t, row in enumerate(motion.qpos):
        data.qpos[:] = row
        mujoco.mj_kinematics(model, data)
        points[t] = data.geom_xpos[ids]
        points[t, ..., 2] -= model.geom_size[ids, 0]
    return points


# --- rotations --------------------------------------------------------------------


def test_matrices_agree_with_scipy():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(50, 3)) * 2.0
    vectors[0] = 0.0
    turns = Rotation.from_rotvec(vectors).as_matrix()
    np.testing.assert_allclose(from_rotation_vectors(vectors), turns, atol=1e-12)
    euler = Rotation.from_matrix(turns).as_euler("ZYX")
    np.testing.assert_allclose(yaw_pitch_roll(turns), euler, atol=1e-9)
    np.testing.assert_allclose(from_yaw_pitch_roll(euler), turns, atol=1e-12)
    for axis, name in enumerate("xyz"):
        np.testing.assert_allclose(
            about_axis(axis, vectors[:, 0]),
            Rotation.from_euler(name, vectors[:, :1]).as_matrix(),
            atol=1e-12,
        )


def test_nearest_rotation_of_a_sum_is_the_mean():
    turns = Rotation.random(20, rng=np.random.default_rng(1))
    turns = Rotation.from_rotvec(0.5 * turns.as_rotvec())
    mean = nearest_rotations(turns.as_matrix().sum(axis=0))
    np.testing.assert_allclose(mean, turns.mean().as_matrix(), atol=1e-12)


# --- BVH --------------------------------------------------------------------------


def test_bvh_by_hand(tmp_path):
    # The thigh turns 90 degrees about x: y-up forward is z, so -y becomes -z.
    text = bvh_text(frames=3, turns={"LeftUpLeg": (0, 90, 0)})
    path = tmp_path / "a.bvh"
    path.write_text(text)
    motion = read_bvh(path)
    at = {name: motion.pos_w[0, i] for i, name in enumerate(motion.joint_names)}
    # In cm with y up: hip (9, 93, 0), knee (9, 93, -42). z up in m: (x, -z, y).
    np.testing.assert_allclose(at["LeftUpLeg"], [0.09, 0.0, 0.93], atol=1e-9)
    np.testing.assert_allclose(at["LeftLeg"], [0.09, 0.42, 0.93], atol=1e-9)
    np.testing.assert_allclose(at["LeftFoot"], [0.09, 0.85, 0.93], atol=1e-9)
    np.testing.assert_allclose(at["RightFoot"], [-0.09, 0.0, 0.08], atol=1e-9)
    assert motion.fps == pytest.approx(50.0)


@pytest.mark.parametrize("order", ["".join(o) for o in itertools.permutations("XYZ")])
def test_bvh_channels_in_any_order(tmp_path, order):
    rng = np.random.default_rng(2)
    turns = {name: rng.uniform(-60, 60, (4, 3)) for name, _, _ in TREE[1:]}
    text = bvh_text(frames=4, turns=turns)
    channels = " ".join(f"{axis}rotation" for axis in order)
    path = tmp_path / "a.bvh"
    path.write_text(text.replace("Zrotation Xrotation Yrotation", channels))
    motion = read_bvh(path)
    up = Rotation.from_euler("x", 90, degrees=True)
    turn, at = {}, {}
    for name, parent, offset in TREE:
        own = Rotation.from_euler(
            order, turns.get(name, np.zeros((4, 3))), degrees=True
        )
        turn[name] = own if parent is None else turn[parent] * own
        at[name] = (
            np.tile(STANDING_CM, (4, 1))
            if parent is None
            else at[parent] + turn[parent].apply(offset)
        )
    for i, name in enumerate(motion.joint_names):
        if name in at:
            wanted = 0.01 * up.apply(at[name])
            np.testing.assert_allclose(motion.pos_w[:, i], wanted, atol=1e-6)
            wanted = (up * turn[name]).as_matrix()
            np.testing.assert_allclose(motion.rot_w[:, i], wanted, atol=1e-6)


@pytest.mark.parametrize("unit_m", [1.0, 0.01, 0.0254, 0.0254 / 0.45, 0.001])
def test_bvh_units_are_told_from_the_person(tmp_path, unit_m):
    scale = 0.01 / unit_m
    tree = [(n, p, tuple(scale * x for x in o)) for n, p, o in TREE]
    root = [scale * x for x in STANDING_CM]
    motion = read_bvh(write_bvh(tmp_path, frames=3, tree=tree, root_cm=root))
    hips = motion.pos_w[0, motion.joint_names.index("Hips")]
    assert hips[2] == pytest.approx(1.01, abs=1e-5)
    tall = read_bvh(tmp_path / "person.bvh", height_m=1.9)
    assert tall.pos_w[0, 0, 2] / hips[2] == pytest.approx(
        1.9 / (0.85 / 0.491), rel=1e-5
    )


def test_bvh_with_z_up(tmp_path):
    tree = [(n, p, (o[0], -o[2], o[1])) for n, p, o in TREE]
    root = (0.0, 0.0, STANDING_CM[1])
    motion = read_bvh(write_bvh(tmp_path, frames=3, tree=tree, root_cm=root))
    assert motion.pos_w[0, 0, 2] == pytest.approx(1.01, abs=1e-5)
    np.testing.assert_allclose(
        find_body(motion).pelvis_w[0, :, 2], [0, 0, 1], atol=1e-9
    )


def cut_rows(text):
    return text.rsplit("\n", 6)[0] + "\n"


BAD_BVH = {
    "no bvh": (lambda t: "hello\n", r"line 1: 'hello' where HIERARCHY"),
    "no end": (lambda t: t[: t.index("MOTION") // 2], "the file ends where"),
    "few rows": (cut_rows, r"Frames says 40, but 35 rows"),
    "short row": (
        lambda t: t.rstrip().rsplit(" ", 1)[0] + "\n",
        r"line \d+: 62 numbers, but the hierarchy has 63",
    ),
    "nan": (
        lambda t: t.replace("101.000000", "nan", 1),
        r"line \d+: 'nan' in column 2",
    ),
    "word": (lambda t: t.replace("101.000000", "abc", 1), r"line \d+: .*abc"),
    "channel": (
        lambda t: t.replace("Zrotation", "Wrotation", 1),
        r"line 5: 'Wrotation' among the 6 CHANNELS of 'Hips'; choices: Xposition",
    ),
    "few channels": (
        lambda t: t.replace("CHANNELS 3", "CHANNELS 4", 1),
        r"line \d+: 'JOINT' among the 4 CHANNELS",
    ),
    "many channels": (
        lambda t: t.replace("CHANNELS 3", "CHANNELS 2", 1),
        r"line \d+: 'Yrotation' where OFFSET or",
    ),
    "twice": (lambda t: t.replace("Xrotation", "Zrotation", 1), "a channel twice"),
    "offset": (lambda t: t.replace("OFFSET 0 12 0", "OFFSET 0 12"), r"'CHANNELS' for"),
    "no offset": (lambda t: t.replace("OFFSET 0 12 0", ""), "'Spine' has no OFFSET"),
    "time": (
        lambda t: t.replace("Time: 0.02", "Time: 0.00"),
        "0 for the frame time; 0.0001 s to 10 s",
    ),
    "frames": (lambda t: t.replace("Frames: 40", "Frames: x"), "'x' for the number of"),
    "names": (
        lambda t: re.sub("LeftLeg", "LeftThing", t),
        r"has no left knee; its joints are Hips, .*LeftThing",
    ),
}


@pytest.mark.parametrize("case", BAD_BVH)
def test_bad_bvh(tmp_path, case):
    change, message = BAD_BVH[case]
    path = tmp_path / "bad.bvh"
    path.write_text(change(bvh_text()))
    with pytest.raises(MotionError, match=message) as caught:
        retarget_file(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_too_few_frames(tmp_path, frames):
    with pytest.raises(MotionError, match=f"has {frames} frames?; at least 3"):
        retarget_file(write_bvh(tmp_path, frames=frames))


# --- SMPL -------------------------------------------------------------------------


@pytest.mark.parametrize("width", [66, 72, 156, 165])
def test_smpl_agrees_with_scipy(tmp_path, width):
    rng = np.random.default_rng(3)
    poses = rng.normal(scale=0.4, size=(5, width))
    poses[:, :3] = [np.pi / 2, 0.0, 0.0]
    trans = rng.normal(size=(5, 3))
    rate = {"mocap_framerate": None, "mocap_frame_rate": np.array(120.0)}
    path = write_smpl(tmp_path, poses=poses, trans=trans, **rate)
    motion = smpl.read_smpl(path)
    assert motion.fps == 120.0
    turn, at = [], []
    for j, parent in enumerate(smpl.PARENTS):
        own = Rotation.from_rotvec(poses[:, 3 * j : 3 * j + 3])
        turn.append(own if parent < 0 else turn[parent] * own)
        at.append(
            trans if parent < 0 else at[parent] + turn[parent].apply(smpl.OFFSET_M[j])
        )
    np.testing.assert_allclose(motion.pos_w, np.stack(at, axis=1), atol=1e-9)
    wanted = np.stack([t.as_matrix() for t in turn], axis=1)
    np.testing.assert_allclose(motion.rot_w, wanted, atol=1e-9)


def test_smpl_build_is_that_of_a_person():
    joints = dict(zip(smpl.JOINT_NAMES, smpl.OFFSET_M, strict=True))
    for name, offset in joints.items():
        if name.startswith("left_"):
            mirrored = joints[name.replace("left_", "right_")] * [-1, 1, 1]
            np.testing.assert_array_equal(offset, mirrored)
    # Drillis and Contini 1966, for 1.7 m: thigh 0.245 H, upper arm 0.186 H less what
    # is above the joint's centre, within what people differ by.
    assert np.linalg.norm(joints["left_knee"]) == pytest.approx(0.245 * 1.7, rel=0.05)
    assert np.linalg.norm(joints["left_ankle"]) == pytest.approx(0.246 * 1.7, rel=0.05)


OBJECTS = np.array([{"a": 1}], dtype=object)
BAD_SMPL = {
    "poses": (dict(poses=None), "lacks poses; an SMPL motion has poses, trans"),
    "rate": (dict(mocap_framerate=None), "lacks mocap_framerate"),
    "width": (dict(poses=np.zeros((30, 70))), r"poses has shape \(30, 70\), not"),
    "trans": (dict(trans=np.zeros((30, 2))), r"trans has shape \(30, 2\)"),
    "lengths": (dict(trans=np.zeros((29, 3))), "poses has 30 frames, trans has 29"),
    "nan": (dict(trans=np.full((30, 3), np.nan)), "trans has nan in frame 0, column 0"),
    "text": (dict(poses=np.full((30, 72), "a")), "poses holds <U1, not numbers"),
    "objects": (dict(trans=OBJECTS), "array 'trans' can not be read"),
    "zero rate": (dict(mocap_framerate=np.array(0)), "mocap_framerate is 0"),
    "short": (
        dict(poses=np.zeros((1, 72)), trans=np.zeros((1, 3))),
        "has 1 frame; at least 3",
    ),
}


@pytest.mark.parametrize("case", BAD_SMPL)
def test_bad_smpl(tmp_path, case):
    changes, message = BAD_SMPL[case]
    path = write_smpl(tmp_path, **changes)
    with pytest.raises(MotionError, match=message) as caught:
        retarget_file(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_files_and_arguments(tmp_path, monkeypatch):
    other = tmp_path / "a.txt"
    other.write_text("1,2,3\n")
    with pytest.raises(MotionError, match="neither a BVH file"):
        retarget_file(other)
    with pytest.raises(MotionError, match="no such motion file"):
        retarget_file(tmp_path / "none.bvh")
    path = write_bvh(tmp_path)
    for name, value in (
        ("fps", 0.0),
        ("fps", float("nan")),
        ("height_m", 17.0),
        ("start_s", -1.0),
    ):
        with pytest.raises(UserError, match=name):
            retarget_file(path, **{name: value})
    with pytest.raises(MotionError, match=r"from 5 s to its end \(it lasts 0.78 s"):
        retarget_file(path, start_s=5.0)
    monkeypatch.setattr("mimicgym.retarget.skeleton._MAX_FILE_BYTES", 100)
    with pytest.raises(MotionError, match="MiB are read"):
        retarget_file(path)


def test_the_extra_is_named_if_missing(tmp_path, monkeypatch):
    real = builtins.__import__

    def without_mink(name, *args, **kwargs):
        if name == "mink":
            raise ImportError("no", name="mink")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_mink)
    with pytest.raises(UserError, match=r"needs mink.*pip install 'mimicgym\[retarget"):
        retarget_file(write_bvh(tmp_path))


# --- names ------------------------------------------------------------------------

LIMB = ("hip", "knee", "ankle", "toe", "shoulder", "elbow", "wrist")
SKELETONS = {
    "CMU": "LeftUpLeg LeftLeg LeftFoot LeftToeBase LeftArm LeftForeArm LeftHand",
    "CMU old": "LeftHip LeftKnee LeftAnkle LeftToe LeftShoulder LeftElbow LeftWrist",
    "Rokoko": "LeftThigh LeftShin LeftFoot LeftToe LeftArm LeftForeArm LeftHand",
    "SMPL": "left_hip left_knee left_ankle left_foot left_shoulder left_elbow "
    "left_wrist",
    "Unreal": "thigh_l calf_l foot_l ball_l upperarm_l lowerarm_l hand_l",
    "Blender": "thigh.L shin.L foot.L toe.L upper_arm.L forearm.L hand.L",
    "ASF": "lfemur ltibia lfoot ltoes lhumerus lradius lwrist",
    "shouting": "LEFT_HIP LEFT_KNEE LEFT_ANKLE LEFT_TOE LEFT_SHOULDER LEFT_ELBOW "
    "LEFT_WRIST",
}
SKELETONS["Mixamo"] = " ".join(f"mixamorig:{n}" for n in SKELETONS["CMU"].split())


@pytest.mark.parametrize("kind", SKELETONS)
def test_names_of_skeletons(kind):
    left = SKELETONS[kind].split()
    swaps = {"Left": "Right", "left": "right", "LEFT": "RIGHT", "_l": "_r", ".L": ".R"}
    right = []
    for name in left:
        for a, b in swaps.items():
            if a in name:
                right.append(name.replace(a, b))
                break
        else:
            right.append("r" + name[1:])
    collars = [] if kind in ("CMU old", "SMPL", "shouting") else ["LeftShoulder"]
    names = ["Hips", "Spine2", *collars, *left, *right]
    parents = [-1, 0, *[1] * len(collars)]
    for side in range(2):
        first = len(parents)
        parents += [0, first, first + 1, first + 2, 1, first + 4, first + 5]
        assert names[first] == (left, right)[side][0]
    zeros = np.zeros((1, len(names), 3))
    motion = HumanMotion(
        name="a",
        path="a.bvh",
        fps=30.0,
        joint_names=tuple(names),
        parents=tuple(parents),
        pos_w=zeros,
        rot_w=np.broadcast_to(np.eye(3), (1, len(names), 3, 3)),
        rest_w=zeros[0],
    )
    joints = find_joints(motion)
    assert (joints.pelvis, joints.chest) == (0, 1)
    for i, part in enumerate(LIMB):
        found = [names[j] for j in joints.pair(part)]
        assert found == [left[i], right[i]]


def test_rest_pose_of_any_kind(tmp_path):
    """Joint axes that mean nothing and no standing rest pose, as LAFAN1 has them."""
    rng = np.random.default_rng(4)
    time = np.linspace(0.0, 6.28, 80)[:, None]
    turns = {
        name: 12.0 * np.sin(time * rng.uniform(0.5, 2.0, 3))
        for name, _, _ in TREE[1:]
        if "UpLeg" not in name and "Foot" not in name
    }
    usual = find_body(read_bvh(write_bvh(tmp_path, frames=80, turns=turns)))
    random = Rotation.random(len(TREE), rng=rng)
    odd = {name: random[i] for i, (name, _, _) in enumerate(TREE)}
    tree, moved = [], {}
    for name, parent, offset in TREE:
        before = odd[parent].inv() if parent else Rotation.identity()
        tree.append((name, parent, tuple(before.apply(offset))))
        own = Rotation.from_euler("ZXY", turns.get(name, np.zeros(3)), degrees=True)
        moved[name] = (before * own * odd[name]).as_euler("ZXY", degrees=True)
    path = write_bvh(tmp_path, frames=80, turns=moved, tree=tree)
    body = find_body(read_bvh(path))
    np.testing.assert_allclose(body.points_w, usual.points_w, atol=1e-4)
    for found, wanted in (
        (body.pelvis_w, usual.pelvis_w),
        (body.chest_w, usual.chest_w),
        (body.feet_w, usual.feet_w),
    ):
        apart = Rotation.from_matrix(found.reshape(-1, 3, 3)).inv()
        apart *= Rotation.from_matrix(wanted.reshape(-1, 3, 3))
        assert np.rad2deg(apart.magnitude()).max() < 12.0


# --- the robot --------------------------------------------------------------------


def test_proportions_of_the_robot():
    robot = measure(load_model())
    assert robot.sole_m == pytest.approx(0.035)
    assert robot.limb_m[0] == pytest.approx(0.306, abs=0.002)  # hip_roll to knee
    assert robot.leg_m == pytest.approx(0.306 + 0.3176, abs=0.002)
    np.testing.assert_allclose(robot.hips_from_pelvis, [0, 0, -0.1332], atol=1e-3)


def test_standing_with_arms_down(tmp_path):
    path = write_bvh(tmp_path, turns={**ARMS_DOWN, "Hips": (0, 0, 70)})
    motion, report = retarget_file(path)
    validate(motion)
    assert motion.joint_names == JOINTS_29
    assert (report.frames, motion.fps) == (40, 50.0)
    assert motion.foot_contact is not None and motion.foot_contact.all()
    q = angles(motion)
    assert 0.70 < motion.qpos[-1, 2] < 0.80
    np.testing.assert_allclose(motion.qpos[0, :2], 0.0, atol=0.02)
    # Upright and along x, whichever way the person faced.
    np.testing.assert_allclose(motion.qpos[-1, 4:7], 0.0, atol=0.02)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        assert 0.02 < q[f"{side}_knee_joint"] < 0.45
        assert abs(q[f"{side}_hip_roll_joint"]) < 0.05
        assert abs(q[f"{side}_hip_yaw_joint"]) < 0.05
        assert 0.0 < sign * q[f"{side}_shoulder_roll_joint"] < 0.35
        assert abs(q[f"{side}_shoulder_pitch_joint"]) < 0.2
        assert q[f"{side}_elbow_joint"] > 1.2
        tilt = sum(q[f"{side}_{j}_joint"] for j in ("hip_pitch", "knee", "ankle_pitch"))
        assert abs(tilt) < 0.02
    assert abs(report.lowest_foot_m) < 2e-3
    assert report.slip_mm_s < 1.0
    assert report.max_step_rad < 0.05


def test_arms_level(tmp_path):
    motion, report = retarget_file(write_bvh(tmp_path))
    q = angles(motion)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        assert sign * q[f"{side}_shoulder_roll_joint"] == pytest.approx(1.57, abs=0.15)
        assert q[f"{side}_elbow_joint"] > 1.2
    errors = {e.part: e.max_mm for e in report.errors}
    assert max(errors[f"{s} {p}"] for s in ("left", "right") for p in LIMB[5:]) < 15.0


def test_leaning_forward_and_turning_the_chest(tmp_path):
    turns = {**ARMS_DOWN, "Spine": (0, 20, 0), "Chest": (0, 0, 25)}
    q = angles(retarget_file(write_bvh(tmp_path, turns=turns))[0])
    assert q["waist_pitch_joint"] == pytest.approx(np.deg2rad(20), abs=0.1)
    assert q["waist_yaw_joint"] == pytest.approx(np.deg2rad(25), abs=0.1)


def test_feet_are_locked(tmp_path):
    # Somebody who slides to and fro on stiff legs.
    time_s = np.arange(100) / 50
    root = np.tile(STANDING_CM, (100, 1))
    root[:, 0] += 2.5 * np.sin(2 * np.pi * time_s)
    path = write_bvh(tmp_path, frames=100, root_cm=root, turns=ARMS_DOWN)
    _, loose = retarget_file(path, lock_feet=False)
    motion, report = retarget_file(path)
    assert loose.slip_mm_s > 50.0
    assert report.slip_mm_s < 5.0
    points = soles(motion)
    assert motion.foot_contact is not None and motion.foot_contact.mean() > 0.9
    for foot in range(2):
        held = points[motion.foot_contact[:, foot], foot]
        assert np.ptp(held[..., :2], axis=0).max() < 5e-3
        assert np.abs(held[..., 2].min(axis=1)).max() < 3e-3


def test_a_jump_keeps_its_flight(tmp_path):
    time_s = np.arange(80) / 50
    air = np.clip(time_s - 0.5, 0.0, 0.5)
    root = np.tile(STANDING_CM, (80, 1))
    root[:, 1] += 100 * 0.5 * 9.81 * air * (0.5 - air)  # 31 cm at the top
    path = write_bvh(tmp_path, frames=80, root_cm=root, turns=ARMS_DOWN)
    motion, _ = retarget_file(path)
    top = int(0.75 * 50)
    assert motion.foot_contact is not None
    assert not motion.foot_contact[top].any()
    assert motion.foot_contact[[0, -1]].all()
    lowest = soles(motion)[..., 2].min(axis=(1, 2))
    leg = measure(load_model()).leg_m / 0.85
    assert lowest[top] == pytest.approx(0.3066 * leg, abs=0.02)
    assert lowest.min() > -3e-3


def test_rate_part_and_progress(tmp_path):
    path = write_bvh(tmp_path, frames=61, fps=120.0, turns=ARMS_DOWN)
    seen = []
    motion, report = retarget_file(
        path, fps=None, start_s=0.1, end_s=0.3, progress=lambda *n: seen.append(n)
    )
    assert motion.fps == pytest.approx(120.0)
    assert report.seconds == pytest.approx(0.2, abs=1e-3)
    assert seen == [(i + 1, 25) for i in range(25)]
    body = resample_body(find_body(read_bvh(path)), 30.0)
    assert body.fps == 30.0 and len(body.points_w) == 16


def test_smpl_person_stands(tmp_path):
    path = write_smpl(tmp_path, betas=np.ones(10))
    motion, report = retarget_file(path)
    assert "betas" in report.warnings[0]
    np.testing.assert_allclose(motion.qpos[-1, 4:7], 0.0, atol=0.03)
    assert 0.70 < motion.qpos[-1, 2] < 0.80
    assert abs(report.lowest_foot_m) < 3e-3


def test_joint_limits_and_steps_of_real_motion(real_motions):
    path = (
        real_motions / "raw" / "human_smpl_npz" / "video_walk_level2_filter_amass.npz"
    )
    if not path.exists():
        pytest.skip(f"no {path}")
    check_real(path, end_s=2.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "human_bvh/jumping_jacks.bvh",
        "human_bvh/AV_8Walk_Meredith_HVHA_Rep1.bvh",
        "human_smpl_npz/video_walk_level2_filter_amass.npz",
    ],
)
def test_whole_real_motions(real_motions, name):
    path = real_motions / "raw" / name
    if not path.exists():
        pytest.skip(f"no {path}")
    check_real(path)


def check_real(path, **part):
    motion, report = retarget_file(path, **part)
    model = mujoco.MjModel.from_xml_path(str(asset_path("g1", "g1.xml")))
    low, high = model.jnt_range[1:].T
    assert (motion.qpos[:, 7:] > low - 1e-6).all()
    assert (motion.qpos[:, 7:] < high + 1e-6).all()
    assert report.max_step_rad < 0.3
    assert report.slip_mm_s < 20.0
    assert -0.01 < report.lowest_foot_m < 0.005
    errors = {e.part: e for e in report.errors}
    assert max(errors[f"{s} foot"].max_mm for s in ("left", "right")) < 5.0
    assert errors["pelvis"].mean_mm < 15.0
    for side in ("left", "right"):
        assert errors[f"{side} elbow"].mean_mm < 15.0
        assert errors[f"{side} wrist"].mean_mm < 15.0
