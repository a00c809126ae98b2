"""Ground from arrays of heights, and kept in files as such."""

import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from mimicgym.errors import UserError
from mimicgym.terrain.arguments import MAX_MEGABYTES
from mimicgym.terrain.field import HeightField, height_field
from mimicgym.terrain.scene_file import require_file
from mimicgym.whole_file import whole_file

HEIGHT_KEYS = ("height_m", "cell_m", "origin_xy")
_DAMAGE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)


def field_from_array(
    height_m: np.ndarray,
    cell_m: float,
    origin_xy: np.ndarray | None = None,
    *,
    name: str = "array",
    max_megabytes: float = MAX_MEGABYTES,
) -> HeightField:
    """The ground whose heights are given.

    Args:
      height_m: (R, C) in m, [row = y, column = x].
      cell_m: from one height to the next.
      origin_xy: (2,) where that of row 0 and column 0 is; by default so that the middle
        is at (0, 0).
      name, max_megabytes: see `height_field`.

    Raises:
      UserError: something is wrong; the message names field and value.
    """
    return height_field(
        height_m, cell_m, origin_xy, name=name, max_megabytes=max_megabytes
    )


def field_from_npz(
    path: str | os.PathLike[str], *, max_megabytes: float = MAX_MEGABYTES
) -> HeightField:
    """The ground in an .npz file with height_m and cell_m; origin_xy may be left out.

    Raises:
      UserError: the file can not be read, lacks an array, or one is wrong.
    """
    path = Path(path)
    require_file(path)
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path}: is no .npz file")
    try:
        with np.load(path, allow_pickle=False) as file:
            values = {key: file[key] for key in HEIGHT_KEYS if key in file}
            found = ", ".join(file.files) or "none"
    except _DAMAGE as error:
        raise UserError(f"{path}: can not be read as .npz: {error}") from error
    for key in HEIGHT_KEYS[:2]:
        if key not in values:
            raise UserError(f"{path}: lacks {key}; found {found}")
    cell_m = values["cell_m"]
    if cell_m.size != 1 or cell_m.dtype.kind not in "fiu":
        raise UserError(f"{path}: cell_m is {cell_m.tolist()!r}; one number is needed")
    return height_field(
        values["height_m"],
        float(cell_m.reshape(())),
        values.get("origin_xy"),
        name=str(path),
        max_megabytes=max_megabytes,
    )


def save_field(field: HeightField, path: str | os.PathLike[str]) -> None:
    """Write what `field_from_npz` reads; `path` has to end in .npz.

    Raises:
      UserError: it does not, or the file can not be written.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise UserError(f"{path}: height fields are saved as .npz")
    try:
        with whole_file(path) as file:
            np.savez_compressed(file, allow_pickle=False, **field_arrays(field))
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path}: can not be written: {reason}") from error


def field_arrays(field: HeightField) -> dict[str, np.ndarray]:
    """What `field_from_npz` reads, by name."""
    values = field.height_m, np.float64(field.cell_m), field.origin_xy
    return {k: np.asarray(v) for k, v in zip(HEIGHT_KEYS, values, strict=True)}
