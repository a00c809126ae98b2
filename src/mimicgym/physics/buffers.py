"""How many contacts and constraints a model can have at most.

MJX-Warp keeps them in arrays of a fixed size and leaves out what does not fit. All
pairs that may touch are known here (a collision preset lists them), so that sizes can
be had in which everything fits whatever the robot does.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import mujoco

from mimicgym.errors import UserError

_PLANE = int(mujoco.mjtGeom.mjGEOM_PLANE)
_FIELD = int(mujoco.mjtGeom.mjGEOM_HFIELD)
_SPHERE = int(mujoco.mjtGeom.mjGEOM_SPHERE)
_CAPSULE = int(mujoco.mjtGeom.mjGEOM_CAPSULE)
# Contacts of a pair at most, by types in the order of MuJoCo's numbers. From a height
# field MJX-Warp keeps four, however many triangles are touched. Two capsules touch in
# two points where they lie side by side.
_CONTACTS = {
    (_PLANE, _SPHERE): 1,
    (_PLANE, _CAPSULE): 2,
    (_FIELD, _SPHERE): 4,
    (_FIELD, _CAPSULE): 4,
    (_SPHERE, _SPHERE): 1,
    (_SPHERE, _CAPSULE): 1,
    (_CAPSULE, _CAPSULE): 2,
}


@dataclass(frozen=True)
class Buffers:
    """Sizes for one environment.

    Attributes:
      contacts: contacts at once. The environments of a batch share theirs.
      convex: pairs at once that have no formula of their own and are solved by
        iteration: those with a height field.
      rows: constraints at once: contacts have several each, joints at their limit and
        joints with dry friction one.
    """

    contacts: int
    convex: int
    rows: int

    def __post_init__(self):
        for name in ("contacts", "rows"):
            if getattr(self, name) < 1:
                raise UserError(
                    f"buffers.{name} is {getattr(self, name)}; it must be at least 1"
                )
        if not 0 <= self.convex <= self.contacts:
            raise UserError(
                f"buffers.convex is {self.convex}; it must be from 0 to"
                f" buffers.contacts, {self.contacts}"
            )


def buffers_of(mj: mujoco.MjModel) -> Buffers:
    """What the model needs at most.

    Raises:
      UserError: contacts other than those of listed pairs, or of geoms whose contacts
        are not known here, or constraints of other kinds.
    """
    _check(mj)
    contacts, convex, rows = 0, 0, 0
    for pair in range(mj.npair):
        count = most_contacts(mj, pair)
        contacts += count
        rows += count * _rows_of(mj, int(mj.pair_dim[pair]))
        convex += _FIELD in _types(mj, pair)
    # A joint can be at one of its limits; any may be given dry friction later.
    rows += int(mj.jnt_limited.sum()) + mj.nv
    return Buffers(max(contacts, 1), convex, rows)


def warn_of_overflow(metrics: Mapping[str, float | None]) -> None:
    """A `RuntimeWarning` if figures of some steps say that buffers were too small."""
    if metrics.get("physics/overflow"):
        warnings.warn(
            "engine 'warp' left out contacts or constraints for which its buffers were"
            " too small; the metric physics/overflow is the share of steps that are"
            " wrong for it",
            RuntimeWarning,
            stacklevel=2,
        )


def most_contacts(mj: mujoco.MjModel, pair: int) -> int:
    """Contacts at once of one of the model's pairs."""
    types = _types(mj, pair)
    if types not in _CONTACTS:
        names = " and ".join(mujoco.mjtGeom(t).name for t in types)
        raise UserError(
            f"engine 'warp': it is not known how often {names} can touch at once"
            f" (pair {mj.pair(pair).name!r})"
        )
    return _CONTACTS[types]


def _types(mj: mujoco.MjModel, pair: int) -> tuple[int, int]:
    geoms = mj.pair_geom1[pair], mj.pair_geom2[pair]
    first, second = sorted(int(mj.geom_type[g]) for g in geoms)
    return first, second


def _rows_of(mj: mujoco.MjModel, dimensions: int) -> int:
    """Constraints of one contact: friction's pyramid has two sides a dimension."""
    if dimensions == 1 or mj.opt.cone == mujoco.mjtCone.mjCONE_ELLIPTIC:
        return dimensions
    return 2 * (dimensions - 1)


def _check(mj: mujoco.MjModel) -> None:
    if mj.geom_contype.any() and mj.geom_conaffinity.any():
        raise UserError(
            "engine 'warp': geoms with contype and conaffinity may touch any other;"
            " its buffers are made for contacts of explicit pairs"
        )
    for name, count in (
        ("equality constraints", mj.neq),
        ("tendons", mj.ntendon),
        ("deformable bodies", mj.nflex),
    ):
        if count:
            raise UserError(f"engine 'warp': a model with {name} has no known bound")
