"""Model fields that differ between environments, and plain models that have them."""

import copy

import mujoco
import numpy as np

# Fields that make sense together, and how many of the last axis are given (None: all).
GROUPS = {
    "friction": {"pair_friction": 2},
    "masses": {"body_mass": None, "body_inertia": None, "body_subtreemass": None},
    "com": {"body_ipos": None},
    "gains": {"actuator_gainprm": 1, "actuator_biasprm": 3},
    "limits": {"actuator_forcerange": None, "jnt_actfrcrange": None},
    "joint_friction": {"dof_frictionloss": None},
    "armature": {"dof_armature": None},
    "gravity": {"opt.gravity": None},
}


def whole(mj: mujoco.MjModel, name: str) -> np.ndarray:
    """A field of a model, to read and to write."""
    return getattr(mj.opt, name[4:]) if name.startswith("opt.") else getattr(mj, name)


def nominal(mj: mujoco.MjModel, rows: int) -> dict[str, np.ndarray]:
    """Every field of `GROUPS` (rows, ...) as it is in the model, float32."""
    given = {k: last for group in GROUPS.values() for k, last in group.items()}
    return {
        name: np.repeat(whole(mj, name)[None, ..., :last], rows, axis=0).astype(
            np.float32
        )
        for name, last in given.items()
    }


def drawn(mj: mujoco.MjModel, rows: int, spread: float = 0.3) -> dict[str, np.ndarray]:
    """Every field (rows, ...), each number off by up to `spread` of it."""
    rng = np.random.default_rng(11)
    fields = {
        name: values * rng.uniform(1 - spread, 1 + spread, values.shape)
        for name, values in nominal(mj, rows).items()
    }
    # Numbers that are 0 in the model: constant torques, and gravity to the side.
    fields["actuator_biasprm"][..., 0] = rng.uniform(-5, 5, (rows, mj.nu))
    fields["opt.gravity"][:, :2] = rng.uniform(-2, 2, (rows, 2))
    # What a motor can do is all that its joint takes.
    fields["jnt_actfrcrange"][:, 1:] = fields["actuator_forcerange"]
    subtree = fields["body_mass"].copy()
    for body in range(mj.nbody - 1, 0, -1):
        subtree[:, mj.body_parentid[body]] += subtree[:, body]
    fields["body_subtreemass"] = subtree
    return {name: values.astype(np.float32) for name, values in fields.items()}


def models(mj: mujoco.MjModel, fields: dict[str, np.ndarray]) -> list[mujoco.MjModel]:
    """A copy of the model for each row, changed by hand."""
    made = [copy.copy(mj) for _ in next(iter(fields.values()))]
    for name, values in fields.items():
        for model, value in zip(made, values, strict=True):
            whole(model, name)[..., : value.shape[-1]] = value
    return made
