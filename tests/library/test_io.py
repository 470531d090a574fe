import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from densecell import files, io

STACK = np.arange(5 * 6 * 7, dtype=np.uint16).reshape(5, 6, 7) * 3


# ------------------------------------------------------------------------------------------------------------- volumes
def test_a_volume_round_trips_with_its_geometry(tmp_path):
    array = np.random.default_rng(0).integers(0, 9, (19, 30, 40), dtype=np.uint8)
    io.write_volume(tmp_path / "x.ome.zarr", array, (50, 10, 10), (1, 2, 3), record={}, attributes={"a": [1]})
    volume = io.open_volume(tmp_path / "x.ome.zarr")
    assert (volume.shape, volume.dtype) == (array.shape, array.dtype)
    assert (volume.voxel_size_nm, volume.origin_nm) == ((50, 10, 10), (1, 2, 3))
    assert volume.attributes == {"a": [1]}
    np.testing.assert_array_equal(volume[:], array)
    np.testing.assert_array_equal(volume[3:12, 5:9, 7:30], array[3:12, 5:9, 7:30])
    np.testing.assert_array_equal(volume.read_slice(9), array[9])
    assert volume.slabs() == [(0, 8), (8, 16), (16, 19)]


def test_voxels_never_written_hold_the_fill_value(tmp_path):
    with io.new_volume(tmp_path / "x.ome.zarr", (20, 8, 8), np.uint8, (1, 1, 1), record={}, fill_value=255) as store:
        store.write(8, np.ones((8, 8, 8), np.uint8))
        store.add_attributes(late=2)
    volume = io.open_volume(tmp_path / "x.ome.zarr")
    assert volume.fill_value == 255
    assert volume.attributes == {"late": 2}
    np.testing.assert_array_equal(np.unique(volume[:8]), [255])
    np.testing.assert_array_equal(np.unique(volume[8:16]), [1])


@pytest.mark.parametrize("shape", [(1, 1, 1), (20, 1024, 1024), (1000, 20_000, 20_000), (30_000, 10_000, 10_000)])
def test_chunks_fill_shards_and_files_stay_few(shape):
    chunk, shard = io.chunk_and_shard(shape)
    assert all(s % c == 0 for c, s in zip(chunk, shard))
    assert np.prod([-(-n // s) for n, s in zip(shape, shard)]) <= io.LARGEST_FILE_COUNT
    assert all(c <= n for c, n in zip(chunk, shape))


def test_a_damaged_shard_is_detected_by_its_hash(tmp_path):
    array = np.random.default_rng(0).integers(0, 255, (20, 8, 8), dtype=np.uint8)
    path = tmp_path / "x.ome.zarr"
    io.write_volume(path, array, (1, 1, 1), record={})
    shard = path / "0" / "c" / "1" / "0" / "0"
    content = bytearray(shard.read_bytes())
    content[3] ^= 1
    shard.write_bytes(content)
    volume = io.open_volume(path)
    np.testing.assert_array_equal(volume[:8], array[:8])
    with pytest.raises(ValueError, match=r"0/c/1/0/0: damaged or changed since densecell wrote it"):
        volume[7:9]
    shard.unlink()
    with pytest.raises(ValueError, match="damaged or changed"):
        io.open_volume(path)[8:]


def test_a_volume_without_sidecar_or_with_changed_metadata_is_refused(tmp_path):
    path = tmp_path / "x.ome.zarr"
    with pytest.raises(ValueError, match=r"x\.ome\.zarr: no such volume"):
        io.open_volume(path)
    io.write_volume(path, STACK, (1, 1, 1), record={})
    (path / "zarr.json").write_text((path / "zarr.json").read_text() + " ")
    with pytest.raises(ValueError, match=r"zarr\.json: damaged or changed"):
        io.open_volume(path)
    files.remove(files.sidecar_path(path))
    with pytest.raises(ValueError, match="sidecar"):
        io.open_volume(path)


def test_equal_volumes_have_equal_hashes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        io.write_volume(tmp_path / name / "x.ome.zarr", STACK, (1, 1, 1), record={})
    assert files.content_id(tmp_path / "a" / "x.ome.zarr") == files.content_id(tmp_path / "b" / "x.ome.zarr")


# --------------------------------------------------------------------------------------------------- exports and tables
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.float32])
def test_a_tiff_export_keeps_voxels_and_voxel_size_and_is_reproducible(tmp_path, dtype):
    stack = STACK.astype(dtype)
    for name in ("a.tif", "b.tif"):
        io.write_tiff(tmp_path / name, [stack[:2], stack[2:]], stack.shape, dtype, (50, 10, 4), {})
    assert files.hash_file(tmp_path / "a.tif") == files.hash_file(tmp_path / "b.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), stack)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        tags = tiff.pages[0].tags
        pixels_per_um = [np.divide(*tags[name].value) for name in ("XResolution", "YResolution")]
        metadata = tiff.imagej_metadata or tiff.shaped_metadata[0]
    assert pixels_per_um == pytest.approx([250, 100])
    assert metadata["spacing"] == pytest.approx(0.05)


def test_a_table_round_trips_to_the_last_digit(tmp_path):
    table = pd.DataFrame({"flag": ["", "blank"], "value": [0.1 + 0.2, np.nan], "n": [1, 2]})
    io.write_table(tmp_path / "x.csv", table, {})
    io.write_table(tmp_path / "parts.csv", (table[i : i + 1] for i in range(len(table))), {})
    assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "x.csv").read_bytes()
    pd.testing.assert_frame_equal(io.read_table(tmp_path / "x.csv"), table)
    (tmp_path / "x.csv").write_text("flag\n1\n")
    with pytest.raises(ValueError, match=r"x\.csv: its content differs"):
        io.read_table(tmp_path / "x.csv")


def test_a_table_whose_columns_differ_from_the_first_ones_is_refused(tmp_path):
    first, other = pd.DataFrame({"a": [1], "b": [2]}), pd.DataFrame({"b": [2], "a": [1]})
    with pytest.raises(
        ValueError, match=r"x\.csv: expected the columns .*\['a', 'b'\], in table 3 too, found \['b', 'a'\]"
    ):
        io.write_table(tmp_path / "x.csv", iter([first, first, other]), {})
    assert list(tmp_path.iterdir()) == []


def test_zarr_packs_chunks_with_as_many_threads_as_it_is_given(tmp_path):
    program = """
import sys, threading
import numpy as np
from densecell import io
io.use_threads(int(sys.argv[1]))
io.write_volume(sys.argv[2], np.random.default_rng(0).random((8, 600, 600)), (1, 1, 1), record={})
io.open_volume(sys.argv[2])[:]
print(sum(thread.name.startswith("zarr_pool") for thread in threading.enumerate()))
"""
    for threads in (1, 2):  # 9 chunks
        command = [sys.executable, "-c", program, str(threads), str(tmp_path / f"{threads}.ome.zarr")]
        scripts = str(Path(io.__file__).parents[1])
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": scripts})
        assert done.stdout.strip() == str(threads), done.stderr
