"""What a term of the randomisation is, and what it is told of the robot.

A term is a function `(key, fields, nominal, cfg) -> fields` named as its field of
`RandomizationConfig`. `fields` holds the present values of every model field that
terms may change, `nominal` those of the compiled model and where things are in it, and
`cfg` is the term's own field of the configuration; what it returns are the fields that
it changes. Terms are applied in the order of their definition, each to what the ones
before it left, so that `kp_std` and then `motor_strength` scale the same gain.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields

import jax
import numpy as np

from mimicgym.envs.config import RandomizationConfig
from mimicgym.physics.fields import model_field
from mimicgym.robot import RobotModel

Values = Mapping[str, jax.Array]
Term = Callable[..., Values]

# What terms may change, and how many of the field's last axis.
_FIELDS = {
    "pair_friction": 2,
    "body_mass": None,
    "body_inertia": None,
    "body_subtreemass": None,
    "body_ipos": None,
    "actuator_gainprm": 1,
    "actuator_biasprm": 3,
    "actuator_forcerange": None,
    "jnt_actfrcrange": None,
    "dof_frictionloss": None,
    "dof_armature": None,
    "opt.gravity": None,
}


@dataclass(frozen=True, eq=False)
class Nominal:
    """The compiled model's values, and what terms have to know of it."""

    fields: Mapping[str, np.ndarray]  # float32; last axes as far as terms change them
    torso: int  # body
    carries_torso: np.ndarray  # (bodies,) bool, those whose subtree holds the torso
    floor_pairs: np.ndarray  # (pairs,) bool
    joint_dofs: slice  # of fields with a value for each degree of freedom
    joints: slice  # of fields with a value for each joint, of which the root is one
    effort_nm: np.ndarray  # (J,)

    @classmethod
    def of(cls, model: RobotModel) -> "Nominal":
        mj = model.mj
        values = {
            name: model_field(mj, name)[..., :last].astype(np.float32)
            for name, last in _FIELDS.items()
        }
        torso = body = mj.body(model.robot.torso_body).id
        carries_torso = np.zeros(mj.nbody, bool)
        carries_torso[[body, 0]] = True
        while body:
            body = mj.body_parentid[body]
            carries_torso[body] = True
        floor = mj.geom("floor").id
        return cls(
            fields=values,
            torso=torso,
            carries_torso=carries_torso,
            floor_pairs=(mj.pair_geom1 == floor) | (mj.pair_geom2 == floor),
            joint_dofs=slice(mj.nv - model.num_joints, mj.nv),
            joints=slice(mj.njnt - model.num_joints, mj.njnt),
            effort_nm=model.effort_nm.astype(np.float32),
        )


class Randomizations:
    """Terms by name, in the order of their definition, and what each may be given."""

    def __init__(self):
        self._terms: dict[str, Term] = {}
        self._above: dict[str, float | None] = {}

    def __call__(self, *, above: float | None = None):
        """Decorator: register a term; its numbers are at least 0, or `above`."""

        def register(term: Term) -> Term:
            name = term.__name__
            if name not in {field.name for field in fields(RandomizationConfig)}:
                raise ValueError(f"RandomizationConfig has no field {name!r}")
            self._terms[name], self._above[name] = term, above
            return term

        return register

    def __iter__(self) -> Iterator[str]:
        return iter(self._terms)

    def __getitem__(self, name: str) -> Term:
        return self._terms[name]

    def above(self, name: str) -> float | None:
        """What every number of a term has to be larger than, if not at least 0."""
        return self._above[name]

    def summary(self, name: str) -> str:
        """The first line of a term's docstring."""
        return (self._terms[name].__doc__ or "").strip().splitlines()[0]


randomization = Randomizations()
