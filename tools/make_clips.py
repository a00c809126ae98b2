"""Make the embedded clips by inverse kinematics.

A clip is one function that returns `Targets`: where feet, centre of mass and pelvis
should be and which posture the joints should take, frame by frame. `solve` turns them
into joint angles with mink, and the result goes to `assets/motions/<name>.npz`.

The tool runs offline, and the package does not need it. It needs mink and a QP solver:

    pip install "mink" "daqp"
    python tools/make_clips.py            # all clips
    python tools/make_clips.py wave       # one of them

Every target is at least twice continuously differentiable in time, and feet, centre of
mass and pelvis together determine the legs, so the joint angles are smooth as well.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mink
import mujoco
import numpy as np

ASSETS = Path(__file__).resolve().parents[1] / "assets"
FPS = 50
SOLE_M = 0.035  # from the ankle_roll frame down to the lowest point of the foot spheres
FEET = ("left_ankle_roll_link", "right_ankle_roll_link")

# Where every clip so far begins and ends. A joint named without a side counts for both;
# one that is not named is at 0.
STAND_RAD = {
    "hip_pitch": -0.1,
    "knee": 0.3,
    "ankle_pitch": -0.2,
    "shoulder_pitch": 0.2,
    "left_shoulder_roll": 0.2,
    "right_shoulder_roll": -0.2,
    "elbow": 1.0,
}

MAX_ITERATIONS = 60
STEP_RAD = 1e-8  # an iteration that moves no coordinate further has converged
MAX_RESIDUAL_M = 2e-4


@dataclass
class Targets:
    """What inverse kinematics has to reach; T frames at `FPS`.

    Attributes:
      feet_pos_w: (T, 2, 3) origins of the ankle_roll frames, left and right; the feet
        stay level and point along x.
      com_xy_w: (T, 2) centre of mass, seen from above.
      pelvis_height_m: (T,)
      pelvis_rpy_rad: (T, 3) roll, pitch, yaw of the pelvis.
      joint_rad: (T, 29) posture. Waist and arms take it as it is; for the legs it only
        says which way the knees bend.
    """

    feet_pos_w: np.ndarray
    com_xy_w: np.ndarray
    pelvis_height_m: np.ndarray
    pelvis_rpy_rad: np.ndarray
    joint_rad: np.ndarray


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
        self.com_xy_w = data.subtree_com[0, :2].copy()
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


def ramp(time_s: np.ndarray, start_s: float, end_s: float) -> np.ndarray:
    """0 before, 1 after, and between them the minimum-jerk polynomial (C2)."""
    x = np.clip((time_s - start_s) / (end_s - start_s), 0.0, 1.0)
    return x**3 * (10 - 15 * x + 6 * x**2)


def bump(time_s: np.ndarray, *knots_s: float) -> np.ndarray:
    """Up between the first two knots, down again between the last two."""
    up_start, up_end, down_start, down_end = knots_s
    return ramp(time_s, up_start, up_end) - ramp(time_s, down_start, down_end)


def wave(stand: Stand) -> Targets:
    """Stand, lift the right arm, wave, and take it down again."""
    time_s = np.arange(5 * FPS + 1) / FPS
    targets = stand.targets(len(time_s))
    raised = bump(time_s, 0.25, 1.35, 3.75, 4.8)
    waving = bump(time_s, 1.05, 1.6, 3.45, 3.95)
    swing = waving * np.sin(2 * np.pi * 1.45 * (time_s - 1.1))

    stand.move(
        targets,
        raised,
        {
            "right_shoulder_pitch": -0.25,
            "right_shoulder_roll": -1.1,
            "right_shoulder_yaw": -1.3,
            "right_elbow": -0.42,
            "left_shoulder_pitch": 0.28,
            "left_elbow": 0.85,
        },
    )
    joint = targets.joint_rad
    joint[:, stand.indices("right_elbow")[0]] += 0.36 * swing
    joint[:, stand.indices("right_shoulder_roll")[0]] += 0.07 * swing
    joint[:, stand.indices("right_wrist_yaw")[0]] += 0.12 * swing
    joint[:, stand.indices("left_shoulder_roll")[0]] += 0.05 * raised - 0.015 * swing

    # The trunk turns and leans a little towards the arm, the weight goes the other way,
    # and the knees give as the arm starts and stops.
    joint[:, stand.indices("waist_yaw")[0]] += -0.10 * raised + 0.02 * swing
    joint[:, stand.indices("waist_roll")[0]] += -0.045 * raised - 0.02 * swing
    joint[:, stand.indices("waist_pitch")[0]] += 0.03 * raised
    targets.pelvis_rpy_rad[:, 0] += 0.02 * raised + 0.006 * swing
    targets.pelvis_rpy_rad[:, 2] += -0.04 * raised
    targets.com_xy_w[:, 1] += 0.012 * raised - 0.002 * swing
    dip = bump(time_s, 0.0, 0.45, 0.45, 1.2) + bump(time_s, 3.7, 4.4, 4.4, 5.0)
    targets.pelvis_height_m -= 0.012 * dip + 0.004 * raised
    return targets


def squat(stand: Stand) -> Targets:
    """Two squats with the arms forward."""
    time_s = np.arange(int(5.6 * FPS) + 1) / FPS
    targets = stand.targets(len(time_s))
    first = bump(time_s, 0.2, 1.35, 1.5, 2.6)
    second = bump(time_s, 2.9, 4.05, 4.2, 5.4)
    down = first + second
    arms = bump(time_s, 0.1, 1.2, 4.3, 5.5)

    stand.move(
        targets,
        arms * (0.75 + 0.25 * down),
        {
            "shoulder_pitch": -1.35,
            "left_shoulder_roll": 0.12,
            "right_shoulder_roll": -0.12,
            "elbow": 1.25,
        },
    )
    targets.joint_rad[:, stand.indices("waist_pitch")[0]] += 0.06 * down
    targets.pelvis_rpy_rad[:, 1] += 0.30 * down
    targets.pelvis_height_m -= 0.25 * down
    return targets


CLIPS: dict[str, tuple[Callable[[Stand], Targets], str]] = {
    "wave": (wave, "stand, wave the right hand, stand"),
    "squat": (squat, "two squats with the arms forward"),
}


def solve(stand: Stand, targets: Targets) -> np.ndarray:
    """(T, 36) qpos that meets the targets; errors name the first frame that fails."""
    model = stand.model
    feet = [mink.FrameTask(foot, "body", 100.0, 30.0) for foot in FEET]
    com = mink.ComTask(cost=[30.0, 30.0, 0.0])
    pelvis = mink.FrameTask("pelvis", "body", [0.0, 0.0, 30.0], 10.0)
    leg = [any(p in j for p in ("hip", "knee", "ankle")) for j in stand.joints]
    posture = mink.PostureTask(
        model, cost=np.concatenate([np.zeros(6), np.where(leg, 1e-4, 10.0)])
    )
    tasks = [*feet, com, pelvis, posture]
    limits = [mink.ConfigurationLimit(model)]
    configuration = mink.Configuration(model, q=stand.qpos)

    path = []
    for t in range(len(targets.joint_rad)):
        for task, position in zip(feet, targets.feet_pos_w[t], strict=True):
            task.set_target(mink.SE3.from_translation(position))
        com.set_target(np.array([*targets.com_xy_w[t], 0.0]))
        pelvis.set_target(
            mink.SE3.from_rotation_and_translation(
                mink.SO3.from_rpy_radians(*targets.pelvis_rpy_rad[t]),
                np.array([0.0, 0.0, targets.pelvis_height_m[t]]),
            )
        )
        posture.set_target(np.concatenate([stand.qpos[:7], targets.joint_rad[t]]))
        for _ in range(MAX_ITERATIONS):
            velocity = mink.solve_ik(configuration, tasks, 1.0, "daqp", limits=limits)
            configuration.integrate_inplace(velocity, 1.0)
            if np.abs(velocity).max() < STEP_RAD:
                break
        residual_m = max(
            *(np.abs(task.compute_error(configuration)[:3]).max() for task in feet),
            np.abs(com.compute_error(configuration)[:2]).max(),
            abs(pelvis.compute_error(configuration)[2]),
        )
        if residual_m > MAX_RESIDUAL_M:
            raise RuntimeError(f"frame {t}: targets missed by {residual_m:.4f} m")
        path.append(configuration.q.copy())
    return np.array(path)


def save(stand: Stand, name: str) -> None:
    """Make one clip and write it."""
    make, description = CLIPS[name]
    qpos = solve(stand, make(stand))
    file = ASSETS / "motions" / f"{name}.npz"
    np.savez_compressed(
        file,
        qpos=qpos.astype(np.float32),
        fps=np.float32(FPS),
        joint_names=np.array(stand.joints),
        source=np.array("tools/make_clips.py"),
        license=np.array("Apache-2.0"),
        description=np.array(description),
        source_dof=np.array(29),
    )
    print(f"{file.name}: {len(qpos)} frames, {len(qpos) / FPS:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the embedded clips.")
    parser.add_argument("clips", nargs="*", default=list(CLIPS), help=", ".join(CLIPS))
    arguments = parser.parse_args()
    unknown = [name for name in arguments.clips if name not in CLIPS]
    if unknown:
        parser.error(f"unknown clip {unknown[0]!r}; there are {', '.join(CLIPS)}")
    stand = Stand()
    for name in arguments.clips:
        save(stand, name)


if __name__ == "__main__":
    main()
