"""g1.xml against the published figures, and the embedded clips against physics.

The figures are in data/g1_facts.json, with their source. Nothing here uses the
package's own kinematics or dynamics: the oracle is MuJoCo's C engine.
"""

import json
from pathlib import Path

import mujoco
import numpy as np
import pytest
from scipy.optimize import nnls
from scipy.spatial import ConvexHull

from mimicgym.assets import asset_path

FACTS = json.loads((Path(__file__).parent / "data" / "g1_facts.json").read_text())
XML = str(asset_path("g1", "g1.xml"))
VISUAL, COLLISION = 2, 3
FOOT_GEOMS = [f"{side}_foot_{i}" for side in ("left", "right") for i in range(4)]
SPHERES = FOOT_GEOMS + [
    "head_collision",
    "pelvis_collision",
    "torso_collision",
    "torso_back_collision",
    *(f"{s}_{p}_collision" for s in ("left", "right") for p in ("knee", "hand")),
    *(f"{s}_elbow_collision" for s in ("left", "right")),
]
CAPSULES = [
    f"{side}_{part}_collision"
    for side in ("left", "right")
    for part in ("thigh", "shin", "forearm", "foot")
]
CLIPS = ("wave", "squat")


def rotation(quat_wxyz) -> np.ndarray:
    quat = np.asarray(quat_wxyz, dtype=float)
    matrix = np.zeros(9)
    mujoco.mju_quat2Mat(matrix, quat / np.linalg.norm(quat))
    return matrix.reshape(3, 3)


def inertia(quat_wxyz, principal) -> np.ndarray:
    """(3, 3) tensor about the centre of mass, in the axes of the body frame."""
    r = rotation(quat_wxyz)
    return r @ np.diag(principal) @ r.T


def differences(model: mujoco.MjModel) -> list[str]:
    """Every figure of the model that is not the published one."""
    found = []

    def same(what, value, expected, atol=1e-9, rtol=1e-9):
        if not np.allclose(value, expected, atol=atol, rtol=rtol):
            found.append(f"{what}: {value} instead of {expected}")

    for fact in FACTS["bodies"]:
        name = fact["name"]
        body = model.body(name)
        if model.body(body.parentid[0]).name != fact["parent"]:
            found.append(f"{name} parent")
        same(f"{name} pos", body.pos, fact["pos"])
        same(f"{name} quat", rotation(body.quat), rotation(fact["quat_wxyz"]), 1e-8)
        same(f"{name} mass", body.mass[0], fact["mass"])
        same(f"{name} inertial pos", body.ipos, fact["inertial_pos"])
        same(
            f"{name} inertia",
            inertia(body.iquat, body.inertia),
            inertia(fact["inertial_quat_wxyz"], fact["diaginertia"]),
            atol=1e-10,
            rtol=1e-7,
        )
        if "joint" not in fact:
            continue
        hinge = fact["joint"]
        joint = model.joint(hinge["name"])
        if joint.bodyid[0] != body.id or joint.type[0] != mujoco.mjtJoint.mjJNT_HINGE:
            found.append(f"{hinge['name']} is not the hinge of {name}")
        effort = hinge["effort_limit_nm"]
        same(f"{hinge['name']} axis", joint.axis, hinge["axis"])
        same(f"{hinge['name']} anchor", joint.pos, 0.0)
        same(f"{hinge['name']} range", joint.range, hinge["range_rad"])
        same(f"{hinge['name']} armature", joint.armature[0], hinge["armature_kg_m2"])
        same(
            f"{hinge['name']} friction", joint.frictionloss[0], hinge["frictionloss_nm"]
        )
        same(f"{hinge['name']} damping", joint.damping[0], 0.0)
        same(f"{hinge['name']} stiffness", joint.stiffness[0], 0.0)
        limits_nm = model.jnt_actfrcrange[joint.id]
        same(f"{hinge['name']} effort", limits_nm, [-effort, effort])
        if not (model.jnt_limited[joint.id] and model.jnt_actfrclimited[joint.id]):
            found.append(f"{hinge['name']} is not limited")
    for fact in FACTS["sites"]:
        site = model.site(fact["name"])
        same(f"site {fact['name']}", site.pos, fact["pos"])
        same(f"site {fact['name']} quat", site.quat, [1, 0, 0, 0])
        if model.body(site.bodyid[0]).name != fact["body"]:
            found.append(f"site {fact['name']} body")
    for name in FOOT_GEOMS:
        side, _, i = name.split("_")
        geom = model.geom(name)
        same(f"{name} pos", geom.pos, FACTS["foot_spheres"][int(i)])
        same(f"{name} radius", geom.size[0], 0.005)
        if model.body(geom.bodyid[0]).name != f"{side}_ankle_roll_link":
            found.append(f"{name} body")
    return found


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_path(XML)


