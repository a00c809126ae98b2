"""Weights of a stored learner in a fresh one that is not quite the same.

Arrays are matched by name and shape. Where a network's inputs have changed, those that
both know by name keep their weights, and new ones start with weights of 0: on what both
see, the new policy does what the old one did. A network is taken as a whole or not at
all, for layers between layers of another size would be worth nothing. The deviation
goes with the actor, the scale of returns with the critic.

What the learner counts, draws and has seen of its environments starts anew.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mimicgym.errors import UserError, unknown_name
from mimicgym.ppo.learner import LearnerState
from mimicgym.ppo.matching import (
    Arrays,
    Layout,
    Rows,
    Terms,
    behind_closed_gates,
    match_columns,
    match_network,
    match_terms,
    take_rows,
)
from mimicgym.ppo.stored import STORED, by_name, dotted

PARTS = ("std", "critic", "optimizer", "normalizer", "learning_rate")
USUAL = ("optimizer", "learning_rate")
# Statistics with columns that are new count for this many samples at most, so that the
# new ones are known within about as many.
NEW_COUNT = 1e6
_NETWORKS = ("actor", "critic")
_WEIGHTS = ("params.", "obs_stats.", "return_stats.")
_STD = "params.raw_std"


@dataclass(frozen=True)
class Transfer:
    """What became of a stored learner's arrays.

    Attributes:
      taken: names of arrays that came from the checkpoint, some perhaps row by row.
      left: those of the checkpoint that are not used: unknown here, part of a network
        with other layers, or of a group of which nobody knows what it shows.
      new: those that the checkpoint does not know.
      reshaped: those that are of another shape here, with the shape there and here.
      reinitialized: what was to start anew, of `PARTS`.
      terms: for each group of observations that was taken, its terms.
    """

    taken: tuple[str, ...]
    left: tuple[str, ...]
    new: tuple[str, ...]
    reshaped: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
    reinitialized: tuple[str, ...]
    terms: dict[str, Terms]

    def to_dict(self) -> dict[str, Any]:
        """In JSON types."""
        return asdict(self)

    def summary(self) -> list[str]:
        """A few lines in words."""
        lines = [f"taken: {_counted(self.taken)}"]
        for group, terms in self.terms.items():
            for what, names in (("new", terms.new), ("left", terms.left)):
                if names:
                    lines.append(f"{what} inputs of {group}: {', '.join(names)}")
        for what, names in (("new", self.new), ("left", self.left)):
            if names:
                lines.append(f"{what}: {_counted(names)}")
        for name, (there, here) in self.reshaped.items():
            lines.append(f"of other shape: {name} {there}, here {here}")
        if self.reinitialized:
            lines.append(f"started anew: {', '.join(self.reinitialized)}")
        return lines


def check_parts(names: Collection[str]) -> None:
    """`UserError` for what can not be started anew."""
    for name in names:
        if name not in PARTS:
            raise unknown_name("part", name, PARTS)


def transfer(
    stored: Arrays,
    fresh: LearnerState,
    *,
    there: Layout,
    here: Layout,
    reinitialize: Collection[str] = USUAL,
) -> tuple[LearnerState, Transfer]:
    """A fresh learner's state with what can be taken from a stored one.

    The optimiser's moments are those of the arrays that are taken; of others and of new
    rows they start at 0, while its count of steps goes on. Statistics of observations
    are taken term by term.

    Args:
      stored: see `ppo.stored.read_arrays`.
      fresh: a state before its first iteration.
      there, here: what the stored and the fresh learner see; of groups that are not
        in both, nothing is taken.
      reinitialize: of `PARTS`, what is not taken but as it is in the fresh state.

    Raises:
      UserError: the policies have other numbers of actions.
      ValueError: a layout is not that of its arrays.
    """
    check_parts(reinitialize)
    parts = {name: getattr(fresh, name) for name in STORED}
    own = {name: np.asarray(x) for name, x in by_name(parts).items()}
    actions = [arrays[_STD].shape[0] for arrays in (stored, own)]
    if actions[0] != actions[1]:
        raise UserError(
            f"the checkpoint's policy has {actions[0]} actions, here there are"
            f" {actions[1]}: weights can not go from one robot to another"
        )
    groups = [g for g in here if g in there and f"obs_stats.{g}.mean" in stored]
    columns = {g: _columns(g, stored, own, there, here) for g in groups}
    rows, networks, refused = {}, [], []
    for group in _NETWORKS:
        prefix = f"params.{group}.params."
        width = stored[f"obs_stats.{group}.mean"].shape[0]
        found = match_network(
            _below(stored, prefix), _below(own, prefix), columns[group], width
        )
        if found is None:
            refused.append(group)
        elif group not in reinitialize:
            networks.append(group)
            rows |= {prefix + name: r for name, r in found.items()}
    if "actor" in networks and "std" not in reinitialize:
        rows[_STD] = None
    values = {name: take_rows(stored[name], r) for name, r in rows.items()}
    for group in networks:
        kernel, gate = (f"params.{group}.params.{x}" for x in ("gated.kernel", "gate"))
        if kernel in values:
            values[kernel] = behind_closed_gates(
                values[kernel], own[kernel], values[gate]
            )
    seen = [g for g in groups if g not in refused and "normalizer" not in reinitialize]
    for group in seen:
        values |= _statistics(f"obs_stats.{group}", stored, own, columns[group])
    if "critic" in networks:
        values |= {n: x for n, x in stored.items() if n.startswith("return_stats.")}
    if "optimizer" not in reinitialize:
        values |= _moments(stored, own, rows)
    if "learning_rate" not in reinitialize:
        values["learning_rate"] = stored["learning_rate"]
    reinitialized = tuple(part for part in PARTS if part in reinitialize)
    told = _told(
        stored,
        own,
        values,
        reinitialized,
        {
            g: match_terms(there[g], here[g])
            for g in {**dict.fromkeys([*networks, *seen])}
        },
    )
    return _filled(fresh, values), told


def _columns(
    group: str, stored: Arrays, own: Arrays, there: Layout, here: Layout
) -> np.ndarray:
    for layout, arrays in ((there, stored), (here, own)):
        told = sum(size for _, size in layout[group])
        width = arrays[f"obs_stats.{group}.mean"].shape[0]
        if told != width:
            raise ValueError(f"terms of {group} are {told} numbers, it has {width}")
    return match_columns(there[group], here[group])


def _statistics(
    name: str, stored: Arrays, own: Arrays, columns: np.ndarray
) -> dict[str, np.ndarray]:
    """Moments of a group's numbers; those of new ones as they are."""
    found = {
        part: np.where(columns < 0, own[part], stored[part][columns])
        for part in (f"{name}.mean", f"{name}.var")
    }
    count = stored[f"{name}.count"]
    if (columns < 0).any():
        count = np.minimum(count, NEW_COUNT)
    return found | {f"{name}.count": count}


