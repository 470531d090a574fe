import json
import struct

import numpy as np
import pytest
import trimesh

from densecell import files, mesh_files, meshes
from densecell.meshes import Mesh

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
PARTS = {
    mesh_files.part_name(n, part): Mesh(CORNERS * size + n, FACES)
    for n, part, size in ((2, "surface", 1), (10, "surface", 2), (10, "fenestrations", 0.5))
}
HALF_TETRAHEDRA = (1 + 8 + 0.125) / 6


def test_names_tell_object_and_part():
    assert list(PARTS) == ["2", "10", "10_fenestrations"]
    assert [mesh_files.named_part(name) for name in PARTS] == [(2, "surface"), (10, "surface"), (10, "fenestrations")]


def test_glb_comes_back_in_the_order_of_the_numbers_and_says_its_unit(tmp_path):
    mesh_files.write_meshes(tmp_path / "a.glb", dict(reversed(PARTS.items())), {})
    found = mesh_files.read_glb(tmp_path / "a.glb")
    assert list(found) == list(PARTS)
    for name, mesh in found.items():
        np.testing.assert_allclose(mesh.vertices, PARTS[name].vertices)
        np.testing.assert_array_equal(mesh.faces, PARTS[name].faces)
    content = (tmp_path / "a.glb").read_bytes()
    tree = json.loads(content[20 : 20 + struct.unpack("<I", content[12:16])[0]])
    assert tree["asset"]["extras"] == {"unit": "micrometer", "axes": ["x", "y", "z"]}
    assert "materials" not in tree or not tree["materials"]


@pytest.mark.parametrize("suffix", mesh_files.WRITERS)
def test_every_format_is_read_by_others_and_equal_meshes_give_equal_bytes(tmp_path, suffix):
    for name in ("a", "b"):
        mesh_files.write_meshes(tmp_path / f"{name}{suffix}", PARTS, {"params": {}})
    read = trimesh.load_scene(tmp_path / f"a{suffix}", process=False).to_mesh()
    assert read.volume == pytest.approx(HALF_TETRAHEDRA, rel=1e-6)
    assert read.bounds[0] == pytest.approx([2, 2, 2]) and read.bounds[1] == pytest.approx([12, 12, 12])
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    assert files.read_sidecar(tmp_path / f"a{suffix}")["params"] == {}


def test_ply_tells_the_object_of_each_face_and_obj_has_a_group_for_each_part(tmp_path):
    mesh_files.write_meshes(tmp_path / "a.ply", PARTS, {})
    mesh_files.write_meshes(tmp_path / "a.obj", PARTS, {})
    header = (tmp_path / "a.ply").read_bytes().split(b"end_header")[0].decode()
    assert "element face 12" in header and "property int instance" in header
    faces = np.frombuffer(
        (tmp_path / "a.ply").read_bytes()[-12 * 17 :], [("n", "u1"), ("corners", "<i4", 3), ("instance", "<i4")]
    )
    assert (faces["n"] == 3).all() and faces["instance"].tolist() == [2] * 4 + [10] * 8
    text = (tmp_path / "a.obj").read_text()
    assert [line[2:] for line in text.splitlines() if line.startswith("o ")] == list(PARTS)
    assert "micrometers" in text.splitlines()[0]


@pytest.mark.parametrize("parts", [PARTS, {}])
def test_ply_and_stl_say_their_unit(tmp_path, parts):
    for suffix in (".ply", ".stl"):
        mesh_files.write_meshes(tmp_path / f"a{suffix}", parts, {})
    ply, stl = ((tmp_path / name).read_bytes() for name in ("a.ply", "a.stl"))
    assert b"comment unit micrometer, axes x y z" in ply.split(b"end_header")[0].splitlines()
    assert ply.split(b"end_header")[0].count(b"comment") == 1
    assert stl[:80].rstrip() == b"unit micrometer, axes x y z"
    assert len(stl) == 84 + 50 * sum(len(mesh.faces) for mesh in parts.values())


@pytest.mark.parametrize("suffix", mesh_files.WRITERS)
def test_a_volume_without_objects_gives_files_without_meshes(tmp_path, suffix):
    mesh_files.write_meshes(tmp_path / f"a{suffix}", {}, {})
    assert (tmp_path / f"a{suffix}").stat().st_size > 0
    if suffix == ".glb":
        assert mesh_files.read_glb(tmp_path / "a.glb") == {}


def test_refuses_other_formats_and_damaged_files(tmp_path):
    with pytest.raises(
        ValueError, match=r"a\.vtp: expected a mesh file that ends in one of \.glb, \.ply, \.stl, \.obj"
    ):
        mesh_files.write_meshes(tmp_path / "a.vtp", PARTS, {})
    assert not (tmp_path / "a.vtp").exists()
    mesh_files.write_meshes(tmp_path / "a.glb", PARTS, {})
    content = bytearray((tmp_path / "a.glb").read_bytes())
    content[-3] ^= 255
    (tmp_path / "a.glb").write_bytes(content)
    with pytest.raises(ValueError, match="its content differs from what densecell wrote"):
        mesh_files.read_glb(tmp_path / "a.glb")


def test_a_large_mesh_keeps_its_volume_in_float32(tmp_path):
    """Vertices are stored in 4 bytes: 100 um from the origin, they are kept to 8 pm."""
    mesh_files.write_meshes(tmp_path / "a.glb", {"1": Mesh(CORNERS * 0.1 + 100, FACES)}, {})
    assert meshes.volume_um3(mesh_files.read_glb(tmp_path / "a.glb")["1"]) == pytest.approx(1e-3 / 6, rel=1e-3)
