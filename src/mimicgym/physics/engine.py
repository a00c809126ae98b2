"""The one interface behind which the physics engines sit."""

from importlib.util import find_spec
from typing import Protocol

import jax
from jax.extend import backend

from mimicgym.errors import unknown_name
from mimicgym.physics.fields import NO_FIELDS, Fields
from mimicgym.physics.state import PhysicsState, RobotState
from mimicgym.robot import RobotModel

ENGINES = ("auto", "mjx", "native", "warp")
# Most iterations of the constraint solver's line search, if nothing is said. MJX's goes
# on for as long as the slowest row of a batch does, and past 8 nothing changes by it
# (docs/performance.md).
_LS_ITERATIONS = {"native": 20, "warp": 20, "mjx": 8}


class Engine(Protocol):
    """Pure functions for one environment; batches come from `jax.vmap`.

    Poses and velocities belong to the state after the last physics step, torques and
    contact forces to that step: they are what has led there. After `place`, where no
    step has, they are zero.
    """

    name: str
    model: RobotModel
    decimation: int
    wrench_body: str

    def place(
        self,
        qpos: jax.Array,
        qvel: jax.Array,
        mask: jax.Array,
        fields: Fields = NO_FIELDS,
    ) -> tuple[PhysicsState, RobotState]:
        """Put the robot into (qpos, qvel) and compute where its parts are and how they
        move. Forces are not: they would take most of a step's time.

        Only where mask () bool is set: elsewhere the result has no meaning and an
        engine is free not to compute it. `fields` are this environment's values of
        model fields, see `physics.fields`.
        """
        ...

    def step(
        self,
        physics: PhysicsState,
        ctrl: jax.Array,
        fields: Fields = NO_FIELDS,
        wrench: jax.Array | None = None,
    ) -> tuple[PhysicsState, RobotState]:
        """Advance by `decimation` physics steps.

        Args:
          physics: where to go on from.
          ctrl: joint targets in rad (torques in N m with torque control), (J,) for the
            whole step or (decimation, J), a row for each physics step.
          fields: this environment's values of model fields, see `physics.fields`.
          wrench: (6,) force in N, then torque in N m, along world axes at the centre
            of mass of `wrench_body`, during the whole step.
        """
        ...


def engine_name(name: str) -> str:
    """The engine that one of `ENGINES` means here.

    "auto" is the fastest that there is: native where JAX runs on a CPU; on NVIDIA GPUs
    warp, if it is installed; else mjx.
    """
    if name not in ENGINES:
        raise unknown_name("engine", name, ENGINES)
    if name != "auto":
        return name
    if jax.default_backend() == "cpu":
        return "native"
    # MJX-Warp itself asks so whether it may use a GPU.
    on_cuda = "cuda" in backend.backends()
    return "warp" if on_cuda and find_spec("warp") is not None else "mjx"


def line_search_iterations(name: str) -> int:
    """Most iterations that the line search of an engine's solver needs."""
    return _LS_ITERATIONS[engine_name(name)]


def make_engine(
    name: str,
    model: RobotModel,
    *,
    decimation: int = 4,
    threads: int = 0,
    wrench_body: str = "torso_link",
) -> Engine:
    """Build an engine.

    Args:
      name: one of `ENGINES`, see `engine_name`.
      model: the compiled robot.
      decimation: physics steps per control step.
      threads: threads of the native engine, 0 for all cores that may be used.
      wrench_body: the body that `step`'s wrench acts on.
    """
    name = engine_name(name)
    # Imported here: mujoco.mjx takes seconds to import and the native engine does
    # not need it.
    if name == "native":
        from mimicgym.physics.native import NativeEngine

        return NativeEngine(
            model, decimation=decimation, threads=threads, wrench_body=wrench_body
        )
    if name == "warp":
        from mimicgym.physics.warp import WarpEngine

        return WarpEngine(model, decimation=decimation, wrench_body=wrench_body)
    from mimicgym.physics.mjx import MjxEngine

    return MjxEngine(model, decimation=decimation, wrench_body=wrench_body)
