import json

import numpy as np
import pytest
import stacks
from scipy.ndimage import gaussian_filter

import split_cells
from densecell import files, io
from densecell.classes import UNLABELLED_INSTANCE
from densecell.propagation import COMBINATIONS

CLASSES = [
    {"name": "background", "group": "background"},
    {"name": "cell", "group": "cell"},
    {"name": "granule", "group": "organelle", "inside": "cell"},
]
SPLITTING = {"min_cell_px": 50, "min_body_px": 60, "border_px": 5, "snap_px": 20}
SHAPE = (20, 100, 240)
LABELLED = (3, 14)
LEFT, RIGHT = 2_000_000_000, 17  # the numbers of the two cells: any, and in any order
OUTPUTS = ("cells.ome.zarr", "islands.ome.zarr", "split.csv")


def line_at(z):
    return 100 + z


def truth(z):
    ids = np.zeros(SHAPE[1:], np.uint32)
    ids[20:80, 20:220] = np.where(np.arange(20, 220) < line_at(z), LEFT, RIGHT)
    return ids


def write_inputs(folder, dtype=np.uint8, labelled=LABELLED, left_out=()):
    """A bar of two cells, the line between which moves with the texture; a granule, an island in slice 9, and numbers in two slices."""
    noise = gaussian_filter(np.random.default_rng(0).normal(size=SHAPE[1:]), 4, mode="wrap")
    plane = np.clip(128 + 40 * noise / noise.std(), 0, 255)
    image = np.stack([np.roll(plane, z, 1) for z in range(SHAPE[0])])
    image = (image * (1 if dtype == np.uint8 else 200)).astype(dtype)
    class_map = np.stack([truth(z) > 0 for z in range(SHAPE[0])]).astype(np.uint8)
    class_map[:, 40:60, 40:60] = 2
    class_map[9, 3:8, 3:8] = 1
    boundary = np.zeros(SHAPE, np.uint8)
    ids = np.full(SHAPE, UNLABELLED_INSTANCE, np.uint32)
    for z in range(SHAPE[0]):
        boundary[z, :, line_at(z) - 2 : line_at(z) + 3] = 200
    for z in labelled:
        ids[z] = truth(z)
    attributes = {"left_out_slices": list(left_out)}
    return {
        "--image": stacks.save(folder / "image.ome.zarr", image, attributes=attributes, origin_nm=(5, 6, 7)),
        "--class-map": stacks.save(folder / "labels.ome.zarr", class_map, fill_value=255, origin_nm=(5, 6, 7)),
        "--boundary": stacks.save(folder / "boundary.ome.zarr", boundary),
        "--ids": stacks.save(
            folder / "ids.ome.zarr", ids, fill_value=UNLABELLED_INSTANCE, attributes={"slices": list(labelled)}
        ),
    }


def run(folder, combination="selective", threads=1, inputs=None, splitting=None, **options):
    inputs = inputs or write_inputs(folder)
    arguments = [word for pair in inputs.items() for word in pair]
    arguments += ["--objects", "cell", "--classes", json.dumps(CLASSES), "--combination", combination]
    arguments += ["--splitting", json.dumps({**SPLITTING, **(splitting or {})}), "--threads", str(threads)]
    for name, value in options.items():
        arguments += [f"--{name}", value if isinstance(value, str) else json.dumps(value)]
    for name, path in zip(("cells", "islands", "table"), OUTPUTS):
        arguments += [f"--{name}", str(folder / path)]
    split_cells.main(arguments)
    return io.open_volume(folder / OUTPUTS[0]), io.open_volume(folder / OUTPUTS[1]), io.read_table(folder / OUTPUTS[2])


def accuracy(cells):
    inside = (slice(25, 75), slice(70, 180))
    return np.array([(cells[z : z + 1][0] == truth(z))[inside].mean() for z in range(SHAPE[0])])


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_each_combination_gives_cells_islands_and_a_row_per_slice(tmp_path, combination):
    cells, islands, table = run(tmp_path, combination)
    assert (cells.dtype, islands.dtype, cells.shape, islands.shape) == (np.uint32, np.uint8, SHAPE, SHAPE)
    assert cells.origin_nm == islands.origin_nm == (5, 6, 7) and cells.voxel_size_nm == stacks.VOXEL_SIZE_NM
    assert cells.attributes == {
        "kind": "instance",
        "class": "cell",
        "combination": combination,
        "labelled_slices": [3, 14],
    }
    assert set(np.unique(cells[:])) == {0, LEFT, RIGHT}
    if combination != "mask":
        assert accuracy(cells).min() > 0.97
    assert table["z"].tolist() == list(range(20)) and tuple(table.columns) == split_cells.COLUMNS
    assert table["labelled_z"].tolist() == [3] * 9 + [14] * 11
    assert (table["cells"] == 2).all() and (table["mask_px"] == 12_000 + 25 * (table["z"] == 9)).all()
    if combination == "flow":
        assert not islands[:].any()
    else:
        assert islands[9:10][0, 3:8, 3:8].all() and (islands[:].sum(axis=(1, 2)) == table["island_px"]).all()
        covered = (cells[:] > 0) | (islands[:] > 0)
        np.testing.assert_array_equal(covered, io.open_volume(tmp_path / "labels.ome.zarr")[:] > 0)
        assert (table["cell_px"] + table["island_px"] == table["mask_px"]).all()


@pytest.mark.parametrize("combination", ["overlay", "frames"])
def test_threads_change_nothing(tmp_path, combination):
    contents = []
    for threads in (1, 2, 5):
        folder = tmp_path / str(threads)
        folder.mkdir()
        run(folder, combination, threads)
        contents.append([files.read_sidecar(folder / name)["content"] for name in OUTPUTS])
    assert contents[0] == contents[1] == contents[2]