def test_every_figure_is_the_published_one(model):
    assert differences(model) == []


def test_there_is_nothing_but_the_robot(model):
    names = [model.body(i).name for i in range(1, model.nbody)]
    assert sorted(names) == sorted(fact["name"] for fact in FACTS["bodies"])
    joints = [model.joint(i).name for i in range(model.njnt)]
    assert joints == ["floating_base_joint", *FACTS["joint_order"]]
    assert (model.nq, model.nv) == (36, 35)
    assert model.jnt_type[0] == mujoco.mjtJoint.mjJNT_FREE
    assert sorted(model.site(i).name for i in range(model.nsite)) == sorted(
        fact["name"] for fact in FACTS["sites"]
    )
    assert model.nmesh == model.nhfield == model.nskin == 0
    assert model.nu == model.nsensor == model.npair == model.nexclude == model.neq == 0
    assert 0 not in model.geom_bodyid
    np.testing.assert_array_equal(model.dof_armature[:6], 0.0)


def test_shapes_have_no_mass(model):
    total = FACTS["total_mass_kg"]
    np.testing.assert_allclose(model.body_mass.sum(), total, atol=5e-5)
    for geom in mujoco.MjSpec.from_file(XML).geoms:
        assert geom.mass == 0.0, geom.name
        assert geom.density == 0.0, geom.name


CHANGES = {
    "left_knee_link pos": lambda s: _add(s.body("left_knee_link").pos, 2, 1e-5),
    "left_hip_roll_link quat": lambda s: _add(
        s.body("left_hip_roll_link").quat, 1, 1e-5
    ),
    "torso_link mass": lambda s: setattr(
        s.body("torso_link"), "mass", s.body("torso_link").mass + 1e-5
    ),
    "pelvis inertial pos": lambda s: _add(s.body("pelvis").ipos, 0, 1e-6),
    "right_elbow_link inertia": lambda s: _add(
        s.body("right_elbow_link").inertia, 1, 1e-8
    ),
    "left_wrist_yaw_link inertia": lambda s: _add(
        s.body("left_wrist_yaw_link").iquat, 0, 1e-3
    ),
    "right_knee_joint axis": lambda s: _add(s.joint("right_knee_joint").axis, 0, 1e-3),
    "right_hip_roll_joint range": lambda s: _add(
        s.joint("right_hip_roll_joint").range, 1, 1e-3
    ),
    "waist_yaw_joint armature": lambda s: setattr(
        s.joint("waist_yaw_joint"), "armature", 0.00721945
    ),
    "waist_roll_joint effort": lambda s: _add(
        s.joint("waist_roll_joint").actfrcrange, 1, 1.0
    ),
    "left_elbow_joint friction": lambda s: setattr(
        s.joint("left_elbow_joint"), "frictionloss", 0.0
    ),
    "site imu_in_torso": lambda s: _add(s.site("imu_in_torso").pos, 1, 1e-5),
    "right_foot_3 pos": lambda s: _add(s.geom("right_foot_3").pos, 1, 1e-5),
}


def _add(array: np.ndarray, index: int, amount: float) -> None:
    array[index] += amount


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_figure_is_noticed(what):
    spec = mujoco.MjSpec.from_file(XML)
    CHANGES[what](spec)
    found = differences(spec.compile())
    assert len(found) == 1, found
    assert found[0].startswith(f"{what}:")


