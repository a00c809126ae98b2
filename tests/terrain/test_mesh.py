"""Meshes seen from above, against trimesh's ray casts and by hand."""

import sys

import numpy as np
import pytest
import trimesh

from mimicgym.errors import UserError
from mimicgym.terrain import field_from_mesh, field_from_triangles, triangles
from tests.terrain.scenes import box, ray_heights, scene, sheet


def field_of(mesh, **more):
    return field_from_triangles(mesh.vertices, mesh.faces, **more)


def centres(field):
    """(R, C, 2) of all cells."""
    rows, columns = field.height_m.shape
    c, r = np.meshgrid(np.arange(columns), np.arange(rows))
    return field.origin_xy + field.cell_m * np.stack([c, r], axis=-1)


def flat_floor(half=1.0, z=0.0):
    return sheet((-half, half), (-half, half), lambda x, y: z)


def test_heights_between_cells_against_rays(record_property):
    """At least 95 % are within what half a cell of the local slope makes."""
    mesh = scene()
    field, report = field_of(mesh)
    assert report.holes == 0
    xy = np.random.default_rng(1).uniform(*field.bounds_m, (10_000, 2))
    error_m = np.abs(field.at(xy) - ray_heights(mesh, xy))
    column, row = np.round((xy - field.origin_xy) / field.cell_m).astype(int).T
    allowed_m = 0.5 * field.cell_m * field.slope()[row, column]
    within = (error_m <= allowed_m + 1e-5).mean()
    figures = {
        "within": within,
        "median_m": np.median(error_m),
        "p90_m": np.percentile(error_m, 90),
        "p95_m": np.percentile(error_m, 95),
        "most_m": error_m.max(),
    }
    for name, value in figures.items():
        record_property(name, float(value))
        print(f"{name} {value:.5f}")
    assert within >= 0.95
    assert np.median(error_m) < 1e-6
    # The edges of boxes are in the scene: they are what the others are.
    assert error_m.max() > 0.1


def test_heights_at_centres_are_what_rays_hit():
    mesh = scene(seed=3)
    field, _ = field_of(mesh)
    hit = ray_heights(mesh, centres(field).reshape(-1, 2))
    error_m = np.abs(field.height_m.reshape(-1) - hit)
    print(f"{len(error_m)} centres, the largest error is {error_m.max():.2e} m")
    assert len(error_m) > 19_000
    assert error_m.max() < 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_triangles_of_any_shape_are_what_rays_hit(seed):
    """Slivers, upright ones and large ones, many of them over each other."""
    rng = np.random.default_rng(seed)
    vertices = rng.uniform([-2, -2, 0], [2, 2, 1], (60, 3))
    faces = rng.integers(0, 60, (120, 3))
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    field, report = field_of(mesh, cell_m=0.1)
    hit = ray_heights(mesh, centres(field).reshape(-1, 2))
    assert report.holes == np.isnan(hit).sum() > 0
    found = field.height_m.reshape(-1)
    np.testing.assert_allclose(found[~np.isnan(hit)], hit[~np.isnan(hit)], atol=1e-6)


def test_shared_edges_through_centres_leave_no_holes():
    """Vertices and edges lie exactly on the centres of cells."""
    x, y = np.meshgrid(np.arange(-10, 11) * 0.1, np.arange(-10, 11) * 0.1)
    height_m = 0.2 * x + 0.1 * np.abs(y)
    vertices = np.stack([x, y, height_m], axis=-1).reshape(-1, 3)
    at = np.arange(441).reshape(21, 21)
    a, b, c, d = at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]
    faces = np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3)
    for cell_m in (0.1, 0.05):
        field, report = field_from_triangles(vertices, faces, cell_m=cell_m)
        assert report.holes == 0
        np.testing.assert_array_equal(np.round(field.bounds_m, 9), [[-1, -1], [1, 1]])
        xy = centres(field)
        exact = 0.2 * xy[..., 0] + 0.1 * np.abs(xy[..., 1])
        np.testing.assert_allclose(field.height_m, exact, atol=1e-6)


def test_cells_are_at_multiples_of_their_size():
    mesh = sheet((0.333, 1.777), (-0.9, 0.41), lambda x, y: 0.0)
    field, _ = field_of(mesh, cell_m=0.1)
    np.testing.assert_allclose(field.bounds_m, [[0.4, -0.9], [1.7, 0.4]])


@pytest.mark.parametrize("short_m", [1e-9, 1e-7])
def test_edges_that_rounding_moved_reach_their_centres(short_m):
    """All four edges are a little inwards of the outermost centres."""
    mesh = flat_floor(half=1.0 - short_m, z=0.2)
    field, report = field_of(mesh, cell_m=0.1)
    assert field.height_m.shape == (21, 21)
    assert report.holes == 0


def test_work_in_small_parts_is_the_same(monkeypatch):
    mesh = scene()
    expected, _ = field_of(mesh, cell_m=0.1)
    monkeypatch.setattr(triangles, "_CHUNK", 300)
    field, _ = field_of(mesh, cell_m=0.1)
    np.testing.assert_array_equal(field.height_m, expected.height_m)


