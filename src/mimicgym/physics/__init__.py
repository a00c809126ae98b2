"""Physics engines behind one interface."""

from mimicgym.physics.engine import ENGINES, Engine, line_search_iterations, make_engine
from mimicgym.physics.fields import NO_FIELDS, Fields
from mimicgym.physics.state import PhysicsState, RobotState

__all__ = [
    "ENGINES",
    "NO_FIELDS",
    "Engine",
    "Fields",
    "PhysicsState",
    "RobotState",
    "line_search_iterations",
    "make_engine",
]
