"""Configurations and the files they name: what is missing, foreign, twice or out of reach is told."""

import json
import struct

import pytest
import workflow_runs as runs

import configuration
import headers

PRESETS = configuration.load_presets(runs.REPO / "config/presets.yaml")


@pytest.fixture
def config():
    return runs.read_config("config.yaml")


def text_of(findings, path):
    return "\n".join(" | ".join(f) for f in findings if f.path == path)


def png(path, height=64, width=64):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height) + b"\x08\x00")


# ------------------------------------------------------------------------------------------------- real files
@pytest.fixture
def with_files(config, tmp_path):
    """The default configuration with its first volume and labels in folders of 20 PNG slices of 416 x 416."""
    for z in range(20):
        png(tmp_path / "raw" / f"s{z}.png", 416, 416)
        png(tmp_path / "drawn" / f"label_{z:03d}.png", 416, 416)
    for key, path in (("volumes", "raw"), ("labels", "drawn/*.png")):
        runs.edit(config, f"{key}[0].path", "{data_root}/" + path)
    runs.edit(config, "volumes[0].truth", None)
    runs.edit(config, "regions[1].z", [8, 20])
    return {**config, "data_root": str(tmp_path)}


def test_folders_and_globs_are_sound(with_files):
    assert configuration.check(with_files, PRESETS) == []


def test_slices_are_in_the_order_of_their_numbers(with_files, tmp_path):
    assert [p.name for p in headers.input_files(str(tmp_path / "raw"))] == [f"s{z}.png" for z in range(20)]


def test_a_missing_slice_is_named_unless_gaps_are_allowed(with_files, tmp_path):
    (tmp_path / "raw" / "s7.png").unlink()
    runs.edit(with_files, "regions[1].z", [8, 19])
    runs.edit(with_files, "labels[0].path", [str(tmp_path / "drawn" / f"label_{z:03d}.png") for z in range(19)])
    found = configuration.check(with_files, PRESETS)
    assert [f.path for f in found] == ["volumes[0].path"] and "19 slices, missing 7" in found[0].found
    runs.edit(with_files, "volumes[0].allow_gaps", True)
    assert configuration.check(with_files, PRESETS) == []


def test_a_region_beyond_the_slices_and_the_binning_is_told(with_files):
    runs.edit(with_files, "regions[1].z", [8, 28])
    assert "within 0 to 20" in text_of(configuration.check(with_files, PRESETS), "regions[1].z")
    runs.edit(with_files, "regions[1].z", [8, 20])
    runs.edit(with_files, "volumes[0].binning", [1, 3, 3])
    found = text_of(configuration.check(with_files, PRESETS), "regions[1].y")
    assert "within 0 to 139" in found and "416 raw voxels binned by 3" in found


def test_raw_regions_count_raw_voxels(with_files):
    runs.edit(with_files, "volumes[0].binning", [1, 2, 2])
    runs.edit(with_files, "regions[0]", {**with_files["regions"][0], "frame": "raw", "y": [0, 208]})
    runs.edit(with_files, "regions[1].y", [104, 208])
    runs.edit(with_files, "experiments[1].window", [1, 252, 252])
    assert configuration.check(with_files, PRESETS) == []
    runs.edit(with_files, "regions[1].y", [103, 208])
    assert "y [103, 104]" in text_of(configuration.check(with_files, PRESETS), "regions[1]")


def test_the_same_files_under_two_names_are_one_volume(with_files):
    with_files["volumes"].append({**with_files["volumes"][0], "name": "copy"})
    with_files["labels"].append({**with_files["labels"][0], "name": "copy_labels", "volume": "copy"})
    runs.edit(
        with_files,
        "regions[1]",
        {**with_files["regions"][1], "volume": "copy", "labels": {"reference": "copy_labels"}},
    )
    assert configuration.check(with_files, PRESETS) == []
    runs.edit(with_files, "regions[1].y", [200, 384])
    assert "overlaps 'train'" in text_of(configuration.check(with_files, PRESETS), "regions[1]")


def test_a_region_without_labels_under_it_is_told(with_files, tmp_path):
    runs.edit(with_files, "labels[0].path", [str(tmp_path / "drawn" / f"label_{z:03d}.png") for z in range(8)])
    found = configuration.check(with_files, PRESETS)
    assert [f.path for f in found] == ["regions[1].labels.reference"] and "z [8, 20]" in found[0].found


def test_what_a_folder_holds_is_told_when_the_file_is_not_there(with_files):
    runs.edit(with_files, "volumes[0].path", "{data_root}/raw/*.tif")
    assert "raw holds s0.png, s1.png" in text_of(configuration.check(with_files, PRESETS), "volumes[0].path")


def test_a_foreign_file_is_told(with_files, tmp_path):
    (tmp_path / "raw" / "s0.png").write_bytes(b"")
    assert "s0.png is unreadable" in text_of(configuration.check(with_files, PRESETS), "volumes[0].path")


# ----------------------------------------------------------------------------------------------- file headers
def test_shape_of_slices_follows_the_axes(tmp_path):
    png(tmp_path / "a.png", height=3, width=5)
    files = [tmp_path / "a.png"] * 2
    assert headers.stack_shape(files, "zyx") == (2, 3, 5)
    assert headers.stack_shape(files, "xyz") == (2, 5, 3)


def test_shape_of_a_tiff_follows_the_axes(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    np = pytest.importorskip("numpy")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2, 3, 5), np.uint8), photometric="minisblack")
    assert headers.stack_shape([tmp_path / "a.tif"], "zyx") == (2, 3, 5)
    assert headers.stack_shape([tmp_path / "a.tif"], "xyz") == (5, 3, 2)
    with pytest.raises(ValueError, match="one of 2 slices"):
        headers.stack_shape([tmp_path / "a.tif"] * 2, "zyx")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_shape_of_an_ome_zarr(tmp_path, version):
    scales = [{"datasets": [{"path": "s0"}]}]
    folder = tmp_path / "a.zarr" / "s0"
    folder.mkdir(parents=True)
    if version == "0.5":
        (folder.parent / "zarr.json").write_text(json.dumps({"attributes": {"ome": {"multiscales": scales}}}))
        (folder / "zarr.json").write_text(json.dumps({"shape": [1, 2, 3, 5]}))
    else:
        (folder.parent / ".zattrs").write_text(json.dumps({"multiscales": scales}))
        (folder / ".zarray").write_text(json.dumps({"shape": [1, 2, 3, 5]}))
    assert headers.stack_shape([folder.parent], "zyx") == (2, 3, 5)
    assert headers.input_files(str(folder.parent)) == [folder.parent]


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (["s6.tif", "s8.tif", "s9.tif"], [7]),
        (["sample1_007.tif", "sample1_010.tif"], [8, 9]),
        (["07.tif", "08.tif"], []),
        (["s1_c1.tif", "s2_c4.tif"], []),  # two numbers differ: no numbering can be told
        (["a.tif", "b.tif"], []),
    ],
)
def test_missing_numbers(names, missing):
    assert headers.missing_numbers(names) == missing
