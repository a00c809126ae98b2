"""A plain loop over `mujoco.MjData`, one state at a time, to compare engines with."""

import mujoco
import numpy as np


def look(model, data) -> dict[str, np.ndarray]:
    """How a robot is and moves, of a `RobotState`, from MuJoCo's own accessors."""
    mj = data.model
    bodies = [mj.body(name).id for name in model.robot.key_bodies]
    velocity = np.zeros((len(bodies), 6))
    for row, body in zip(velocity, bodies, strict=True):
        # World axes, at the body frame's origin; angular part first.
        mujoco.mj_objectVelocity(mj, data, mujoco.mjtObj.mjOBJ_XBODY, body, row, 0)
    return {
        "root_pos_w": data.qpos[:3],
        "root_quat_w": data.qpos[3:7],
        "root_lin_vel_w": velocity[0, 3:],
        "root_ang_vel_w": velocity[0, :3],
        "joint_pos": data.qpos[7:],
        "joint_vel": data.qvel[6:],
        "com_pos_w": mj.body_mass @ data.xipos / mj.body_mass.sum(),
        "body_pos_w": data.xpos[bodies],
        "body_quat_w": data.xquat[bodies],
        "body_lin_vel_w": velocity[:, 3:],
        "body_ang_vel_w": velocity[:, :3],
    }


def forces(model, data) -> dict[str, np.ndarray]:
    """The same of what acts, after a step: in it."""
    mj = data.model
    force_w = dict.fromkeys(range(mj.nbody), 0.0)
    for i in range(data.ncon):
        contact, wrench = data.contact[i], np.zeros(6)
        mujoco.mj_contactForce(mj, data, i, wrench)
        # Rows of the frame are its axes; the first points from geom1 to geom2, which
        # it pushes away.
        push_w = contact.frame.reshape(3, 3).T @ wrench[:3]
        force_w[mj.geom_bodyid[contact.geom1]] -= push_w
        force_w[mj.geom_bodyid[contact.geom2]] += push_w
    return {
        "joint_torque": data.qfrc_actuator[6:],
        "contact_force_w": np.array(
            [np.zeros(3) + force_w[mj.body(name).id] for name in model.contact_bodies]
        ),
    }


def load(mj, qpos, qvel, warmstart, ctrl) -> mujoco.MjData:
    data = mujoco.MjData(mj)
    data.qpos[:], data.qvel[:], data.ctrl[:] = qpos, qvel, ctrl
    data.qacc_warmstart[:] = warmstart
    return data


def loop(model, physics, ctrl, decimation=4, models=None, wrench=None):
    """Control steps of every row: arrays of the state, and of what is seen of it.

    ctrl (N, J), or (N, decimation, J) with a row for each physics step. Row i runs on
    models[i], with wrench[i] (6,) on the torso.
    """
    states, seen = [], []
    for i in range(len(ctrl)):
        mj = model.mj if models is None else models[i]
        targets = np.broadcast_to(ctrl[i], (max(decimation, 1), mj.nu))
        start = physics.qpos[i], physics.qvel[i], physics.warmstart[i]
        data = load(mj, *start, targets[0])
        if wrench is not None:
            data.body("torso_link").xfrc_applied[:] = wrench[i]
        for k in range(decimation):
            data.ctrl[:] = targets[k]
            mujoco.mj_step(mj, data)
        if decimation == 0:
            mujoco.mj_forward(mj, data)
        acting = {k: v.copy() for k, v in forces(model, data).items()}
        mujoco.mj_kinematics(mj, data)
        mujoco.mj_comPos(mj, data)
        mujoco.mj_comVel(mj, data)
        states.append((data.qpos.copy(), data.qvel.copy()))
        seen.append({k: v.copy() for k, v in look(model, data).items()} | acting)
    qpos, qvel = (np.array(x) for x in zip(*states, strict=True))
    return qpos, qvel, {k: np.array([s[k] for s in seen]) for k in seen[0]}


def at_rest(seen: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same where nothing has acted yet."""
    names = ("joint_torque", "contact_force_w")
    return seen | {name: np.zeros_like(seen[name]) for name in names}


def check(robot, seen):
    for name, expected in seen.items():
        found = getattr(robot, name)
        assert found.shape == expected.shape
        atol = 1e-3 if name == "contact_force_w" else 1e-5
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=atol, err_msg=name)
