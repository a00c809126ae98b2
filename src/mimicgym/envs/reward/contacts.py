"""Terms for contacts that should not be, all of them penalties."""

import jax
import jax.numpy as jnp
import numpy as np

from mimicgym.envs.config import BodyContacts, Force, RewardConfig
from mimicgym.envs.reward.base import reward
from mimicgym.envs.terms import Facts
from mimicgym.errors import UserError, unknown_name
from mimicgym.physics import RobotState

HAND_CONTACT_THRESHOLD_N = 0.1


@reward
def collision(robot: RobotState, facts: Facts) -> jax.Array:
    """Number of hands (0 to 2) with a contact force above 0.1 N."""
    return _loaded(robot, facts.hand_contacts, HAND_CONTACT_THRESHOLD_N)


@reward
def undesired_contacts(robot: RobotState, facts: Facts, cfg: BodyContacts) -> jax.Array:
    """Number of the listed bodies with a contact force above the threshold.

    None listed means all bodies that have contacts but feet and hands (BeyondMimic).
    """
    return _loaded(robot, undesired_rows(facts, cfg), cfg.threshold_n)


@reward
def self_collision(robot: RobotState, cfg: Force) -> jax.Array:
    """Number of pairs of the robot's own parts that press on each other too hard.

    That is with more than threshold_n (mjlab's BeyondMimic task).
    """
    assert robot.self_contact_n is not None  # `check_contacts` has seen to that
    return jnp.sum(robot.self_contact_n > cfg.threshold_n).astype(jnp.float32)


def undesired_rows(facts: Facts, cfg: BodyContacts) -> np.ndarray:
    """Rows of `contact_force_w` that `undesired_contacts` looks at."""
    for name in cfg.bodies:
        if name not in facts.contact_bodies:
            raise unknown_name(
                "body in reward.undesired_contacts.bodies", name, facts.contact_bodies
            )
    if cfg.bodies:
        rows = [facts.contact_bodies.index(name) for name in dict.fromkeys(cfg.bodies)]
        return np.array(rows, np.int32)
    allowed = np.concatenate([facts.foot_contacts, facts.hand_contacts])
    return np.setdiff1d(np.arange(len(facts.contact_bodies)), allowed)


def check_contacts(cfg: RewardConfig, facts: Facts) -> None:
    """`UserError` for a term about contacts that the collision preset lacks."""
    if cfg.collision.weight and len(facts.hand_contacts) == 0:
        raise UserError(
            "reward.collision counts contacts of the hands, which"
            " physics.collisions='feet' does not have: choose 'body' or 'full', or"
            " set reward.collision.weight to 0"
        )
    undesired = cfg.undesired_contacts
    if undesired.weight and len(undesired_rows(facts, undesired)) == 0:
        raise UserError(
            "reward.undesired_contacts counts contacts of bodies other than feet and"
            " hands, which physics.collisions='feet' does not have: choose 'body' or"
            " 'full', or set reward.undesired_contacts.weight to 0"
        )
    if cfg.self_collision.weight and facts.self_pairs == 0:
        raise UserError(
            "reward.self_collision counts contacts of the robot with itself, which only"
            " physics.collisions='full' has: choose that, or set"
            " reward.self_collision.weight to 0"
        )


def _loaded(robot: RobotState, rows: np.ndarray, threshold_n: float) -> jax.Array:
    force = jnp.linalg.norm(robot.contact_force_w[rows], axis=-1)
    return jnp.sum(force > threshold_n).astype(jnp.float32)
