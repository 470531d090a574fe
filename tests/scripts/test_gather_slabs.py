"""gather_slabs.py: whatever the number of slabs, the same stores and sidecars; wrong slabs are refused and leave nothing."""

import numpy as np
import pytest

import gather_slabs
from densecell import files, io

NAMES = ("labels.ome.zarr", "probabilities/cell.ome.zarr", "members/h_seed1.ome.zarr")
SHAPE = (40, 30, 32)  # five layers of shards, the second one empty
RECORD = {"params": {"settings": {"stitch": "depth"}}, "code": "c", "parents": {"image": "i"}}


def values():
    array = np.random.default_rng(0).integers(0, 7, SHAPE, dtype=np.uint8)
    array[8:16] = 0  # zarr stores no shard of nothing but the fill value
    return array


def write_slab(folder, number, count, record=RECORD, voxel_size_nm=(50, 10, 10)):
    """The stores of one slab, as predict_volume.py leaves them."""
    for name in NAMES:
        with io.new_volume(
            folder / name, SHAPE, np.uint8, voxel_size_nm, record=record, slab=(number, count)
        ) as writer:
            for start, stop in writer.slabs():
                writer.write(start, values()[start:stop])
    return folder


def slabs(folder, count):
    return [write_slab(folder / f"{i}-of-{count}", i, count) for i in range(1, count + 1)]


def gather(folders, output):
    gather_slabs.main(["--slabs", *map(str, folders), "--output", str(output)])
    return files.hash_store(output)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7])
def test_the_result_does_not_depend_on_the_number_of_slabs(tmp_path, count):
    parts = slabs(tmp_path / "slabs", count)
    gathered = gather(reversed(parts), tmp_path / "out" / "whole")  # in any order
    for name in NAMES:
        io.write_volume(tmp_path / "out" / "direct" / name, values(), (50, 10, 10), record=RECORD)
    assert gathered == files.hash_store(tmp_path / "out" / "direct")  # the sidecars are among the files
    assert np.array_equal(io.open_volume(tmp_path / "out" / "whole" / NAMES[0])[:], values())


def test_the_shards_are_on_disk_once_and_outlive_the_slabs(tmp_path):
    parts = slabs(tmp_path / "slabs", 2)
    before = gather(parts, tmp_path / "whole")
    shard = "labels.ome.zarr/0/c/4/0/0"
    assert (tmp_path / "whole" / shard).stat().st_ino == (parts[1] / shard).stat().st_ino
    files.remove(tmp_path / "slabs")
    assert files.hash_store(tmp_path / "whole") == before


def refused(tmp_path, folders, message):
    with pytest.raises(ValueError, match=message):
        gather(folders, tmp_path / "out" / "whole")
    assert not list((tmp_path / "out").iterdir()) if (tmp_path / "out").exists() else True


def test_a_missing_slab_is_refused(tmp_path):
    first, second, third = slabs(tmp_path, 3)
    refused(tmp_path, [second, third], "the slices 0 to 8 are in no slab")
    refused(tmp_path, [first, third], "the slices 8 to 24 are in no slab")
    refused(tmp_path, [first, second], "labels.ome.zarr: the slices 24 to 40 are in no slab")


def test_a_slab_that_comes_twice_is_refused(tmp_path):
    first, second = slabs(tmp_path, 2)
    refused(tmp_path, [first, second, second], "slice 16 is in two slabs")
    other = write_slab(tmp_path / "other", 1, 3)
    refused(tmp_path, [first, second, other], "slice 0 is in two slabs")


def test_slabs_of_other_settings_or_metadata_are_refused(tmp_path):
    first = write_slab(tmp_path / "1-of-2", 1, 2)
    second = write_slab(tmp_path / "2-of-2", 2, 2, {**RECORD, "code": "d"})
    refused(tmp_path, [first, second], r"2-of-2/labels.ome.zarr: how it was made \(params, code or parents")
    second = write_slab(tmp_path / "2-of-2", 2, 2, voxel_size_nm=(40, 10, 10))
    refused(tmp_path, [first, second], "2-of-2/labels.ome.zarr: its metadata .*prediction.memory_gb.* differs")


def test_slabs_of_other_stores_are_refused(tmp_path):
    first, second = slabs(tmp_path, 2)
    files.remove(second / NAMES[2])
    refused(tmp_path, [first, second], "2-of-2: holds labels.ome.zarr, probabilities/cell.ome.zarr, .*1-of-2 holds")
    (tmp_path / "empty").mkdir()
    refused(tmp_path, [tmp_path / "empty"], "empty: expected the volumes of a slab, found none")


def test_a_shard_that_is_gone_or_out_of_place_is_refused(tmp_path):
    first, second = slabs(tmp_path, 2)
    (second / NAMES[2] / "0/c/4/0/0").unlink()
    refused(tmp_path, [first, second], "c/4/0/0: missing or damaged, its sidecar has its hash")
    first, second = slabs(tmp_path / "again", 2)
    sidecar = files.read_sidecar(first / NAMES[0])
    files.write_sidecar(first / NAMES[0], {**sidecar.pop("content"), "0/c/4/0/0": "x"}, sidecar)
    refused(tmp_path, [first, second], r"1-of-2/labels.ome.zarr: 0/c/4/0/0 lies outside its slices \[0, 16\]")


def test_a_shard_whose_bytes_changed_is_refused(tmp_path):
    first, second = slabs(tmp_path, 2)
    shard = second / NAMES[2] / "0/c/4/0/0"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    refused(tmp_path, [first, second], "c/4/0/0: missing or damaged, its sidecar has its hash")


def test_a_store_that_is_no_slab_is_refused(tmp_path):
    io.write_volume(tmp_path / "whole" / NAMES[0], values(), (50, 10, 10), record=RECORD)
    refused(tmp_path, [tmp_path / "whole"], "a sidecar tells no slices")
