"""Cells under which a scene has no surface."""

import numpy as np


def fill_holes(height_m: np.ndarray) -> np.ndarray:
    """(R, C) heights, where those that are not finite have the nearest finite one.

    Nearest is by the distance between cells, so an edge of the scene goes on flat and a
    hole is filled from its rim.
    """
    # Slow to import, and most programs have no holes.
    from scipy.ndimage import distance_transform_edt

    hole = ~np.isfinite(height_m)
    if hole.all():
        raise ValueError("there is no height to fill holes with")
    if not hole.any():
        return height_m.copy()
    nearest = distance_transform_edt(hole, return_distances=False, return_indices=True)
    return height_m[tuple(np.asarray(nearest))]
