"""Ground from pictures: the brighter, the higher."""

import math
import os
import warnings
from pathlib import Path

import numpy as np

from mimicgym.errors import UserError
from mimicgym.terrain.arguments import (
    MAX_MEGABYTES,
    require,
    require_memory,
    require_positive,
)
from mimicgym.terrain.field import HeightField, height_field
from mimicgym.terrain.scene_file import require_file

# Pillow's names for one grey channel, and the value of white. PNGs of 16 bits are "I"
# in older releases.
_WHITE = {"L": 255, "I;16": 65535, "I;16B": 65535, "I": 65535}


def field_from_image(
    path: str | os.PathLike[str],
    *,
    cell_m: float,
    high_m: float,
    low_m: float = 0.0,
    origin_xy: np.ndarray | None = None,
    max_megabytes: float = MAX_MEGABYTES,
) -> HeightField:
    """The ground in a grey PNG of 8 or 16 bits, as a map: right is +x and up is +y.

    Args:
      path: of the picture.
      cell_m: size of a pixel.
      high_m: height of white.
      low_m: height of black.
      origin_xy: (2,) where the middle of the lower left pixel is; by default so that
        the middle of the picture is at (0, 0).
      max_megabytes: the most that the field may take.

    Raises:
      UserError: the file is no grey PNG, or an argument is wrong.
    """
    path = Path(path)
    name = str(path)
    require_file(path)
    require_positive(name, "cell_m", cell_m)
    require(name, math.isfinite(low_m), "low_m", low_m, "a finite height in m")
    holds = low_m < high_m < math.inf
    require(name, holds, "high_m", high_m, f"above low_m, {low_m:g} m")
    grey, white = _read(path, cell_m, max_megabytes)
    return height_field(
        low_m + (high_m - low_m) * (grey[::-1].astype(np.float64) / white),
        cell_m,
        origin_xy,
        name=name,
        max_megabytes=max_megabytes,
    )


def _read(path: Path, cell_m: float, max_megabytes: float) -> tuple[np.ndarray, int]:
    """(R, C) grey values with the top row first, and the value of white."""
    try:
        from PIL import Image
    except ImportError:
        raise UserError(
            f'{path}: pictures need Pillow: pip install "mimicgym[terrain]"'
        ) from None
    # A struct error for some of the damaged ones is a SyntaxError in others.
    damage = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)
    try:
        with warnings.catch_warnings():
            # What it warns of, a picture of many pixels, is refused below.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path, formats=["PNG"])
        with image:
            columns, rows = image.size
            require_memory(str(path), rows, columns, cell_m, max_megabytes)
            if image.mode not in _WHITE:
                raise UserError(
                    f"{path}: has the colours {image.mode}; a grey picture of 8 or 16 "
                    f"bits without transparency is needed"
                )
            return np.asarray(image), _WHITE[image.mode]
    except UserError:
        raise
    except damage as error:
        raise UserError(f"{path}: can not be read as PNG: {error}") from error
