"""Feet on the ground: when they stand, that they then stay, and at which height."""

from dataclasses import replace

import numpy as np

from mimicgym.motion.contacts import estimate_contact
from mimicgym.retarget.matrices import (
    about_axis,
    from_yaw_pitch_roll,
    yaw_pitch_roll,
)
from mimicgym.retarget.proportions import Proportions
from mimicgym.retarget.targets import Targets

_MIN_STANCE_S = 0.06
_BLEND_S = 0.15
_FLOOR_SMOOTHING_S = 0.2
# A foot that strays further than this from its place within a stance slides or turns:
# there the stance ends.
_MAX_STRAY_M, _MAX_STRAY_RAD = 0.04, 0.35
_LEVEL_RAD = 0.1  # a standing foot that is tilted less is meant to be flat


def ground(targets: Targets, robot: Proportions) -> tuple[Targets, np.ndarray]:
    """The targets moved up or down so that standing feet are on z = 0.

    The height of the floor is that of the standing feet's lowest points, smoothed;
    while no foot stands, as in a jump, it goes from one to the next in a straight line,
    so that flight stays. This takes out the drift of motions estimated from video.

    Returns:
      the targets, and (T, 2) which foot stands on the ground.
    """
    soles = sole_points(targets.feet_pos_w, targets.feet_w, robot)
    contact = estimate_contact(soles, targets.feet_w[..., 2, 2], 1.0 / targets.fps)
    contact = _without_short_runs(contact, targets.fps)
    lowest = np.where(contact, soles[..., 2].min(axis=2), np.inf).min(axis=1)
    known = np.flatnonzero(np.isfinite(lowest))
    if len(known) == 0:
        return targets, contact
    floor = np.interp(np.arange(len(lowest)), known, lowest[known])
    reach = max(1, round(0.5 * _FLOOR_SMOOTHING_S * targets.fps))
    window = np.hanning(2 * reach + 3)
    padded = np.pad(floor, reach + 1, mode="edge")
    floor = np.convolve(padded, window / window.sum(), mode="valid")
    down = np.array([0.0, 0.0, 1.0]) * floor[:, None]
    moved = replace(
        targets,
        pelvis_pos_w=targets.pelvis_pos_w - down,
        feet_pos_w=targets.feet_pos_w - down[:, None],
    )
    return above_ground(moved, robot), contact


def lock(
    targets: Targets, contact: np.ndarray, robot: Proportions
) -> tuple[Targets, np.ndarray]:
    """The targets with standing feet held in place.

    A standing foot keeps one footprint: its place and heading are fixed and it does not
    lean sideways. It may still roll over its toes or its heel, whichever is down: then
    that edge stays where it is. Before and after a stance the difference fades.

    Returns:
      the targets, and (T, 2) where feet are locked: `contact` less what slides.
    """
    pos_w, angles = targets.feet_pos_w.copy(), yaw_pitch_roll(targets.feet_w)
    angles[..., 0] = np.unwrap(angles[..., 0], axis=0)
    locked = np.zeros_like(contact)
    least, blend = _min_frames(targets.fps), max(1, round(_BLEND_S * targets.fps))
    for foot in range(2):
        raw = np.concatenate([pos_w[:, foot], angles[:, foot]], axis=1)
        pitch = raw[:, 4] - np.clip(raw[:, 4], -_LEVEL_RAD, _LEVEL_RAD)
        lift = _roll_over(pitch, robot)
        # Where the ankle would be if the foot were flat on its footprint.
        prints = raw[:, :4].copy()
        prints[:, :3] -= _turned(raw[:, 3], lift)
        weight = np.exp(-((pitch / _LEVEL_RAD) ** 2)) + 1e-3
        change = np.zeros_like(raw)
        stances = []
        for start, end in _runs(contact[:, foot]):
            stances += _steady(prints, weight, start, end, least, blend)
        for start, end in stances:
            part = slice(start, end)
            place = np.average(prints[part], axis=0, weights=weight[part])
            held = np.zeros((end - start, 6))
            held[:, :2] = place[:2] + _turned(place[3], lift[part])[:, :2]
            held[:, 2] = robot.sole_m + lift[part, 2]
            held[:, 3], held[:, 4] = place[3], pitch[part]
            change[part] = held - raw[part]
            locked[part, foot] = True
        _fade(change, stances, blend)
        pos_w[:, foot], angles[:, foot] = np.split(raw + change, 2, axis=1)
    moved = replace(targets, feet_pos_w=pos_w, feet_w=from_yaw_pitch_roll(angles))
    return above_ground(moved, robot), locked


