"""Observation terms, how they are sensed, and the groups that they make up.

A term is a function of what `mimicgym.envs.terms` lists; it returns (n,) numbers in
their own unit, without noise or scale. Modules group terms by what they look at. Where
it is registered, a term also says its unit and how it is mirrored.
"""

from mimicgym.envs.observation import privileged, proprioception, targets, terrain
from mimicgym.envs.observation.mirrors import group_images
from mimicgym.envs.observation.observer import Observer, Row
from mimicgym.envs.observation.registry import (
    CLEAN,
    COMPOSITES,
    GROUPS,
    HISTORY,
    TERMS,
    observation,
    summary,
    unit,
)
from mimicgym.envs.observation.sensing import Senses

__all__ = [
    "CLEAN",
    "COMPOSITES",
    "GROUPS",
    "HISTORY",
    "TERMS",
    "Observer",
    "Row",
    "Senses",
    "group_images",
    "observation",
    "privileged",
    "proprioception",
    "summary",
    "targets",
    "terrain",
    "unit",
]
