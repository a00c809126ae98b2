"""Reward terms. Each is worth weight * control step * the value it returns.

A term is a function under `@reward` and a field of `RewardConfig` of the same name.
Those of VideoMimic lie by what they look at; where that code has a fault, the term's
docstring says what is done instead.
"""

from mimicgym.envs.reward import (
    beyondmimic,
    contacts,
    deepmimic,
    feet,
    regularity,
    tracking,
)
from mimicgym.envs.reward.base import kernel, reward
from mimicgym.envs.reward.total import Rewards

# Importing them is what registers their terms.
TERM_MODULES = (tracking, regularity, feet, contacts, beyondmimic, deepmimic)

__all__ = ["TERM_MODULES", "Rewards", "kernel", "reward"]
