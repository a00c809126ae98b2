"""The Unitree G1: its joints, gains and bodies, and the MuJoCo model made of them.

A `Robot` is plain data. `build_model` turns one into a compiled `mujoco.MjModel`
with a floor, the contact pairs of a collision preset, one position actuator per joint
and one contact sensor per pair, and records where each thing is.

Figures: Unitree's g1_description (BSD-3-Clause); gains of "videomimic" from the
G1DeepMimic configuration of hongsukchoi/VideoMimic, with the wrists' (which that
robot does not move) our own.
"""

import math
from dataclasses import dataclass

import mujoco
import numpy as np

from mimicgym.assets import asset_path
from mimicgym.errors import UserError, unknown_name
from mimicgym.scene import add_scene
from mimicgym.terrain.field import HeightField

_LEG = ("hip_pitch", "hip_roll", "hip_yaw", "knee", "ankle_pitch", "ankle_roll")
_WAIST = ("waist_yaw_joint", "waist_roll_joint", "waist_pitch_joint")
_ARM = ("shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow")
_WRIST = ("wrist_roll", "wrist_pitch", "wrist_yaw")
_OTHER_SIDE = {"left": "right", "right": "left"}


def _side(side: str, parts: tuple[str, ...], suffix: str) -> tuple[str, ...]:
    return tuple(f"{side}_{part}_{suffix}" for part in parts)


JOINTS_29 = (
    _side("left", _LEG, "joint")
    + _side("right", _LEG, "joint")
    + _WAIST
    + _side("left", _ARM + _WRIST, "joint")
    + _side("right", _ARM + _WRIST, "joint")
)
WRIST_JOINTS = _side("left", _WRIST, "joint") + _side("right", _WRIST, "joint")
JOINTS_23 = tuple(j for j in JOINTS_29 if j not in WRIST_JOINTS)

# What terms can see. The 13 that VideoMimic tracks and the 14 of BeyondMimic are
# both subsets.
_KEY_LEG = ("hip_pitch", "hip_roll", "knee", "ankle_roll")
_KEY_ARM = ("shoulder_pitch", "shoulder_roll", "elbow", "wrist_yaw")
KEY_BODIES = (
    ("pelvis",)
    + _side("left", _KEY_LEG, "link")
    + _side("right", _KEY_LEG, "link")
    + ("torso_link",)
    + _side("left", _KEY_ARM, "link")
    + _side("right", _KEY_ARM, "link")
)
TRACKED_BODIES = tuple(
    b
    for b in KEY_BODIES
    if b != "torso_link" and "hip_roll" not in b and "shoulder_roll" not in b
)

# Rotor inertia that a joint feels (kg m^2), by part of its name; the last match counts.
# Two motors drive ankles and the waist's roll and pitch together.
_ARMATURE = (
    ("", 0.003609725),
    ("hip_pitch", 0.010177520),
    ("hip_yaw", 0.010177520),
    ("waist_yaw", 0.010177520),
    ("hip_roll", 0.025101925),
    ("knee", 0.025101925),
    ("ankle", 0.00721945),
    ("waist_roll", 0.00721945),
    ("waist_pitch", 0.00721945),
    ("wrist_pitch", 0.00425),
    ("wrist_yaw", 0.00425),
)
_NATURAL_RAD_S = 2 * math.pi * 10.0
_DAMPING_RATIO = 2.0

# (joint-name part) -> (kp N m/rad, kd N m s/rad); the last match wins.
GAINS: dict[str, tuple[tuple[str, float, float], ...]] = {
    "videomimic": (
        ("", 75.0, 2.0),
        ("ankle_pitch", 20.0, 0.2),
        ("ankle_roll", 20.0, 0.1),
        ("wrist", 20.0, 0.5),
    ),
    # A rotor on a spring that swings at 10 Hz, with a damping ratio of 2.
    "beyondmimic": tuple(
        (
            part,
            inertia * _NATURAL_RAD_S**2,
            2 * _DAMPING_RATIO * inertia * _NATURAL_RAD_S,
        )
        for part, inertia in _ARMATURE
    ),
}

# Largest speeds of the motors in rad/s (mjlab 1.6); the last match counts.
SPEED_LIMITS = (
    ("", 37.0),
    ("hip_pitch", 32.0),
    ("hip_yaw", 32.0),
    ("waist_yaw", 32.0),
    ("hip_roll", 20.0),
    ("knee", 20.0),
    ("ankle", 30.0),
    ("waist_roll", 30.0),
    ("waist_pitch", 30.0),
    ("wrist_pitch", 22.0),
    ("wrist_yaw", 22.0),
)

