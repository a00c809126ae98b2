"""Every observation term against NumPy and SciPy, on random and on real states."""

import dataclasses
import functools
from pathlib import Path

import jax
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimicgym.envs.config import ObservationConfig, TrackingConfig
from mimicgym.envs.observation import COMPOSITES, TERMS, Observer, observation
from mimicgym.envs.terms import Facts, FeetState
from mimicgym.motion import load_motion
from mimicgym.reference import build_reference
from tests.envs.cases import DT_S, body_model, jit, offer, random_frame, robot_on

DEFAULT = TrackingConfig()
# Another anchor and other bodies, in another order than the model's.
OTHER = TrackingConfig(
    bodies=("right_wrist_yaw_link", "pelvis", "left_knee_link", "torso_link"),
    anchor="left_hip_roll_link",
)
SHOULDER_AND_ELBOW = ("shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow")
UPPER_BODY = (
    *("waist_yaw", "waist_roll", "waist_pitch"),
    *(f"left_{joint}" for joint in SHOULDER_AND_ELBOW),
    *(f"right_{joint}" for joint in SHOULDER_AND_ELBOW),
)
CLIPS = ("kimodo_dance.npz", "asap_kick_level3.npz")
# What happens to the robot, whether it is at random or a frame of CLIPS.
RANDOM = [(seed, tracking) for seed in (0, 1) for tracking in (DEFAULT, OTHER)]
REAL = [(clip, share) for clip in CLIPS for share in (0.1, 0.5, 0.8)]


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """What is on offer, and the names behind its rows."""

    model: object
    tracking: TrackingConfig
    pose: str
    offered: dict

    def __getattr__(self, name):
        return self.offered[name]

    def row(self, body: str) -> int:
        return self.model.robot.key_bodies.index(body)

    @property
    def anchor(self) -> int:
        return self.row(self.tracking.anchor)

    @property
    def tracked(self) -> list[int]:
        return [self.row(body) for body in self.tracking.bodies]

    @property
    def default_pose(self) -> np.ndarray:
        return self.model.robot.pose_rad(self.pose)


def rotation(quat_wxyz) -> Rotation:
    return Rotation.from_quat(np.asarray(quat_wxyz, float), scalar_first=True)


def heading_rad(quat_wxyz) -> float:
    x_axis = rotation(quat_wxyz).apply([1.0, 0.0, 0.0])
    return float(np.arctan2(x_axis[1], x_axis[0]))


def into_heading(quat_wxyz, vectors_w) -> np.ndarray:
    return Rotation.from_euler("z", -heading_rad(quat_wxyz)).apply(vectors_w)


def into_base(quat_wxyz, vectors_w) -> np.ndarray:
    return rotation(quat_wxyz).inv().apply(vectors_w)


def columns(turn: Rotation) -> np.ndarray:
    """The first two columns of rotation matrices, row by row."""
    return turn.as_matrix()[..., :2].reshape(-1)


def anchor_pos_b(s: Scene) -> np.ndarray:
    offset_w = s.ref.body_pos_w[s.anchor] - s.robot.body_pos_w[s.anchor]
    return into_base(s.robot.body_quat_w[s.anchor], offset_w)


def anchor_ori_b(s: Scene) -> np.ndarray:
    of_robot = rotation(s.robot.body_quat_w[s.anchor])
    return columns(of_robot.inv() * rotation(s.ref.body_quat_w[s.anchor]))


def body_pos_b(s: Scene) -> np.ndarray:
    offset_w = s.robot.body_pos_w[s.tracked] - s.robot.body_pos_w[s.anchor]
    return into_base(s.robot.body_quat_w[s.anchor], offset_w).ravel()


def body_ori_b(s: Scene) -> np.ndarray:
    of_anchor = rotation(s.robot.body_quat_w[s.anchor])
    turns = [of_anchor.inv() * rotation(s.robot.body_quat_w[i]) for i in s.tracked]
    return np.concatenate([columns(turn) for turn in turns])


def future_frames(s: Scene) -> np.ndarray:
    of_root = rotation(s.robot.root_quat_w)
    found = []
    for k in range(len(s.future_refs.root_pos_w)):
        frame = jax.tree.map(lambda x, k=k: x[k], s.future_refs)
        offset_w = frame.root_pos_w - s.robot.root_pos_w
        found += [
            into_heading(s.robot.root_quat_w, offset_w),
            columns(of_root.inv() * rotation(frame.root_quat_w)),
            frame.joint_pos - s.default_pose,
        ]
    return np.concatenate(found)


