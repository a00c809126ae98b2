"""What is wrong with a terrain's argument, told in one line that names the terrain."""

import math

from mimicgym.errors import UserError

# Heights are kept as float32.
_BYTES = 4
MAX_MEGABYTES = 64.0


def require(name: str, holds: bool, argument: str, value: object, allowed: str) -> None:
    """Refuse an argument.

    Args:
      name: the terrain or its file.
      holds: whether `value` is allowed; comparisons with NaN make it False.
      argument, value: what was given.
      allowed: completes "it must be ", with the range and its unit.

    Raises:
      UserError: `holds` is False.
    """
    if not holds:
        shown = f"{value:g}" if isinstance(value, float) else repr(value)
        raise UserError(f"{name}: {argument} is {shown}; it must be {allowed}")


def require_positive(name: str, argument: str, value: float, unit: str = "m") -> None:
    """Refuse what is not a finite number above 0.

    Raises:
      UserError: `value` is 0, negative, infinite or NaN.
    """
    require(name, 0.0 < value < math.inf, argument, value, f"above 0 {unit}".strip())


def megabytes(rows: int, columns: int) -> float:
    """What so many heights take, in units of 1e6 bytes."""
    return rows * columns * _BYTES / 1e6


def require_memory(
    name: str, rows: int, columns: int, cell_m: float, max_megabytes: float
) -> None:
    """Refuse a field that takes too much memory, before it is made.

    Raises:
      UserError: it does; the message names the cell size that would fit.
    """
    require_positive(name, "max_megabytes", max_megabytes, "MB")
    needed = megabytes(rows, columns)
    if needed > max_megabytes:
        fits_m = _fitting_cell_m(rows, columns, cell_m, max_megabytes)
        raise UserError(
            f"{name}: {rows} x {columns} cells of {cell_m:g} m take {needed:.4g} MB, "
            f"more than max_megabytes, {max_megabytes:g}; cells of {fits_m:g} m would "
            f"fit"
        )


def _fitting_cell_m(
    rows: int, columns: int, cell_m: float, max_megabytes: float
) -> float:
    """The cell size, rounded up to 2 digits, that keeps a field below the limit.

    An area of L x W takes (L / c + 1) (W / c + 1) cells, a square equation in 1 / c.
    """
    length_m, width_m = (columns - 1) * cell_m, (rows - 1) * cell_m
    most = max_megabytes * 1e6 / _BYTES
    area, half = max(length_m * width_m, 1e-300), (length_m + width_m) / 2.0
    per_m = (math.sqrt(half * half + area * max(most - 1.0, 0.0)) - half) / area
    return rounded_up(1.0 / max(per_m, 1e-12))


def rounded_up(value: float) -> float:
    """The next number above one that is positive that has 2 digits."""
    digit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.ceil(value / digit) * digit
