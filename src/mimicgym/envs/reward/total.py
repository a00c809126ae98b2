"""The sum of the terms."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import jax
import jax.numpy as jnp

from mimicgym.envs.config import RewardConfig
from mimicgym.envs.reward.base import reward
from mimicgym.envs.reward.checks import check_term
from mimicgym.envs.reward.contacts import check_contacts
from mimicgym.envs.terms import Facts
from mimicgym.errors import UserError

# Not terms of the state: added by `Rewards` itself, or settings of it.
_SPECIAL = ("termination", "soft_joint_limit", "only_positive")


class Rewards:
    """The weighted sum of the terms whose weight is not 0.

    Attributes:
      terms: their names, in the order of the configuration's fields.
    """

    def __init__(self, cfg: RewardConfig, facts: Facts, dt_s: float):
        if not 0 < cfg.soft_joint_limit <= 1:
            raise UserError(
                f"reward.soft_joint_limit is {cfg.soft_joint_limit}; between 0 and 1"
            )
        self.cfg = cfg
        self.dt_s = dt_s
        terms = [f.name for f in fields(cfg) if f.name not in _SPECIAL]
        for name in terms:
            reward.check(name)
        for name in (*terms, "termination"):
            check_term(name, getattr(cfg, name))
        check_contacts(cfg, facts)
        self.terms = tuple(n for n in terms if getattr(cfg, n).weight != 0)
        self.facts = _soft_limits(facts, cfg.soft_joint_limit)

    def __call__(
        self, offered: Mapping[str, Any], failed: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """() total and the weighted value of each term.

        Args:
          offered: see `envs.terms`.
          failed: () bool, the episode ends here and not because its time is up.
        """
        parts: dict[str, jax.Array] = {}
        for name in self.terms:
            cfg = getattr(self.cfg, name)
            value = reward.call(name, {**offered, "facts": self.facts, "cfg": cfg})
            parts[name] = cfg.weight * self.dt_s * value
        total = sum(parts.values(), start=jnp.zeros(()))
        if self.cfg.only_positive:
            total = jnp.maximum(total, 0.0)
        weight = self.cfg.termination.weight
        if weight != 0:
            parts["termination"] = weight * self.dt_s * failed.astype(jnp.float32)
            total = total + parts["termination"]
        return total, parts


def _soft_limits(facts: Facts, share: float) -> Facts:
    """Facts with joint limits narrowed about the middle of each range."""
    middle = (facts.joint_lower_rad + facts.joint_upper_rad) / 2
    half = (facts.joint_upper_rad - facts.joint_lower_rad) / 2 * share
    return replace(facts, joint_lower_rad=middle - half, joint_upper_rad=middle + half)
