"""Which rows of a network's arrays are which of another's, whose inputs differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Layout = Mapping[str, Sequence[tuple[str, int]]]
"""For each group of observations its terms in their order, and how many numbers each
is. Gated terms come last."""
Arrays = Mapping[str, np.ndarray]
"""Arrays by dotted names, such as "Dense_0.kernel"."""
Rows = np.ndarray | None
"""(N,) for each row of an array, where it is in another one; -1 for rows that are new.
None where all of the array is the same."""

_FIRST, _GATE, _GATED, _MEMORY = "Dense_0.kernel", "gate", "gated", "memory"
_UNITS = f"{_MEMORY}.hr.kernel"


@dataclass(frozen=True)
class Terms:
    """What became of a group's terms.

    Attributes:
      taken: known there and here.
      new: here only, or of another size here.
      left: there only, or of another size there.
    """

    taken: tuple[str, ...]
    new: tuple[str, ...]
    left: tuple[str, ...]


def match_terms(
    there: Sequence[tuple[str, int]], here: Sequence[tuple[str, int]]
) -> Terms:
    """What is known there, here, or in both; names of terms with their sizes."""
    old, new = _numbered(there), _numbered(here)
    return Terms(
        taken=tuple(name for name, size, nth in new if (name, size, nth) in old),
        new=tuple(f"{t[0]} ({t[1]})" for t in new if t not in old),
        left=tuple(f"{t[0]} ({t[1]})" for t in old if t not in new),
    )


def match_columns(
    there: Sequence[tuple[str, int]], here: Sequence[tuple[str, int]]
) -> np.ndarray:
    """(D,) for each number of a group where it is there; -1 for those that are new."""
    starts = np.cumsum([0, *(size for _, size in there)]).tolist()
    places = dict(zip(_numbered(there), starts, strict=False))
    columns = [
        np.arange(term[1]) + places[term] if term in places else np.full(term[1], -1)
        for term in _numbered(here)
    ]
    return np.concatenate(columns).astype(int)


def match_network(
    there: Arrays, here: Arrays, columns: np.ndarray, width: int
) -> dict[str, Rows] | None:
    """For each array of a network that can be taken, where its rows are there.

    None if there is another network behind the inputs: other layers, or layers of
    other sizes.

    Args:
      there, here: the networks' arrays.
      columns: see `match_columns`.
      width: how many numbers the network there sees.
    """
    if _shapes(there, _body(there)) != _shapes(here, _body(here)):
        return None
    rows: dict[str, Rows] = dict.fromkeys(_body(here))
    plain, plain_there = len(columns) - _gated(here), width - _gated(there)
    seen = np.where(columns < plain_there, columns, -1)[:plain]
    units, units_there = _units(here), _units(there)
    held = np.full(units, -1)
    if units and units == units_there:
        held = np.arange(units)
        for name in here:
            if name.startswith(f"{_MEMORY}."):
                reads = name.startswith(f"{_MEMORY}.i") and name.endswith(".kernel")
                rows[name] = seen if reads else None
    # A memory's units come before what is seen.
    rows[_FIRST] = np.append(held, np.where(seen < 0, -1, seen + units_there))
    if _GATE in there and _GATE in here:
        rows[_GATE] = rows[f"{_GATED}.bias"] = None
        rows[f"{_GATED}.kernel"] = np.maximum(columns[plain:] - plain_there, -1)
    return rows


def take_rows(array: np.ndarray, rows: Rows) -> np.ndarray:
    """Those rows of an array (M, K), and zeros for new ones."""
    return array if rows is None else np.where((rows < 0)[:, None], 0, array[rows])


def behind_closed_gates(kernel: np.ndarray, fresh: np.ndarray, gate: np.ndarray):
    """Gated weights (G, H), of which those behind gates (H,) at 0 are the fresh ones
    where they are 0 themselves: with both at 0, neither would ever learn."""
    return np.where((gate == 0) & (kernel == 0), fresh, kernel)


def _numbered(terms: Sequence[tuple[str, int]]) -> list[tuple[str, int, int]]:
    """Terms with their sizes, and how often each was there before."""
    return [(*term, list(terms[:i]).count(term)) for i, term in enumerate(terms)]


def _body(layers: Arrays) -> list[str]:
    """What has nothing to do with inputs."""
    own = (_FIRST, _GATE, f"{_GATED}.", f"{_MEMORY}.")
    return [name for name in layers if not name.startswith(own)]


def _shapes(layers: Arrays, names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    return {name: layers[name].shape for name in names}


def _units(layers: Arrays) -> int:
    """Of a network's memory; 0 without."""
    return layers[_UNITS].shape[0] if _UNITS in layers else 0


def _gated(layers: Arrays) -> int:
    """How many inputs go through a gate."""
    name = f"{_GATED}.kernel"
    return layers[name].shape[0] if name in layers else 0
