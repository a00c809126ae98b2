"""The MuJoCo model made of a robot: a floor, the contact pairs of a collision preset,
an actuator for each joint and a contact sensor for each pair; and where each is."""

from dataclasses import dataclass

import mujoco
import numpy as np

from mimicgym.assets import asset_path
from mimicgym.errors import UserError
from mimicgym.robot.contacts import FIELD_SLOTS, add_pairs, contact_table
from mimicgym.robot.robot import Robot
from mimicgym.scene import add_scene
from mimicgym.terrain.field import HeightField


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
      UserError: unknown collision preset or gains, a non-positive time step or a
        negative friction.
    """
    pairs = robot.pairs(collisions)
    if not timestep_s > 0:
        raise UserError(f"physics.timestep_s is {timestep_s}; it must be positive")
    if not 0 <= friction < np.inf:
        raise UserError(f"physics.friction is {friction}; 0 or more")
    spec = mujoco.MjSpec.from_file(str(asset_path(*robot.xml.split("/"))))
    for name in robot.fixed_joints:
        spec.delete(spec.joint(name))
    add_scene(spec, terrain)
    slots = 1 if terrain is None else FIELD_SLOTS
    if not visuals:
        used = {geom for pair in pairs for geom in pair}
        for geom in spec.geoms:
            if geom.name not in used:
                spec.delete(geom)
    add_pairs(spec, pairs, friction, slots=slots)
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
    names, table = contact_table(mj, pairs, robot.foot_bodies)
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
