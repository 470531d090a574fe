"""check_volume.py, check_inputs.py and plot_checks.py together, on stacks that have a fault."""

import errno
import json

import broken_inputs
import imagecodecs
import numpy as np
import pandas as pd
import pytest
import tifffile

import check_inputs
import check_volume
import plot_checks
from densecell import files, io, raw_formats

NAMES = ("sound", "other")


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """A folder with two stacks, of which `other` has a blank slice, and what check_volume.py writes of them."""
    folder = tmp_path_factory.mktemp("checked")
    images, labels = broken_inputs.pieces(2)
    images[1][4] = 7
    for name, image in zip(NAMES, images):
        tifffile.imwrite(folder / f"{name}.tif", image, photometric="minisblack")
        run_check(folder, name, folder / f"{name}.tif")
    tifffile.imwrite(folder / "labels.tif", labels[0], photometric="minisblack")
    return folder


def run_check(folder, name, *paths):
    outputs = {key: str(folder / f"{name}_{key}") for key in ("slices.csv", "overview.json", "pictures.ome.zarr")}
    words = [word for key, path in outputs.items() for word in (f"--{key.split('.')[0]}", path)]
    check_volume.main(["--paths", *map(str, paths), "--axes", "zyx", "--voxel-size-nm", "[50, 10, 10]", *words])
    return outputs


def settings(folder, **changes):
    config = broken_inputs.sections(folder, list(NAMES))
    volumes = [
        {**v, "key": f"volumes[{i}]", "binning": [1, 1, 1], "is_aligned": False}
        for i, v in enumerate(config["volumes"])
    ]
    common = {"frame": "raw", "key": "regions[0]", "z": None, "x": None}
    source = {"key": "labels[0]", "kind": "semantic", "frame": "raw", "values": None, "origin": [0, 0, 0], "n_files": 1}
    told = {
        "volumes": volumes,
        "labels": [{**config["labels"][0], **source}],
        "regions": [{**common, **region} for region in config["regions"]],
        "classes": [{"name": f"c{i}", "group": "organelle"} for i in range(7)],
        "normalization": {"method": "zscore", "context": [0, 0, 0]},
        "checks": {"stop_at": "error", "accept": [], "guard_nm": 100},
    }
    return json.dumps({**told, **changes})


def gather(folder, output, **changes):
    overviews = [str(folder / f"{name}_overview.json") for name in NAMES]
    arguments = ["--overviews", *overviews, "--label-files", str(folder / "labels.tif")]
    check_inputs.main([*arguments, "--settings", settings(folder, **changes), "--output", str(output)])
    return pd.read_csv(output, keep_default_na=False)


def test_a_table_a_record_and_pictures_of_a_volume(checked):
    table = io.read_table(checked / "other_slices.csv")
    assert len(table) == broken_inputs.N_SLICES and table["std"][4] == 0 and table["mean"][4] == 7
    record = files.read_json(checked / "other_overview.json")
    assert [f["finding"] for f in record["findings"]] == ["blank_slice"]
    pictures = io.open_volume(checked / "other_pictures.ome.zarr")
    assert pictures.attributes == {"rows": [[3, 4, 5]], "stand_out": [4]}
    assert pictures.shape == (3, 192, 192)


def test_findings_of_volumes_and_regions_in_one_table(checked, tmp_path):
    table = gather(checked, tmp_path / "findings.csv")
    assert list(zip(table["finding"], table["volume"])) == [("blank_slice", "other"), ("guard_gap", "sound")]
    assert list(table["key"]) == ["volumes[1].path", "regions"]


def test_an_error_fails_with_the_whole_list_unless_the_run_may_go_on(checked, tmp_path):
    classes = [{"name": f"c{i}", "group": "organelle"} for i in range(6)]
    with pytest.raises(ValueError, match=r"(?s)1 error.*label_value.*blank_slice.*The run stops here"):
        gather(checked, tmp_path / "findings.csv", classes=classes)
    assert not (tmp_path / "findings.csv").exists()
    checks = {"stop_at": "never", "accept": [], "guard_nm": 0}
    assert gather(checked, tmp_path / "findings.csv", classes=classes, checks=checks)["severity"][0] == "error"
    checks = {"stop_at": "error", "accept": ["label_value"], "guard_nm": 0}
    assert set(gather(checked, tmp_path / "findings.csv", classes=classes, checks=checks)["severity"]) == {
        "warning",
        "note",
    }


