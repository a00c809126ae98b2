"""Link poses and velocities that a file holds, held against what its joints say.

Kinematics are ours: what a file says of its links is never used, only compared. A
difference tells that joints or links are in another order than thought, that the file
was made for another robot, or that its frame rate is wrong.
"""

from collections.abc import Sequence

import numpy as np

from mimicgym.errors import MotionError
from mimicgym.motion.clip import Finding, Motion
from mimicgym.motion.kinematics import (
    body_names,
    breadth_first,
    full_qpos,
    link_poses,
    spread_frames,
)
from mimicgym.robot import JOINTS_29

_FRAMES = 40
_APART_M, _APART_DEG = 0.01, 5.0
# Orders are told apart by their median error: a wrong one puts links a limb away.
_ORDER_FITS_M = 0.05
_RATE_OFF = 1.15
_FAR_M = 2e4  # twice as far as a clip may go from the origin

IMPOSSIBLE_LINKS = Finding(
    "links-differ",
    "warning",
    "the file's links hold numbers that can not be; they are not used",
)


def can_be(stored: np.ndarray) -> bool:
    """Whether all are numbers near enough to be compared, in m or of quaternions."""
    return bool(np.all(np.abs(stored) < _FAR_M))


def resolve_orders(
    at: str,
    root_pos: np.ndarray,
    root_quat: np.ndarray,
    joints: np.ndarray,
    link_pos_w: np.ndarray,
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[Finding, ...]]:
    """Names of (T, 29) joints and (T, 30, 3) links that come without names.

    Depth-first (MuJoCo) and breadth-first (PhysX, IsaacLab) orders of both are tried;
    the pair whose kinematics put the links where the file has them is taken.

    Raises:
      MotionError: none comes near.
    """
    frames = spread_frames(len(joints), _FRAMES)
    if not can_be(link_pos_w[frames]):
        wrong = ~(np.abs(link_pos_w[frames]) < _FAR_M)
        i, body, axis = (int(n) for n in np.argwhere(wrong)[0])
        raise MotionError(
            f"{at}: frame {frames[i]} of body_pos_w has "
            f"{link_pos_w[frames[i], body, axis]:g} for body {body}; without names, "
            f"the order of bodies is told from where they are"
        )
    deep_bodies, (wide_bodies, wide_joints) = body_names(), breadth_first()
    columns = {name: i for i, name in enumerate(deep_bodies)}
    error = {}
    for joint_order, joint_names in (("deep", JOINTS_29), ("wide", wide_joints)):
        to_model = [joint_names.index(name) for name in JOINTS_29]
        qpos = np.concatenate([root_pos, root_quat, joints[:, to_model]], axis=1)
        ours_w, _ = link_poses(qpos[frames])
        for body_order, names in (("deep", deep_bodies), ("wide", wide_bodies)):
            mine_w = ours_w[:, [columns[name] for name in names]]
            apart = np.linalg.norm(mine_w - link_pos_w[frames], axis=-1)
            error[joint_order, body_order] = float(np.median(apart.max(axis=1)))
    best = min(error, key=lambda key: error[key])
    if error[best] > _ORDER_FITS_M:
        raise MotionError(
            f"{at}: joint_pos and body_pos_w do not belong together: with joints and "
            f"bodies in depth-first or breadth-first order, the kinematics of the "
            f"joints miss the bodies by {100 * error[best]:.0f} cm at least"
        )
    joint_order, body_order = best
    findings = []
    if "wide" in best:
        what = [w for w, o in (("joints", joint_order), ("bodies", body_order))
                if o == "wide"]  # fmt: skip
        findings.append(
            Finding(
                "body-order" if body_order == "wide" else "joint-order",
                "warning" if joint_order != body_order else "note",
                f"{' and '.join(what)} are in breadth-first order (IsaacLab's), not in "
                f"MuJoCo's: kinematics agree to {1000 * error[best]:.1f} mm that way; "
                f"they were put in order",
                "mimicgym motion convert writes it in MuJoCo's order",
            )
        )
    return (
        wide_joints if joint_order == "wide" else JOINTS_29,
        wide_bodies if body_order == "wide" else deep_bodies,
        tuple(findings),
    )