def test_the_length_of_walks_changes_nothing(tmp_path, monkeypatch):
    inputs, contents = write_inputs(tmp_path), []
    for longest in (1, 7, None):
        monkeypatch.setattr(split_cells, "LONGEST_WALK", longest)
        run(tmp_path, "selective", inputs=inputs)
        contents.append([files.read_sidecar(tmp_path / name)["content"] for name in OUTPUTS])
    assert contents[0] == contents[1] == contents[2]


@pytest.mark.parametrize(
    ("combination", "left_out"),
    [("mask", ("--image", "--boundary")), ("border", ("--image",)), ("overlay", ("--boundary",))],
)
def test_a_combination_needs_only_what_it_reads(tmp_path, combination, left_out):
    inputs = write_inputs(tmp_path)
    run(tmp_path, combination, inputs={name: path for name, path in inputs.items() if name not in left_out})


def test_what_a_combination_needs_is_named(tmp_path):
    inputs = write_inputs(tmp_path)
    del inputs["--boundary"], inputs["--image"]
    with pytest.raises(ValueError, match="--combination frames: expected --boundary and --image"):
        run(tmp_path, "frames", inputs=inputs)
    with pytest.raises(
        ValueError, match="--combination: expected one of mask, border, flow, overlay, selective, frames"
    ):
        run(tmp_path, "magic", inputs=inputs)


def test_gray_values_of_16_bit_give_the_same_cells_nearly(tmp_path):
    (tmp_path / "8").mkdir()
    (tmp_path / "16").mkdir()
    eight, _, _ = run(tmp_path / "8", "flow")
    sixteen, _, table = run(tmp_path / "16", "flow", inputs=write_inputs(tmp_path / "16", np.uint16))
    assert (eight[:] == sixteen[:]).mean() > 0.99 and table["flow_px"][10] == pytest.approx(4, abs=0.4)


def test_slices_that_alignment_left_out_have_no_flow(tmp_path):
    _, _, table = run(tmp_path, "overlay", inputs=write_inputs(tmp_path, left_out=[5, 6]))
    flow = table.set_index("z")["flow_px"]
    assert flow[[3, 5, 6, 14]].tolist() == [0, 0, 0, 0] and flow[7] == pytest.approx(4, abs=0.4)
    assert table["is_left_out"].to_numpy().nonzero()[0].tolist() == [5, 6]


def test_settings_arrive(tmp_path):
    _, islands, table = run(tmp_path, "mask", splitting={"min_body_px": 13_000})
    assert (table["cells"] == 0).all() and (table["seeds_in_islands"] == 2).all() and islands[:].any()
    _, _, table = run(tmp_path, "flow", inputs=write_inputs_again(tmp_path), flow={"scale": 0.5, "levels": 1})
    assert files.read_sidecar(tmp_path / "split.csv")["params"]["flow"] == {"scale": 0.5, "levels": 1}


def write_inputs_again(folder):
    for name in ("image", "labels", "boundary", "ids"):
        files.remove(folder / f"{name}.ome.zarr")
    return write_inputs(folder)


def test_numbers_that_cover_every_slice_serve_each_slice_itself(tmp_path):
    inputs = write_inputs(tmp_path, labelled=range(20))
    _, _, table = run(tmp_path, "overlay", inputs=inputs)
    assert (table["labelled_z"] == table["z"]).all() and not table["flow_px"].any()


def test_a_single_labelled_slice_serves_all(tmp_path):
    _, _, table = run(tmp_path, "frames", inputs=write_inputs(tmp_path, labelled=[19]), seeds="warped")
    assert (table["labelled_z"] == 19).all() and (table["cells"] == 2).all()


def test_a_labelled_slice_without_cells_serves_none(tmp_path):
    inputs = write_inputs(tmp_path)
    ids = stacks.load(inputs["--ids"])
    ids[3] = 0
    files.remove(tmp_path / "ids.ome.zarr")
    inputs["--ids"] = stacks.save(tmp_path / "ids.ome.zarr", ids, attributes={"slices": [3, 14]})
    assert (run(tmp_path, "mask", inputs=inputs)[2]["labelled_z"] == 14).all()


def test_numbers_nowhere_are_an_error_in_words(tmp_path):
    inputs = write_inputs(tmp_path, labelled=[])
    with pytest.raises(
        ValueError, match=r"numbers of cells in at least one slice, found none. Correct instances\.split\.ids"
    ):
        run(tmp_path, "mask", inputs=inputs)
    assert not (tmp_path / "cells.ome.zarr").exists()


def test_volumes_of_another_size_are_refused(tmp_path):
    inputs = write_inputs(tmp_path)
    inputs["--ids"] = stacks.save(tmp_path / "small.ome.zarr", np.ones((20, 100, 200), np.uint32))
    with pytest.raises(
        ValueError, match=r"small\.ome\.zarr: expected the size of .*\(20, 100, 240\).*found \(20, 100, 200\)"
    ):
        run(tmp_path, "mask", inputs=inputs)


def test_numbers_that_tracking_could_not_keep_are_refused_first(tmp_path):
    inputs = write_inputs(tmp_path)
    ids = io.open_volume(inputs["--ids"])[:]
    ids[ids == LEFT] = 2**31
    inputs["--ids"] = stacks.save(tmp_path / "large.ome.zarr", ids)
    with pytest.raises(ValueError, match=r"numbers of cells below 2147483648, found 2147483648.*instances\.split\.ids"):
        run(tmp_path, "mask", inputs=inputs)
