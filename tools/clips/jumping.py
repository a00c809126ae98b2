"""Clips that leave the ground."""

import numpy as np

from clips.solve import GRAVITY_M_S2
from clips.targets import Stand, Targets, bump, ramp, times

HOP_S = 0.16  # both feet are off the ground
BEND_S = 0.16  # between flight and the lowest point
FIRST_S, PERIOD_S, HOPS = 1.1, 2 * BEND_S + HOP_S, 6
LOWER_M = 0.07  # the knees are still bent by this much in take-off and landing
DIP_M = 0.12  # how deep the centre of mass sinks between hops
BENT_M_S2 = 2.0  # its acceleration there

State = tuple[float, float, float]  # position (m), speed (m/s), acceleration (m/s2)


def jumping_jack(stand: Stand) -> Targets:
    """Three times: hop the feet apart with the arms up, and hop them together again."""
    hops_s = FIRST_S + PERIOD_S * np.arange(HOPS)
    time_s = times(hops_s[-1] + HOP_S + 1.2)
    targets = stand.targets(len(time_s))
    apart = np.zeros(len(time_s))
    arms = np.zeros(len(time_s))
    lift = np.zeros(len(time_s))
    for i, hop_s in enumerate(hops_s):
        way = 1 - 2 * (i % 2)
        end_s = hop_s + HOP_S
        apart += way * ramp(time_s, hop_s, end_s - 0.01)
        arms += way * ramp(time_s, hop_s - 0.16, end_s + 0.16)
        middle = hop_s + HOP_S / 2
        lift += bump(time_s, hop_s, middle, middle, end_s)
    targets.feet_pos_w[:, 0, 1] += 0.1 * apart
    targets.feet_pos_w[:, 1, 1] -= 0.1 * apart
    targets.feet_pos_w[..., 2] += 0.03 * lift[:, None]
    stand.move(
        targets,
        arms,
        {
            "shoulder_pitch": 0.0,
            "left_shoulder_roll": 2.1,
            "right_shoulder_roll": -2.1,
            "elbow": 1.25,
        },
    )
    targets.com_height_m = hop_height_m(time_s, hops_s, stand.com_w[2])
    targets.flies = lift > 0
    return targets


def hop_height_m(time_s: np.ndarray, hops_s: np.ndarray, height_m: float) -> np.ndarray:
    """(T,) height of the centre of mass that hops at these times.

    It falls freely in flight: a parabola of acceleration -g, `LOWER_M` lower at both
    ends than standing. On the ground it bends the knees before and after, on
    polynomials of fifth degree that are as high, as fast and as accelerated as what
    they join.
    """
    speed_m_s = GRAVITY_M_S2 * HOP_S / 2
    still, leave, land = (
        (height_m, 0.0, 0.0),
        (height_m - LOWER_M, speed_m_s, -GRAVITY_M_S2),
        (height_m - LOWER_M, -speed_m_s, -GRAVITY_M_S2),
    )
    path = np.full(len(time_s), height_m)

    def put(start_s: float, end_s: float, start: State, end: State) -> None:
        inside = (time_s >= start_s - 1e-9) & (time_s <= end_s + 1e-9)
        path[inside] = quintic(time_s[inside] - start_s, end_s - start_s, start, end)

    bent = (height_m - DIP_M, 0.0, BENT_M_S2)
    put(hops_s[0] - 0.75, hops_s[0] - BEND_S, still, bent)
    for hop_s in hops_s:
        put(hop_s - BEND_S, hop_s, bent, leave)
        put(hop_s, hop_s + HOP_S, leave, land)
        put(hop_s + HOP_S, hop_s + HOP_S + BEND_S, land, bent)
    end_s = hops_s[-1] + HOP_S + BEND_S
    put(end_s, end_s + 0.7, bent, still)
    return path


def quintic(
    time_s: np.ndarray, duration_s: float, start: State, end: State
) -> np.ndarray:
    """Polynomial between two states of position, speed and acceleration."""
    powers = np.arange(6)

    def rows(t: float) -> np.ndarray:
        speed = powers * t ** np.maximum(powers - 1, 0)
        bend = powers * (powers - 1) * t ** np.maximum(powers - 2, 0)
        return np.stack([t**powers, speed, bend])

    factors = np.linalg.solve(
        np.concatenate([rows(0.0), rows(duration_s)]), np.array([*start, *end])
    )
    return np.power.outer(time_s, powers) @ factors