def torso_xy_rel(s: Scene) -> np.ndarray:
    row = s.row("torso_link")
    offset_w = s.ref.body_pos_w[row] - s.robot.body_pos_w[row]
    return into_heading(s.robot.body_quat_w[row], offset_w)[:2]


def torso_yaw_rel(s: Scene) -> np.ndarray:
    row = s.row("torso_link")
    turn = heading_rad(s.ref.body_quat_w[row]) - heading_rad(s.robot.body_quat_w[row])
    return np.array([np.arctan2(np.sin(turn), np.cos(turn))])


def upper_body_joint_targets(s: Scene) -> np.ndarray:
    rows = [s.model.robot.joint_names.index(f"{joint}_joint") for joint in UPPER_BODY]
    return (s.ref.joint_pos - s.default_pose)[rows]


def deepmimic(s: Scene) -> np.ndarray:
    robot, ref, rows, feet = s.robot, s.next_ref, s.tracked, s.feet
    turn = rotation(ref.root_quat_w) * rotation(robot.root_quat_w).inv()
    changed = [
        feet.contact[side] != feet.last_contact[side]
        and feet.contact[side] != ref.foot_contact[side]
        for side in (0, 1)
    ]
    return np.concatenate(
        [
            robot.body_pos_w[rows, 2],
            turn.as_quat(canonical=True, scalar_first=True),
            into_heading(robot.root_quat_w, ref.root_pos_w - robot.root_pos_w),
            ref.joint_pos - robot.joint_pos,
            into_heading(
                robot.root_quat_w, ref.body_pos_w[rows] - robot.body_pos_w[rows]
            ).ravel(),
            into_heading(robot.root_quat_w, robot.body_lin_vel_w[rows]).ravel(),
            feet.contact,
            ref.foot_contact,
            feet.last_contact,
            changed,
        ]
    )


def euler(s: Scene, axis: int) -> np.ndarray:
    return rotation(s.ref.root_quat_w).as_euler("xyz")[axis : axis + 1]


EXPECTED = {
    "root_height": lambda s: s.robot.root_pos_w[2:],
    "base_lin_vel": lambda s: into_base(s.robot.root_quat_w, s.robot.root_lin_vel_w),
    "base_ang_vel": lambda s: into_base(s.robot.root_quat_w, s.robot.root_ang_vel_w),
    "projected_gravity": lambda s: -rotation(s.robot.root_quat_w).as_matrix()[2],
    "joint_pos": lambda s: s.robot.joint_pos - s.default_pose,
    "joint_vel": lambda s: s.robot.joint_vel,
    # The newest action is the last one for a policy that now chooses the next.
    "last_action": lambda s: s.action,
    "torso_xy_rel": torso_xy_rel,
    "torso_yaw_rel": torso_yaw_rel,
    "torso_xy": lambda s: s.robot.body_pos_w[s.row("torso_link")][:2],
    "torso_yaw": lambda s: [heading_rad(s.robot.body_quat_w[s.row("torso_link")])],
    "target_joints": lambda s: s.ref.joint_pos - s.default_pose,
    "target_joint_vel": lambda s: s.ref.joint_vel,
    "target_root_roll": lambda s: euler(s, 0),
    "target_root_pitch": lambda s: euler(s, 1),
    "target_root_yaw": lambda s: euler(s, 2),
    "upper_body_joint_targets": upper_body_joint_targets,
    "phase": lambda s: [np.sin(2 * np.pi * s.phase), np.cos(2 * np.pi * s.phase)],
    "deepmimic": deepmimic,
    "target_lin_vel": lambda s: into_heading(
        s.robot.root_quat_w, s.next_ref.root_lin_vel_w
    ),
    "target_ang_vel": lambda s: into_heading(
        s.robot.root_quat_w, s.next_ref.root_ang_vel_w
    ),
    "anchor_pos_b": anchor_pos_b,
    "anchor_ori_b": anchor_ori_b,
    "body_pos_b": body_pos_b,
    "body_ori_b": body_ori_b,
    "future_frames": future_frames,
    "foot_contacts": lambda s: s.feet.contact,
    "teacher_checkpoint_index": lambda s: [s.teacher],
}


