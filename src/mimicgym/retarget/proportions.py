"""Lengths of the G1 that a person's limbs are scaled to, measured on its model."""

from dataclasses import dataclass

import mujoco
import numpy as np

from mimicgym.assets import asset_path
from mimicgym.retarget.names import SIDES

FOOT_BODIES = ("left_ankle_roll_link", "right_ankle_roll_link")
_ELBOW_STRAIGHT_RAD = 1.41  # shoulder, elbow and wrist are in one line
_KNEE_STRAIGHT_RAD = 0.03


@dataclass(frozen=True)
class Limb:
    """One bone: the robot's bodies whose origins are its ends.

    Attributes:
      part: joints of a person at its ends, such as ("hip", "knee").
      start, end: bodies, without their side.
      anchor: the body that the bone should turn against.
    """

    part: tuple[str, str]
    start: str
    end: str
    anchor: str


# The wrist is the pitch joint: roll does not move it, and what lies beyond it is hand.
LIMBS = (
    Limb(("hip", "knee"), "hip_roll_link", "knee_link", "pelvis"),
    Limb(("shoulder", "elbow"), "shoulder_roll_link", "elbow_link", "torso_link"),
    Limb(("elbow", "wrist"), "elbow_link", "wrist_pitch_link", "torso_link"),
)


@dataclass(frozen=True, eq=False)
class Proportions:
    """The robot's measures in m.

    Attributes:
      leg_m: thigh and shank, hip_roll to knee to ankle_roll.
      hip_width_m: between the hip_roll origins.
      hips_from_pelvis: (3,) their middle in the pelvis frame.
      limb_m: by limb of LIMBS.
      soles: (2, 4, 3) lowest points of the feet's spheres in the ankle_roll frames: two
        at the heel, two at the toes.
    """

    leg_m: float
    hip_width_m: float
    hips_from_pelvis: np.ndarray
    limb_m: tuple[float, ...]
    soles: np.ndarray

    @property
    def sole_m(self) -> float:
        """From the sole up to the ankle_roll frame."""
        return float(-self.soles[..., 2].min())

    @property
    def heel_x_m(self) -> float:
        return float(self.soles[..., 0].min())

    @property
    def toe_x_m(self) -> float:
        return float(self.soles[..., 0].max())


def load_model() -> mujoco.MjModel:
    """The G1 with 29 joints whose knees and elbows bend only the way people's do.

    The real joints go further, through straight; inverse kinematics would sometimes
    come out on the far side.
    """
    model = mujoco.MjModel.from_xml_path(str(asset_path("g1", "g1.xml")))
    for side in SIDES:
        model.jnt_range[model.joint(f"{side}_elbow_joint").id, 1] = _ELBOW_STRAIGHT_RAD
        model.jnt_range[model.joint(f"{side}_knee_joint").id, 0] = _KNEE_STRAIGHT_RAD
    return model


def measure(model: mujoco.MjModel) -> Proportions:
    """The proportions of the model, from its pose with all joints at zero."""
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)

    def at(body: str) -> np.ndarray:
        return data.body(body).xpos.copy()

    def distance(first: str, second: str) -> float:
        return float(np.linalg.norm(at(first) - at(second)))

    shank = distance("left_knee_link", FOOT_BODIES[0])
    hips = np.array([at(f"{side}_hip_roll_link") for side in SIDES])
    limbs = [distance(f"left_{limb.start}", f"left_{limb.end}") for limb in LIMBS]
    soles = np.array(
        [
            [
                model.geom(f"{side}_foot_{i}").pos
                - [0.0, 0.0, model.geom(f"{side}_foot_{i}").size[0]]
                for i in range(4)
            ]
            for side in SIDES
        ]
    )
    return Proportions(
        leg_m=limbs[0] + shank,
        hip_width_m=float(np.linalg.norm(hips[0] - hips[1])),
        hips_from_pelvis=hips.mean(axis=0) - at("pelvis"),
        limb_m=tuple(limbs),
        soles=soles,
    )
