"""Robots that differ from one episode to the next."""

from mimicgym.envs.randomization.randomizer import Randomizer
from mimicgym.envs.randomization.registry import Nominal, randomization

__all__ = ["Nominal", "Randomizer", "randomization"]
