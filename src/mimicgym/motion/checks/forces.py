"""Checks of what a clip would need: overlaps, torques, support."""

import functools
from collections.abc import Iterator

import mujoco
import numpy as np

from mimicgym.motion.clip import Finding, Motion
from mimicgym.motion.dynamics import inverse_dynamics
from mimicgym.motion.kinematics import full_qpos, spread_frames
from mimicgym.robot import JOINTS_29, build_model, get_robot
from mimicgym.terrain.field import HeightField

_OVERLAP_M = 0.01
_FRAMES = 200
_TORQUE_SHARE = 0.05  # of the frames
_UNSUPPORTED = 0.5  # of the weight
_UNSUPPORTED_SHARE = 0.1  # of the frames


def overlaps(motion: Motion, _terrain: HeightField | None) -> Iterator[Finding]:
    model, pairs = _collision_model()
    data = mujoco.MjData(model)
    qpos = full_qpos(motion)
    frames = spread_frames(len(qpos), _FRAMES)
    deepest, where, count = 0.0, ("", ""), 0
    for frame in frames:
        data.qpos[:] = qpos[frame]
        mujoco.mj_kinematics(model, data)
        mujoco.mj_collision(model, data)
        hits = [
            (float(contact.dist), *sorted(int(g) for g in contact.geom))
            for contact in data.contact[: data.ncon]
        ]
        self_hits = [h for h in hits if h[1:] in pairs and h[0] < -_OVERLAP_M]
        count += bool(self_hits)
        if self_hits and min(self_hits)[0] < deepest:
            deepest, a, b = min(self_hits)
            names = [model.body(model.geom_bodyid[g]).name for g in (a, b)]
            where = names[0], names[1]
    if count:
        yield Finding(
            "self-contact",
            "warning",
            f"{where[0]} and {where[1]} overlap by up to {-1000 * deepest:.0f} mm "
            f"({count / len(frames):.0%} of the frames have such an overlap)",
        )


def needs(motion: Motion, terrain: HeightField | None) -> Iterator[Finding]:
    """Torques beyond the motors, and weight that no foot carries."""
    found = inverse_dynamics(motion, _FRAMES, terrain)
    share = np.abs(found.torque_nm) / found.effort_nm
    over = float((share > 1).any(axis=1).mean())
    if over > 0:
        worst = int(share.max(axis=0).argmax())
        most_nm = np.abs(found.torque_nm[:, worst]).max()
        yield Finding(
            "torque",
            "warning" if over > _TORQUE_SHARE else "note",
            f"{over:.0%} of the frames need more torque than a motor has; "
            f"{JOINTS_29[worst]} up to {most_nm:.0f} N m of "
            f"{found.effort_nm[worst]:.0f}",
            "--speed 0.8" if over > _TORQUE_SHARE else "",
        )
    lacking = found.residual_n > _UNSUPPORTED * found.weight_n
    if lacking.mean() > _UNSUPPORTED_SHARE:
        in_air = int((lacking & ~found.supported).sum())
        median_n = float(np.median(found.residual_n[lacking]))
        yield Finding(
            "support",
            "warning",
            f"in {lacking.mean():.0%} of the frames neither feet nor flight account "
            f"for the weight: {median_n:.0f} N of {found.weight_n:.0f} come from "
            f"nowhere ({in_air / lacking.sum():.0%} of them without a foot down)",
            "--ground per_frame, on flat ground",
        )


@functools.cache
def _collision_model() -> tuple[mujoco.MjModel, frozenset[tuple[int, int]]]:
    """The robot with self-collision, and its pairs of geoms without the floor."""
    model = build_model(get_robot("g1_29dof"), collisions="full", visuals=False).mj
    pairs = {
        (min(a, b), max(a, b))
        for a, b in zip(
            model.pair_geom1.tolist(), model.pair_geom2.tolist(), strict=True
        )
        if model.geom_bodyid[a] and model.geom_bodyid[b]
    }
    return model, frozenset(pairs)
