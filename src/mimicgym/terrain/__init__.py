"""The ground under a motion: height fields from meshes, arrays, pictures and formulas.

`mimicgym.terrain.lookup` reads them inside compiled programs.
"""

from mimicgym.terrain.arrays import field_from_array, field_from_npz, save_field
from mimicgym.terrain.atlas import Atlas, build_atlas
from mimicgym.terrain.field import HeightField, height_field
from mimicgym.terrain.image import field_from_image
from mimicgym.terrain.mesh import MeshReport, field_from_mesh, field_from_triangles
from mimicgym.terrain.procedural import Area, generators
from mimicgym.terrain.spec import terrain_from_spec

__all__ = [
    "Area",
    "Atlas",
    "HeightField",
    "MeshReport",
    "build_atlas",
    "field_from_array",
    "field_from_image",
    "field_from_mesh",
    "field_from_npz",
    "field_from_triangles",
    "generators",
    "height_field",
    "save_field",
    "terrain_from_spec",
]
