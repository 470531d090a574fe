import json

import numpy as np
import pytest
import sparse_inputs as made_up

import compute_overlap
from densecell import io, overlap

KEYS = json.dumps({"volume": "v", "region": "r", "reference": "reference", "experiment": "e"})


def class_map(seed=0):
    """0 background, 1 nucleus, 2 nucleolus."""
    q = made_up.probabilities(0.5, seed)
    return np.where(q["nucleolus"] >= 128, 2, q["nucleus"] >= 128).astype(np.uint8)


def arguments(folder, maps, predictions, **attributes):
    targets = made_up.write_stores(folder, maps, **attributes)
    paths = made_up.write_stores(folder, predictions)
    lists = ["--names", json.dumps(list(targets)), "--predictors", json.dumps(list(paths)), "--keys", KEYS]
    return ["--targets", *targets.values(), "--predictions", *paths.values(), *lists, "--classes", made_up.CLASSES]


def compute(folder, *args, **options):
    compute_overlap.main([*arguments(folder, *args, **options), "--output", str(folder / "o.csv")])
    return overlap.by_slice(io.read_table(folder / "o.csv"))


def test_a_target_holds_what_lies_in_it_and_only_known_slices_are_listed(tmp_path):
    maps, predictions = made_up.target_maps(), {"seed1": class_map(1), "top2": class_map(2)}
    slices = compute(tmp_path, maps, predictions)
    assert (
        slices["n_slices"].isna().all() and slices["draw"].isna().all() and set(slices["predictor"]) == set(predictions)
    )
    assert sorted(set(slices["z"])) == made_up.LABELLED
    row = slices[(slices["predictor"] == "top2") & (slices["class"] == "nucleus") & (slices["z"] == 6)].iloc[0]
    truth, predicted = maps["nucleus"][6] == 1, predictions["top2"][6] >= 1
    assert (row["tp"], row["fp"], row["fn"]) == (
        (truth & predicted).sum(),
        (~truth & predicted).sum(),
        (truth & ~predicted).sum(),
    )
    assert row["sum_pg"] == row["tp"] and row["sum_pp"] == row["tp"] + row["fp"]


def test_what_is_predicted_on_unknown_voxels_changes_no_byte(tmp_path):
    maps, first = made_up.target_maps(), class_map()
    maps["nucleus"][5, 20:40], maps["nucleolus"][5, 20:40] = 255, 255
    compute(tmp_path, maps, {"top1": first})
    former = (tmp_path / "o.csv").read_bytes()
    other = first.copy()
    other[5, 20:40] = 2 - other[5, 20:40]
    other[0] = 1
    compute(tmp_path, maps, {"top1": other})
    assert (tmp_path / "o.csv").read_bytes() == former


def test_of_incomplete_slices_only_drawn_objects_count(tmp_path):
    slices = compute(tmp_path, made_up.target_maps(), {"top1": class_map()}, incomplete_slices=[6])
    assert slices.loc[~slices["complete"], "z"].unique().tolist() == [6]


def test_other_classes_and_sizes_and_unlabelled_regions_are_refused(tmp_path):
    maps = made_up.target_maps()
    with pytest.raises(ValueError, match=r"top1.ome.zarr: expected classes 0 to 2, found 7"):
        compute(tmp_path, maps, {"top1": np.full(made_up.SHAPE, 7, np.uint8)})
    with pytest.raises(ValueError, match="expected the size of"):
        compute(tmp_path, maps, {"top1": class_map()[:3]})
    with pytest.raises(ValueError, match="expected a voxel that is known, found none in the region r"):
        compute(tmp_path, {n: np.full(made_up.SHAPE, 255, np.uint8) for n in maps}, {"top1": class_map()})
