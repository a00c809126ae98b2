"""The embedded clips are possible: on the floor, within limits, and in balance."""

from dataclasses import dataclass
from functools import cached_property

import mujoco
import numpy as np
import pytest
from scipy.optimize import nnls

from mimicgym.assets import asset_path
from mimicgym.robot import build_model, get_robot
from mimicgym.terrain import HeightField, terrain_from_spec

CLIPS = (
    "stand",
    "wave",
    "squat",
    "march",
    "walk",
    "side_step",
    "turn",
    "jumping_jack",
    "kick",
    "climb_stairs",
)
STAIRS = (
    "stairs:step_height_m=0.12,step_depth_m=0.3,steps=4,flat_radius_m=0.45,down=false"
)
STAND_RAD = {
    "hip_pitch": -0.1,
    "knee": 0.3,
    "ankle_pitch": -0.2,
    "shoulder_pitch": 0.2,
    "left_shoulder_roll": 0.2,
    "right_shoulder_roll": -0.2,
    "elbow": 1.0,
}
# Motor speeds by joint-name part, from Unitree's g1_description; the first match wins.
SPEED_LIMIT_RAD_S = {
    "hip_pitch": 32.0,
    "hip_yaw": 32.0,
    "waist_yaw": 32.0,
    "hip_roll": 20.0,
    "knee": 20.0,
    "ankle": 30.0,
    "waist": 30.0,
    "wrist_pitch": 22.0,
    "wrist_yaw": 22.0,
    "": 37.0,
}
TOUCH_M = 0.002
FRICTION = 0.8
GRAVITY_M_S2 = 9.81
# Makes the ground forces spread over the points that could carry them.
SPREAD = 1e-3


@dataclass
class Checked:
    """One clip on the full model, with what it takes to perform it."""

    name: str
    model: mujoco.MjModel
    effort_nm: np.ndarray
    range_rad: np.ndarray
    joint_names: tuple[str, ...]
    terrain: HeightField | None = None

    def __post_init__(self) -> None:
        with np.load(asset_path("motions", f"{self.name}.npz")) as file:
            self.stored = {key: file[key] for key in file.files}
        self.qpos = self.stored["qpos"].astype(float)
        self.qpos[:, 3:7] /= np.linalg.norm(self.qpos[:, 3:7], axis=1, keepdims=True)
        self.fps = float(self.stored["fps"])

    @cached_property
    def velocity(self) -> np.ndarray:
        """(T + 1, nv) between neighbouring frames, with rest before and after."""
        result = np.zeros((len(self.qpos) + 1, self.model.nv))
        for t in range(1, len(self.qpos)):
            mujoco.mj_differentiatePos(
                self.model, result[t], 1 / self.fps, self.qpos[t - 1], self.qpos[t]
            )
        return result

    @cached_property
    def soles_w(self) -> np.ndarray:
        """(T, 8, 3) centres of the sole spheres, of the left foot and the right."""
        geoms = [
            self.model.geom(f"{side}_foot_{i}").id
            for side in ("left", "right")
            for i in range(4)
        ]
        data = mujoco.MjData(self.model)
        result = np.zeros((len(self.qpos), 8, 3))
        for t, qpos in enumerate(self.qpos):
            data.qpos[:] = qpos
            mujoco.mj_kinematics(self.model, data)
            result[t] = data.geom_xpos[geoms]
        return result

    @cached_property
    def ground_m(self) -> np.ndarray:
        """(T, 8) height of the floor under the sole spheres."""
        if self.terrain is None:
            return np.zeros(self.soles_w.shape[:2])
        return self.terrain.at(self.soles_w[..., :2])

    @property
    def height_m(self) -> np.ndarray:
        """(T, 8) lowest points of the sole spheres over the floor."""
        radius = self.model.geom("left_foot_0").size[0]
        return self.soles_w[..., 2] - radius - self.ground_m

    @property
    def touches(self) -> np.ndarray:
        """(T, 8) bool: which sole spheres are on the floor."""
        return self.height_m < TOUCH_M

    @property
    def flies(self) -> np.ndarray:
        """(T,) bool: no sole sphere is on the floor."""
        return ~self.touches.any(axis=1)

    @property
    def slip_m(self) -> np.ndarray:
        """(T - 1, 8) way along the floor of spheres that touch it in both frames."""
        way = np.linalg.norm(np.diff(self.soles_w[..., :2], axis=0), axis=-1)
        return way * (self.touches[1:] & self.touches[:-1])

    @property
    def margin_rad(self) -> float:
        """Least distance of a joint from an end of its range."""
        joints = self.qpos[:, 7:]
        return float(
            min(
                (joints - self.range_rad[:, 0]).min(),
                (self.range_rad[:, 1] - joints).min(),
            )
        )

    @property
    def speed_share(self) -> float:
        """Highest joint speed, as a share of what the motor can do."""
        limits = [
            next(limit for part, limit in SPEED_LIMIT_RAD_S.items() if part in joint)
            for joint in self.joint_names
        ]
        return float((np.abs(self.velocity[:, 6:]) / limits).max())

    @cached_property
    def dynamics(self) -> "Dynamics":
        return dynamics(self)

    @cached_property
    def self_depth_m(self) -> float:
        """How far two parts of the robot are inside each other at worst."""
        data = mujoco.MjData(self.model)
        floor = self.model.geom("floor").id
        worst = 0.0
        for qpos in self.qpos:
            data.qpos[:] = qpos
            mujoco.mj_kinematics(self.model, data)
            mujoco.mj_comPos(self.model, data)
            mujoco.mj_collision(self.model, data)
            contact = data.contact
            own = (contact.geom != floor).all(axis=1)
            worst = max(worst, -contact.dist[own].min(initial=0.0))
        return worst


