"""What is wrong with a clip, before time is spent on training it.

Each check looks at one clip as it is in its file, without grounding or any other
mending, and says what it found with figures. Thresholds are those at which the 34
public clips that mimicgym is tried on begin to differ from clips that are known broken.
"""

import functools
from collections.abc import Callable, Iterator

import mujoco
import numpy as np

from mimicgym.motion.clip import Finding, Motion
from mimicgym.motion.contacts import floor_height_m
from mimicgym.motion.edit.limits import joint_ranges_rad
from mimicgym.motion.kinematics import (
    bare_model,
    breadth_first,
    full_qpos,
    spread_frames,
)
from mimicgym.motion.quat_order import quat_order_doubt
from mimicgym.motion.soles import sole_contacts
from mimicgym.motion.velocity import velocities
from mimicgym.robot import JOINTS_29, build_model, get_robot

# Largest speeds of the G1's motors in rad/s, by part of the joint's name (mjlab 1.6);
# the last match counts. Ankles and the waist's roll and pitch are driven in pairs.
SPEED_LIMITS = (
    ("", 37.0),
    ("hip_pitch", 32.0),
    ("hip_yaw", 32.0),
    ("waist_yaw", 32.0),
    ("hip_roll", 20.0),
    ("knee", 20.0),
    ("ankle", 30.0),
    ("waist_roll", 30.0),
    ("waist_pitch", 30.0),
    ("wrist_pitch", 22.0),
    ("wrist_yaw", 22.0),
)
_LIMIT_RAD = (0.02, 0.3)  # beyond a joint's range: a warning, an error
_JUMP_RAD, _JUMP_M = 1.0, 0.25  # between neighbouring frames
_FLOOR_M, _DRIFT_M = 0.02, 0.04
_SKATE_M_S = 0.2
_OVERLAP_M = 0.01
_FLIGHT_S = 0.12
_GRAVITY = 9.81
_AIR_M = 0.06
_FRAMES = 200


def check_motion(motion: Motion) -> tuple[Finding, ...]:
    """Everything that was found, errors first; `motion` has passed `validate`.

    What its reader found is in the list too.
    """
    found = list(motion.findings)
    for check in CHECKS:
        found += check(motion)
    levels = ("error", "warning", "note")
    return tuple(sorted(found, key=lambda finding: levels.index(finding.level)))


def _quat_order(motion: Motion) -> Iterator[Finding]:
    doubt = quat_order_doubt(full_qpos(motion), "wxyz")
    if doubt is not None:
        yield Finding("quat-order", "error", doubt, "--quat-order xyzw")


def _quat_signs(motion: Motion) -> Iterator[Finding]:
    quats = motion.qpos[:, 3:7]
    flips = int(np.count_nonzero(np.sum(quats[1:] * quats[:-1], axis=1) < 0))
    if flips:
        text = f"the root quaternion changes sign {flips} times, which is mended"
        yield Finding("quat-signs", "note", text)


def _joint_limits(motion: Motion) -> Iterator[Finding]:
    qpos = full_qpos(motion)
    excess = _excess_rad(qpos[:, 7:])
    worst = int(excess.max(axis=0).argmax())
    most = float(excess[:, worst].max())
    if most <= _LIMIT_RAD[0]:
        return
    wide = breadth_first()[1]
    moved = qpos[:, [7 + wide.index(joint) for joint in JOINTS_29]]
    if most > _LIMIT_RAD[1] and _excess_rad(moved).max() < 0.25 * most:
        yield Finding(
            "joint-order",
            "error",
            f"{JOINTS_29[worst]} is {most:.2f} rad beyond its range, but no joint more "
            f"than {_excess_rad(moved).max():.2f} if they are in breadth-first order "
            f"(IsaacLab's)",
            "reorder the joints by name before saving them",
        )
        return
    frames = float((excess > _LIMIT_RAD[0]).any(axis=1).mean())
    yield Finding(
        "joint-limits",
        "error" if most > _LIMIT_RAD[1] else "warning",
        f"{JOINTS_29[worst]} is up to {most:.2f} rad beyond its range ({frames:.0%} of "
        f"the frames have a joint beyond)",
        "--clip-limits",
    )


def _jumps(motion: Motion) -> Iterator[Finding]:
    steps = np.abs(np.diff(motion.qpos[:, 7:], axis=0))
    moved = np.linalg.norm(np.diff(motion.qpos[:, :3], axis=0), axis=1)
    frame, joint = np.unravel_index(steps.argmax(), steps.shape)
    if steps.max() > _JUMP_RAD:
        yield Finding(
            "jump",
            "error",
            f"{motion.joint_names[joint]} jumps by {steps.max():.2f} rad between "
            f"frames {frame} and {frame + 1}",
            f"--end-s {frame / motion.fps:.3g} or --start-s "
            f"{(frame + 1) / motion.fps:.3g}",
        )
    if moved.max() > _JUMP_M:
        frame = int(moved.argmax())
        yield Finding(
            "jump",
            "error",
            f"the root jumps by {moved.max():.2f} m between frames {frame} and "
            f"{frame + 1}",
        )


