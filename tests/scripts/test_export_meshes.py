import numpy as np
import object_inputs as made_up
import pytest
import solids

import export_meshes
from densecell import files, io, mesh_files, meshes, morphology, object_surfaces

SUFFIXES = (".glb", ".ply", ".stl", ".obj")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return made_up.write(tmp_path_factory.mktemp("objects"))


def exported(inputs, name, *suffixes, **settings):
    export_meshes.main(made_up.export_arguments(inputs, name, *suffixes, **settings))
    return mesh_files.read_glb(inputs / f"{name}.glb"), io.read_table(inputs / f"{name}_meshes.csv")


def test_every_object_has_a_closed_surface_of_about_its_volume(inputs):
    parts, table = exported(inputs, "cells", *SUFFIXES)
    assert list(parts) == ["3", "12"] and table["instance"].tolist() == [3, 12]
    voxels = io.read_table(inputs / "cells.csv")["volume_um3"]
    assert table["volume_um3"].to_numpy() == pytest.approx(voxels.to_numpy(), rel=0.05)
    assert (table["is_closed"] == 1).all() and (table["triangles"] <= made_up.SETTINGS["object_triangles"]).all()
    for suffix in SUFFIXES:
        assert files.read_sidecar(inputs / f"cells{suffix}")["content"] == files.hash_file(inputs / f"cells{suffix}")
    low, high = parts["3"].vertices.min(axis=0), parts["3"].vertices.max(axis=0)
    assert (low + high) / 2 == pytest.approx([0.25, 0.3, 0.24], abs=0.003)  # x, y, z of its middle


def test_the_mesh_is_the_one_that_shapes_are_measured_on(inputs):
    parts, table = exported(inputs, "nucleoli", object_triangles=10**6)
    mask = made_up.volumes()["nucleoli"] == 4
    mesh, _ = morphology.object_mesh(mask, made_up.VOXEL_NM)
    assert table["measured_volume_um3"][0] == pytest.approx(mesh.volume() * 1e-9, rel=1e-6)
    assert table["triangles"][0] == table["measured_triangles"][0] == len(mesh.triangles)
    assert meshes.volume_um3(parts["4"]) == pytest.approx(mesh.volume() * 1e-9, rel=1e-5)


def test_holes_have_surfaces_of_their_own(inputs):
    parts, table = exported(inputs, "nuclei")
    assert list(parts) == ["5", "5_fenestrations", "6"]
    assert table["part"].tolist() == ["surface", "fenestrations", "surface"]
    hole = 4 / 3 * np.pi * 0.06**3
    assert table["volume_um3"][1] == pytest.approx(hole, rel=0.25)
    without, _ = exported(inputs, "nuclei", fenestrations="none")
    assert list(without) == ["5", "6"]


def test_all_objects_together_keep_to_their_number_of_triangles(inputs):
    _, table = exported(inputs, "cells", object_triangles=10**6, max_triangles=2000)
    assert table["triangles"].sum() <= 2000 and (table["is_closed"] == 1).all()
    shares = table["triangles"] / table["measured_triangles"]
    assert shares[0] == pytest.approx(shares[1], rel=0.02)


def test_simplifying_twice_changes_volumes_by_2_percent_at_most(inputs):
    mask = made_up.volumes()["cells"] == 3
    mesh = object_surfaces.surface(mask, made_up.VOXEL_NM, (0, 0, 0), 1)
    n, volume = len(mesh.faces), meshes.volume_um3(mesh)
    for share in (0.981, 1.019):  # what was measured, of which the first time left this mesh
        found = {(3, "surface"): (mesh, n, volume / share, (1, 1, 1))}
        fewer, *rest = export_meshes.simplified_together(found, 60, n)[3, "surface"]
        assert len(fewer.faces) < n and rest == [n, volume / share, (1, 1, 1)]
        assert meshes.volume_um3(fewer) == pytest.approx(volume / share, rel=0.02)


def test_what_is_held_does_not_grow_with_the_number_of_objects():
    labels, ball = np.zeros((60, 60, 75), np.uint32), solids.ball(6)
    for i, (z, y, x) in enumerate(np.ndindex(4, 4, 5), 1):
        labels[15 * z :, 15 * y :, 15 * x :][tuple(map(slice, ball.shape))][ball] = i
    volume, table = solids.stored(labels)
    settings = {**made_up.SETTINGS, "max_triangles": 12_000, "fenestrations": "none"}
    found = export_meshes.all_surfaces(volume, table, settings)
    n, *others = {n for _, n, *_ in found.values()}
    assert len(found) == 80 and not others and 80 * n > 48_000 + n
    assert sum(len(mesh.faces) for mesh, *_ in found.values()) <= 48_000 + n
    together = export_meshes.simplified_together(found, 12_000, settings["object_triangles"])
    assert len({len(mesh.faces) for mesh, *_ in together.values()}) == 1  # the same share of each


def test_large_objects_are_reduced_to_blocks_and_the_table_says_so(inputs):
    _, table = exported(inputs, "cells", max_voxels=2000)
    assert (table[["block_z", "block_y", "block_x"]].to_numpy() > 1).any()
    voxels = io.read_table(inputs / "cells.csv")["volume_um3"]
    assert table["volume_um3"].to_numpy() == pytest.approx(voxels.to_numpy(), rel=0.15)


def test_equal_inputs_give_equal_bytes(inputs):
    contents = []
    for _ in range(2):
        exported(inputs, "nuclei", *SUFFIXES)
        contents.append([(inputs / f"nuclei{suffix}").read_bytes() for suffix in (*SUFFIXES, "_meshes.csv")])
    assert contents[0] == contents[1]


def test_a_volume_without_objects_gives_empty_files_and_says_so(tmp_path, capsys):
    empty = np.zeros((4, 8, 8), np.uint32)
    io.write_volume(tmp_path / "none.ome.zarr", empty, made_up.VOXEL_NM, record={})
    columns = io.read_table(made_up.write(tmp_path) / "cells.csv").iloc[:0]
    io.write_table(tmp_path / "none.csv", columns, {})
    parts, table = exported(tmp_path, "none", *SUFFIXES)
    assert parts == {} and list(table) == export_meshes.COLUMNS and len(table) == 0
    assert "no objects" in capsys.readouterr().out
