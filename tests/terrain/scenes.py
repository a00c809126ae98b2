"""Meshes that terrains are made of in tests."""

import numpy as np
import trimesh


def box(size, middle) -> trimesh.Trimesh:
    """An upright box, placed by the middle of its underside."""
    mesh = trimesh.creation.box(extents=size)
    mesh.apply_translation([middle[0], middle[1], middle[2] + size[2] / 2.0])
    return mesh


def sheet(x, y, height) -> trimesh.Trimesh:
    """Two triangles over the rectangle of `x` and `y`, z = height(x, y)."""
    corners = [(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])]
    vertices = [(px, py, height(px, py)) for px, py in corners]
    return trimesh.Trimesh(vertices, [[0, 1, 2], [0, 2, 3]], process=False)


def scene(seed=0) -> trimesh.Trimesh:
    """A floor with boxes, stairs, a tilted plane and a round bump, 8 m x 6 m.

    Its edges are at odd places, so that no cell's centre is right under one.
    """
    rng = np.random.default_rng(seed)
    parts = [sheet((-4.013, 4.017), (-3.011, 3.019), lambda x, y: 0.0)]
    for _ in range(6):
        side = rng.uniform(0.3, 0.9, 3) * [1.0, 1.0, 0.7]
        parts.append(box(side, [*rng.uniform([-3.5, -2.5], [-1.0, 2.5]), 0.0]))
    for step in range(5):
        height = 0.15 * (step + 1)
        parts.append(box([0.301, 1.203, height], [0.5137 + 0.3 * step, -2.0123, 0.0]))
    parts.append(
        sheet((0.2371, 2.7413), (-0.7171, 0.8119), lambda x, y: 0.1 + 0.3 * x + 0.2 * y)
    )
    bump = trimesh.creation.icosphere(subdivisions=4, radius=0.8)
    bump.apply_transform(trimesh.transformations.rotation_matrix(0.3, [1, 2, 3]))
    bump.apply_translation([2.5113, 1.8171, -0.3])
    return trimesh.util.concatenate([*parts, bump])


def ray_heights(mesh: trimesh.Trimesh, xy: np.ndarray) -> np.ndarray:
    """(N,) height of the first surface that rays straight down hit, NaN for none."""
    origins = np.column_stack([xy, np.full(len(xy), 50.0)])
    down = np.tile([0.0, 0.0, -1.0], (len(xy), 1))
    at, ray, _ = mesh.ray.intersects_location(origins, down, multiple_hits=True)
    top = np.full(len(xy), -np.inf)
    np.maximum.at(top, ray, at[:, 2])
    return np.where(np.isinf(top), np.nan, top)
