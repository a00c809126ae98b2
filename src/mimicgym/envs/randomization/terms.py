"""The terms that change fields of the model."""

import jax
import jax.numpy as jnp
import numpy as np

from mimicgym import rotations as rot
from mimicgym.envs.config import Range
from mimicgym.envs.randomization.registry import Nominal, Values, randomization


@randomization(above=0.0)
def friction(key: jax.Array, fields: Values, nominal: Nominal, cfg: Range) -> Values:
    """Sliding friction of everything on the floor, one number for all directions."""
    sliding = jnp.where(
        nominal.floor_pairs[:, None], _uniform(key, cfg), fields["pair_friction"]
    )
    return {"pair_friction": sliding}


@randomization(above=-np.inf)
def torso_mass_kg(
    key: jax.Array, fields: Values, nominal: Nominal, cfg: Range
) -> Values:
    """Mass added to the torso; its inertia grows in proportion."""
    torso, added = nominal.torso, _uniform(key, cfg)
    before = fields["body_mass"][torso]
    return {
        "body_mass": fields["body_mass"].at[torso].add(added),
        "body_inertia": fields["body_inertia"]
        .at[torso]
        .multiply((before + added) / before),
        "body_subtreemass": fields["body_subtreemass"] + added * nominal.carries_torso,
    }


@randomization(above=0.0)
def mass_scale(key: jax.Array, fields: Values, nominal: Nominal, cfg: Range) -> Values:
    """Factor on the mass and inertia of every body, one for all."""
    scale = _uniform(key, cfg)
    names = ("body_mass", "body_inertia", "body_subtreemass")
    return {name: scale * fields[name] for name in names}


@randomization()
def torso_com_m(
    key: jax.Array, fields: Values, nominal: Nominal, cfg: tuple[float, float, float]
) -> Values:
    """Shift of the torso's centre of mass along the torso's axes."""
    shift = jnp.array(cfg) * jax.random.uniform(key, (3,), minval=-1.0, maxval=1.0)
    return {"body_ipos": fields["body_ipos"].at[nominal.torso].add(shift)}


@randomization()
def kp_std(key: jax.Array, fields: Values, nominal: Nominal, cfg: float) -> Values:
    """Gaussian factor around 1 on each joint's stiffness, never below 0."""
    scale = _around_one(key, cfg, nominal)
    bias = fields["actuator_biasprm"].at[:, 1].multiply(scale)
    gain = scale[:, None] * fields["actuator_gainprm"]
    return {"actuator_gainprm": gain, "actuator_biasprm": bias}


@randomization()
def kd_std(key: jax.Array, fields: Values, nominal: Nominal, cfg: float) -> Values:
    """Gaussian factor around 1 on each joint's damping, never below 0."""
    bias = fields["actuator_biasprm"]
    return {"actuator_biasprm": bias.at[:, 2].multiply(_around_one(key, cfg, nominal))}


@randomization()
def torque_noise(
    key: jax.Array, fields: Values, nominal: Nominal, cfg: float
) -> Values:
    """Gaussian constant torque on each joint, clipped along with the rest."""
    torque = cfg * nominal.effort_nm * jax.random.normal(key, nominal.effort_nm.shape)
    bias = fields["actuator_biasprm"].at[:, 0].add(torque)
    return {"actuator_biasprm": bias}


@randomization(above=0.0)
def motor_strength(
    key: jax.Array, fields: Values, nominal: Nominal, cfg: Range
) -> Values:
    """Factor on each joint's torque and on its limit."""
    scale = _uniform(key, cfg, nominal.effort_nm.shape)[:, None]
    # The limit is there twice, as the motor's and as the joint's.
    joint = fields["jnt_actfrcrange"].at[nominal.joints].multiply(scale)
    names = ("actuator_gainprm", "actuator_biasprm", "actuator_forcerange")
    return {name: scale * fields[name] for name in names} | {"jnt_actfrcrange": joint}


@randomization()
def joint_friction_nm(
    key: jax.Array, fields: Values, nominal: Nominal, cfg: Range
) -> Values:
    """Dry friction added to every joint, the same for all."""
    loss = fields["dof_frictionloss"]
    added = loss.at[nominal.joint_dofs].add(_uniform(key, cfg))
    return {"dof_frictionloss": added}


@randomization(above=0.0)
def armature_scale(
    key: jax.Array, fields: Values, nominal: Nominal, cfg: Range
) -> Values:
    """Factor on the rotor inertia of every joint, one for all."""
    armature = fields["dof_armature"]
    scaled = armature.at[nominal.joint_dofs].multiply(_uniform(key, cfg))
    return {"dof_armature": scaled}


@randomization()
def gravity_tilt_rad(
    key: jax.Array, fields: Values, nominal: Nominal, cfg: float
) -> Values:
    """Gravity turned about the world's x axis, then about its y axis."""
    angles = cfg * jax.random.uniform(key, (2, 1), minval=-1.0, maxval=1.0)
    turn = rot.quat_mul(
        rot.quat_from_rotvec(angles[1] * jnp.array([0.0, 1.0, 0.0])),
        rot.quat_from_rotvec(angles[0] * jnp.array([1.0, 0.0, 0.0])),
    )
    gravity = rot.quat_rotate(turn, fields["opt.gravity"])
    return {"opt.gravity": gravity}


def _uniform(key: jax.Array, cfg: Range, shape: tuple[int, ...] = ()) -> jax.Array:
    return jax.random.uniform(key, shape, minval=cfg[0], maxval=cfg[1])


def _around_one(key: jax.Array, std: float, nominal: Nominal) -> jax.Array:
    return jnp.maximum(1 + std * jax.random.normal(key, nominal.effort_nm.shape), 0.0)