def _moments(
    stored: Arrays, own: Arrays, rows: Mapping[str, Rows]
) -> dict[str, np.ndarray]:
    """The optimiser's arrays that belong to those that are taken, and its counts."""
    params = {n.removeprefix("params.") for n in own if n.startswith("params.")}
    found = {}
    for name in own:
        if not name.startswith("opt_state."):
            continue
        owner = next((p for p in params if name.endswith(f".{p}")), None)
        if owner is None:
            found[name] = stored[name]
        elif f"params.{owner}" in rows:
            found[name] = take_rows(stored[name], rows[f"params.{owner}"])
    return found


def _told(
    stored: Arrays,
    own: Arrays,
    values: Arrays,
    reinitialized: tuple[str, ...],
    terms: dict[str, Terms],
) -> Transfer:
    anew = {"std": (_STD,), "critic": ("params.critic.", "return_stats.")}
    anew["normalizer"] = ("obs_stats.",)
    wanted = tuple(n for part in reinitialized for n in anew.get(part, ()))

    def weights(arrays: Arrays) -> list[str]:
        names = [name for name in arrays if name.startswith(_WEIGHTS)]
        return [name for name in names if not name.startswith(wanted)]

    def short(names: list[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(_short, names)))

    unused = [name for name in weights(stored) if name not in values]
    reshaped = {
        _short(name): (stored[name].shape, own[name].shape)
        for name in unused
        if name in own and stored[name].shape != own[name].shape
    }
    return Transfer(
        taken=short([name for name in weights(values)]),
        left=tuple(name for name in short(unused) if name not in reshaped),
        new=short([name for name in weights(own) if name not in stored]),
        reshaped=reshaped,
        reinitialized=reinitialized,
        terms=terms,
    )


def _filled(fresh: LearnerState, values: Arrays) -> LearnerState:
    """The state with values in the places of arrays."""

    def fill(path: Any, x: jax.Array) -> jax.Array:
        name = dotted(path)
        if name not in values:
            return x
        value = jnp.array(values[name], x.dtype)
        return jax.device_put(value, x.sharding) if x.committed else value

    return jax.tree_util.tree_map_with_path(fill, fresh)


def _below(arrays: Arrays, prefix: str) -> dict[str, np.ndarray]:
    return {
        n.removeprefix(prefix): x for n, x in arrays.items() if n.startswith(prefix)
    }


def _short(name: str) -> str:
    """As a reader knows it: "std", "actor.Dense_0.bias", "obs_stats.actor"."""
    head, _, rest = name.partition(".")
    if head == "params":
        return "std" if name == _STD else rest.replace(".params.", ".", 1)
    return name.rpartition(".")[0]


def _counted(names: Sequence[str]) -> str:
    """Networks with how many of their arrays, other things by name."""
    words = []
    for group in _NETWORKS:
        count = sum(name.startswith(f"{group}.") for name in names)
        words += [f"{count} arrays of the {group}"] if count else []
    words += [n for n in names if n.partition(".")[0] not in _NETWORKS]
    return ", ".join(words) or "nothing"
