"""Which parts of the robot are kept apart, and how far."""

import mujoco

from mimicgym.retarget.names import SIDES

CLEARANCE_M = 0.01
NOTICE_M = 0.06  # nearer than this, a pair limits how fast it may come closer
_ARM_GEOMS = ("hand", "forearm", "elbow")
_TRUNK_GEOMS = ("torso_collision", "torso_back_collision", "pelvis_collision")


def let_collide(model: mujoco.MjModel) -> mujoco.MjModel:
    """The model with the geoms of `geom_pairs` made to collide; mink skips others."""
    for first, second in geom_pairs():
        for name in (*first, *second):
            model.geom(name).contype = 1
            model.geom(name).conaffinity = 1
    return model


def geom_pairs() -> list[tuple[list[str], list[str]]]:
    """Groups of geoms that are kept apart from each other."""
    arms = {s: [f"{s}_{part}_collision" for part in _ARM_GEOMS] for s in SIDES}
    thighs = [f"{side}_thigh_collision" for side in SIDES]
    return [
        (arms["left"] + arms["right"], [*_TRUNK_GEOMS, *thighs]),
        (arms["left"][:2], arms["right"][:2]),
        (arms["left"][:1] + arms["right"][:1], ["head_collision"]),
        (["left_foot_collision"], ["right_foot_collision"]),
        (["left_shin_collision"], ["right_shin_collision"]),
    ]