def test_collision_geoms(model):
    groups = {name: model.geom(name).group[0] for name in SPHERES + CAPSULES}
    assert set(groups.values()) == {COLLISION}
    of_group = np.flatnonzero(model.geom_group == COLLISION)
    assert sorted(model.geom(i).name for i in of_group) == sorted(groups)
    for name in SPHERES:
        assert model.geom(name).type[0] == mujoco.mjtGeom.mjGEOM_SPHERE
    for name in CAPSULES:
        assert model.geom(name).type[0] == mujoco.mjtGeom.mjGEOM_CAPSULE
    # Only contact pairs make anything collide.
    assert not model.geom_contype.any()
    assert not model.geom_conaffinity.any()


def test_left_and_right_collision_geoms_mirror_each_other(model):
    mirror = np.array([1.0, -1.0, 1.0])
    for name in SPHERES + CAPSULES:
        if not name.startswith("left_") or name in FOOT_GEOMS:
            continue
        left, right = model.geom(name), model.geom(name.replace("left", "right"))
        np.testing.assert_allclose(left.size, right.size)
        np.testing.assert_allclose(left.pos * mirror, right.pos, atol=1e-9)
        axis = rotation(left.quat)[:, 2] * mirror
        np.testing.assert_allclose(abs(axis @ rotation(right.quat)[:, 2]), 1.0)


def half_extents(model: mujoco.MjModel, geom: int | np.integer) -> np.ndarray:
    """Half the size of a geom's bounding box along the axes of its body."""
    r, size = rotation(model.geom_quat[geom]), model.geom_size[geom]
    axis = np.abs(r[:, 2])
    kind = mujoco.mjtGeom(model.geom_type[geom])
    if kind == mujoco.mjtGeom.mjGEOM_SPHERE:
        return np.full(3, size[0])
    if kind == mujoco.mjtGeom.mjGEOM_CAPSULE:
        return axis * size[1] + size[0]
    if kind == mujoco.mjtGeom.mjGEOM_CYLINDER:
        return axis * size[1] + size[0] * np.sqrt(np.maximum(0, 1 - axis**2))
    if kind == mujoco.mjtGeom.mjGEOM_ELLIPSOID:
        return np.linalg.norm(r * size, axis=1)
    assert kind == mujoco.mjtGeom.mjGEOM_BOX
    return np.abs(r) @ size


def test_visual_shapes_fill_the_extents_of_the_real_parts(model):
    for fact in FACTS["bodies"]:
        body = model.body(fact["name"]).id
        geoms = np.flatnonzero(
            (model.geom_bodyid == body) & (model.geom_group == VISUAL)
        )
        half = np.array([half_extents(model, g) for g in geoms])
        low = (model.geom_pos[geoms] - half).min(axis=0)
        high = (model.geom_pos[geoms] + half).max(axis=0)
        outside = max(
            (fact["extent_min"] - low).max(), (high - fact["extent_max"]).max()
        )
        assert outside < 0.018, fact["name"]
        centre = np.add(fact["extent_min"], fact["extent_max"]) / 2
        np.testing.assert_allclose(
            (low + high) / 2, centre, atol=0.018, err_msg=fact["name"]
        )


def test_soles_are_level_with_the_foot_spheres(model):
    for side in ("left", "right"):
        foot = model.body(f"{side}_ankle_roll_link").id
        lowest = {
            group: min(
                model.geom_pos[g][2] - half_extents(model, g)[2]
                for g in np.flatnonzero(
                    (model.geom_bodyid == foot) & (model.geom_group == group)
                )
            )
            for group in (VISUAL, COLLISION)
        }
        np.testing.assert_allclose(list(lowest.values()), -0.035, atol=1e-6)


