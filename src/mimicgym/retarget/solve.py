"""Inverse kinematics: joint angles that bring the robot's parts to their targets."""

from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np

from mimicgym.errors import UserError
from mimicgym.retarget.clearance import (
    CLEARANCE_M,
    NOTICE_M,
    geom_pairs,
    let_collide,
)
from mimicgym.retarget.names import SIDES
from mimicgym.retarget.proportions import FOOT_BODIES, LIMBS, Proportions
from mimicgym.retarget.targets import Targets
from mimicgym.robot import POSES

# Costs weigh errors in m and rad. Standing feet come first: what pelvis or posture can
# not have must not move them. Feet in the air are turned in ways that the robot's
# ankles are not made for; that must not move the pelvis. Turns are about the foot's
# x (roll, of which the ankles have little), y and z.
_STANDING_M, _STANDING_RAD = 100.0, np.array([3.0, 6.0, 4.0])
_SWINGING_M, _SWINGING_RAD = 30.0, np.array([0.5, 0.7, 1.0])
_CHANGE_S = 0.1  # from one to the other
_PELVIS_M, _PELVIS_RAD = 15.0, 5.0
_TORSO_RAD = 4.0
_LIMB_M = {"knee": 2.0, "elbow": 8.0, "wrist": 8.0}
# What pulls joints to the default pose, and what slows them; the last match counts. An
# arm held out sideways can turn about itself by shoulder pitch and yaw alike. It should
# be yaw: the pitch would have to be undone when the arm goes on up or down.
_POSTURE_RAD = {"": 0.03, "shoulder_pitch": 0.2, "wrist": 0.3}
_DAMPING_RAD = {"": 0.1, "shoulder_pitch": 0.6}
_MAX_SPEED_RAD_S = 14.0
_ITERATIONS, _FIRST_ITERATIONS = 6, 80
_DONE_RAD = 1e-4  # an iteration that moves no coordinate further has converged
_SOLVER = "daqp"


