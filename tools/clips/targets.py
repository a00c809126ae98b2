"""What a clip is made of: targets for feet, centre of mass, pelvis and joints in time.

Every target is at least twice continuously differentiable in time, and feet, centre of
mass and pelvis together determine the legs, so the joint angles are smooth as well.
"""

from dataclasses import dataclass, field
from pathlib import Path

import mujoco
import numpy as np

ASSETS = Path(__file__).resolve().parents[2] / "assets"
FPS = 50
SOLE_M = 0.035  # from the ankle_roll frame down to the lowest point of the foot spheres
FEET = ("left_ankle_roll_link", "right_ankle_roll_link")

# Where every clip begins and ends. A joint named without a side counts for both; one
# that is not named is at 0.
STAND_RAD = {
    "hip_pitch": -0.1,
    "knee": 0.3,
    "ankle_pitch": -0.2,
    "shoulder_pitch": 0.2,
    "left_shoulder_roll": 0.2,
    "right_shoulder_roll": -0.2,
    "elbow": 1.0,
}


@dataclass
class Targets:
    """What inverse kinematics has to reach; T frames at `FPS`.

    Attributes:
      feet_pos_w: (T, 2, 3) origins of the ankle_roll frames, left and right.
      feet_rpy_rad: (T, 2, 3) roll, pitch, yaw of the feet.
      com_xy_w: (T, 2) centre of mass, seen from above. With `zmp_xy_w`, only the first
        and the last frame count.
      com_height_m: (T,) or None; if given, it takes the place of `pelvis_height_m`.
      pelvis_height_m: (T,)
      pelvis_rpy_rad: (T, 3) roll, pitch, yaw of the pelvis.
      joint_rad: (T, 29) posture. Waist and arms take it as it is; for the legs it only
        says which way the knees bend.
      zmp_xy_w: (T, 2) or None; if given, the centre of mass moves so that the ground
        pushes here.
      zmp_weight: (T,) how much that matters in each frame.
      zmp_play_m: (2,) how far off in x and y the ground may push as well, because the
        sole reaches that far.
      flies: (T,) bool or None; if given, where no foot is on the ground.
    """

    feet_pos_w: np.ndarray
    feet_rpy_rad: np.ndarray
    com_xy_w: np.ndarray
    pelvis_height_m: np.ndarray
    pelvis_rpy_rad: np.ndarray
    joint_rad: np.ndarray
    com_height_m: np.ndarray | None = None
    zmp_xy_w: np.ndarray | None = None
    zmp_weight: np.ndarray | None = None
    zmp_play_m: np.ndarray = field(default_factory=lambda: np.zeros(2))
    flies: np.ndarray | None = None


class Stand:
    """The model and its stand pose, on the floor, with the pelvis over x = y = 0."""

    def __init__(self) -> None:
        self.model = mujoco.MjModel.from_xml_path(str(ASSETS / "g1" / "g1.xml"))
        self.joints = tuple(self.model.joint(i).name for i in range(1, self.model.njnt))
        data = mujoco.MjData(self.model)
        for name, angle in STAND_RAD.items():
            data.qpos[[7 + i for i in self.indices(name)]] = angle
        mujoco.mj_kinematics(self.model, data)
        data.qpos[2] -= data.body(FEET[0]).xpos[2] - SOLE_M
        mujoco.mj_kinematics(self.model, data)
        mujoco.mj_comPos(self.model, data)
        self.qpos = data.qpos.copy()
        self.com_w = data.subtree_com[0].copy()
        self.com_xy_w = self.com_w[:2]
        self.feet_pos_w = np.array([data.body(foot).xpos for foot in FEET])

    def indices(self, name: str) -> list[int]:
        """Joints meant by a name with or without its side."""
        full = (f"{name}_joint", f"left_{name}_joint", f"right_{name}_joint")
        found = [i for i, joint in enumerate(self.joints) if joint in full]
        if not found:
            raise ValueError(f"no joint is called {name!r}")
        return found

    def targets(self, frames: int) -> Targets:
        """Standing still for that many frames."""

        def hold(value: np.ndarray) -> np.ndarray:
            return np.repeat(np.asarray(value, dtype=float)[None], frames, axis=0)

        return Targets(
            feet_pos_w=hold(self.feet_pos_w),
            feet_rpy_rad=np.zeros((frames, 2, 3)),
            com_xy_w=hold(self.com_xy_w),
            pelvis_height_m=hold(self.qpos[2]),
            pelvis_rpy_rad=np.zeros((frames, 3)),
            joint_rad=hold(self.qpos[7:]),
        )

    def move(
        self, targets: Targets, weight: np.ndarray, pose: dict[str, float]
    ) -> None:
        """Blend joints from where they are to `pose` by `weight` (T,) in [0, 1]."""
        for name, angle in pose.items():
            for i in self.indices(name):
                column = targets.joint_rad[:, i]
                column += weight * (angle - column)

    def add(self, targets: Targets, name: str, offset_rad: np.ndarray) -> None:
        """Add (T,) angles to a joint, or to those of both sides."""
        for i in self.indices(name):
            targets.joint_rad[:, i] += offset_rad


def times(duration_s: float) -> np.ndarray:
    """(T,) times of the frames from 0 to `duration_s`."""
    return np.arange(round(duration_s * FPS) + 1) / FPS


def ramp(time_s: np.ndarray, start_s: float, end_s: float) -> np.ndarray:
    """0 before, 1 after, and between them the minimum-jerk polynomial (C2)."""
    x = np.clip((time_s - start_s) / (end_s - start_s), 0.0, 1.0)
    return x**3 * (10 - 15 * x + 6 * x**2)


def bump(time_s: np.ndarray, *knots_s: float) -> np.ndarray:
    """Up between the first two knots, down again between the last two."""
    up_start, up_end, down_start, down_end = knots_s
    return ramp(time_s, up_start, up_end) - ramp(time_s, down_start, down_end)


def smooth(signal: np.ndarray, reach_s: float) -> np.ndarray:
    """Mean of (T,) values within `reach_s` on both sides, weighted by a bell (C2).

    The signal goes on before its start and after its end as it is there.
    """
    reach = round(reach_s * FPS)
    x = np.arange(-reach, reach + 1) / (reach + 1)
    bell = (1 - x**2) ** 3
    padded = np.pad(signal, reach, mode="edge")
    return np.convolve(padded, bell / bell.sum(), mode="valid")
