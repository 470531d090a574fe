"""score_held_out.py: one training on the slices its draw left out."""

import json

import numpy as np
import pandas as pd
import pytest
import sparse_inputs as made_up
import torch

import score_held_out
from densecell import checkpoints, finer_grid, io, overlap
from densecell.composition import quantize
from densecell.devices import Computation
from densecell.networks import build_network
from densecell.prediction import Member, predict_probabilities

SETTINGS = {"stitch": "depth", "precision": "float32"}
INNER = [[1, 15], [0, 60], [0, 80]]  # a slice of context before the region
USES = {1: "held_out", 3: "train", 5: "held_out", 6: "incomplete", 8: "train", 10: "held_out", 12: "held_out"}
WINDOW, OPTIONS = [1, 64, 80], {"base_width": 2, "padding": "same"}


def checkpoint(path, targets=tuple(made_up.TARGETS), **facts):
    torch.manual_seed(3)
    names = [record["name"] for record in made_up.RECORDS]
    network = build_network("unet_2d", n_classes=len(targets), **OPTIONS)
    spec = {
        "network": "unet_2d", "options": OPTIONS, "classes": names, "targets": list(targets), "activation": "sigmoid",
        "decision": "compose", "normalization": [], "window": WINDOW, "seeds": {"seed": 2}, **facts,
    }  # fmt: skip
    checkpoints.write_checkpoint(path, network.state_dict(), spec, {})
    return network.eval()


def draw_table(uses=USES, region="r"):
    train = [z for z, use in uses.items() if use == "train"]
    rows = [
        ("resunet", seed, 2, "even", region, z, use, min(abs(z - t) for t in train))
        for seed in (1, 2)
        for z, use in uses.items()
        if seed == 2 or z > 1
    ]
    return pd.DataFrame(rows, columns=["experiment", "seed", "n_slices", "pick", "region", "z", "use", "distance"])


@pytest.fixture
def folder(tmp_path):
    image = np.pad(made_up.image(), ((1, 0), (0, 0), (0, 0)), mode="edge")
    made_up.write_stores(tmp_path, {"image": image}, inner=INNER)
    made_up.write_stores(tmp_path, made_up.target_maps())
    io.write_table(tmp_path / "draw.csv", draw_table(), {})
    return tmp_path


def score(folder, *extra, out="seed2", places=("r",), settings=SETTINGS, images=("image",), targets=made_up.TARGETS):
    stores = {"--images": images, "--targets": targets}
    words = [w for flag, names in stores.items() for w in (flag, *(str(folder / f"{n}.ome.zarr") for n in names))]
    places = [{"volume": "v", "region": name, "reference": "reference"} for name in places]
    words += [
        "--checkpoint",
        folder / "best.safetensors",
        "--draw",
        folder / "draw.csv",
        "--places",
        json.dumps(places),
    ]
    words += [
        "--experiment",
        "resunet",
        "--seed",
        "2",
        "--classes",
        made_up.CLASSES,
        "--settings",
        json.dumps(settings),
    ]
    words += ["--device", "cpu", "--folder", folder / out, "--output", folder / f"{out}.csv", *extra]
    score_held_out.main([str(word) for word in words])
    return io.read_table(folder / f"{out}.csv")


def test_sums_and_stored_probabilities_of_the_slices_that_were_left_out(folder):
    network = checkpoint(folder / "best.safetensors")
    table = score(folder)
    assert list(table.columns) == overlap.COLUMNS and set(table["predictor"]) == {"seed2"}
    slices = overlap.by_slice(table)
    assert slices["z"].tolist() == [z for z in (1, 5, 6, 10, 12) for _ in made_up.TARGETS]
    assert set(slices["n_slices"]) == {2} and set(slices["threshold"]) == {0.5}
    assert slices.loc[slices["z"] == 12, "distance"].tolist() == [4, 4]

    computation = Computation("cpu", "float32", inference=True)
    member, image = Member(computation.place(network), tuple(WINDOW)), io.open_volume(folder / "image.ome.zarr")
    expected = quantize(
        predict_probabilities(
            member, image, 2, computation, SETTINGS, activation="sigmoid", inner=INNER, z_range=(0, 14)
        )
    )
    truth = made_up.target_maps()
    for i, name in enumerate(made_up.TARGETS):
        store = io.open_volume(folder / "seed2" / f"{name}.ome.zarr")
        assert store.shape == made_up.SHAPE and store.attributes["slices"] == [1, 5, 6, 10, 12]
        assert store.origin_nm == (made_up.VOXEL_NM[0], 0, 0)
        for z in (1, 5, 6, 10, 12):
            np.testing.assert_array_equal(store[z : z + 1][0], expected[i, z])
        assert not store[2:5].any() and not store[13:].any()
        for row in slices[(slices["class"] == name) & slices["complete"]].itertuples():
            g, passes = truth[name][row.z] == 1, expected[i, row.z] >= 128
            found = (row.tp, row.fp, row.fn, row.tn, row.n_valid)
            assert found == ((g & passes).sum(), (~g & passes).sum(), (g & ~passes).sum(), (~g & ~passes).sum(), g.size)
    assert slices.loc[slices["z"] == 6, ["fp", "tn", "sum_pp"]].isna().all(axis=None)
    assert (slices.loc[slices["z"] == 6, "n_valid"] == [(truth[n][6] == 1).sum() for n in made_up.TARGETS]).all()


