"""Whether triangles can be used, and which of them are odd."""

import numpy as np

from mimicgym.errors import UserError

# Scenes outside these are in another unit than metres.
_SMALLEST_M, _LARGEST_M = 0.2, 200.0
# Of the longest edge squared: twice the area of a triangle that is none.
_FLAT = 1e-10


def used_corners(
    name: str, vertices: np.ndarray, faces: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(V, 3) float64 vertices that triangles use and the (F, 3) faces made of them.

    Raises:
      UserError: shapes are wrong, there are no triangles, a face names a vertex that
        is not there, or a vertex in use is not finite.
    """
    vertices = np.asarray(vertices, dtype=np.float64)
    faces = np.asarray(faces)
    if vertices.ndim != 2 or vertices.shape[1] != 3 or not len(vertices):
        raise UserError(f"{name}: vertices have shape {vertices.shape}, not (V, 3)")
    if faces.ndim != 2 or faces.shape[1] != 3 or not len(faces):
        raise UserError(f"{name}: faces have shape {faces.shape}, not (F, 3)")
    if faces.dtype.kind not in "iu":
        raise UserError(f"{name}: faces are {faces.dtype}, not whole numbers")
    odd = np.argwhere((faces < 0) | (faces >= len(vertices)))
    if len(odd):
        face, corner = odd[0]
        raise UserError(
            f"{name}: face {face} names vertex {faces[face, corner]} of {len(vertices)}"
        )
    used, faces = np.unique(faces, return_inverse=True)
    corners = vertices[used]
    bad = ~np.isfinite(corners).all(axis=1)
    if bad.any():
        first = int(bad.argmax())
        shown = ", ".join(f"{x:g}" for x in corners[first])
        raise UserError(
            f"{name}: {bad.sum()} vertices are not finite, the first is number "
            f"{used[first]}, at ({shown})"
        )
    return corners, faces.reshape(-1, 3)


def require_metres(name: str, size: np.ndarray) -> None:
    """Refuse a scene whose (3,) extent shows that its unit is not the metre.

    Raises:
      UserError: the longer horizontal side is less than 0.2 or more than 200 m.
    """
    across = max(size[:2])
    if across < _SMALLEST_M:
        hint = "is its unit larger than the metre, or has it been scaled down?"
    elif across > _LARGEST_M:
        hint = "is its unit the centimetre (scale=0.01) or millimetre (scale=0.001)?"
    else:
        return
    raise UserError(
        f"{name}: is {across:.4g} m across, and scenes are from {_SMALLEST_M:g} to "
        f"{_LARGEST_M:g} m; {hint}"
    )


def degenerate(corners: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F,) whether a triangle is a line or a point."""
    a, b, c = corners[faces].swapaxes(0, 1)
    edges = np.stack([b - a, c - b, a - c])
    longest2 = np.square(edges).sum(axis=-1).max(axis=0)
    area = np.linalg.norm(np.cross(edges[0], edges[1]), axis=-1)
    return area <= _FLAT * longest2


def crowded_edges(corners: np.ndarray, faces: np.ndarray) -> int:
    """How many edges more than two triangles share; vertices at one place are one."""
    _, same = np.unique(corners, axis=0, return_inverse=True)
    faces = same.reshape(-1)[faces]
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    ends.sort(axis=1)
    # One number per edge is much quicker to sort than a pair.
    edges = ends[:, 0] * (len(corners) + 1) + ends[:, 1]
    _, count = np.unique(edges, return_counts=True)
    return int(np.count_nonzero(count > 2))
