"""From targets to joint angles: inverse kinematics, and balance while stepping.

Balance is planned with the cart-table model of Kajita et al., "Biped walking pattern
generation by using preview control of zero-moment point" (ICRA 2003): a centre of mass
at constant height h has its zero-moment point at c - (h / g) c''. As the whole clip is
known, one least-squares problem over all its frames takes the place of preview control.
What the model leaves out (swinging legs and arms, a pelvis that rises and sinks) comes
back as in that paper's second stage: measure the zero-moment point of the whole body by
inverse dynamics, and plan again for what it missed by.
"""

import mink
import mujoco
import numpy as np

from clips.targets import FEET, FPS, Stand, Targets

MAX_ITERATIONS = 60
STEP_RAD = 1e-8  # an iteration that moves no coordinate further has converged
MAX_RESIDUAL_M = 2e-4
GRAVITY_M_S2 = 9.81
PLANS = 5
# Weight of the jerk (m/s3) beside the miss of the zero-moment point (m).
JERK_WEIGHT_S3 = 2e-4
# Of the moment on the ground, where the soles can give it, beside that in flight, and
# of the pitch (rad) beside either (N m).
GROUND_WEIGHT = 0.1
PITCH_WEIGHT_NM = 8.0
PITCH_INERTIA_KG_M2 = 1.4


def solve(stand: Stand, targets: Targets) -> np.ndarray:
    """(T, 36) qpos that meets the targets; errors name the first frame that fails."""
    if targets.flies is not None:
        qpos, residual_m = _tumbling_free(stand, targets)
    elif targets.zmp_xy_w is not None:
        qpos, residual_m = _balanced(stand, targets)
    else:
        qpos, residual_m = inverse_kinematics(stand, targets)
    if residual_m.max() > MAX_RESIDUAL_M:
        t = int(np.argmax(residual_m > MAX_RESIDUAL_M))
        raise RuntimeError(f"frame {t}: targets missed by {residual_m[t]:.4f} m")
    return qpos


def _balanced(stand: Stand, targets: Targets) -> tuple[np.ndarray, np.ndarray]:
    """As `inverse_kinematics`, with a centre of mass planned for the wanted ZMP.

    A plan on the way to the last one may ask for a little more than the legs reach.
    """
    weight = targets.zmp_weight
    miss = np.zeros_like(targets.zmp_xy_w)
    for _ in range(PLANS):
        targets.com_xy_w = plan_com(
            targets.zmp_xy_w - miss,
            weight,
            stand.com_w[2],
            targets.com_xy_w[0],
            targets.com_xy_w[-1],
        )
        qpos, residual_m = inverse_kinematics(stand, targets)
        of_cart = targets.com_xy_w - stand.com_w[2] / GRAVITY_M_S2 * acceleration(
            targets.com_xy_w
        )
        miss = zmp(stand.model, qpos) - of_cart
        miss -= np.clip(miss, -targets.zmp_play_m, targets.zmp_play_m)
    return qpos, residual_m


def _tumbling_free(stand: Stand, targets: Targets) -> tuple[np.ndarray, np.ndarray]:
    """As `inverse_kinematics`, with a pelvis that pitches so that flight needs no push.

    In flight the angular momentum about the centre of mass cannot change: what the legs
    take up, the trunk has to give. Least squares finds the pitch whose acceleration,
    times an inertia, makes up for the moment that inverse dynamics asks for.
    """
    frames = len(targets.flies)
    start_rad = targets.pelvis_rpy_rad[:, 1].copy()
    # The frames of take-off and landing count as flight: hardly anything pushes there.
    light = np.convolve(targets.flies, np.ones(3), mode="same") > 0
    weight = np.where(light, 1.0, GROUND_WEIGHT)
    bend = np.zeros((frames, frames))
    bend[1:-1] = np.diff(np.eye(frames), 2, axis=0) * FPS**2 * PITCH_INERTIA_KG_M2
    rows = np.concatenate([weight[:, None] * bend, PITCH_WEIGHT_NM * np.eye(frames)])
    free = rows[:, 3:-3]
    offset_rad = np.zeros(frames)
    for _ in range(PLANS):
        qpos, residual_m = inverse_kinematics(stand, targets)
        moment = ground_push(stand.model, qpos)[1][:, 1] - bend @ offset_rad
        wanted = np.concatenate([-weight * moment, np.zeros(frames)])
        offset_rad[3:-3] = np.linalg.lstsq(free, wanted, rcond=None)[0]
        targets.pelvis_rpy_rad[:, 1] = start_rad + offset_rad
    return qpos, residual_m


def acceleration(path: np.ndarray) -> np.ndarray:
    """Second central difference in time of (T, ...) positions; 0 at both ends."""
    result = np.zeros_like(path)
    result[1:-1] = (path[2:] - 2 * path[1:-1] + path[:-2]) * FPS**2
    return result