def test_unknown_voxels_and_other_slices_change_no_byte(folder):
    checkpoint(folder / "best.safetensors")
    maps = made_up.target_maps()
    maps["nucleus"][5, :20] = 255
    made_up.write_stores(folder, maps)
    first = score(folder, out="a")
    assert overlap.by_slice(first).query("z == 5 and `class` == 'nucleus'")["n_valid"].tolist() == [40 * 80]
    maps["nucleus"][3] = 1 - maps["nucleus"][3]  # a training slice
    maps["nucleolus"][0] = 0  # a slice of no draw
    made_up.write_stores(folder, maps)
    score(folder, out="b")
    assert (folder / "a.csv").read_bytes() == (folder / "b.csv").read_bytes()


def test_the_threshold_of_the_checkpoint_decides(folder):
    checkpoint(folder / "best.safetensors", threshold=0.2)
    low = overlap.by_slice(score(folder))
    checkpoint(folder / "best.safetensors", threshold=0.9)
    high = overlap.by_slice(score(folder))
    assert set(low["threshold"]) == {0.2} and set(high["threshold"]) == {0.9}
    assert low["tp"].sum() > high["tp"].sum()
    soft = ["sum_pg", "sum_pp", "sum_gg"]
    pd.testing.assert_frame_equal(low[soft], high[soft])


def test_softmax_gives_the_targets_of_its_classes(folder):
    names = [record["name"] for record in made_up.RECORDS]
    checkpoint(folder / "best.safetensors", names, activation="softmax", decision="argmax")
    maps = made_up.target_maps()
    known = maps["nucleus"] != 255
    background = np.where(known, 1 - np.minimum(maps["nucleus"], 1), 255).astype(np.uint8)
    made_up.write_stores(folder, {"background": background})
    slices = overlap.by_slice(score(folder, targets=names))
    assert slices["threshold"].isna().all()
    rows = slices[slices["complete"]].groupby("class", sort=False)[["tp", "fp"]].sum().sum(axis=1)
    assert rows["background"] + rows["nucleus"] == 4 * 60 * 80 and rows["nucleolus"] <= rows["nucleus"]


def check_finer_counts(folder, slices, finer, places):
    """TP and FP of complete slices are those of the probabilities, interpolated and then decided. places: {slice predicted: scored}."""
    network, _ = checkpoints.load_network(folder / "best.safetensors", [record["name"] for record in made_up.RECORDS])
    computation = Computation("cpu", "float32", inference=True)
    member, image = Member(computation.place(network), tuple(WINDOW)), io.open_volume(folder / "image.ome.zarr")
    source, target = (io.open_volume(folder / f"{name}.ome.zarr") for name in ("seed2/nucleus", "fine_nucleus"))
    for predicted, scored in places.items():
        options = {"activation": "sigmoid", "inner": INNER, "z_range": (predicted, predicted + 1)}
        found = predict_probabilities(member, image, 2, computation, SETTINGS, **options)[:, 0]
        passes = quantize(finer_grid.to_finer(found, source, target)) >= 128
        for name, at in zip(made_up.TARGETS, passes):
            rows = slices[(slices["class"] == name) & (slices["z"] == scored) & slices["complete"]]
            truth = finer[name][scored]
            expected = [[(at & (truth == 1)).sum(), (at & (truth == 0)).sum()]] * len(rows)
            assert rows[["tp", "fp"]].to_numpy().tolist() == expected