def test_the_top_most_surface_counts_in_any_order():
    layers = [flat_floor(z=z) for z in (0.3, 0.9, 0.6)]
    for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1]):
        field, _ = field_of(trimesh.util.concatenate([layers[i] for i in order]))
        np.testing.assert_allclose(field.height_m, 0.9, atol=1e-6)


def test_holes_get_the_nearest_height_and_are_reported():
    left = sheet((-1.0, -0.2), (-1.0, 1.0), lambda x, y: 0.1)
    right = sheet((0.2, 1.0), (-1.0, 1.0), lambda x, y: 0.5)
    field, report = field_of(left + right, cell_m=0.1, name="rift")
    # Of 21 x 21 cells the columns at -0.1, 0 and 0.1 have nothing below them.
    assert report.cells == 441
    assert report.holes == 63
    assert report.hole_share == pytest.approx(1 / 7)
    assert len(field.notes) == 1
    assert field.notes[0].startswith("63 of 441 cells (14.3%) have no surface")
    low, high = field.at([[-0.1, 0.3], [0.1, 0.3]])
    assert low == pytest.approx(0.1)
    assert high == pytest.approx(0.5)
    assert set(np.unique(field.height_m)) == set(np.float32([0.1, 0.5]))


def test_y_up_is_turned_to_z_up():
    mesh = flat_floor() + box([0.4, 0.2, 0.5], [0.6, -0.7, 0.0])
    as_is, _ = field_of(mesh)
    turned = mesh.copy()
    # Of a mesh with z up, z becomes y and y becomes -z.
    turned.vertices = mesh.vertices[:, [0, 2, 1]] * [1.0, 1.0, -1.0]
    field, report = field_of(turned, up="y")
    np.testing.assert_array_equal(field.height_m, as_is.height_m)
    assert field.at([0.6, -0.7]) == pytest.approx(0.5)
    np.testing.assert_allclose(report.bounds_m, [[-1, -1, 0], [1, 1, 0.5]])


def test_scale_is_metres_per_unit():
    mesh = box([400.0, 300.0, 25.0], [0.0, 0.0, 0.0])
    field, _ = field_of(mesh, scale=0.01)
    np.testing.assert_allclose(field.bounds_m, [[-2, -1.5], [2, 1.5]])
    np.testing.assert_allclose(field.height_m, 0.25)


@pytest.mark.parametrize("suffix", ["obj", "ply", "stl", "glb"])
def test_files_of_all_formats(suffix, tmp_path):
    mesh = scene()
    path = tmp_path / f"scene.{suffix}"
    mesh.export(path)
    field, report = field_from_mesh(path, cell_m=0.1)
    expected, _ = field_of(mesh, cell_m=0.1)
    assert report.triangles == len(mesh.faces)
    assert field.name == str(path)
    np.testing.assert_allclose(field.height_m, expected.height_m, atol=1e-5)


def test_all_parts_of_a_file_count_where_they_are(tmp_path):
    parts = trimesh.Scene([flat_floor()])
    moved = trimesh.transformations.translation_matrix([0.5, 0.5, 0.3])
    parts.add_geometry(trimesh.creation.box(extents=[0.4] * 3), transform=moved)
    parts.export(tmp_path / "parts.glb")
    field, report = field_from_mesh(tmp_path / "parts.glb")
    assert report.triangles == 14
    assert field.at([0.5, 0.5]) == pytest.approx(0.5)
    assert field.at([-0.5, -0.5]) == pytest.approx(0.0)


def test_odd_triangles_are_counted_and_harmless():
    floor = flat_floor()
    vertices = np.vstack([floor.vertices, [[0, 0, 0.4], [0, 0.5, 0.8], [0, 0, 9.0]]])
    odd = [[0, 0, 1], [4, 4, 4], [0, 1, 4]]  # a line, a point, a third one at an edge
    odd += [[0, 1, 5], [4, 5, 6]]  # a fourth there, an upright one
    faces = np.vstack([floor.faces, odd])
    field, report = field_from_triangles(vertices, faces)
    assert report.triangles == 7
    assert report.degenerate == 2
    assert report.crowded_edges == 1
    assert len(field.notes) == 2
    assert field.height_m.max() == pytest.approx(0.8, abs=0.05)


def test_vertices_that_no_triangle_uses_do_not_count():
    floor = flat_floor()
    vertices = np.vstack([floor.vertices, [[np.nan] * 3, [1e9] * 3]])
    field, report = field_from_triangles(vertices, floor.faces)
    assert report.bounds_m == ((-1.0, -1.0, 0.0), (1.0, 1.0, 0.0))
    assert field.length_m == pytest.approx(2.0)


def with_vertex(value):
    vertices = np.array(flat_floor().vertices)
    vertices[2, 1] = value
    return vertices


FLOOR = flat_floor()
UPRIGHT = [[0, 0, 0], [1, 1, 0], [1, 1, 1]]


