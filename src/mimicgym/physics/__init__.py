"""Physics engines behind one interface."""

from mimicgym.physics.engine import ENGINES, Engine, make_engine
from mimicgym.physics.state import PhysicsState, RobotState

__all__ = ["ENGINES", "Engine", "PhysicsState", "RobotState", "make_engine"]