def test_scored_on_finer_voxels(folder):
    """The finer maps repeat each pixel four times, so that truth counts are fourfold; slices are found by their place."""
    checkpoint(folder / "best.safetensors")
    coarse = overlap.by_slice(score(folder))
    finer = {name: np.repeat(np.repeat(m[1:], 2, axis=1), 2, axis=2) for name, m in made_up.target_maps().items()}
    z, y, x = made_up.VOXEL_NM
    for name, array in finer.items():
        io.write_volume(folder / f"fine_{name}.ome.zarr", array, (z, y / 2, x / 2), (2 * z, -y / 4, -x / 4), record={})
    place = {"volume": "w", "region": "fine", "reference": "reference"}
    stores = [folder / f"fine_{name}.ome.zarr" for name in finer]
    slices = overlap.by_slice(
        score(folder, "--scored-targets", *stores, "--scored-place", json.dumps(place), out="fine")
    )
    assert set(slices["volume"]) == {"w"} and set(slices["region"]) == {"fine"}
    assert (
        slices["z"].tolist() == (coarse["z"] - 1).tolist()
        and slices["distance"].tolist() == coarse["distance"].tolist()
    )
    assert (slices["sum_gg"] == 4 * coarse["sum_gg"]).all()
    assert slices["sum_pg"].to_numpy() == pytest.approx(4 * coarse["sum_pg"].to_numpy(), rel=0.05)
    check_finer_counts(folder, slices, finer, {z + 1: z for z in slices["z"].unique()})
    for name in made_up.TARGETS:
        first, second = (io.open_volume(folder / f"{out}/{name}.ome.zarr")[:] for out in ("seed2", "fine"))
        np.testing.assert_array_equal(first, second)


def score_on_copy(folder, maps, out, **incomplete):
    """Sums by slice, scored on `maps` as a region of the same voxels. incomplete: {target: its incomplete slices}."""
    for name, array in maps.items():
        facts = {"incomplete_slices": incomplete[name]} if name in incomplete else {}
        io.write_volume(
            folder / f"{out}_{name}.ome.zarr",
            array,
            made_up.VOXEL_NM,
            (made_up.VOXEL_NM[0], 0, 0),
            attributes=facts,
            record={},
        )
    place = json.dumps({"volume": "w", "region": "copy", "reference": "reference"})
    stores = [folder / f"{out}_{name}.ome.zarr" for name in maps]
    return overlap.by_slice(score(folder, "--scored-targets", *stores, "--scored-place", place, out=out))


def test_unknown_and_incomplete_slices_of_the_region_scored_on(folder):
    checkpoint(folder / "best.safetensors")
    maps = made_up.target_maps()
    maps["nucleus"][10], maps["nucleolus"][[10, 12]] = 255, 255
    slices = score_on_copy(folder, maps, "less", nucleus=[5])
    kept = {name: slices.loc[slices["class"] == name, "z"].tolist() for name in made_up.TARGETS}
    assert kept["nucleus"] == [1, 5, 6, 12]
    assert kept["nucleolus"] == [z for z in (1, 5, 6) if (maps["nucleolus"][z] == 1).any() or z != 6]
    complete = slices[slices["complete"]]
    assert complete.loc[complete["class"] == "nucleus", "z"].tolist() == [1, 12]
    assert complete.loc[complete["class"] == "nucleolus", "z"].tolist() == [1, 5]
    row = slices.query("z == 5 and `class` == 'nucleus'").iloc[0]
    assert row["n_valid"] == (maps["nucleus"][5] == 1).sum()
    nothing = {name: np.full(made_up.SHAPE, 255, np.uint8) for name in made_up.TARGETS}
    with pytest.raises(
        ValueError, match=r"expected a known voxel in the held-out slices of seed 2, found none in the region copy\."
    ):
        score_on_copy(folder, nothing, "none")
    assert not (folder / "none.csv").exists()


def test_regions_have_folders_of_their_own(folder):
    checkpoint(folder / "best.safetensors")
    both = pd.concat([draw_table(), draw_table({8: "train", 10: "held_out"}, "s")])
    io.write_table(folder / "draw.csv", both, {})
    table = score(folder, places=("r", "s"), images=("image", "image"), targets=made_up.TARGETS * 2)
    assert overlap.by_slice(table).groupby("region")["z"].nunique().to_dict() == {"r": 5, "s": 1}
    assert io.open_volume(folder / "seed2/s/nucleus.ome.zarr").attributes["slices"] == [10]


def test_what_can_not_be_scored_is_refused(folder):
    checkpoint(folder / "best.safetensors")
    io.write_table(folder / "draw.csv", draw_table({3: "train", 8: "train"}), {})
    with pytest.raises(ValueError, match=r"expected held-out slices of seed 2, found none\. Set evaluate: none"):
        score(folder)
    io.write_table(folder / "draw.csv", draw_table(region="other"), {})
    with pytest.raises(ValueError, match="expected the regions r, found also other"):
        score(folder)
    io.write_table(folder / "draw.csv", draw_table(), {})
    with pytest.raises(ValueError, match="2 targets for each of 1 images, found 1 places and 1 targets"):
        score(folder, targets=["nucleus"])
    made_up.write_stores(folder, {"nucleus": made_up.target_maps()["nucleus"][:9]})
    with pytest.raises(
        ValueError, match=r"nucleus.ome.zarr: expected the size of the region r, \(z, y, x\) = \(14, 60, 80\)"
    ):
        score(folder)
    assert not (folder / "seed2.csv").exists() and not (folder / "seed2").exists()