def compare_links(
    motion: Motion,
    names: Sequence[str],
    pos_w: np.ndarray,
    quat_w: np.ndarray | None = None,
) -> tuple[Finding, ...]:
    """What a file's links (T, L, 3) and (T, L, 4) wxyz have against its joints.

    Links that the robot does not have are left out.
    """
    columns = {name: i for i, name in enumerate(body_names())}
    stored = [i for i, name in enumerate(names) if name in columns]
    if not stored:
        known = ", ".join(body_names()[:4])
        message = f"no link of the file is one of the robot's ({known}, ...)"
        return (Finding("links-unknown", "note", message),)
    frames = spread_frames(motion.num_frames, _FRAMES)
    if not can_be(pos_w[frames]) or not (quat_w is None or can_be(quat_w[frames])):
        return (IMPOSSIBLE_LINKS,)
    qpos = full_qpos(motion)[frames]
    mine = [columns[names[i]] for i in stored]
    ours_w, ours_quat_w = link_poses(qpos)
    apart_m = np.linalg.norm(ours_w[:, mine] - pos_w[frames][:, stored], axis=-1)
    apart_deg = np.zeros_like(apart_m)
    if quat_w is not None:
        apart_deg = _angle_deg(ours_quat_w[:, mine], quat_w[frames][:, stored])
    if apart_m.max() <= _APART_M and apart_deg.max() <= _APART_DEG:
        return ()
    off = (apart_m > _APART_M) | (apart_deg > _APART_DEG)
    worst = int(np.argmax((apart_m / _APART_M + apart_deg / _APART_DEG).max(axis=0)))
    body = names[stored[worst]]
    message = (
        f"the file's {body} is up to {100 * apart_m[:, worst].max():.1f} cm and "
        f"{apart_deg[:, worst].max():.0f} degrees from where its joints put it "
        f"({np.count_nonzero(off.any(axis=0))} of {len(stored)} links differ)"
    )
    reason = _explanation(qpos, names, pos_w[frames], quat_w if quat_w is None
                          else quat_w[frames], float(apart_m.max()))  # fmt: skip
    if reason is None:
        rest = "; the file's links are not used"
        return (Finding("links-differ", "warning", message + rest),)
    code, why = reason
    return (Finding(code, "error", f"{message}; {why}"),)


def compare_velocities(motion: Motion, joint_vel: np.ndarray) -> tuple[Finding, ...]:
    """Whether a file's joint velocities (T, J) fit its frame rate."""
    if joint_vel.shape != motion.qpos[:, 7:].shape:
        return ()
    # Of numbers that can not be, or a rate that can not, none of these is finite.
    with np.errstate(all="ignore"):
        own = np.gradient(motion.qpos[:, 7:], 1.0 / motion.fps, axis=0)
        ratio = float(np.sum(own * joint_vel) / np.sum(own**2))
        like = float(np.corrcoef(own.ravel(), joint_vel.ravel())[0, 1])
    if not (like > 0.8 and 0 < ratio < np.inf) or 1 / _RATE_OFF < ratio < _RATE_OFF:
        return ()
    fps = ratio * motion.fps
    return (
        Finding(
            "fps",
            "error",
            f"the file's joint velocities are {ratio:.2f} times what {motion.fps:g} "
            f"frames a second give; the clip looks like {fps:.3g} fps",
            f"--fps {fps:.3g}",
        ),
    )


def _explanation(
    qpos: np.ndarray,
    names: Sequence[str],
    pos_w: np.ndarray,
    quat_w: np.ndarray | None,
    apart_m: float,
) -> tuple[str, str] | None:
    """A known mistake that would explain the difference: its code and a clause."""
    deep, (wide_bodies, wide_joints) = body_names(), breadth_first()
    columns = {name: i for i, name in enumerate(deep)}
    ours_w, ours_quat_w = link_poses(qpos)

    def error_m(mine_w: np.ndarray, order: Sequence[str]) -> float:
        known = [i for i, name in enumerate(order) if name in columns]
        mine = mine_w[:, [columns[order[i]] for i in known]]
        return float(np.linalg.norm(mine - pos_w[:, known], axis=-1).max())

    fits = 0.25 * apart_m
    if tuple(names) == deep and error_m(ours_w, wide_bodies) < fits:
        return "body-order", "they are in breadth-first order (IsaacLab's)"
    if tuple(names) == wide_bodies and error_m(ours_w, deep) < fits:
        return "body-order", "they are in depth-first order (MuJoCo's)"
    for order, name in ((wide_joints, "breadth-first (IsaacLab's)"),):
        moved = qpos.copy()
        moved[:, 7:] = qpos[:, [7 + order.index(joint) for joint in JOINTS_29]]
        if error_m(link_poses(moved)[0], names) < fits:
            return "joint-order", f"the joints are in {name} order"
    if error_m(ours_w - qpos[:, None, :3], names) < fits:
        return "links-relative", "they are relative to the root, not in the world"
    if quat_w is not None and apart_m <= _APART_M:
        known = [i for i, name in enumerate(names) if name in columns]
        mine = ours_quat_w[:, [columns[names[i]] for i in known]]
        other = quat_w[:, known][..., [3, 0, 1, 2]]
        if _angle_deg(mine, other).max() < _APART_DEG:
            return "quat-order", "their quaternions are in the other order"
    return None


def _angle_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angles between rotations given by quaternions of any length."""
    norm = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    dot = np.abs(np.sum(a * b, axis=-1)) / np.maximum(norm, 1e-12)
    return np.degrees(2 * np.arccos(np.clip(dot, 0.0, 1.0)))
