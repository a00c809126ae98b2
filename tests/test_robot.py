"""Robots and the models made of them, against the published tables."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from mimicgym.errors import UserError
from mimicgym.robot import build_model, get_robot

# Joint: default pose (rad), torque limit (N m), kp (N m/rad), kd (N m s/rad); the
# order is the robot's, sides left out. Limits from Unitree's description of the G1, 29
# joints, revision 1.0; the rest from VideoMimic's G1DeepMimic configuration.
LEG = {
    "hip_pitch": (-0.1, 88, 75, 2),
    "hip_roll": (0, 139, 75, 2),
    "hip_yaw": (0, 88, 75, 2),
    "knee": (0.3, 139, 75, 2),
    "ankle_pitch": (-0.2, 50, 20, 0.2),
    "ankle_roll": (0, 50, 20, 0.1),
}
WAIST = {
    "waist_yaw": (0, 88, 75, 2),
    "waist_roll": (0, 50, 75, 2),
    "waist_pitch": (0, 50, 75, 2),
}
ARM = {
    "shoulder_pitch": (0, 25, 75, 2),
    "shoulder_roll": (0, 25, 75, 2),
    "shoulder_yaw": (0, 25, 75, 2),
    "elbow": (0, 25, 75, 2),
}
# VideoMimic's robot has no wrist motors: these gains are mimicgym's.
WRIST = {
    "wrist_roll": (0, 25, 20, 0.5),
    "wrist_pitch": (0, 5, 20, 0.5),
    "wrist_yaw": (0, 5, 20, 0.5),
}


def sided(side: str, table: dict) -> dict:
    return {f"{side}_{joint}_joint": row for joint, row in table.items()}


def middle(table: dict) -> dict:
    return {f"{joint}_joint": row for joint, row in table.items()}


BODY = sided("left", LEG) | sided("right", LEG) | middle(WAIST)
JOINTS = {
    "g1_23dof": BODY | sided("left", ARM) | sided("right", ARM),
    "g1_29dof": BODY | sided("left", ARM | WRIST) | sided("right", ARM | WRIST),
}


@pytest.fixture(scope="module", params=["g1_23dof", "g1_29dof"])
def model(request):
    return build_model(get_robot(request.param))


def test_joints_and_their_order(model):
    mj, table = model.mj, JOINTS[model.robot.name]
    assert model.robot.joint_names == tuple(table)
    assert mj.nq == 7 + len(table)
    assert mj.nv == 6 + len(table)
    assert mj.nu == len(table)
    assert mj.joint(0).type[0] == mujoco.mjtJoint.mjJNT_FREE
    # qpos and qvel of joint i follow the root's, and actuator i drives joint i.
    for i, name in enumerate(table):
        joint = mj.joint(name)
        assert (joint.qposadr[0], joint.dofadr[0]) == (7 + i, 6 + i)
        assert mj.actuator_trnid[i, 0] == joint.id
        assert mj.actuator(i).name == name


def test_default_pose_gains_and_efforts(model):
    default, effort, kp, kd = np.array(list(JOINTS[model.robot.name].values())).T
    np.testing.assert_allclose(model.robot.default_pose_rad, default)
    np.testing.assert_allclose(model.effort_nm, effort)
    np.testing.assert_allclose(model.robot.gains("videomimic")[0], kp)
    np.testing.assert_allclose(model.robot.gains("videomimic")[1], kd)


def torques_nm(model, q, qd, ctrl) -> np.ndarray:
    data = mujoco.MjData(model.mj)
    data.qpos[2] = 2.0
    data.qpos[7:] = q
    data.qvel[6:] = qd
    data.ctrl[:] = ctrl
    mujoco.mj_forward(model.mj, data)
    return data.qfrc_actuator[6:].copy()


def test_action_zero_in_the_default_pose_is_no_torque(model):
    pose = model.robot.default_pose_rad
    np.testing.assert_allclose(torques_nm(model, pose, 0, pose), 0, atol=1e-12)


def test_action_one_on_a_knee(model):
    pose = model.robot.default_pose_rad
    target = pose.copy()
    knee = model.robot.joint_names.index("left_knee_joint")
    target[knee] += 0.25 * 1.0
    expected = np.zeros(len(pose))
    expected[knee] = 75 * 0.25  # 18.75 N m, below the limit of 139
    np.testing.assert_allclose(torques_nm(model, pose, 0, target), expected, atol=1e-9)


def test_torque_formula_away_from_the_limits(model):
    rng = np.random.default_rng(0)
    _, effort, kp, kd = np.array(list(JOINTS[model.robot.name].values())).T
    low, high = model.joint_range_rad.T
    q = rng.uniform(0.5 * low, 0.5 * high)
    qd = rng.uniform(-0.5, 0.5, len(q))
    target = q + rng.uniform(-0.1, 0.1, len(q))
    expected = kp * (target - q) - kd * qd
    inside = np.abs(expected) < effort
    assert inside.sum() > 20
    found = torques_nm(model, q, qd, target)
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_torques_saturate_at_the_efforts(model, sign):
    pose = model.robot.default_pose_rad
    effort = [row[1] for row in JOINTS[model.robot.name].values()]
    # 139 / 75 = 1.9 rad is the farthest target that a joint can still answer in full,
    # but for the ankles, where it is 50 / 20 = 2.5 rad.
    found = torques_nm(model, pose, 0, pose + sign * 3.0)
    np.testing.assert_allclose(found, sign * np.array(effort))
    # Speed saturates them too: 2 N m s/rad * 100 rad/s is 200 N m.
    fast = torques_nm(model, pose, -sign * 1000.0, pose)
    np.testing.assert_allclose(fast, sign * np.array(effort))


def test_fixing_the_wrists_keeps_mass_and_bodies():
    free = build_model(get_robot("g1_29dof")).mj
    fixed = build_model(get_robot("g1_23dof")).mj
    np.testing.assert_allclose(fixed.body_mass, free.body_mass)
    np.testing.assert_allclose(fixed.body_mass.sum(), 33.3411, atol=1e-4)
    names = {fixed.joint(i).name for i in range(fixed.njnt)}
    assert not any("wrist" in name for name in names)
    assert {free.joint(i).name for i in range(free.njnt)} - names == {
        f"{side}_wrist_{axis}_joint"
        for side in ("left", "right")
        for axis in ("roll", "pitch", "yaw")
    }


def test_leaving_out_the_looks_changes_nothing_physical():
    shown = build_model(get_robot("g1_23dof"), visuals=True).mj
    plain = build_model(get_robot("g1_23dof"), visuals=False).mj
    assert plain.ngeom < shown.ngeom
    np.testing.assert_array_equal(plain.body_mass, shown.body_mass)
    np.testing.assert_array_equal(plain.body_inertia, shown.body_inertia)
    states = []
    for mj in (shown, plain):
        data = mujoco.MjData(mj)
        data.qpos[2] = 0.76
        mujoco.mj_step(mj, data, 50)
        states.append(np.concatenate([data.qpos, data.qvel]))
    np.testing.assert_allclose(states[0], states[1], atol=1e-10)


FEET = ("left_ankle_roll_link", "right_ankle_roll_link")
# Bodies that feel the floor; feet first.
FLOOR_BODIES = {
    "feet": set(FEET),
    "body": set(FEET)
    | {f"{s}_knee_link" for s in ("left", "right")}
    | {f"{s}_elbow_link" for s in ("left", "right")}
    | {f"{s}_wrist_yaw_link" for s in ("left", "right")}
    | {"torso_link", "pelvis"},
}


def pair_bodies(mj) -> list[tuple[str, str]]:
    bodies = [
        [mj.body(mj.geom_bodyid[g]).name for g in pair]
        for pair in zip(mj.pair_geom1, mj.pair_geom2, strict=True)
    ]
    return [(a, b) for a, b in bodies]


@pytest.mark.parametrize("collisions", ["feet", "body", "full"])
def test_collision_presets(collisions):
    model = build_model(get_robot("g1_23dof"), collisions=collisions)
    mj = model.mj
    pairs = pair_bodies(mj)
    floor = [pair for pair in pairs if "world" in pair]
    own = [pair for pair in pairs if "world" not in pair]
    touching = {body for pair in floor for body in pair} - {"world"}
    assert touching == FLOOR_BODIES["feet" if collisions == "feet" else "body"]
    # Four spheres a foot.
    for foot in FEET:
        assert sum(foot in pair for pair in floor) == 4
    assert bool(own) == (collisions == "full")
    # Nothing else collides: no geom takes part in the general collision test.
    assert not np.any(mj.geom_contype) and not np.any(mj.geom_conaffinity)
    assert model.contact_bodies[:2] == FEET
    measured = {body for pair in pairs for body in pair} - {"world"}
    assert set(model.contact_bodies) == measured
    assert len(set(model.contact_bodies)) == len(model.contact_bodies)


def test_self_collisions_are_symmetric_and_between_distant_bodies():
    mj = build_model(get_robot("g1_23dof"), collisions="full").mj
    names = {
        frozenset((mj.geom(a).name, mj.geom(b).name))
        for a, b in zip(mj.pair_geom1, mj.pair_geom2, strict=True)
    }

    def mirror(name: str) -> str:
        side, _, rest = name.partition("_")
        return {"left": f"right_{rest}", "right": f"left_{rest}"}.get(side, name)

    assert {frozenset(map(mirror, pair)) for pair in names} == names
    for a, b in pair_bodies(mj):
        if a != "world":
            assert a != b
            assert mj.body(mj.body(a).parentid[0]).name != b
            assert mj.body(mj.body(b).parentid[0]).name != a


def test_default_pose_does_not_touch_itself():
    mj = build_model(get_robot("g1_23dof"), collisions="full").mj
    data = mujoco.MjData(mj)
    data.qpos[2] = 2.0
    data.qpos[7:] = get_robot("g1_23dof").default_pose_rad
    mujoco.mj_forward(mj, data)
    assert data.ncon == 0


def test_bodies_by_name(model):
    robot = model.robot
    assert len(robot.key_bodies) == 18
    assert [model.mj.body(i).name for i in model.key_body_ids] == list(robot.key_bodies)
    # VideoMimic's 13 tracked bodies, in its order, are key bodies without these five.
    left_out = {"torso_link"} | {
        f"{side}_{part}_roll_link"
        for side in ("left", "right")
        for part in ("hip", "shoulder")
    }
    kept = tuple(b for b in robot.key_bodies if b not in left_out)
    assert robot.tracked_bodies == kept
    assert len(kept) == 13
    assert robot.body_index("pelvis", "torso_link").tolist() == [0, 9]
    assert robot.joint_index("left_knee_joint").tolist() == [3]
    assert len(robot.upper_body_joints) == 11
    assert set(robot.upper_body_joints) <= set(robot.joint_names)


def test_settings_reach_the_model():
    mj = build_model(
        get_robot("g1_23dof"),
        timestep_s=0.002,
        iterations=7,
        ls_iterations=9,
        friction=0.6,
    ).mj
    assert mj.opt.timestep == 0.002
    assert (mj.opt.iterations, mj.opt.ls_iterations) == (7, 9)
    np.testing.assert_allclose(mj.pair_friction[:, :2], 0.6)
    # A diverged state must stay visible.
    assert mj.opt.disableflags & mujoco.mjtDisableBit.mjDSBL_AUTORESET


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: get_robot("g1_23"), ["robot", "'g1_23'", "g1_23dof", "g1_29dof"]),
        (
            lambda: build_model(get_robot("g1_23dof"), collisions="hands"),
            ["collisions", "'hands'", "feet", "body", "full"],
        ),
        (
            lambda: build_model(get_robot("g1_23dof"), gains="stiff"),
            ["gains", "'stiff'", "videomimic"],
        ),
        (
            lambda: build_model(get_robot("g1_23dof"), timestep_s=0.0),
            ["physics.timestep_s", "0.0", "positive"],
        ),
        (
            lambda: build_model(get_robot("g1_23dof"), timestep_s=float("nan")),
            ["physics.timestep_s", "nan", "positive"],
        ),
        (
            lambda: build_model(get_robot("g1_23dof"), collisions="feet").contact_index(
                "torso_link"
            ),
            ["'torso_link'", "'feet'", *FEET],
        ),
    ],
)
def test_bad_input_is_named_with_the_choices(build, named):
    with pytest.raises(UserError) as caught:
        build()
    message = str(caught.value)
    assert "\n" not in message
    for part in named:
        assert part in message


def test_a_robot_brings_its_own_gains_poses_and_collisions():
    robot = replace(
        get_robot("g1_29dof"),
        name="other",
        gain_sets={"soft": (("", 10.0, 1.0), ("knee", 30.0, 2.0))},
        poses={"bent": (("knee_joint", 0.5), ("left_elbow_joint", 1.0))},
        collisions={"heels": (("floor", "left_foot_0"), ("floor", "right_foot_0"))},
    )
    knees = [i for i, name in enumerate(robot.joint_names) if "knee" in name]
    model = build_model(robot, collisions="heels", gains="soft")
    assert model.mj.npair == 2
    expected = np.full(29, 10.0)
    expected[knees] = 30.0
    np.testing.assert_array_equal(model.mj.actuator_gainprm[:, 0], expected)
    pose = np.zeros(29)
    pose[knees], pose[robot.joint_names.index("left_elbow_joint")] = 0.5, 1.0
    np.testing.assert_array_equal(robot.pose_rad("bent"), pose)
    for message, call in (
        ("videomimic.*soft", lambda: robot.gains("videomimic")),
        ("straight.*bent", lambda: robot.pose_rad("straight")),
        ("feet.*heels", lambda: build_model(robot, collisions="feet", gains="soft")),
    ):
        with pytest.raises(UserError, match=message):
            call()
    stiff = replace(robot, gain_sets={"legs": (("knee", 1.0, 1.0),)})
    with pytest.raises(UserError, match=r"left_hip_pitch_joint.*'knee'"):
        stiff.gains("legs")
