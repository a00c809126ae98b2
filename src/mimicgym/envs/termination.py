"""Causes of failure. A term returns () bool; its field in the configuration holds its
threshold, and a threshold of 0 switches it off."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mimicgym import rotations as rot
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


@termination("m")
def tracking_error(
    robot: RobotState, ref: RefFrame, facts: Facts, step: jax.Array, cfg: jax.Array
) -> jax.Array:
    """A tracked body is more than cfg metres away from its reference.

    Not before the second step: a start with noise may be further off than that.
    """
    distance = jnp.linalg.norm(link_pos_error_w(robot, ref, facts), axis=-1)
    return jnp.any(distance > cfg) & (step >= FIRST_JUDGED_STEP)


@termination("N")
def foot_force(robot: RobotState, facts: Facts, cfg: jax.Array) -> jax.Array:
    """A foot is hit with more than cfg newtons."""
    force = jnp.linalg.norm(robot.contact_force_w[facts.foot_contacts], axis=-1)
    return jnp.any(force > cfg)


@termination("m")
def anchor_height(
    robot: RobotState, ref: RefFrame, facts: Facts, cfg: jax.Array
) -> jax.Array:
    """The anchor is more than cfg metres above or below its reference."""
    offset = robot.body_pos_w[facts.anchor] - ref.body_pos_w[facts.anchor]
    return jnp.abs(offset[2]) > cfg


@termination
def anchor_tilt(
    robot: RobotState, ref: RefFrame, facts: Facts, cfg: jax.Array
) -> jax.Array:
    """Gravity along the anchor's z axis is more than cfg off its reference.

    BeyondMimic's measure of tilt; gravity counts as 1, so that cfg is between 0 and 2.
    """

    def vertical(quat_w: jax.Array) -> jax.Array:
        return rot.quat_rotate_inverse(quat_w, jnp.array([0.0, 0.0, -1.0]))[2]

    there = vertical(ref.body_quat_w[facts.anchor])
    return jnp.abs(vertical(robot.body_quat_w[facts.anchor]) - there) > cfg


@termination("m")
def end_effector_height(
    robot: RobotState, ref: RefFrame, facts: Facts, cfg: jax.Array
) -> jax.Array:
    """A hand or foot is more than cfg metres above or below its reference.

    BeyondMimic compares with targets that are moved to the robot's place and heading;
    their heights are the reference's.
    """
    rows = facts.end_effectors
    offset = robot.body_pos_w[rows, 2] - ref.body_pos_w[rows, 2]
    return jnp.any(jnp.abs(offset) > cfg)


# Whose thresholds a curriculum widens.
DISTANCES = ("tracking_error", "anchor_height", "end_effector_height")
_SETTINGS = ("contact", "max_steps", "curriculum")


class Terminations:
    """The causes of failure that a configuration switches on."""

    def __init__(self, cfg: TerminationConfig, model: RobotModel):
        names = [name for name in termination if name not in _SETTINGS]
        for name in (*names, "max_steps"):
            if not getattr(cfg, name) >= 0:  # NaN too
                raise UserError(
                    f"termination.{name} is {getattr(cfg, name)}; positive, or 0 (off)"
                )
        self._thresholds: dict[str, Any] = {
            name: getattr(cfg, name) for name in names if getattr(cfg, name) > 0
        }
        if cfg.contact:
            self._thresholds["contact"] = model.contact_index(*cfg.contact)

    @property
    def causes(self) -> tuple[str, ...]:
        return tuple(self._thresholds)

    def __call__(
        self, offered: Mapping[str, Any], laxity: jax.Array | float = 1.0
    ) -> dict[str, jax.Array]:
        """() bool of each cause; laxity () multiplies the thresholds of distances."""
        return {
            name: termination.call(
                name,
                {**offered, "cfg": cfg * laxity if name in DISTANCES else cfg},
            )
            for name, cfg in self._thresholds.items()
        }
