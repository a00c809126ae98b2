"""Ground from the triangles of a scene: what can be seen of it from above."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mimicgym.errors import UserError, unknown_message
from mimicgym.terrain.arguments import (
    MAX_MEGABYTES,
    require,
    require_memory,
    require_positive,
)
from mimicgym.terrain.field import HeightField, height_field
from mimicgym.terrain.holes import fill_holes
from mimicgym.terrain.scene_file import read_triangles
from mimicgym.terrain.soundness import (
    crowded_edges,
    degenerate,
    require_metres,
    used_corners,
)
from mimicgym.terrain.triangles import SLACK, top_heights

UP_AXES = ("z", "y")
CELL_M = 0.05


@dataclass(frozen=True)
class MeshReport:
    """What became of a mesh.

    Attributes:
      triangles: how many it has.
      degenerate: those of them without area; they are left out.
      crowded_edges: edges that more than two triangles share, so that the mesh is no
        surface there (not manifold); they do no harm.
      bounds_m: its corners (x, y, z), the lowest and the highest, with z up.
      cells: of the field.
      holes: cells over which no triangle is; they have the nearest one's height.
    """

    triangles: int
    degenerate: int
    crowded_edges: int
    bounds_m: tuple[tuple[float, float, float], tuple[float, float, float]]
    cells: int
    holes: int

    @property
    def hole_share(self) -> float:
        """The part of all cells that were holes, 0 to 1."""
        return self.holes / self.cells

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what a user should know."""
        notes = []
        if self.holes:
            notes.append(
                f"{self.holes} of {self.cells} cells ({self.hole_share:.1%}) have no "
                f"surface and got the height of the nearest cell that has"
            )
        if self.degenerate:
            notes.append(
                f"{self.degenerate} of {self.triangles} triangles have no area"
            )
        if self.crowded_edges:
            notes.append(f"{self.crowded_edges} edges have more than two triangles")
        return tuple(notes)


def field_from_mesh(
    path: str | os.PathLike[str],
    *,
    cell_m: float = CELL_M,
    up: str = "z",
    scale: float = 1.0,
    max_megabytes: float = MAX_MEGABYTES,
) -> tuple[HeightField, MeshReport]:
    """The ground of a scene in an .obj, .ply, .stl or .glb file.

    Needs trimesh. All parts of the file count, placed as it says. See
    `field_from_triangles`.

    Raises:
      UserError: trimesh is missing, or the file or its mesh can not be used.
    """
    vertices, faces = read_triangles(Path(path))
    return field_from_triangles(
        vertices,
        faces,
        cell_m=cell_m,
        up=up,
        scale=scale,
        max_megabytes=max_megabytes,
        name=str(path),
    )


def field_from_triangles(
    vertices: np.ndarray,
    faces: np.ndarray,
    *,
    cell_m: float = CELL_M,
    up: str = "z",
    scale: float = 1.0,
    max_megabytes: float = MAX_MEGABYTES,
    name: str = "mesh",
) -> tuple[HeightField, MeshReport]:
    """The top-most triangle's height at each cell's centre.

    Cell centres are at whole multiples of `cell_m`, as far as the mesh reaches, so a
    scene stays where its motion is. What is below something else is lost: a table is a
    block, and a ceiling would be the ground.

    Args:
      vertices: (V, 3) corners.
      faces: (F, 3) whole numbers, rows of `vertices`.
      cell_m: size of a cell.
      up: which axis of the mesh is upwards. With "y", as in glTF and most tools for
        games, the mesh's x stays x and its -z becomes y.
      scale: metres per unit of the mesh.
      max_megabytes: the most that the field may take.
      name: the field's, for messages.

    Raises:
      UserError: there are no triangles, a number is not finite, the mesh has the size
        of another unit than metres, or the field would take too much memory.
    """
    require_positive(name, "cell_m", cell_m)
    require_positive(name, "scale", scale, "m per unit")
    if up not in UP_AXES:
        raise UserError(f"{name}: {unknown_message('up', up, UP_AXES)}")
    corners, faces = used_corners(name, vertices, faces)
    if up == "y":
        corners = corners[:, [0, 2, 1]] * [1.0, -1.0, 1.0]
    corners = corners * scale
    lowest, highest = corners.min(axis=0), corners.max(axis=0)
    require_metres(name, highest - lowest)
    first = np.ceil(lowest[:2] / cell_m - SLACK)
    last = np.floor(highest[:2] / cell_m + SLACK)
    columns, rows = (int(n) for n in last - first + 1)
    require(
        name,
        min(rows, columns) >= 2,
        "cell_m",
        cell_m,
        f"smaller: the mesh is {highest[0] - lowest[0]:.3g} x "
        f"{highest[1] - lowest[1]:.3g} m and has {rows} x {columns} cells of that size",
    )
    require_memory(name, rows, columns, cell_m, max_megabytes)
    no_area = degenerate(corners, faces)
    in_cells = corners / [cell_m, cell_m, 1.0] - [*first, 0.0]
    height_m = top_heights(in_cells, faces[~no_area], rows, columns)
    holes = int(np.count_nonzero(~np.isfinite(height_m)))
    if holes == height_m.size:
        raise UserError(
            f"{name}: nothing can be seen from above; is {up!r} its axis up?"
        )
    report = MeshReport(
        triangles=len(faces),
        degenerate=int(no_area.sum()),
        crowded_edges=crowded_edges(corners, faces[~no_area]),
        bounds_m=(tuple(lowest.tolist()), tuple(highest.tolist())),
        cells=height_m.size,
        holes=holes,
    )
    field = height_field(
        fill_holes(height_m),
        cell_m,
        first * cell_m,
        name=name,
        notes=report.notes,
        max_megabytes=max_megabytes,
    )
    return field, report
