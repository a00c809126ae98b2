"""Contacts: which geoms can touch, and how the forces between them are told."""

import mujoco
import numpy as np

from mimicgym.robot.robot import Pairs

# A contact sensor's data fields are bits, and its reduction a number (MJCF
# reference, sensor/contact): found 0, force 1, torque 2, dist 3, pos 4, normal 5,
# tangent 6.
_CONTACT_DATA = (1 << 1) | (1 << 5) | (1 << 6)
# Not "maxforce" (2): MJX 3.17 then shows the scene's first contact for a pair that
# touches without force.
_CONTACT_MINDIST = 1
CONTACT_SENSOR_SIZE = 9
# A sphere or capsule on the edge between triangles of a height field touches several.
FIELD_SLOTS = 4


def add_pairs(
    spec: mujoco.MjSpec, pairs: Pairs, friction: float, *, slots: int
) -> None:
    """Let pairs touch, each with a sensor of its contact's force.

    Args:
      friction: sliding friction with the floor.
      slots: contacts of one pair that its sensor shows.
    """
    for geom1, geom2 in pairs:
        floor = geom1 == "floor"
        spec.add_pair(
            geomname1=geom1,
            geomname2=geom2,
            condim=3 if floor else 1,
            friction=[friction, friction, 0.005, 1e-4, 1e-4],
        )
        # 9 numbers a pair: the contact frame's force, its normal and its tangent,
        # from which the world-frame force follows on any ground.
        spec.add_sensor(
            name=f"contact_{geom1}_{geom2}",
            type=mujoco.mjtSensor.mjSENS_CONTACT,
            objtype=mujoco.mjtObj.mjOBJ_GEOM,
            objname=geom1,
            reftype=mujoco.mjtObj.mjOBJ_GEOM,
            refname=geom2,
            intprm=[_CONTACT_DATA, _CONTACT_MINDIST, slots],
        )


def contact_table(
    mj: mujoco.MjModel, pairs: Pairs, feet: tuple[str, ...]
) -> tuple[tuple[str, ...], np.ndarray]:
    """Bodies with contacts (feet first) and (N, S) signs of each sensor's force.

    A contact's force, as the sensor gives it, acts on the second geom along the
    normal, which points from the first to the second; the first feels its opposite.
    """
    body = [[mj.body(mj.geom(g).bodyid[0]).name for g in pair] for pair in pairs]
    others = [b for pair in body for b in pair if b != "world" and b not in feet]
    names = tuple(feet) + tuple(dict.fromkeys(others))
    table = np.zeros((len(names), len(pairs)))
    for s, (first, second) in enumerate(body):
        if first != "world":
            table[names.index(first), s] -= 1
        table[names.index(second), s] += 1
    return names, table