def solve_frames(
    model: mujoco.MjModel,
    targets: Targets,
    standing: np.ndarray,
    robot: Proportions,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """(T, 36) qpos that follows the targets, frame by frame.

    Every frame starts from the one before, and no joint moves faster than a limit well
    above what people do. Bones are aimed from where the robot's own joints are, so that
    errors of the trunk do not add to those of the arms.

    Args:
      model: the robot, see `load_model`.
      targets: what to follow.
      standing: (T, 2) which feet are on the ground.
      robot: its proportions.
      progress: called with the number of frames done and of all frames.

    Raises:
      UserError: mink or its solver is not installed.
    """
    ik = _Solver(model, targets.fps)
    frames = len(targets.pelvis_pos_w)
    path = np.empty((frames, model.nq))
    firm = _firmness(standing, targets.fps)
    for t in range(frames):
        ik.weigh_feet(firm[t])
        path[t] = ik.first(targets, robot) if t == 0 else ik.next(targets, t, robot)
        if progress is not None:
            progress(t + 1, frames)
    return path


class _Solver:
    """mink's tasks and limits for one robot, and where the robot is."""

    def __init__(self, model: mujoco.MjModel, fps: float):
        mink = _import_mink()
        self.mink = mink
        self.model = model
        self.step_s = 1.0 / (fps * _ITERATIONS)
        feet = [
            mink.FrameTask(b, "body", _STANDING_M, _STANDING_RAD) for b in FOOT_BODIES
        ]
        self.feet: list[Any] = feet
        self.pelvis = mink.FrameTask("pelvis", "body", _PELVIS_M, _PELVIS_RAD)
        self.torso = mink.FrameTask("torso_link", "body", 0.0, _TORSO_RAD)
        self.limbs: list[list[Any]] = [
            [
                mink.RelativeFrameTask(
                    f"{side}_{limb.end}",
                    "body",
                    limb.anchor,
                    "body",
                    _LIMB_M[limb.part[1]],
                    0.0,
                )
                for side in SIDES
            ]
            for limb in LIMBS
        ]
        joints = [model.joint(i).name for i in range(1, model.njnt)]
        self.posture = mink.PostureTask(model, _costs(joints, _POSTURE_RAD))
        self.tasks = [
            *self.feet,
            self.pelvis,
            self.torso,
            *(task for pair in self.limbs for task in pair),
            self.posture,
            mink.DampingTask(model, _costs(joints, _DAMPING_RAD)),
        ]
        self.range = mink.ConfigurationLimit(model)
        self.speed = mink.VelocityLimit(model, dict.fromkeys(joints, _MAX_SPEED_RAD_S))
        self.apart = mink.CollisionAvoidanceLimit(
            let_collide(model),
            geom_pairs(),
            minimum_distance_from_collisions=CLEARANCE_M,
            collision_detection_distance=NOTICE_M,
        )
        self.configuration = mink.Configuration(model)

    def weigh_feet(self, firm: np.ndarray) -> None:
        """Set what the feet's errors cost: firm (2,) is 1 for one that stands."""
        for task, share in zip(self.feet, firm, strict=True):
            task.set_position_cost(_SWINGING_M + share * (_STANDING_M - _SWINGING_M))
            task.set_orientation_cost(
                _SWINGING_RAD + share * (_STANDING_RAD - _SWINGING_RAD)
            )

    def first(self, targets: Targets, robot: Proportions) -> np.ndarray:
        """The pose of frame 0, from the robot's default pose."""
        qpos = np.zeros(self.model.nq)
        qpos[:3] = targets.pelvis_pos_w[0]
        mujoco.mju_mat2Quat(qpos[3:7], targets.pelvis_w[0].ravel())
        default = dict(POSES["straight"])
        for i in range(1, self.model.njnt):
            name = self.model.joint(i).name
            side = -1.0 if name.startswith("right_") else 1.0
            part = name.removeprefix("left_").removeprefix("right_")
            angle = default.get(part, _ARMS_RAD.get(part, 0.0))
            qpos[6 + i] = side * angle if part == "shoulder_roll_joint" else angle
        self.configuration.update(qpos)
        self.posture.set_target(qpos)
        self._aim(targets, 0)
        self._iterate(targets, 0, robot, _FIRST_ITERATIONS, [self.range, self.apart])
        return self.configuration.q.copy()

    def next(self, targets: Targets, t: int, robot: Proportions) -> np.ndarray:
        """The pose of frame t, from that of the frame before."""
        limits = [self.range, self.speed, self.apart]
        self._aim(targets, t)
        self._iterate(targets, t, robot, _ITERATIONS, limits)
        return self.configuration.q.copy()

    def _aim(self, targets: Targets, t: int) -> None:
        for i, task in enumerate(self.feet):
            task.set_target(self._pose(targets.feet_w[t, i], targets.feet_pos_w[t, i]))
        self.pelvis.set_target(self._pose(targets.pelvis_w[t], targets.pelvis_pos_w[t]))
        self.torso.set_target(self._pose(targets.torso_w[t], np.zeros(3)))

    def _iterate(
        self,
        targets: Targets,
        t: int,
        robot: Proportions,
        iterations: int,
        limits: list[Any],
    ) -> None:
        for _ in range(iterations):
            self._aim_limbs(targets.limbs_w[t], robot)
            velocity = self._velocity(limits)
            self.configuration.integrate_inplace(velocity, self.step_s)
            if np.abs(velocity).max() * self.step_s < _DONE_RAD:
                break

    def _aim_limbs(self, directions: np.ndarray, robot: Proportions) -> None:
        """Set where bones should end, from where they begin, as the anchors see it."""
        data = self.configuration.data
        for limb, length, tasks, along in zip(
            LIMBS, robot.limb_m, self.limbs, directions, strict=True
        ):
            anchor = data.body(limb.anchor)
            turn = anchor.xmat.reshape(3, 3)
            for side, task, direction in zip(SIDES, tasks, along, strict=True):
                end = data.body(f"{side}_{limb.start}").xpos + length * direction
                task.set_target(
                    self.mink.SE3.from_translation(turn.T @ (end - anchor.xpos))
                )

    def _velocity(self, limits: list[Any]) -> np.ndarray:
        """The next step; without keeping parts apart where that can not be done."""
        for wanted in (limits, [limit for limit in limits if limit is not self.apart]):
            try:
                return self.mink.solve_ik(
                    self.configuration,
                    self.tasks,
                    self.step_s,
                    _SOLVER,
                    limits=wanted,
                )
            except self.mink.NoSolutionFound:
                continue
        return np.zeros(self.model.nv)

    def _pose(self, turn: np.ndarray, position: np.ndarray) -> Any:
        rotation = self.mink.SO3.from_matrix(turn)
        return self.mink.SE3.from_rotation_and_translation(rotation, position)


# How arms begin, so that elbows bend the way people's do.
_ARMS_RAD = {
    "shoulder_pitch_joint": 0.2,
    "shoulder_roll_joint": 0.3,
    "elbow_joint": 0.8,
}


def _costs(joints: list[str], table: dict[str, float]) -> np.ndarray:
    """(6+J,) nothing for the free joint, for the others what the table says."""
    cost = [[c for part, c in table.items() if part in joint][-1] for joint in joints]
    return np.concatenate([np.zeros(6), cost])


def _firmness(standing: np.ndarray, fps: float) -> np.ndarray:
    """(T, 2) 1 where a foot stands, going down to 0 before and after."""
    frames = np.arange(len(standing))
    firm = np.zeros(standing.shape)
    for foot in range(2):
        on = np.flatnonzero(standing[:, foot])
        if len(on):
            apart = np.abs(frames[:, None] - on).min(axis=1)
            firm[:, foot] = np.clip(1.0 - apart / (_CHANGE_S * fps), 0.0, 1.0)
    return firm


def _import_mink() -> Any:
    try:
        import daqp  # noqa: F401
        import mink
    except ImportError as error:
        raise UserError(
            f"retargeting needs {error.name or 'mink'}, which is not installed: "
            f"pip install 'mimicgym[retarget]'"
        ) from error
    return mink
