"""Robots, as plain data and as compiled MuJoCo models.

A robot is a file like `g1.py` and a line of `ROBOTS`. `build_model` compiles one.
"""

from mimicgym.errors import unknown_name
from mimicgym.robot.contacts import CONTACT_SENSOR_SIZE
from mimicgym.robot.g1 import (
    G1_23DOF,
    G1_29DOF,
    GAINS,
    JOINTS_23,
    JOINTS_29,
    KEY_BODIES,
    POSES,
    TRACKED_BODIES,
    WRIST_JOINTS,
    speed_limit_rad_s,
)
from mimicgym.robot.model import RobotModel, build_model
from mimicgym.robot.robot import Robot, other_side

__all__ = [
    "CONTACT_SENSOR_SIZE",
    "GAINS",
    "JOINTS_23",
    "JOINTS_29",
    "KEY_BODIES",
    "POSES",
    "ROBOTS",
    "TRACKED_BODIES",
    "WRIST_JOINTS",
    "Robot",
    "RobotModel",
    "build_model",
    "get_robot",
    "other_side",
    "speed_limit_rad_s",
]

ROBOTS = {robot.name: robot for robot in (G1_23DOF, G1_29DOF)}


def get_robot(name: str) -> Robot:
    """The robot of that name; `UserError` names the ones there are."""
    if name not in ROBOTS:
        raise unknown_name("robot", name, ROBOTS)
    return ROBOTS[name]
