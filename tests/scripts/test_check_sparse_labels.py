"""The checks of the inputs with sparse labels: a healthy set is not stopped, a broken one is told by slice and key."""

import label_chain as chain
import numpy as np

import check_inputs
from densecell.classes import Classes

CLASSES = Classes.from_records(chain.CLASSES)
NUCLEI = {"name": "nuclei", "annotates": ["nucleus"], "slices": "by_name"}
VESSELS = {"name": "vessels", "annotates": ["vessel"], "slices": [0, 3]}


def plane(value):
    stored = np.zeros(chain.SHAPE[1:], np.uint8)
    stored[4:9, 4:9] = value
    return stored


def record(folder, i, planes, **told):
    paths = chain.save_slices(folder / told["name"], planes)
    source = {"key": f"labels[{i}]", "volume": "v", "axes": "zyx", "kind": "semantic", "frame": "raw", "values": None}
    return {**source, "origin": [0, 0, 0], "paths": paths, "n_files": len(paths), **told}


def findings(folder, labels, binning=(1, 1, 1), **ranges):
    """(name, severity, key, what was found) of all but the guard, with one volume, a train region and a test region."""
    regions = [
        {"key": f"regions[{i}]", "name": role, "role": role, "volume": "v", "frame": "raw", "z": None, "y": None, "x": None,
         "labels": {"reference": [source["name"] for source in labels]}, **ranges.get(role, {})}
        for i, role in enumerate(("train", "test"))
    ]  # fmt: skip
    volume = {"name": "v", "key": "volumes[0]", "binning": binning, "voxel_size_nm": [50, 10, 10], "is_aligned": False}
    settings = {
        "classes": chain.CLASSES,
        "volumes": [volume],
        "labels": labels,
        "regions": regions,
        "normalization": {"method": "zscore", "context": [0, 0, 0]},
        "checks": {"guard_nm": 0, "accept": []},
    }
    overview = {"shape": chain.SHAPE, "findings": []}
    found = [f for f in check_inputs.check_all(settings, {"v": overview}) if f.finding != "guard_gap"]
    return [(f.finding, f.severity, f.key, f.found) for f in found]


def test_a_healthy_set_of_sparse_sources_is_silent(tmp_path):
    nuclei = record(tmp_path, 0, {1: plane(255), 4: plane(255)}, **NUCLEI)
    vessels = record(tmp_path, 1, {0: plane(1), 3: plane(1)}, **VESSELS)
    assert findings(tmp_path, [nuclei, vessels]) == []


def test_labelled_empty_counts_as_labelled_and_a_class_nobody_looked_for_is_not_absent(tmp_path):
    nuclei = record(tmp_path, 0, {1: plane(255), 4: plane(0)}, **NUCLEI)
    found = findings(tmp_path, [nuclei], train={"z": [0, 3]}, test={"z": [3, 6]})
    assert [(name, severity) for name, severity, *_ in found] == [("class_missing", "warning")]
    assert found[0][3] == "nucleus in train, not in test"


def test_a_region_between_the_labelled_slices_is_an_error(tmp_path):
    nuclei = record(tmp_path, 0, {1: plane(255), 5: plane(255)}, **NUCLEI)
    found = findings(tmp_path, [nuclei], train={"z": [2, 5]})
    assert found[0][:3] == ("region_unlabelled", "error", "regions[0]")
    assert [severity for _, severity, *_ in found] == ["error", "warning"]


def test_unknown_values_are_told_by_slice_except_where_nothing_is_labelled(tmp_path):
    values = [{"class": "nucleus", "values": [255]}, {"class": "other", "values": [0]}]
    nuclei = record(tmp_path, 0, {1: plane(255), 4: plane(77)}, **NUCLEI) | {"values": values}
    found = findings(tmp_path, [nuclei])
    assert found[0][:3] == ("label_value", "error", "labels[0].values")
    assert found[0][3] == "77 in 25 voxels from slice 4"
    assert findings(tmp_path, [nuclei | {"boxes": [{"z": [0, 2]}]}]) == []


def test_slices_that_do_not_fit_are_told_at_their_key(tmp_path):
    vessels = record(tmp_path, 0, {0: plane(1), 3: plane(1), 4: plane(1)}, **VESSELS)
    assert [f[:3] for f in findings(tmp_path, [vessels])] == [("unreadable", "error", "labels[0].slices")]


def test_slices_that_binning_loses_and_incomplete_ones_that_are_scored_are_warnings(tmp_path):
    nuclei = record(tmp_path, 0, {z: plane(255) for z in (1, 2, 3, 5)}, **NUCLEI) | {"incomplete_slices": [5]}
    found = findings(tmp_path, [nuclei], binning=(2, 1, 1), train={"z": [0, 4]}, test={"z": [2, 6]})
    assert [f[:3] for f in found] == [
        ("slices_lost", "warning", "labels[0].slices"),
        ("incomplete_scored", "warning", "labels[0].incomplete_slices"),
    ]
    assert found[0][3] == "2 of 4 slices (1, 5) lost in binning"


def test_of_a_region_with_a_source_that_is_not_there_yet_nothing_is_told(tmp_path):
    nuclei = record(tmp_path, 0, {1: plane(0)}, **NUCLEI)
    regions = [{"name": "train", "labels": {"reference": ["nuclei", "later"]}}]
    assert check_inputs.reference_of(regions[0]) == ["nuclei", "later"]
    found = findings(tmp_path, [nuclei, {**nuclei, "name": "later", "kind": "instance", "annotates": None}])
    assert found == []
