"""Files that hold triangles."""

import os
from pathlib import Path

import numpy as np

from mimicgym.errors import UserError, unknown_message

MESH_SUFFIXES = (".obj", ".ply", ".stl", ".glb")


def read_triangles(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(V, 3) float64 vertices and (F, 3) int64 faces of all that is in a file.

    Raises:
      UserError: trimesh is missing, or the file can not be read or has no triangles.
    """
    require_file(path)
    suffix = path.suffix.lower()
    if suffix not in MESH_SUFFIXES:
        raise UserError(f"{path}: {unknown_message('format', suffix, MESH_SUFFIXES)}")
    try:
        import trimesh
    except ImportError:
        raise UserError(
            f'{path}: meshes need trimesh: pip install "mimicgym[terrain]"'
        ) from None
    try:
        # Processing would merge vertices and drop triangles before they are counted.
        scene = trimesh.load_scene(path, process=False, skip_materials=True)
        mesh = scene.to_mesh()
        vertices = np.array(mesh.vertices, dtype=np.float64)
        faces = np.array(mesh.faces, dtype=np.int64)
    # Each format's loader fails in ways of its own: struct, json, index errors.
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"{path}: can not be read as a mesh ({reason})") from error
    if not len(faces):
        raise UserError(
            f"{path}: has no triangles; it is empty, damaged or only points"
        )
    return vertices, faces


def require_file(path: Path) -> None:
    """Refuse what is no file with something in it.

    Raises:
      UserError: there is nothing at `path`, or a folder, or an empty file.
    """
    # os.path answers False where pathlib raises: names too long, or with odd bytes.
    if os.path.isdir(path):
        raise UserError(f"{path} is a folder; name a file with a terrain in it")
    if not os.path.isfile(path):
        raise UserError(f"{path}: there is no such terrain file")
    if not os.path.getsize(path):
        raise UserError(f"{path}: the file is empty")