@pytest.mark.parametrize(
    ("vertices", "faces", "more", "message"),
    [
        (np.zeros((0, 3)), FLOOR.faces, {}, r"hill: vertices have shape \(0, 3\)"),
        (np.zeros((4, 2)), FLOOR.faces, {}, r"vertices have shape \(4, 2\)"),
        (FLOOR.vertices, np.zeros((0, 3), int), {}, r"hill: faces have shape \(0, 3\)"),
        (FLOOR.vertices, [[0, 1, 2, 3]], {}, r"faces have shape \(1, 4\)"),
        (FLOOR.vertices, [[0.0, 1.0, 2.0]], {}, "faces are float64, not whole"),
        (FLOOR.vertices, [[0, 1, 2], [0, 1, 4]], {}, "face 1 names vertex 4 of 4"),
        (FLOOR.vertices, [[0, -1, 2]], {}, "face 0 names vertex -1 of 4"),
        (with_vertex(np.nan), FLOOR.faces, {}, r"1 vertices.*number 2, at \(1, nan, 0"),
        (with_vertex(np.inf), FLOOR.faces, {}, r"1 vertices.*number 2, at \(1, inf, 0"),
        (FLOOR.vertices * 1000, FLOOR.faces, {}, "2000 m across.*scale=0.001"),
        (FLOOR.vertices * 101, FLOOR.faces, {}, "202 m across, and scenes are from"),
        (FLOOR.vertices * 0.001, FLOOR.faces, {}, "0.002 m across.*larger than the m"),
        (FLOOR.vertices, FLOOR.faces, {"scale": 0.05}, "0.1 m across"),
        (FLOOR.vertices, FLOOR.faces, {"scale": 0.0}, "scale is 0; it must be above"),
        (FLOOR.vertices, FLOOR.faces, {"up": "x"}, "unknown up 'x'; Choices: y, z"),
        (FLOOR.vertices, FLOOR.faces, {"up": "y"}, "cell_m is 0.05; it must be small"),
        (FLOOR.vertices, FLOOR.faces, {"cell_m": -1.0}, "cell_m is -1; it must be ab"),
        (FLOOR.vertices, FLOOR.faces, {"cell_m": 3.0}, "cell_m is 3.* 2 x 2 m and has"),
        (UPRIGHT, [[0, 1, 2]], {}, "nothing can be seen from above; is 'z' its axis"),
    ],
)
def test_what_is_wrong_is_named(vertices, faces, more, message):
    with pytest.raises(UserError, match=message):
        field_from_triangles(vertices, faces, name="hill", **more)


def test_too_large_a_field_names_a_cell_size_that_fits():
    floor = flat_floor(half=90.0)
    with pytest.raises(UserError) as refused:
        field_of(floor, cell_m=0.02, name="city")
    message = str(refused.value)
    assert message.startswith("city: 9001 x 9001 cells of 0.02 m take 324.1 MB, more ")
    fits_m = float(message.split("cells of ")[-1].split(" m would")[0])
    assert fits_m == pytest.approx(0.046)
    for limit, fits_m in ((1.0, 0.37), (0.1, 1.2)):
        with pytest.raises(UserError, match=f"cells of {fits_m} m would fit"):
            field_of(floor, cell_m=0.02, max_megabytes=limit)
        assert field_of(floor, cell_m=fits_m, max_megabytes=limit)[0].megabytes <= limit


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.obj", b"", "a.obj: the file is empty"),
        ("a.obj", b"hello\n", "a.obj: has no triangles"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "can not be read as a mesh"),
        ("a.obj", b"v 0 0 0\nv 1 0 nan\nv 0 1 0\nf 1 2 3\n", "a.obj: 1 vertices are n"),
        ("a.ply", b"hello", "a.ply: can not be read as a mesh"),
        (
            "a.ply",
            b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\n"
            b"property float y\nproperty float z\nend_header\n0 0 0\n",
            "a.ply: has no triangles",
        ),
        ("a.stl", b"hello", "a.stl: "),
        ("a.glb", b"hello", "a.glb: can not be read as a mesh"),
        ("a.fbx", b"hello", "a.fbx: unknown format '.fbx'.*.glb, .obj, .ply, .stl"),
    ],
)
def test_bad_files_are_named(name, content, message, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        field_from_mesh(path)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(UserError, match=r"none.obj: there is no such terrain file"):
        field_from_mesh(tmp_path / "none.obj")
    (tmp_path / "scene.obj").mkdir()
    with pytest.raises(UserError, match=r"scene.obj is a folder"):
        field_from_mesh(tmp_path / "scene.obj")


def test_without_trimesh_its_extra_is_named(tmp_path, monkeypatch):
    flat_floor().export(tmp_path / "floor.obj")
    monkeypatch.setitem(sys.modules, "trimesh", None)
    with pytest.raises(UserError, match=r'pip install "mimicgym\[terrain\]"'):
        field_from_mesh(tmp_path / "floor.obj")