# Joint positions that are not 0 in a default pose; without a side, of both. A pose's
# shoulders mirror each other by the sign of their roll.
POSES: dict[str, tuple[tuple[str, float], ...]] = {
    "straight": (
        ("hip_pitch_joint", -0.1),
        ("knee_joint", 0.3),
        ("ankle_pitch_joint", -0.2),
    ),
    # mjlab 1.6, KNEES_BENT_KEYFRAME
    "knees_bent": (
        ("hip_pitch_joint", -0.312),
        ("knee_joint", 0.669),
        ("ankle_pitch_joint", -0.363),
        ("elbow_joint", 0.6),
        ("shoulder_pitch_joint", 0.2),
        ("left_shoulder_roll_joint", 0.2),
        ("right_shoulder_roll_joint", -0.2),
    ),
}

# Which collision geoms meet the floor in each preset, and which body each reports for.
_FLOOR_FEET = tuple(f"{s}_foot_{i}" for s in ("left", "right") for i in range(4))
_FLOOR_BODY = _FLOOR_FEET + (
    "left_knee_collision",
    "right_knee_collision",
    "left_hand_collision",
    "right_hand_collision",
    "left_elbow_collision",
    "right_elbow_collision",
    "torso_collision",
    "torso_back_collision",
    "pelvis_collision",
    "head_collision",
)
_SELF_PAIRS = (
    ("left_thigh_collision", "right_thigh_collision"),
    ("left_shin_collision", "right_shin_collision"),
    ("left_foot_collision", "right_foot_collision"),
    ("left_foot_collision", "right_shin_collision"),
    ("right_foot_collision", "left_shin_collision"),
    ("left_hand_collision", "left_thigh_collision"),
    ("right_hand_collision", "right_thigh_collision"),
    ("left_hand_collision", "pelvis_collision"),
    ("right_hand_collision", "pelvis_collision"),
    ("left_hand_collision", "torso_collision"),
    ("right_hand_collision", "torso_collision"),
    ("left_hand_collision", "right_hand_collision"),
    ("left_forearm_collision", "torso_collision"),
    ("right_forearm_collision", "torso_collision"),
    ("left_forearm_collision", "left_thigh_collision"),
    ("right_forearm_collision", "right_thigh_collision"),
    ("left_forearm_collision", "right_forearm_collision"),
    ("left_hand_collision", "head_collision"),
    ("right_hand_collision", "head_collision"),
)
COLLISIONS = ("feet", "body", "full")


def other_side(name: str) -> str:
    """The joint or body on the other side; one in the middle is its own."""
    side, _, rest = name.partition("_")
    return f"{_OTHER_SIDE[side]}_{rest}" if side in _OTHER_SIDE else name


def speed_limit_rad_s(joint: str) -> float:
    """Largest speed of a joint's motor."""
    return [limit for part, limit in SPEED_LIMITS if part in joint][-1]


