"""Causes of failure. A term returns () bool; its field in the configuration holds its
threshold, and a threshold of 0 switches it off."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mimicgym.envs.config import TerminationConfig
from mimicgym.envs.terms import (
    CONTACT_THRESHOLD_N,
    Facts,
    Registry,
    link_pos_error_w,
)
from mimicgym.errors import UserError
from mimicgym.physics import RobotState
from mimicgym.reference import RefFrame
from mimicgym.robot import RobotModel

FIRST_JUDGED_STEP = 2

termination = Registry("termination")


@termination
def contact(robot: RobotState, cfg: np.ndarray) -> jax.Array:
    """A listed body (cfg: its rows of the contact forces) touches something."""
    force = jnp.linalg.norm(robot.contact_force_w[cfg], axis=-1)
    return jnp.any(force > CONTACT_THRESHOLD_N)


@termination
def tracking_error(
    robot: RobotState, ref: RefFrame, facts: Facts, step: jax.Array, cfg: float
) -> jax.Array:
    """A tracked body is more than cfg metres away from its reference.

    Not before the second step: a start with noise may be further off than that.
    """
    distance = jnp.linalg.norm(link_pos_error_w(robot, ref, facts), axis=-1)
    return jnp.any(distance > cfg) & (step >= FIRST_JUDGED_STEP)


@termination
def foot_force(robot: RobotState, facts: Facts, cfg: float) -> jax.Array:
    """A foot is hit with more than cfg newtons."""
    force = jnp.linalg.norm(robot.contact_force_w[facts.foot_contacts], axis=-1)
    return jnp.any(force > cfg)


class Terminations:
    """The causes of failure that a configuration switches on."""

    def __init__(self, cfg: TerminationConfig, model: RobotModel):
        for name in ("tracking_error", "foot_force", "max_steps"):
            if not getattr(cfg, name) >= 0:  # NaN too
                raise UserError(
                    f"termination.{name} is {getattr(cfg, name)}; positive, or 0 (off)"
                )
        thresholds: dict[str, Any] = {
            "tracking_error": cfg.tracking_error,
            "foot_force": cfg.foot_force,
        }
        if cfg.contact:
            thresholds["contact"] = model.contact_index(*cfg.contact)
        self._thresholds = {
            name: value
            for name, value in thresholds.items()
            if name == "contact" or value > 0
        }

    @property
    def causes(self) -> tuple[str, ...]:
        return tuple(self._thresholds)

    def __call__(self, offered: Mapping[str, Any]) -> dict[str, jax.Array]:
        """() bool of each cause."""
        return {
            name: termination.call(name, {**offered, "cfg": cfg})
            for name, cfg in self._thresholds.items()
        }