def test_what_is_no_gray_stack_is_an_error_and_leaves_empty_outputs(tmp_path):
    (tmp_path / "cut.tif").write_bytes(b"II*\0 nothing")
    run_check(tmp_path, "cut", tmp_path / "cut.tif")
    record = files.read_json(tmp_path / "cut_overview.json")
    assert [(f["finding"], f["severity"]) for f in record["findings"]] == [("unreadable", "error")]
    assert io.read_table(tmp_path / "cut_slices.csv").empty
    for z in range(2):
        color = imagecodecs.png_encode(np.zeros((8, 9, 3), np.uint8))
        (tmp_path / f"{z}.png").write_bytes(color)
    run_check(tmp_path, "color", tmp_path / "0.png", tmp_path / "1.png")
    assert files.read_json(tmp_path / "color_overview.json")["findings"][0]["finding"] == "color"


class Refusing:
    """A stack whose slice 3 the system refuses to read, as it does without permission or with too many open files."""

    shape, dtype = (6, 40, 40), np.dtype(np.uint8)

    def __init__(self, error):
        self.error = error

    def read_slice(self, z):
        with raw_formats.readable("image.tif"):
            if z == 3:
                raise self.error
            return np.random.default_rng(z).integers(0, 255, self.shape[1:], dtype=np.uint8)


PASSING = [
    PermissionError(errno.EACCES, "Permission denied"),
    OSError(errno.EMFILE, "Too many open files"),
    MemoryError(),
]
PASSING += [OSError(errno.EIO, "Input/output error"), OSError(errno.ESTALE, "Stale file handle")]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: str(error) or "memory")
def test_a_failure_that_may_pass_fails_the_job_and_is_no_finding(tmp_path, monkeypatch, error):
    monkeypatch.setattr(raw_formats, "open_source", lambda *_: Refusing(error))
    tifffile.imwrite(tmp_path / "image.tif", np.zeros((4, 4), np.uint8))
    with pytest.raises(raw_formats.PassingFailure, match=r"image\.tif: could not be read"):
        run_check(tmp_path, "image", tmp_path / "image.tif")
    assert not list(tmp_path.glob("image_*"))
    found = check_volume.examine([tmp_path / "image.tif"], "zyx", (50, 10, 10), False)[2]  # ./run.sh check lists all
    assert ("unreadable", (3,)) in {(f.finding, f.slices) for f in found}


def test_an_error_of_the_system_about_damaged_content_is_a_finding(tmp_path, monkeypatch):
    monkeypatch.setattr(raw_formats, "open_source", lambda *_: Refusing(OSError(errno.EINVAL, "Invalid argument")))
    tifffile.imwrite(tmp_path / "image.tif", np.zeros((4, 4), np.uint8))
    run_check(tmp_path, "image", tmp_path / "image.tif")
    findings = files.read_json(tmp_path / "image_overview.json")["findings"]
    assert ("unreadable", [3]) in [(f["finding"], f["slices"]) for f in findings]


def test_labels_that_cannot_be_read_now_fail_the_job_even_if_errors_may_pass(checked, tmp_path, monkeypatch):
    monkeypatch.setattr(raw_formats, "open_source", lambda *_: Refusing(PermissionError(errno.EACCES, "denied")))
    with pytest.raises(raw_formats.PassingFailure):
        gather(checked, tmp_path / "findings.csv", checks={"stop_at": "never", "accept": [], "guard_nm": 0})


def test_which_regions_the_alignment_moves_against_their_labels():
    regions = [{"name": f, "volume": "v", "frame": f, "labels": {"reference": "drawn"}} for f in ("raw", "aligned")]
    for is_aligned, expected in ((True, {"aligned"}), (False, set())):
        volumes = {"v": {"is_aligned": is_aligned}}
        assert check_inputs.roughly_placed(regions, [{"name": "drawn", "frame": "raw"}], volumes) == expected


def test_figures_are_drawn_for_every_volume_and_the_same_each_time(checked, tmp_path):
    gather(checked, tmp_path / "findings.csv")
    words = ["--findings", str(tmp_path / "findings.csv"), "--volumes", *NAMES, "--trained", "sound", "--dpi", "50"]
    for option, end in (("slices", "slices.csv"), ("overviews", "overview.json"), ("pictures", "pictures.ome.zarr")):
        words += [f"--{option}", *(str(checked / f"{name}_{end}") for name in NAMES)]
    written = []
    for attempt in (1, 2):
        outputs = [tmp_path / f"{name}{attempt}.png" for name in NAMES]
        plot_checks.main([*words, "--outputs", *map(str, outputs)])
        written.append([path.read_bytes() for path in outputs])
    assert written[0] == written[1] and written[0][0] != written[0][1]
    assert imagecodecs.png_decode(written[0][0]).shape[:2] == (375, 550)