def build_scene(model, rng, frames, tracking: TrackingConfig, pose: str) -> Scene:
    """A robot on the first of frames; the reference is at the others."""
    on, ref, last_ref, next_ref, *future = frames
    joints = model.num_joints
    actions = rng.normal(size=(3, joints)).astype(np.float32)
    offered = offer(
        model,
        robot_on(on, model),
        ref,
        last_ref=last_ref,
        next_ref=next_ref,
        future_refs=jax.tree.map(lambda *x: np.stack(x), *future),
        facts=Facts.of(model, tracking, pose),
        action=actions[0],
        last_action=actions[1],
        last_last_action=actions[2],
        last_joint_vel=rng.normal(size=joints).astype(np.float32),
        feet=FeetState(
            contact=rng.random(2) < 0.5,
            last_contact=rng.random(2) < 0.5,
            touchdown=rng.random(2) < 0.5,
            air_time_s=rng.random(2).astype(np.float32),
            peak_m=rng.random(2).astype(np.float32),
            was_down=np.ones(2, bool),
        ),
        phase=np.float32(rng.random()),
        step=np.int32(7),
        teacher=np.int32(rng.integers(-1, 4)),
    )
    return Scene(model, tracking, pose, offered)


@functools.cache
def random_scene(robot: str, seed: int, tracking: TrackingConfig) -> Scene:
    model, rng = body_model(robot), np.random.default_rng(seed)
    frames = [random_frame(model, rng) for _ in range(4 + 3)]
    pose = "knees_bent" if tracking is OTHER else "straight"
    return build_scene(model, rng, frames, tracking, pose)


@functools.cache
def clip_frames(robot: str, path: Path):
    reference = build_reference([load_motion(path)], body_model(robot), dt_s=DT_S)
    return jax.tree.map(np.asarray, reference.frames)


@functools.cache
def real_scene(robot: str, path: Path, share: float) -> Scene:
    """A robot that lags a third of a second behind its reference."""
    frames = clip_frames(robot, path)
    now = int(share * len(frames.root_pos_w))
    steps = (now - 17, now, now - 1, now + 1, now + 1, now + 2, now + 4, now + 8)
    picked = [jax.tree.map(lambda x, i=i: x[max(i, 0)], frames) for i in steps]
    rng = np.random.default_rng(now)
    return build_scene(body_model(robot), rng, picked, DEFAULT, "straight")


@functools.cache
def term_values(scene: Scene) -> dict[str, np.ndarray]:
    """Every registered term, from one program."""
    constants = {k: scene.offered[k] for k in ("facts", "dt_s")}
    arrays = {k: v for k, v in scene.offered.items() if k not in constants}

    def compute(arrays):
        offered = arrays | constants | {"cfg": None}
        return {name: observation.call(name, offered) for name in observation}

    return {k: np.asarray(v) for k, v in jit(compute)(arrays).items()}


def check(name: str, scene: Scene) -> None:
    found, expected = term_values(scene)[name], np.asarray(EXPECTED[name](scene))
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    if name == "torso_yaw_rel":  # the same angle, on either side of half a turn
        assert abs(found[0]) <= np.pi + 1e-6
        found, expected = np.exp(1j * found), np.exp(1j * expected)
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize(("seed", "tracking"), RANDOM)
@pytest.mark.parametrize("name", EXPECTED)
def test_term_on_a_random_state(any_model, name, seed, tracking):
    check(name, random_scene(any_model.robot.name, seed, tracking))


@pytest.mark.parametrize(("clip", "share"), REAL)
@pytest.mark.parametrize("name", EXPECTED)
def test_term_on_a_real_clip(any_model, real_motions, name, clip, share):
    path = real_motions / "curated" / clip
    check(name, real_scene(any_model.robot.name, path, share))


def test_a_robot_on_its_reference_is_nowhere_else(any_model, real_motions):
    # Signs and frames that unrelated states leave open: on the reference all that
    # compares is zero or the identity.
    frames = clip_frames(
        any_model.robot.name, real_motions / "curated" / "kimodo_dance.npz"
    )
    frame = jax.tree.map(lambda x: x[40], frames)
    offered = offer(any_model, robot_on(frame, any_model), frame)
    identity = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    for name, expected in {
        "torso_xy_rel": np.zeros(2),
        "torso_yaw_rel": np.zeros(1),
        "anchor_pos_b": np.zeros(3),
        "anchor_ori_b": identity,
    }.items():
        found = observation.call(name, offered)
        np.testing.assert_allclose(found, expected, atol=1e-6, err_msg=name)
    ahead = observation.call("future_frames", offered).reshape(4, -1)
    np.testing.assert_allclose(
        ahead[:, :9], np.tile([0.0] * 3 + identity, (4, 1)), atol=1e-6
    )


