"""compose_classes.py: the class map of several ensembles' probabilities, slab by slab, whatever the threads."""

import json

import numpy as np
import pytest

import compose_classes
from densecell import files, io

CLASSES = [
    {"name": "resin", "group": "background"},
    {"name": "nucleus", "group": "cell"},
    {"name": "nucleolus", "group": "organelle", "inside": "nucleus"},
]
RECORD = {"params": {}, "code": "", "parents": {}}


@pytest.fixture
def volumes(tmp_path):
    """Probabilities of a nucleus and of nucleoli, one of which lies outside of it; 21 slices are three slabs."""
    nucleus, nucleolus = np.zeros((21, 30, 40), np.uint8), np.zeros((21, 30, 40), np.uint8)
    nucleus[2:19, 5:25, 5:30] = 128
    nucleolus[8:10, 10:14, 10:14], nucleolus[0, 0, 0] = 255, 255
    for name, array in (("nucleus", nucleus), ("nucleolus", nucleolus)):
        io.write_volume(tmp_path / f"{name}.ome.zarr", array, (8, 4, 4), (80, 0, 0), record=RECORD)
    return tmp_path


def run(folder, *extra, targets=("nucleolus", "nucleus"), output="out/labels.ome.zarr"):
    paths = [folder / f"{name}.ome.zarr" for name in targets]
    given = ["--probabilities", *paths, "--targets", json.dumps(list(targets)), "--classes", json.dumps(CLASSES)]
    compose_classes.main([str(word) for word in (*given, "--output", folder / output, *extra)])
    return io.open_volume(folder / output)


def test_a_nucleolus_in_its_nucleus_one_outside_and_resin(volumes):
    found = run(volumes)
    expected = np.zeros((21, 30, 40), np.uint8)
    expected[2:19, 5:25, 5:30] = 1
    expected[8:10, 10:14, 10:14] = 2
    assert np.array_equal(found[:], expected)
    assert (found.voxel_size_nm, found.origin_nm) == ((8, 4, 4), (80, 0, 0))
    compose = {"order": ["nucleus", "nucleolus"], "nested": "within", "ties": "order", "outside": "resin"}
    assert found.attributes["decision"] == {"targets": ["nucleolus", "nucleus"], "threshold": 0.5, "compose": compose}


def test_words_and_threshold_are_passed_on(volumes):
    assert run(volumes, "--compose", '{"nested": "anywhere"}')[0, 0, 0] == 2
    assert not (run(volumes, "--threshold", "0.51", output="a/labels.ome.zarr")[:] == 1).any()


def test_any_number_of_threads_gives_the_same_bytes(volumes):
    for threads in ("1", "3"):
        run(volumes, "--threads", threads, output=f"{threads}/labels.ome.zarr")
    first, second = (files.read_sidecar(volumes / n / "labels.ome.zarr")["content"] for n in "13")
    assert first == second


def test_volumes_of_other_sizes_and_repeated_targets_are_refused(volumes):
    with pytest.raises(
        ValueError, match=r"--targets: expected each target once, found nucleus twice.*compositions.ensembles"
    ):
        run(volumes, targets=("nucleus", "nucleus"))
    io.write_volume(
        volumes / "nucleus.ome.zarr", np.zeros((21, 30, 41), np.uint8), (8, 4, 4), (80, 0, 0), record=RECORD
    )
    with pytest.raises(
        ValueError, match=r"nucleus.ome.zarr: expected 8-bit probabilities of the size, place and voxel size of"
    ):
        run(volumes)