def _speeds(motion: Motion) -> Iterator[Finding]:
    speed = np.abs(velocities(motion.qpos, 1.0 / motion.fps)[0][:, 6:])
    limit = np.array([_speed_limit(name) for name in motion.joint_names])
    share = speed / limit
    over = (share > 1).any(axis=1)
    if over.any():
        worst = int(share.max(axis=0).argmax())
        yield Finding(
            "joint-speed",
            "warning",
            f"{motion.joint_names[worst]} moves at up to {speed[:, worst].max():.0f} "
            f"rad/s, its motor at {limit[worst]:.0f} ({over.mean():.1%} of the frames)",
            "--smooth-hz 6 or --speed 0.8",
        )


def _ground(motion: Motion) -> Iterator[Finding]:
    soles_w, contact = sole_contacts(motion)
    floor_m = floor_height_m(soles_w)
    if abs(floor_m) > _FLOOR_M:
        word = "above" if floor_m > 0 else "below"
        yield Finding(
            "height",
            "note",
            f"the lowest sole is {100 * abs(floor_m):.1f} cm {word} the floor; "
            f"training shifts the clip by that",
        )
    lowest = soles_w[..., 2].min(axis=(1, 2))[contact.any(axis=1)]
    if lowest.size:
        low, high = np.percentile(lowest, [5, 95])
        if high - low > _DRIFT_M:
            yield Finding(
                "floating",
                "warning",
                f"while a foot is down, the lowest sole moves between {100 * low:.1f} "
                f"and {100 * high:.1f} cm: the floor drifts, or is no floor",
                "--ground per_frame, on flat ground",
            )


def _skating(motion: Motion) -> Iterator[Finding]:
    soles_w, contact = sole_contacts(motion)
    speed = np.linalg.norm(np.gradient(soles_w[..., :2], axis=0), axis=-1) * motion.fps
    slowest = speed.min(axis=2)[contact]
    if slowest.size and slowest.mean() > _SKATE_M_S:
        yield Finding(
            "skating",
            "warning",
            f"feet that are down slide at {slowest.mean():.2f} m/s on average",
        )


def _overlaps(motion: Motion) -> Iterator[Finding]:
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


def _flight(motion: Motion) -> Iterator[Finding]:
    """Bodies in the air fall at g; another figure tells of another frame rate."""
    soles_w, _ = sole_contacts(motion)
    lowest = soles_w[..., 2].min(axis=(1, 2)) - floor_height_m(soles_w)
    com_m = _com_height(full_qpos(motion))
    fitted, frames = [], 0
    for start, stop in _runs(lowest > _AIR_M):
        if (stop - start) / motion.fps < _FLIGHT_S or stop - start < 4:
            continue
        times = np.arange(stop - start) / motion.fps
        fitted.append((stop - start, -2 * np.polyfit(times, com_m[start:stop], 2)[0]))
        frames += stop - start
    if not fitted:
        return
    fall = sum(n * a for n, a in fitted) / frames
    text = (
        f"in {frames} frames without a foot on the ground, the centre of mass falls at "
        f"{fall:.1f} m/s2 instead of {_GRAVITY:.1f}"
    )
    if fall < 0.15 * _GRAVITY:
        yield Finding(
            "hovering",
            "warning",
            f"{text}: it hovers there",
            "--ground per_frame, on flat ground",
        )
    elif not 0.45 < fall / _GRAVITY < 2.2:  # half the rate is a quarter of g
        fps = motion.fps * float(np.sqrt(_GRAVITY / fall))
        yield Finding(
            "fps",
            "warning",
            f"{text}: looks like {fps:.0f} fps, or heights that drift",
            f"--fps {fps:.0f}",
        )


CHECKS: tuple[Callable[[Motion], Iterator[Finding]], ...] = (
    _quat_order,
    _quat_signs,
    _joint_limits,
    _jumps,
    _speeds,
    _ground,
    _skating,
    _overlaps,
    _flight,
)


def _excess_rad(joints: np.ndarray) -> np.ndarray:
    """(T, 29) how far beyond their ranges joints are."""
    ranges = joint_ranges_rad()
    low, high = np.array([ranges[name] for name in JOINTS_29]).T
    return np.maximum(np.maximum(low - joints, joints - high), 0.0)


def _speed_limit(joint: str) -> float:
    return [limit for part, limit in SPEED_LIMITS if part in joint][-1]


def _com_height(qpos: np.ndarray) -> np.ndarray:
    model = bare_model()
    data = mujoco.MjData(model)
    height = np.empty(len(qpos))
    for i, row in enumerate(qpos):
        data.qpos[:] = row
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        height[i] = data.subtree_com[1, 2]
    return height


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """[start, stop) of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


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