def above_ground(targets: Targets, robot: Proportions) -> Targets:
    """The targets with feet that would go through the floor lifted onto it."""
    soles = sole_points(targets.feet_pos_w, targets.feet_w, robot)
    lift = np.maximum(0.0, -soles[..., 2].min(axis=2))
    return replace(
        targets,
        feet_pos_w=targets.feet_pos_w + lift[..., None] * np.array([0.0, 0.0, 1.0]),
    )


def sole_points(
    feet_pos_w: np.ndarray, feet_w: np.ndarray, robot: Proportions
) -> np.ndarray:
    """(T, 2, 4, 3) corners of both soles, from positions and turns of the feet."""
    return feet_pos_w[:, :, None] + robot.soles @ feet_w.swapaxes(2, 3)


def _roll_over(pitch: np.ndarray, robot: Proportions) -> np.ndarray:
    """(T, 3) how the ankle moves, along the foot's heading, as the foot tilts.

    From flat on the ground to a tilt of (T,) about the edge that stays down: the toes
    for a positive pitch, the heel for a negative one.
    """
    edge = np.zeros((len(pitch), 3))
    edge[:, 0] = np.where(pitch > 0.0, robot.toe_x_m, robot.heel_x_m)
    edge[:, 2] = -robot.sole_m
    return edge - (about_axis(1, pitch) @ edge[..., None])[..., 0]


def _turned(yaw: np.ndarray | float, vectors: np.ndarray) -> np.ndarray:
    return (about_axis(2, np.asarray(yaw)) @ vectors[..., None])[..., 0]


def _steady(
    prints: np.ndarray,
    weight: np.ndarray,
    start: int,
    end: int,
    least: int,
    apart: int,
) -> list[tuple[int, int]]:
    """The parts of a contact in which the foot keeps its place, in order of time.

    Around the frame nearest to the contact's mean footprint (T, 4: place and yaw), as
    far as it strays little; then again before and after that part, `apart` frames away
    so that the foot has time to go from one place to the next. No part is shorter than
    `least` frames.
    """
    if end - start < least:
        return []
    part = slice(start, end)
    mean = np.average(prints[part], axis=0, weights=weight[part])
    unit = np.array([_MAX_STRAY_M, _MAX_STRAY_M, np.inf, _MAX_STRAY_RAD])
    stray = np.linalg.norm((prints[part] - mean) / unit, axis=1)
    middle = int(stray.argmin())
    stray = np.linalg.norm((prints[part] - prints[start + middle]) / unit, axis=1)
    out = np.flatnonzero(stray > 1.0)
    first = start + int(max(out[out < middle], default=-1)) + 1
    last = start + int(min(out[out > middle], default=end - start))
    found = [(first, last)] if last - first >= least else []
    return (
        _steady(prints, weight, start, first - apart, least, apart)
        + found
        + _steady(prints, weight, last + apart, end, least, apart)
    )


def _fade(change: np.ndarray, stances: list[tuple[int, int]], blend: int) -> None:
    """Fill `change` outside of the stances: it goes smoothly to zero, or to the next.

    Minimum-jerk ramps, of `blend` frames or as long as the gap is.
    """
    bounds = [(0, 0), *stances, (len(change), len(change))]
    for i in range(len(bounds) - 1):
        start, end = bounds[i][1], bounds[i + 1][0]
        if start == end:
            continue
        frames = np.arange(end - start)
        length = min(blend, end - start + 1)
        if i > 0:
            x = np.clip((frames + 1) / length, 0.0, 1.0)[:, None]
            change[start:end] += (1.0 - _smooth(x)) * change[start - 1]
        if i < len(bounds) - 2:
            x = np.clip((end - start - frames) / length, 0.0, 1.0)[:, None]
            change[start:end] += (1.0 - _smooth(x)) * change[end]


def _smooth(x: np.ndarray) -> np.ndarray:
    return x**3 * (10.0 - 15.0 * x + 6.0 * x**2)


def _min_frames(fps: float) -> int:
    return max(2, round(_MIN_STANCE_S * fps))


def _without_short_runs(contact: np.ndarray, fps: float) -> np.ndarray:
    """Contacts without gaps, and then without stances, that are too short to be any."""
    contact = contact.copy()
    for foot in range(2):
        for value in (False, True):
            for start, end in _runs(contact[:, foot] == value):
                inside = start > 0 and end < len(contact)
                if inside and end - start < _min_frames(fps):
                    contact[start:end, foot] = not value
    return contact


def _runs(on: np.ndarray) -> list[tuple[int, int]]:
    """First frame of every stretch of True, and the first after it."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], on.astype(int), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