@dataclass(frozen=True)
class Robot:
    """One variant of a robot: names and constants, no compiled model."""

    name: str
    xml: str
    joint_names: tuple[str, ...]
    fixed_joints: tuple[str, ...]
    default_root_height_m: float
    key_bodies: tuple[str, ...]
    tracked_bodies: tuple[str, ...]
    foot_bodies: tuple[str, str]
    hand_bodies: tuple[str, str]
    torso_body: str
    upper_body_joints: tuple[str, ...]
    foot_geoms: tuple[str, ...]

    def pose_rad(self, name: str) -> np.ndarray:
        """(J,) a default pose."""
        if name not in POSES:
            raise unknown_name("pose", name, POSES)
        table = dict(POSES[name])
        angles = []
        for joint in self.joint_names:
            both = joint.removeprefix("left_").removeprefix("right_")
            angles.append(table.get(joint, table.get(both, 0.0)))
        return np.array(angles)

    @property
    def default_pose_rad(self) -> np.ndarray:
        """(J,) the pose "straight"."""
        return self.pose_rad("straight")

    @property
    def speed_limit_rad_s(self) -> np.ndarray:
        """(J,) the motors' largest speeds."""
        return np.array([speed_limit_rad_s(joint) for joint in self.joint_names])

    def gains(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """(J,) kp in N m/rad and (J,) kd in N m s/rad of a named set of gains."""
        if name not in GAINS:
            raise unknown_name("gains", name, GAINS)
        kp = np.zeros(len(self.joint_names))
        kd = np.zeros(len(self.joint_names))
        for i, joint in enumerate(self.joint_names):
            for part, p, d in GAINS[name]:
                if part in joint:
                    kp[i], kd[i] = p, d
        return kp, kd

    def body_index(self, *names: str) -> np.ndarray:
        """Positions of bodies among `key_bodies`."""
        return np.array([self.key_bodies.index(n) for n in names], dtype=np.int32)

    def joint_index(self, *names: str) -> np.ndarray:
        """Positions of joints among `joint_names`."""
        return np.array([self.joint_names.index(n) for n in names], dtype=np.int32)


def _g1(name: str, joints: tuple[str, ...], fixed: tuple[str, ...]) -> Robot:
    return Robot(
        name=name,
        xml="g1/g1.xml",
        joint_names=joints,
        fixed_joints=fixed,
        default_root_height_m=0.78,
        key_bodies=KEY_BODIES,
        tracked_bodies=TRACKED_BODIES,
        foot_bodies=("left_ankle_roll_link", "right_ankle_roll_link"),
        hand_bodies=("left_wrist_yaw_link", "right_wrist_yaw_link"),
        torso_body="torso_link",
        upper_body_joints=_WAIST
        + _side("left", _ARM, "joint")
        + _side("right", _ARM, "joint"),
        foot_geoms=_FLOOR_FEET,
    )


ROBOTS = {
    "g1_23dof": _g1("g1_23dof", JOINTS_23, WRIST_JOINTS),
    "g1_29dof": _g1("g1_29dof", JOINTS_29, ()),
}


def get_robot(name: str) -> Robot:
    """The robot of that name; `UserError` names the ones there are."""
    if name not in ROBOTS:
        raise unknown_name("robot", name, ROBOTS)
    return ROBOTS[name]


@dataclass(frozen=True, eq=False)
class RobotModel:
    """A compiled robot and where its parts are.

    Attributes:
      robot: the names and constants it was built from.
      mj: the compiled model; `qpos` is root (7) then joints in `robot.joint_names`.
      key_body_ids: (B,) body ids of `robot.key_bodies` in `mj`.
      effort_nm: (J,) torque limits.
      joint_range_rad: (J, 2) least and most.
      contact_bodies: names of the bodies whose contact force is measured, feet first.
      contact_sum: (N, S) which sensors (S pairs) add up to each contact body, with the
        sign of the force on that body.
      self_contacts: sensors of pairs in which the robot touches itself.
      contact_slots: contacts of one pair that its sensor shows.
      collisions: the collision preset.
      terrain: the floor; None for the plane at z = 0.
    """

    robot: Robot
    mj: mujoco.MjModel
    key_body_ids: np.ndarray
    effort_nm: np.ndarray
    joint_range_rad: np.ndarray
    contact_bodies: tuple[str, ...]
    contact_sum: np.ndarray
    self_contacts: np.ndarray
    contact_slots: int
    collisions: str
    terrain: HeightField | None

    @property
    def num_joints(self) -> int:
        return len(self.robot.joint_names)

    def contact_index(self, *names: str) -> np.ndarray:
        """Positions of bodies among `contact_bodies`; `UserError` if one has none."""
        for name in names:
            if name not in self.contact_bodies:
                raise UserError(
                    f"no contact force of {name!r} with collisions={self.collisions!r};"
                    f" measured there: {', '.join(self.contact_bodies)}"
                )
        return np.array([self.contact_bodies.index(n) for n in names], dtype=np.int32)


def build_model(
    robot: Robot,
    *,
    collisions: str = "body",
    timestep_s: float = 0.005,
    iterations: int = 10,
    ls_iterations: int = 20,
    gains: str = "videomimic",
    friction: float = 1.0,
    torque_control: bool = False,
    terrain: HeightField | None = None,
    visuals: bool = True,
) -> RobotModel:
    """Compile `robot` with floor, contact pairs, actuators and contact sensors.

    The floor is a plane at z = 0, or a height field.

    PD control is one affine position actuator per joint: MuJoCo then evaluates
    `kp * (ctrl - q) - kd * qd`, clipped to the effort limit, from fresh joint states at
    every physics step, in each engine alike. With `torque_control` the control is the
    torque itself, clipped to the limit.

    Without visuals the model has only the geoms that collide: what it looks like costs
    a simulation time at every step.

    Raises:
      UserError: unknown collision preset or gains, or a non-positive time step.
    """
    if collisions not in COLLISIONS:
        raise unknown_name("collisions", collisions, COLLISIONS)
    if not timestep_s > 0:
        raise UserError(f"physics.timestep_s is {timestep_s}; it must be positive")
    spec = mujoco.MjSpec.from_file(str(asset_path(*robot.xml.split("/"))))
    for name in robot.fixed_joints:
        spec.delete(spec.joint(name))
    add_scene(spec, terrain)
    slots = 1 if terrain is None else _FIELD_SLOTS
    pairs = _pairs(collisions)
    if not visuals:
        used = {geom for pair in pairs for geom in pair}
        for geom in spec.geoms:
            if geom.name not in used:
                spec.delete(geom)
    for geom1, geom2 in pairs:
        floor = geom1 == "floor"
        spec.add_pair(
            geomname1=geom1,
            geomname2=geom2,
            condim=3 if floor else 1,
            friction=[friction, friction, 0.005, 1e-4, 1e-4],
        )
        # 9 numbers a pair: the contact frame's force, its normal and its tangent,
        # from which the world-frame force follows on any ground.
        spec.add_sensor(
            name=f"contact_{geom1}_{geom2}",
            type=mujoco.mjtSensor.mjSENS_CONTACT,
            objtype=mujoco.mjtObj.mjOBJ_GEOM,
            objname=geom1,
            reftype=mujoco.mjtObj.mjOBJ_GEOM,
            refname=geom2,
            intprm=[_CONTACT_DATA, _CONTACT_MINDIST, slots],
        )
    kp, kd = robot.gains(gains)
    for i, name in enumerate(robot.joint_names):
        effort = float(spec.joint(name).actfrcrange[1])
        spec.add_actuator(
            name=name,
            target=name,
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            gainprm=[1.0 if torque_control else kp[i]] + [0.0] * 9,
            biastype=mujoco.mjtBias.mjBIAS_AFFINE,
            biasprm=[0.0] * 10 if torque_control else [0.0, -kp[i], -kd[i]] + [0.0] * 7,
            forcelimited=True,
            forcerange=[-effort, effort],
        )
    opt = spec.option
    opt.timestep = timestep_s
    opt.iterations = iterations
    opt.ls_iterations = ls_iterations
    # implicitfast: the damping term of the light arm joints is too stiff for an
    # explicit step of 5 ms.
    opt.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    # Without this MuJoCo answers a diverged state by silently resetting it.
    opt.disableflags = int(opt.disableflags) | int(
        mujoco.mjtDisableBit.mjDSBL_AUTORESET
    )
    mj = spec.compile()
    joint_ids = [mj.joint(n).id for n in robot.joint_names]
    names, table = _contact_table(mj, pairs, robot.foot_bodies)
    return RobotModel(
        robot=robot,
        mj=mj,
        key_body_ids=np.array([mj.body(n).id for n in robot.key_bodies]),
        effort_nm=mj.actuator_forcerange[:, 1].copy(),
        joint_range_rad=mj.jnt_range[joint_ids].copy(),
        contact_bodies=names,
        contact_sum=table,
        self_contacts=np.array(
            [i for i, pair in enumerate(pairs) if "floor" not in pair], dtype=np.int32
        ),
        contact_slots=slots,
        collisions=collisions,
        terrain=terrain,
    )


# A contact sensor's data fields are bits, and its reduction a number (MJCF
# reference, sensor/contact): found 0, force 1, torque 2, dist 3, pos 4, normal 5,
# tangent 6.
_CONTACT_DATA = (1 << 1) | (1 << 5) | (1 << 6)
# Not "maxforce" (2): MJX 3.17 then shows the scene's first contact for a pair that
# touches without force.
_CONTACT_MINDIST = 1
CONTACT_SENSOR_SIZE = 9
# A sphere or capsule on the edge between triangles of a height field touches several.
_FIELD_SLOTS = 4


def _pairs(collisions: str) -> tuple[tuple[str, str], ...]:
    floor = _FLOOR_FEET if collisions == "feet" else _FLOOR_BODY
    pairs = tuple(("floor", geom) for geom in floor)
    return pairs + _SELF_PAIRS if collisions == "full" else pairs


def _contact_table(mj, pairs, feet) -> tuple[tuple[str, ...], np.ndarray]:
    """Bodies with contacts (feet first) and (N, S) signs of each sensor's force.

    A contact's force, as the sensor gives it, acts on the second geom along the
    normal, which points from the first to the second; the first feels its opposite.
    """
    body = [[mj.body(mj.geom(g).bodyid[0]).name for g in pair] for pair in pairs]
    others = [b for pair in body for b in pair if b != "world" and b not in feet]
    names = tuple(feet) + tuple(dict.fromkeys(others))
    table = np.zeros((len(names), len(pairs)))
    for s, (first, second) in enumerate(body):
        if first != "world":
            table[names.index(first), s] -= 1
        table[names.index(second), s] += 1
    return names, table