class Clip:
    """An embedded clip with what MuJoCo makes of each frame; T frames."""

    def __init__(self, model: mujoco.MjModel, name: str) -> None:
        with np.load(asset_path("motions", f"{name}.npz")) as file:
            self.joint_names = tuple(file["joint_names"])
            self.license = str(file["license"])
            self.dtype = file["qpos"].dtype
            self.qpos = file["qpos"].astype(float)
            self.dt_s = 1 / float(file["fps"])
        frames = len(self.qpos)
        self.qvel = np.zeros((frames, model.nv))
        for t in range(frames):
            a, b = max(t - 1, 0), min(t + 1, frames - 1)
            mujoco.mj_differentiatePos(
                model, self.qvel[t], self.dt_s * (b - a), self.qpos[a], self.qpos[b]
            )
        self.qacc = np.gradient(self.qvel, self.dt_s, axis=0)
        data = mujoco.MjData(model)
        geoms = [model.geom(name).id for name in FOOT_GEOMS]
        self.sole_pos_w = np.zeros((frames, 8, 3))  # lowest points of the foot spheres
        self.com_w = np.zeros((frames, 3))
        for t in range(frames):
            data.qpos = self.qpos[t]
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
            self.sole_pos_w[t] = data.geom_xpos[geoms] - [0, 0, 0.005]
            self.com_w[t] = data.subtree_com[0]


@pytest.fixture(scope="module", params=CLIPS)
def clip(model, request) -> Clip:
    return Clip(model, request.param)


def test_clip_file(clip):
    assert clip.joint_names == tuple(FACTS["joint_order"])
    assert clip.license == "Apache-2.0"
    assert clip.dtype == np.float32
    assert clip.qpos.shape[1] == 36
    np.testing.assert_allclose(clip.dt_s, 0.02)
    assert 4.0 <= len(clip.qpos) * clip.dt_s <= 6.0
    np.testing.assert_allclose(np.linalg.norm(clip.qpos[:, 3:7], axis=1), 1, atol=1e-6)


def test_clip_starts_and_ends_standing_still(model, clip):
    np.testing.assert_allclose(clip.qpos[0], clip.qpos[-1], atol=1e-6)
    stand = dict(zip(clip.joint_names, clip.qpos[0, 7:], strict=True))
    for side in ("left", "right"):
        np.testing.assert_allclose(stand[f"{side}_hip_pitch_joint"], -0.1, atol=1e-5)
        np.testing.assert_allclose(stand[f"{side}_knee_joint"], 0.3, atol=1e-5)
        np.testing.assert_allclose(stand[f"{side}_ankle_pitch_joint"], -0.2, atol=1e-5)
    assert np.abs(clip.qvel[[0, -1]]).max() < 0.02


def test_clip_feet_stay_planted(clip):
    assert np.abs(clip.sole_pos_w[..., 2]).max() < 1e-3
    slip = np.linalg.norm(clip.sole_pos_w - clip.sole_pos_w[0], axis=-1)
    assert slip.max() < 1e-3


def test_clip_respects_joint_limits_and_is_smooth(model, clip):
    low, high = model.jnt_range[1:].T
    assert (clip.qpos[:, 7:] - low).min() > 0.1
    assert (high - clip.qpos[:, 7:]).min() > 0.1
    assert np.abs(clip.qvel[:, 6:]).max() < 6.0
    assert np.abs(clip.qacc[:, 6:]).max() < 60.0
    # Without steps in the acceleration: it changes little from frame to frame.
    assert np.abs(np.diff(clip.qacc[:, 6:], axis=0)).max() < 12.0


def test_clip_keeps_the_centre_of_mass_over_the_feet(clip):
    for t, com in enumerate(clip.com_w):
        edges = ConvexHull(clip.sole_pos_w[t, :, :2]).equations
        inside = -(edges[:, :2] @ com[:2] + edges[:, 2]).max()
        assert inside > 0.04, f"frame {t}"


def test_clip_moves_as_it_says(model):
    data = mujoco.MjData(model)
    wave = Clip(model, "wave")
    hand_y = []
    for qpos in wave.qpos[70:185]:  # while the hand is up
        data.qpos = qpos
        mujoco.mj_kinematics(model, data)
        hand = data.site("right_palm").xpos
        assert hand[2] > data.body("right_shoulder_pitch_link").xpos[2] + 0.15
        hand_y.append(hand[1])
    turns = np.count_nonzero(np.diff(np.sign(np.diff(hand_y))))
    assert 6 <= turns <= 9  # three to four swings to and fro
    assert np.ptp(hand_y) > 0.1

    height = Clip(model, "squat").qpos[:, 2]
    deep = np.diff((height < height[0] - 0.2).astype(int))
    assert (deep == 1).sum() == (deep == -1).sum() == 2


