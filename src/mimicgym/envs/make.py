"""From a configuration to an environment that runs."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mimicgym.configs import override
from mimicgym.envs.config import EnvConfig
from mimicgym.envs.ground import make_ground, own_terrain
from mimicgym.envs.presets import env_preset
from mimicgym.envs.tracking import TrackingEnv
from mimicgym.errors import UserError
from mimicgym.motion import Library, load_library
from mimicgym.physics import line_search_iterations, make_engine
from mimicgym.reference import build_reference
from mimicgym.robot import build_model, get_robot

# A clip or several: names of embedded ones, files, folders, patterns, YAML lists.
Clips = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def env_config(
    preset: str = "default",
    *,
    motion: Clips | None = None,
    robot: str | None = None,
    engine: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> EnvConfig:
    """A preset with the usual choices made and any other setting overridden.

    Args:
      preset: name of the preset.
      motion: an embedded clip or a file, as text or a path, or several.
      robot, engine: see `EnvConfig`.
      overrides: dotted settings, such as {"control.action_scale": 0.5}.
    """
    config = env_preset(preset)
    if motion is not None:
        several = (motion,) if isinstance(motion, str | os.PathLike) else motion
        # Configurations are stored as JSON, which holds no paths.
        clips = tuple(os.fspath(clip) for clip in several)
        config = replace(config, motion=replace(config.motion, clips=clips))
    if robot is not None:
        config = replace(config, robot=robot)
    if engine is not None:
        config = replace(config, engine=engine)
    return override(config, overrides or {})


def library_of(config: EnvConfig) -> Library:
    """The clips that a configuration names."""
    motion = config.motion
    if not motion.clips:
        raise UserError("motion.clips is empty; name at least one clip or file")
    return load_library(
        motion.clips,
        fps=motion.fps,
        quat_order=motion.quat_order,
        skip_bad=motion.skip_bad,
    )


def make_env(
    config: EnvConfig | None = None, library: Library | None = None
) -> TrackingEnv:
    """Load motions, compile the robot, start the engine.

    Args:
      config: the task.
      library: clips to use instead of those that the configuration names.

    Raises:
      UserError: a name, file or value that can not be used; the message says which.
    """
    config = config or EnvConfig()
    robot = get_robot(config.robot)
    physics = config.physics
    if library is None:
        library = library_of(config)
    terrains = [entry.terrain for entry in library.entries]
    ground, field = make_ground(config.terrain, terrains, library.motions)
    ls_iterations = physics.ls_iterations
    if ls_iterations is None:
        ls_iterations = line_search_iterations(config.engine)
    model = build_model(
        robot,
        collisions=physics.collisions,
        timestep_s=physics.timestep_s,
        iterations=physics.iterations,
        ls_iterations=ls_iterations,
        gains=config.control.gains,
        friction=physics.friction,
        torque_control=config.control.target == "torque",
        terrain=field,
        visuals=False,
    )
    engine = make_engine(
        config.engine,
        model,
        decimation=config.control.decimation,
        threads=config.threads,
        wrench_body=config.tracking.anchor,
    )
    reference = build_reference(
        library.motions,
        model,
        dt_s=config.dt_s,
        # A clip that comes with its ground fits it as it is.
        ground=["none" if terrain else config.motion.ground for terrain in terrains],
        weights=library.weights,
        terrains=[own_terrain(config.terrain, terrain) for terrain in terrains],
        teachers=[entry.teacher or config.motion.teacher for entry in library.entries],
    )
    return TrackingEnv(config, reference, engine, ground)