@dataclass
class Dynamics:
    """What the motion needs, frame by frame.

    Attributes:
      pressure_w: (T, 2) centre of pressure in the plane z = 0.
      inside_m: (T,) its distance from the edge of the support polygon, positive inside
        and NaN in flight.
      rest_n, rest_nm: (T,) force and moment (about the centre of mass) that no ground
        force at the touching points, within friction, can give.
      effort_share: (T, J) joint torque as a share of its limit.
    """

    pressure_w: np.ndarray
    inside_m: np.ndarray
    rest_n: np.ndarray
    rest_nm: np.ndarray
    effort_share: np.ndarray


def dynamics(clip: Checked) -> Dynamics:
    """Inverse dynamics without contacts, then forces at the soles that give the rest.

    The force and moment at the root that inverse dynamics asks for have to come from
    the ground. Non-negative least squares finds forces within the friction pyramids of
    the touching spheres, and their torques about the joints are J^T f.
    """
    model, frames = clip.model, len(clip.qpos)
    data = mujoco.MjData(model)
    disabled = model.opt.disableflags
    model.opt.disableflags = int(disabled) | int(mujoco.mjtDisableBit.mjDSBL_CONSTRAINT)
    feet = [model.body(f"{side}_ankle_roll_link").id for side in ("left", "right")]
    edges = np.array(
        [[FRICTION, 0, 1], [-FRICTION, 0, 1], [0, FRICTION, 1], [0, -FRICTION, 1]]
    )
    result = Dynamics(
        pressure_w=np.zeros((frames, 2)),
        inside_m=np.full(frames, np.nan),
        rest_n=np.zeros(frames),
        rest_nm=np.zeros(frames),
        effort_share=np.zeros((frames, len(clip.joint_names))),
    )
    jacobian = np.zeros((3, model.nv))
    for t in range(frames):
        data.qpos[:] = clip.qpos[t]
        data.qvel[:] = (clip.velocity[t] + clip.velocity[t + 1]) / 2
        data.qacc[:] = (clip.velocity[t + 1] - clip.velocity[t]) * clip.fps
        mujoco.mj_inverse(model, data)
        needed = data.qfrc_inverse.copy()
        force = needed[:3]
        moment = data.xmat[1].reshape(3, 3) @ needed[3:6]
        com = data.subtree_com[0]
        about_com = moment + np.cross(data.qpos[:3] - com, force)
        about_floor = moment + np.cross(data.qpos[:3], force)
        touching = np.flatnonzero(clip.touches[t])
        rest = np.concatenate([force, about_com])
        torque = needed[6:]
        if len(touching):
            result.pressure_w[t] = -about_floor[1] / force[2], about_floor[0] / force[2]
            points = clip.soles_w[t, touching]
            points[:, 2] = clip.ground_m[t, touching]
            # Where lines through them along the push meet the plane z = 0.
            feet_xy = points[:, :2] - points[:, 2:] * force[:2] / force[2]
            result.inside_m[t] = _inside_m(feet_xy, result.pressure_w[t])
            columns = np.concatenate(
                [
                    np.concatenate([edges, np.cross(point - com, edges)], axis=1)
                    for point in points
                ]
            ).T
            spread = SPREAD * np.eye(columns.shape[1])
            share, _ = nnls(
                np.concatenate([columns, spread]),
                np.concatenate([rest, np.zeros(len(spread))]),
            )
            rest = rest - columns @ share
            pushes = share.reshape(-1, 4) @ edges
            for sphere, point, push in zip(touching, points, pushes, strict=True):
                mujoco.mj_jac(model, data, jacobian, None, point, feet[sphere // 4])
                torque = torque - (jacobian.T @ push)[6:]
        result.rest_n[t] = np.linalg.norm(rest[:3])
        result.rest_nm[t] = np.linalg.norm(rest[3:])
        result.effort_share[t] = np.abs(torque) / clip.effort_nm
    model.opt.disableflags = disabled
    return result


def _inside_m(points: np.ndarray, point: np.ndarray) -> float:
    """Distance of a point from the edge of the convex hull of others, negative outside.

    It is the least over all directions of how much further the hull reaches than the
    point does.
    """
    angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    directions = np.stack([np.cos(angle), np.sin(angle)])
    return float(((points @ directions).max(axis=0) - point @ directions).min())


@pytest.fixture(scope="module")
def full_model():
    return build_model(get_robot("g1_29dof"), collisions="full", visuals=False)


@pytest.fixture(scope="module", params=CLIPS)
def clip(request, full_model) -> Checked:
    return checked(request.param, full_model)


def checked(name: str, full_model) -> Checked:
    return Checked(
        name=name,
        model=full_model.mj,
        effort_nm=full_model.effort_nm,
        range_rad=full_model.joint_range_rad,
        joint_names=full_model.robot.joint_names,
        terrain=terrain_from_spec(STAIRS) if name == "climb_stairs" else None,
    )


def test_file_is_complete(clip):
    stored = clip.stored
    assert stored["qpos"].dtype == np.float32 and stored["qpos"].shape[1] == 36
    assert stored["fps"] == 50 and stored["source_dof"] == 29
    assert tuple(stored["joint_names"]) == clip.joint_names
    assert stored["license"] == "Apache-2.0" and str(stored["description"])
    assert 4.0 <= len(clip.qpos) / clip.fps <= 10.0


def test_starts_and_ends_standing_at_rest(clip):
    stand_rad = np.zeros(29)
    for i, joint in enumerate(clip.joint_names):
        for name, angle in STAND_RAD.items():
            if f"{name}_joint" in (joint, joint.split("_", 1)[1]):
                stand_rad[i] = angle
    np.testing.assert_allclose(clip.qpos[[0, -1], 7:], [stand_rad] * 2, atol=2e-3)
    assert np.abs(clip.velocity[[1, -2], 6:]).max() < 0.02


def test_joints_are_within_their_limits(clip):
    assert clip.margin_rad >= 0.01
    assert clip.speed_share < 0.6
    assert np.abs(np.diff(clip.qpos[:, 7:], axis=0)).max() < 0.25


def test_feet_are_on_the_floor_and_do_not_slide(clip):
    lowest = clip.height_m.min(axis=1)
    assert lowest.min() > -TOUCH_M
    assert clip.slip_m.max() < 1e-3
    assert clip.flies.any() == (clip.name == "jumping_jack")


def test_no_part_is_inside_another(clip):
    assert clip.self_depth_m < 1e-3


def test_ground_can_give_what_the_motion_needs(clip):
    needs = clip.dynamics
    inside = needs.inside_m[~clip.flies]
    assert (inside > 0).mean() >= 0.98
    assert needs.rest_n.max() < 15
    assert needs.rest_nm.max() < 5


def test_motors_are_strong_enough(clip):
    assert clip.dynamics.effort_share.max() < 1


def test_flight_obeys_gravity(full_model):
    clip = checked("jumping_jack", full_model)
    # Where neighbours fly as well, so that the acceleration is of flight alone.
    flying = clip.flies.copy()
    flying[1:-1] &= clip.flies[:-2] & clip.flies[2:]
    assert flying.sum() >= 10
    weight_n = full_model.mj.body_subtreemass[1] * GRAVITY_M_S2
    assert clip.dynamics.rest_n[flying].max() < 0.05 * weight_n


def test_walk_goes_far_and_lifts_its_feet(full_model):
    clip = checked("walk", full_model)
    assert clip.qpos[-1, 0] - clip.qpos[0, 0] >= 4.0
    for foot in (slice(0, 4), slice(4, 8)):
        lowest = clip.height_m[:, foot].min(axis=1)
        forward = np.diff(clip.soles_w[:, foot, 0].mean(axis=1), append=np.inf)
        fast = forward[:-1] > 0.8 * forward[:-1].max()
        assert lowest[:-1][fast].min() > 0.03


def test_turn_turns_by_half_a_turn(full_model):
    clip = checked("turn", full_model)
    assert clip.velocity[:, 5].sum() / clip.fps >= np.pi - 0.01


def test_climb_stairs_stands_flat_on_treads_and_clears_their_edges(full_model):
    clip = checked("climb_stairs", full_model)
    assert STAIRS in str(clip.stored["description"])
    assert clip.qpos[-1, 2] - clip.qpos[0, 2] == pytest.approx(4 * 0.12, abs=1e-3)
    assert clip.height_m.min() > -1e-3
    moved_m = np.linalg.norm(np.diff(clip.soles_w, axis=0), axis=-1)
    radius = clip.model.geom("left_foot_0").size[0]
    treads, stairs = set(), terrain_from_spec(STAIRS)
    for foot in (slice(0, 4), slice(4, 8)):
        stands = np.flatnonzero((moved_m[:, foot] < 1e-5).all(axis=1))
        soles_w = clip.soles_w[stands, foot]
        assert np.abs(clip.height_m[stands, foot]).max() < TOUCH_M
        for aside_m in (-0.02 - radius, 0.02 + radius):
            there_m = stairs.at(soles_w[..., :2] + [aside_m, 0.0])
            np.testing.assert_allclose(there_m, clip.ground_m[stands, foot], atol=1e-6)
        treads |= set((clip.ground_m[stands, foot] / 0.12).ravel().round(6))

        heel, toe = (clip.soles_w[:, foot][:, i].mean(axis=1) for i in ([0, 1], [2, 3]))
        for i in range(4):
            edge_x_m, edge_z_m = 0.45 + 0.05 + 0.3 * i, 0.12 * (i + 1)
            share = (edge_x_m - heel[:, 0]) / (toe[:, 0] - heel[:, 0])
            above = (share > 0) & (share < 1)
            over_m = heel[:, 2] + share * (toe[:, 2] - heel[:, 2]) - radius - edge_z_m
            assert above.any() and over_m[above].min() > 0.03
    assert treads == {0, 1, 2, 3, 4}
