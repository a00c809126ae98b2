"""Checks of a clip's feet: where the floor is, sliding, hovering and falling."""

from collections.abc import Iterator

import mujoco
import numpy as np

from mimicgym.motion.clip import Finding, Motion
from mimicgym.motion.contacts import floor_height_m
from mimicgym.motion.kinematics import bare_model, full_qpos
from mimicgym.motion.soles import above_ground, sole_contacts
from mimicgym.terrain.field import HeightField

_FLOOR_M, _DRIFT_M = 0.02, 0.04
_SKATE_M_S = 0.2
_FLIGHT_S = 0.12
_GRAVITY = 9.81
_AIR_M = 0.06
_SUNK_M = 0.04


def ground(motion: Motion, terrain: HeightField | None) -> Iterator[Finding]:
    """Where the soles are above the floor; above the ground, for a clip with one."""
    soles_w, contact = sole_contacts(motion, terrain)
    if terrain is not None:
        yield from _on_terrain(above_ground(soles_w, terrain)[..., 2], contact)
        return
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


def skating(motion: Motion, terrain: HeightField | None) -> Iterator[Finding]:
    soles_w, contact = sole_contacts(motion, terrain)
    speed = np.linalg.norm(np.gradient(soles_w[..., :2], axis=0), axis=-1) * motion.fps
    slowest = speed.min(axis=2)[contact]
    if slowest.size and slowest.mean() > _SKATE_M_S:
        yield Finding(
            "skating",
            "warning",
            f"feet that are down slide at {slowest.mean():.2f} m/s on average",
        )


def flight(motion: Motion, terrain: HeightField | None) -> Iterator[Finding]:
    """Bodies in the air fall at g; another figure tells of another frame rate."""
    soles_w, _ = sole_contacts(motion, terrain)
    lowest = above_ground(soles_w, terrain)[..., 2].min(axis=(1, 2))
    if terrain is None:
        lowest = lowest - floor_height_m(soles_w)
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


def _on_terrain(above_m: np.ndarray, contact: np.ndarray) -> Iterator[Finding]:
    """How far feet that are down are from the ground: it should be next to nothing."""
    down_m = above_m.min(axis=2)[contact]
    if not down_m.size:
        return
    low, middle, high = np.percentile(down_m, [5, 50, 95])
    if low < -_SUNK_M or high > _AIR_M:
        yield Finding(
            "terrain",
            "warning",
            f"feet that are down are {100 * low:.1f} to {100 * high:.1f} cm above the "
            f"ground ({100 * middle:.1f} at the median): clip and ground do not fit",
        )


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
