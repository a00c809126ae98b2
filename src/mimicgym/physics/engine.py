"""The one interface behind which the physics engines sit."""

from typing import Protocol

import jax

from mimicgym.errors import unknown_name
from mimicgym.physics.state import PhysicsState, RobotState
from mimicgym.robot import RobotModel

ENGINES = ("auto", "mjx", "native")


class Engine(Protocol):
    """Pure functions for one environment; batches come from `jax.vmap`.

    Everything an engine returns belongs to the state after the last physics step:
    poses, velocities, actuator torques and contact forces alike.
    """

    name: str
    model: RobotModel
    decimation: int

    def forward(
        self, qpos: jax.Array, qvel: jax.Array, mask: jax.Array
    ) -> tuple[PhysicsState, RobotState]:
        """Put the robot into (qpos, qvel) and compute what can be seen of it.

        Only where mask () bool is set: elsewhere the result has no meaning and an
        engine is free not to compute it.
        """
        ...

    def step(
        self, physics: PhysicsState, ctrl: jax.Array
    ) -> tuple[PhysicsState, RobotState]:
        """Advance by `decimation` physics steps with joint targets ctrl (J,) in rad."""
        ...


def make_engine(
    name: str, model: RobotModel, *, decimation: int = 4, threads: int = 0
) -> Engine:
    """Build an engine. "auto" is native where JAX runs on a CPU, else mjx.

    Args:
      name: one of `ENGINES`.
      model: the compiled robot.
      decimation: physics steps per control step.
      threads: threads of the native engine, 0 for all cores.
    """
    if name not in ENGINES:
        raise unknown_name("engine", name, ENGINES)
    if name == "auto":
        name = "native" if jax.default_backend() == "cpu" else "mjx"
    # Imported here: mujoco.mjx takes seconds to import and the native engine does
    # not need it.
    if name == "native":
        from mimicgym.physics.native import NativeEngine

        return NativeEngine(model, decimation=decimation, threads=threads)
    from mimicgym.physics.mjx import MjxEngine

    return MjxEngine(model, decimation=decimation)