def test_clip_torques_are_feasible(model, clip):
    """Some push of the floor within friction 0.6 carries the motion, with torques
    under 60 % of the limits: inverse dynamics, then non-negative least squares over the
    edges of the friction pyramids at the eight sole points."""
    data = mujoco.MjData(model)
    effort_nm = model.jnt_actfrcrange[1:, 1]
    geoms = [model.geom(name) for name in FOOT_GEOMS]
    edges = np.array([[0.6, 0, 1], [-0.6, 0, 1], [0, 0.6, 1], [0, -0.6, 1]])
    jacobian = np.zeros((3, model.nv))
    for t in range(0, len(clip.qpos), 4):
        data.qpos, data.qvel, data.qacc = clip.qpos[t], clip.qvel[t], clip.qacc[t]
        mujoco.mj_inverse(model, data)
        columns = []
        for geom, point in zip(geoms, clip.sole_pos_w[t], strict=True):
            mujoco.mj_jac(model, data, jacobian, None, point, geom.bodyid[0])
            columns.extend(edges @ jacobian)
        push = np.array(columns).T
        # The floor has to supply what acts on the root; what remains is the joints'.
        weight = np.concatenate([np.full(6, 30.0), 1 / effort_nm])
        force, _ = nnls(weight[:, None] * push, weight * data.qfrc_inverse)
        rest = data.qfrc_inverse - push @ force
        assert np.abs(rest[:6]).max() < 1e-3, f"frame {t}: the floor cannot supply it"
        ratio = np.abs(rest[6:]) / effort_nm
        worst = clip.joint_names[ratio.argmax()]
        assert ratio.max() < 0.6, f"frame {t}: {worst} needs {ratio.max():.0%}"


def gravity_torque_nm(model: mujoco.MjModel, data: mujoco.MjData) -> np.ndarray:
    """(29,) joint torques that hold the pose of `data` with the weight on both feet."""
    mujoco.mj_forward(model, data)
    jacobian = np.zeros((3, model.nv))
    columns = []
    for name in FOOT_GEOMS:
        geom = model.geom(name)
        point = data.geom_xpos[geom.id]
        mujoco.mj_jac(model, data, jacobian, None, point, geom.bodyid[0])
        columns.append(jacobian[2].copy())
    up = np.array(columns).T
    force = np.linalg.lstsq(up[2:5], data.qfrc_bias[2:5], rcond=None)[0]
    return (data.qfrc_bias - up @ force)[6:]


def test_clip_can_be_performed(clip):
    """Position control stiff enough to balance, with gravity compensated, performs the
    clip on a floor: the robot stays up, near the clip and under its torque limits."""
    spec = mujoco.MjSpec.from_file(XML)
    floor = spec.worldbody.add_geom(name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE)
    floor.size = [0, 0, 1]
    for name in FOOT_GEOMS:
        spec.add_pair(geomname1="floor", geomname2=name)
    for joint in spec.joints[1:]:
        actuator = spec.add_actuator(name=joint.name, target=joint.name)
        actuator.trntype = mujoco.mjtTrn.mjTRN_JOINT
        stiff = 300 if "ankle" in joint.name else 40 if "wrist" in joint.name else 200
        actuator.set_to_position(kp=stiff, kv=stiff / 40)
    spec.option.timestep = 0.004
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    model = spec.compile()
    data, pose = mujoco.MjData(model), mujoco.MjData(model)
    data.qpos = clip.qpos[0]
    for qpos in clip.qpos:
        pose.qpos = qpos
        torque = gravity_torque_nm(model, pose)
        data.ctrl = qpos[7:] + torque / model.actuator_gainprm[:, 0]
        mujoco.mj_step(model, data, nstep=5)
        np.testing.assert_allclose(data.qpos[:3], qpos[:3], atol=0.04)
        np.testing.assert_allclose(data.qpos[7:], qpos[7:], atol=0.15)
        limit = 0.8 * model.jnt_actfrcrange[1:, 1]
        assert (np.abs(data.qfrc_actuator[6:]) < limit).all()
