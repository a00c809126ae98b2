"""How well a retargeted motion follows the person, in figures."""

from dataclasses import dataclass

import mujoco
import numpy as np

from mimicgym.retarget.feet import sole_points
from mimicgym.retarget.names import SIDES
from mimicgym.retarget.proportions import FOOT_BODIES, LIMBS, Proportions
from mimicgym.retarget.targets import Targets

_AT_LIMIT_RAD = 1e-3
_MANY_AT_LIMIT = 0.25
_LARGE_ERROR_MM = 60.0


@dataclass(frozen=True)
class TargetError:
    """How far one part of the robot is from where it should be."""

    part: str
    mean_mm: float
    max_mm: float


@dataclass(frozen=True)
class RetargetReport:
    """Figures of one retargeted motion.

    Attributes:
      frames: of the result.
      seconds: from its first frame to its last.
      errors: position errors. Those of pelvis and feet are in the world; those of
        knees, elbows and wrists are of the bone's end as seen from its other end.
      limit_share: share of frames in which a joint is at a limit of the robot.
      slip_mm_s: mean horizontal speed of the lowest point of standing feet; 0 if none
        stands.
      lowest_foot_m: height of the lowest point of a sole in the whole motion.
      max_step_rad: the largest change of a joint from one frame to the next.
      warnings: what had to be assumed and what came out badly.
    """

    frames: int
    seconds: float
    errors: tuple[TargetError, ...]
    limit_share: float
    slip_mm_s: float
    lowest_foot_m: float
    max_step_rad: float
    warnings: tuple[str, ...]


def measure_motion(
    qpos: np.ndarray,
    targets: Targets,
    standing: np.ndarray,
    robot: Proportions,
    model: mujoco.MjModel,
    warnings: tuple[str, ...],
) -> RetargetReport:
    """The figures of (T, 36) qpos.

    Args:
      qpos: what inverse kinematics found.
      targets: what it should have found.
      standing: (T, 2) which feet stand.
      robot: its proportions.
      model: with the robot's own joint limits.
      warnings: those so far.
    """
    bodies = {
        "pelvis": "pelvis",
        **{f"{s} foot": b for s, b in zip(SIDES, FOOT_BODIES, strict=True)},
        **{
            f"{side}_{end}": f"{side}_{end}"
            for limb in LIMBS
            for end in (limb.start, limb.end)
            for side in SIDES
        },
    }
    ids = np.array([model.body(body).id for body in bodies.values()])
    at = {name: i for i, name in enumerate(bodies)}
    pos = np.empty((len(qpos), len(ids), 3))
    turn = np.empty((len(qpos), len(ids), 3, 3))
    data = mujoco.MjData(model)
    for t, row in enumerate(qpos):
        data.qpos[:] = row
        mujoco.mj_kinematics(model, data)
        pos[t], turn[t] = data.xpos[ids], data.xmat[ids].reshape(-1, 3, 3)

    errors = [_error("pelvis", pos[:, at["pelvis"]] - targets.pelvis_pos_w)]
    feet = [at[f"{side} foot"] for side in SIDES]
    for i, side in enumerate(SIDES):
        errors.append(
            _error(f"{side} foot", pos[:, feet[i]] - targets.feet_pos_w[:, i])
        )
    for k, limb in enumerate(LIMBS):
        for i, side in enumerate(SIDES):
            bone = pos[:, at[f"{side}_{limb.end}"]] - pos[:, at[f"{side}_{limb.start}"]]
            wanted = robot.limb_m[k] * targets.limbs_w[:, k, i]
            errors.append(_error(f"{side} {limb.part[1]}", bone - wanted))

    soles = sole_points(pos[:, feet], turn[:, feet], robot)
    low, high = model.jnt_range[1:].T
    near = np.minimum(qpos[:, 7:] - low, high - qpos[:, 7:]) < _AT_LIMIT_RAD
    report_warnings = list(warnings)
    for joint, share in enumerate(near.mean(axis=0)):
        if share > _MANY_AT_LIMIT:
            name = model.joint(joint + 1).name
            report_warnings.append(
                f"{name} is at its limit in {share:.0%} of the frames"
            )
    for error in errors:
        if error.mean_mm > _LARGE_ERROR_MM:
            report_warnings.append(
                f"{error.part} is {error.mean_mm:.0f} mm off on average"
            )
    if not standing.any():
        report_warnings.append("no foot ever stands on the ground")
    return RetargetReport(
        frames=len(qpos),
        seconds=(len(qpos) - 1) / targets.fps,
        errors=tuple(errors),
        limit_share=float(near.any(axis=1).mean()),
        slip_mm_s=_slip(soles, standing, targets.fps),
        lowest_foot_m=float(soles[..., 2].min()),
        max_step_rad=float(np.abs(np.diff(qpos[:, 7:], axis=0)).max()),
        warnings=tuple(report_warnings),
    )


def _error(part: str, difference_m: np.ndarray) -> TargetError:
    distance_mm = 1e3 * np.linalg.norm(difference_m, axis=-1)
    return TargetError(part, float(distance_mm.mean()), float(distance_mm.max()))


def _slip(soles: np.ndarray, standing: np.ndarray, fps: float) -> float:
    """Mean speed in mm/s between frames that both stand, of the corner that is lowest.

    Lowest in both frames together: a foot that goes from its heel to its toes lifts a
    corner that was the lowest before.
    """
    moved = np.linalg.norm(np.diff(soles[..., :2], axis=0), axis=-1)
    lowest = (soles[:-1, ..., 2] + soles[1:, ..., 2]).argmin(axis=-1)
    step = np.take_along_axis(moved, lowest[..., None], axis=-1)[..., 0]
    both = standing[:-1] & standing[1:]
    return float(1e3 * fps * step[both].mean()) if both.any() else 0.0
