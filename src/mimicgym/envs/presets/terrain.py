"""Motions on grounds that are not flat, quick to learn on a CPU: `quick` with a scan of
the ground through a gate."""

from dataclasses import replace

from mimicgym.envs.config import MotionConfig, TerrainConfig
from mimicgym.envs.presets.quick import QUICK

_SCAN = "gated_terrain_height"
_SCANNING = replace(
    QUICK,
    observation=replace(
        QUICK.observation,
        actor=(*QUICK.observation.actor, _SCAN),
        critic=(*QUICK.observation.critic, _SCAN),
    ),
)

# The clip comes with its stairs.
STAIRS = replace(_SCANNING, motion=MotionConfig(clips=("climb_stairs",)))
WALK_ROUGH = replace(
    _SCANNING,
    motion=MotionConfig(clips=("walk",)),
    terrain=TerrainConfig(
        ground=tuple(f"rough:difficulty=2,seed={seed}" for seed in range(1, 5))
    ),
)