def plan_com(
    zmp_xy_w: np.ndarray,
    weight: np.ndarray,
    height_m: float,
    start_xy_w: np.ndarray,
    end_xy_w: np.ndarray,
) -> np.ndarray:
    """(T, 2) centre of mass that puts the cart-table model's ZMP near the wanted one.

    The first and the last three frames are at rest.
    """
    frames = len(zmp_xy_w)
    difference = np.diff(np.eye(frames), 2, axis=0) * FPS**2
    model = np.eye(frames)
    model[1:-1] -= height_m / GRAVITY_M_S2 * difference
    jerk = np.diff(np.eye(frames), 3, axis=0) * FPS**3
    rows = np.concatenate([weight[:, None] * model, JERK_WEIGHT_S3 * jerk])
    wanted = np.concatenate(
        [weight[:, None] * zmp_xy_w, np.zeros((len(jerk), zmp_xy_w.shape[1]))]
    )
    com = np.zeros_like(zmp_xy_w)
    com[:3], com[-3:] = start_xy_w, end_xy_w
    free = rows[:, 3:-3]
    com[3:-3] = np.linalg.solve(free.T @ free, free.T @ (wanted - rows @ com))
    return com


def zmp(model: mujoco.MjModel, qpos: np.ndarray) -> np.ndarray:
    """(T, 2) where the ground has to push for the motion to happen.

    It is the point of the floor about which its push has no horizontal moment.
    """
    force, moment, com_w = ground_push(model, qpos)
    about_floor = moment + np.cross(com_w, force)
    return np.stack([-about_floor[:, 1], about_floor[:, 0]], axis=1) / force[:, 2:]


def ground_push(
    model: mujoco.MjModel, qpos: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the ground has to do for the motion to happen, by inverse dynamics.

    Returns:
      (T, 3) force, (T, 3) moment about the centre of mass, (T, 3) centre of mass.
    """
    data = mujoco.MjData(model)
    flags = model.opt.disableflags
    model.opt.disableflags = int(flags) | int(mujoco.mjtDisableBit.mjDSBL_CONSTRAINT)
    # Velocity between neighbouring frames, with rest before and after.
    velocity = np.zeros((len(qpos) + 1, model.nv))
    for t in range(1, len(qpos)):
        mujoco.mj_differentiatePos(model, velocity[t], 1 / FPS, qpos[t - 1], qpos[t])
    force, moment, com_w = (np.zeros((len(qpos), 3)) for _ in range(3))
    for t in range(len(qpos)):
        data.qpos[:] = qpos[t]
        data.qvel[:] = (velocity[t] + velocity[t + 1]) / 2
        data.qacc[:] = (velocity[t + 1] - velocity[t]) * FPS
        mujoco.mj_inverse(model, data)
        force[t] = data.qfrc_inverse[:3]
        com_w[t] = data.subtree_com[0]
        moment[t] = data.xmat[1].reshape(3, 3) @ data.qfrc_inverse[3:6]
        moment[t] += np.cross(qpos[t, :3] - com_w[t], force[t])
    model.opt.disableflags = flags
    return force, moment, com_w


def inverse_kinematics(stand: Stand, targets: Targets) -> tuple[np.ndarray, np.ndarray]:
    """(T, 36) qpos for the targets, and by how far (T,) m it misses them."""
    model = stand.model
    by_com = targets.com_height_m is not None
    feet = [mink.FrameTask(foot, "body", 100.0, 30.0) for foot in FEET]
    com = mink.ComTask(cost=[30.0, 30.0, 30.0 if by_com else 0.0])
    pelvis = mink.FrameTask("pelvis", "body", [0.0, 0.0, 0.0 if by_com else 30.0], 10.0)
    leg = [any(p in j for p in ("hip", "knee", "ankle")) for j in stand.joints]
    posture = mink.PostureTask(
        model, cost=np.concatenate([np.zeros(6), np.where(leg, 1e-4, 10.0)])
    )
    tasks = [*feet, com, pelvis, posture]
    limits = [mink.ConfigurationLimit(model)]
    configuration = mink.Configuration(model, q=stand.qpos)
    com_height = targets.com_height_m if by_com else np.zeros(len(targets.joint_rad))
    # The height is measured along the pelvis's own axis, which leans: a target far off
    # to the side would be a different height.
    over_xy_w = np.zeros_like(targets.com_xy_w)
    if targets.zmp_xy_w is not None:
        over_xy_w += targets.com_xy_w - stand.com_xy_w

    path, missed_m = [], []
    for t in range(len(targets.joint_rad)):
        for i, task in enumerate(feet):
            task.set_target(_pose(targets.feet_rpy_rad[t, i], targets.feet_pos_w[t, i]))
        com.set_target(np.array([*targets.com_xy_w[t], com_height[t]]))
        pelvis.set_target(
            _pose(
                targets.pelvis_rpy_rad[t],
                np.array([*over_xy_w[t], targets.pelvis_height_m[t]]),
            )
        )
        posture.set_target(np.concatenate([stand.qpos[:7], targets.joint_rad[t]]))
        for _ in range(MAX_ITERATIONS):
            velocity = mink.solve_ik(configuration, tasks, 1.0, "daqp", limits=limits)
            configuration.integrate_inplace(velocity, 1.0)
            if np.abs(velocity).max() < STEP_RAD:
                break
        height = com if by_com else pelvis
        missed = max(
            *(np.abs(task.compute_error(configuration)[:3]).max() for task in feet),
            np.abs(com.compute_error(configuration)[:2]).max(),
            abs(height.compute_error(configuration)[2]),
        )
        missed_m.append(missed)
        path.append(configuration.q.copy())
    return np.array(path), np.array(missed_m)


def _pose(rpy_rad: np.ndarray, position: np.ndarray) -> mink.SE3:
    return mink.SE3.from_rotation_and_translation(
        mink.SO3.from_rpy_radians(*rpy_rad), position
    )