def test_every_field_is_a_term_and_has_a_case_here():
    scans = {"terrain_height", "terrain_height_noisy"}  # see test_ground
    assert set(TERMS) == set(EXPECTED) | set(COMPOSITES) | scans
    assert set(observation) == set(EXPECTED) | scans


@pytest.mark.parametrize("now", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("before", [(0, 1), (1, 0)])
def test_contacts_of_deepmimic(now, before):
    scene = random_scene("g1_23dof", 0, DEFAULT)
    feet = scene.feet.replace(
        contact=np.array(now, bool), last_contact=np.array(before, bool)
    )
    # The reference has the left foot down and the right one up.
    assert scene.next_ref.foot_contact.tolist() == [True, False]
    found = observation.call("deepmimic", scene.offered | {"feet": feet})
    changed = [
        now[0] != before[0] and now[0] != 1,
        now[1] != before[1] and now[1] != 0,
    ]
    np.testing.assert_array_equal(found[-8:], [*now, 1, 0, *before, *changed])


def test_sizes(any_model):
    joints, tracked, frames = any_model.num_joints, 13, 3
    scene = random_scene(any_model.robot.name, 0, DEFAULT)
    sizes = {
        "root_height": 1,
        "base_lin_vel": 3,
        "base_ang_vel": 3,
        "projected_gravity": 3,
        "joint_pos": joints,
        "joint_vel": joints,
        "last_action": joints,
        "torso_xy_rel": 2,
        "torso_yaw_rel": 1,
        "torso_xy": 2,
        "torso_yaw": 1,
        "target_joints": joints,
        "target_joint_vel": joints,
        "target_root_roll": 1,
        "target_root_pitch": 1,
        "target_root_yaw": 1,
        "upper_body_joint_targets": 11,
        "phase": 2,
        "deepmimic": 106 + joints,  # 129 with 23 joints
        "target_lin_vel": 3,
        "target_ang_vel": 3,
        "anchor_pos_b": 3,
        "anchor_ori_b": 6,
        "body_pos_b": 3 * tracked,
        "body_ori_b": 6 * tracked,
        "future_frames": frames * (9 + joints),
        "foot_contacts": 2,
        "teacher_checkpoint_index": 1,
    }
    sizes |= {"terrain_height": 121, "terrain_height_noisy": 121}
    assert {k: v.size for k, v in term_values(scene).items()} == sizes


def composite(name: str, scene: Scene, cfg: ObservationConfig | None = None):
    cfg = dataclasses.replace(
        cfg or ObservationConfig(noise=False), actor=(name,), critic=("phase",)
    )
    obs, _ = Observer(cfg).reset(scene.offered, jax.random.key(0))
    return np.asarray(obs["actor"])


@pytest.mark.parametrize("seed", range(2))
def test_composites(any_model, seed):
    scene = random_scene(any_model.robot.name, seed, DEFAULT)
    joints = any_model.num_joints

    def value(name: str) -> np.ndarray:
        return np.asarray(EXPECTED[name](scene))

    real = np.concatenate(
        [
            0.25 * value("base_ang_vel"),
            value("projected_gravity"),
            value("joint_pos"),
            0.05 * value("joint_vel"),
            value("last_action"),
        ]
    )
    whole = np.concatenate(
        [value("root_height"), 2.0 * value("base_lin_vel"), real],
    )
    velocities = np.concatenate([value("target_lin_vel"), value("target_ang_vel")])
    assert len(real) == 6 + 3 * joints  # 75 with 23 joints
    assert len(whole) == 10 + 3 * joints  # 79 with 23 joints
    assert len(velocities) == 6
    for name, expected in {
        "torso_real": real,
        "torso": whole,
        "deepmimic_lin_ang_vel": velocities,
    }.items():
        for spelling in (name, f"clean_{name}"):
            found = composite(spelling, scene)
            np.testing.assert_allclose(found, expected, atol=2e-5, err_msg=spelling)
