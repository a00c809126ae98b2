"""Whether ratios have fallen, against those of an earlier run.

Ratios are compared, not times: the bare engine is measured in the same run and on the
same machine, so that a slower machine is slow on both sides. What is left is that
engine and environment suffer differently from whatever else is going on; the tolerance
is for that.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mimicgym.bench.chart import AXES
from mimicgym.errors import UserError

TOLERANCE = 0.4
"""Share of the earlier ratio by which one may fall short."""
RATIOS = ("ratio", "ratio_same_motion")

Row = dict[str, Any]


def read_rows(path: Path) -> list[Row]:
    """The rows of a file that `mimicgym bench --json` has written."""
    try:
        data = json.loads(path.read_text())
    except OSError as error:
        raise UserError(f"{path} can not be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} is no JSON: {error}") from error
    rows = data.get("rows", [data]) if isinstance(data, dict) else None
    if not isinstance(rows, list) or any(set(AXES) - set(row) for row in rows):
        raise UserError(f"{path} was not written by mimicgym bench --json")
    return rows


def fallen(
    rows: Sequence[Row], earlier: Sequence[Row], tolerance: float = TOLERANCE
) -> list[str]:
    """A sentence for each median ratio that is more than `tolerance` (a share) below
    the earlier one of the same case.

    Raises:
      UserError: a case was not measured earlier, or the tolerance is no share.
    """
    if not 0 <= tolerance < 1:
        raise UserError(f"tolerance is {tolerance}; from 0 to below 1")
    found = []
    for row in rows:
        case = {axis: row[axis] for axis in AXES}
        name = ", ".join(f"{axis} {value}" for axis, value in case.items())
        before = [
            other
            for other in earlier
            if all(other[axis] == value for axis, value in case.items())
            and "error" not in other
        ]
        if not before:
            raise UserError(f"there is no earlier figure of {name}")
        if "error" in row:
            found.append(f"{name}: {row['error']}")
            continue
        for key in RATIOS:
            floor = (1 - tolerance) * before[0][key]
            if row[key] < floor:
                found.append(
                    f"{name}: {key} {row[key]:.2f} is below {floor:.2f}, which is"
                    f" {tolerance:.0%} less than {before[0][key]:.2f}"
                )
    return found
