"""A configuration whose volumes lie in a public data set's folder plans its download, and only where files are missing."""

import copy
import hashlib
import io
import zipfile
from pathlib import Path

import archive_files
import numpy as np
import pytest
import tifffile
import workflow_runs as runs
import yaml

import configuration
import public_datasets
from densecell.weight_maps import class_balance_weights, weight_slice

PRESETS = configuration.load_presets(runs.REPO / "config" / "presets.yaml")
RELEASED = {"name": "released", "path": "{data_root}/platelet/train-error-weights.tif", "axes": "zyx"}


@pytest.fixture
def config(tmp_path):
    """The paper's configuration, small in runs, with an empty folder for the data."""
    config = runs.read_config("config/platelet.yaml")
    return {**copy.deepcopy(config), "data_root": str(tmp_path / "data"), "seeds_scale": 0.01}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return runs.copy_project(tmp_path_factory.mktemp("project"))


def findings(config, path):
    return "\n".join(" | ".join(f) for f in configuration.check(config, PRESETS) if f.path == path)


def put(config, name, shape, dtype=np.uint8):
    path = Path(config["data_root"]) / "platelet" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.zeros(shape, dtype), photometric="minisblack")
    return path


# ------------------------------------------------------------------------------------------------------- the list
def test_a_file_a_folder_and_a_glob_stand_for_listed_files():
    assert public_datasets.listed_files("d/platelet/eval-images.tif", "d") == {
        "d/platelet/eval-images.tif": [24, 800, 800]
    }
    slices = [f"d/vnc/raw/{i:02d}.tif" for i in range(20)]
    assert list(public_datasets.listed_files("d/vnc/raw/*.tif", "d")) == slices
    assert list(public_datasets.listed_files("d/vnc/raw", "d")) == slices
    for other in (
        "d/vnc",
        "d/nothing/raw",
        "elsewhere/vnc/raw",
        "d/platelet/eval-imges.tif",
        ["d/vnc/raw/00.tif"],
        "d",
    ):
        assert public_datasets.listed_files(other, "d") == {}


def test_folders_and_globs_become_the_listed_files_until_something_is_there(tmp_path):
    path = f"{tmp_path}/vnc/raw/*.tif"
    assert len(public_datasets.expanded(path, str(tmp_path))) == 20
    (tmp_path / "vnc/raw").mkdir(parents=True)
    (tmp_path / "vnc/raw/00.tif").touch()
    assert public_datasets.expanded(path, str(tmp_path)) == path
    assert public_datasets.expanded("own/*.tif", str(tmp_path)) == "own/*.tif"


def test_jobs_are_told_the_same_words_before_and_after_a_download(tmp_path):
    """Other params would run the imports and all trainings again."""
    config = {**runs.read_config("config/vnc.yaml"), "data_root": str(tmp_path)}
    words = []
    for _ in range(2):
        resolved = configuration.resolve(config, PRESETS)
        words.append([record.get("words", record["path"]) for record in resolved["volumes"] + resolved["labels"]])
        (tmp_path / "vnc/raw").mkdir(parents=True, exist_ok=True)
        for path in public_datasets.to_download(resolved)[1]:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).touch()
    assert words[0] == words[1]


# ------------------------------------------------------------------------------------------------------ the check
def test_files_that_a_download_makes_need_not_exist(config):
    assert configuration.check(config, PRESETS) == []


def test_their_sizes_are_known(config):
    config["volumes"][0]["shape"] = [50, 800, 801]
    assert "[50, 800, 800], as in the files" in findings(config, "volumes[0].shape")
    config["regions"][0]["z"] = [0, 60]
    assert "within 0 to 50" in findings(config, "regions[0].z")


def test_other_missing_files_are_still_told(config):
    config["volumes"][0]["path"] = "{data_root}/platelet/train-image.tif"
    assert "no file at" in findings(config, "volumes[0].path")


def test_released_weights_must_lie_on_an_unmoved_volume(config):
    config["weight_maps"].append(RELEASED)
    assert configuration.check(config, PRESETS) == []
    config["volumes"][0]["binning"] = [1, 2, 2]
    assert "binning [1, 2, 2] and alignment none" in findings(config, "weight_maps[1].path")
    config["volumes"][0] |= {"binning": [1, 1, 1], "alignment": {"method": "global"}}
    assert "alignment global" in findings(config, "weight_maps[1].path")


def test_released_weights_must_have_the_volumes_size(config):
    config["weight_maps"].append({**RELEASED, "path": "{data_root}/platelet/eval-labels.tif"})
    assert "[50, 800, 800], the size of volume 'train'" in findings(config, "weight_maps[1].path")
    config["weight_maps"][1]["path"] = "{data_root}/nowhere.tif"
    assert "no file at" in findings(config, "weight_maps[1].path")


def test_released_weights_serve_train_regions_of_one_volume(config):
    config["weight_maps"].append(RELEASED)
    config["regions"].append(
        {**config["regions"][0], "name": "more", "volume": "eval", "labels": {"reference": "eval_labels"}}
    )
    config["regions"] = [r for r in config["regions"] if r["name"] != "eval"] + [
        {**config["regions"][2], "role": "eval"}
    ]
    assert "train regions in train, eval" in findings(config, "weight_maps[1].path")


def test_released_weights_are_compared_with_computed_ones(config):
    config["weight_maps"].append({**RELEASED, "compare_with": "papr"})
    assert "Did you mean 'paper'?" in findings(config, "weight_maps[1].compare_with")


# ------------------------------------------------------------------------------------------------------- the plan
def test_the_download_is_planned_and_released_weights_are_imported(project, config, tmp_path):
    config["weight_maps"].append(RELEASED)
    arguments = runs.write_config(tmp_path / "c.yaml", config)
    targets = ["results/platelet/figures/weight_map_comparison_released_train.png"]
    jobs = runs.dry_run(project, *targets, *arguments)
    assert {"download_dataset/platelet", "import_weight_map/released_train", "build_weight_map/paper_train"} <= jobs
    assert {"compare_weight_maps", "plot_weight_map_comparison/released_train"} <= jobs
    assert "build_weight_map/released_train" not in jobs


def test_files_put_there_by_hand_are_used_without_a_download(project, config, tmp_path):
    for volume in config["volumes"]:
        for kind in ("images", "labels"):
            put(config, f"{volume['name']}-{kind}.tif", volume["shape"])
    jobs = runs.dry_run(project, *runs.write_config(tmp_path / "c.yaml", config))
    assert "import_volume/train" in jobs and "download_dataset" not in runs.rules_of(jobs)


def test_only_missing_files_are_outputs_since_snakemake_deletes_outputs_first(config):
    put(config, "train-images.tif", (50, 800, 800))
    names, missing = public_datasets.to_download(configuration.resolve(config, PRESETS))
    assert names == ["platelet"]
    assert {Path(f).name for f in missing} == {
        "train-labels.tif", "train-error-weights.tif", "eval-images.tif", "eval-labels.tif", "test-images.tif", "test-labels.tif",
    }  # fmt: skip


def test_nerve_cord_without_data_plans_its_download(project, tmp_path):
    jobs = runs.dry_run(project, "--configfile", "config/vnc.yaml", "--config", f"data_root={tmp_path}/none")
    assert {"download_dataset/vnc", "import_volume/stack2"} <= jobs


def test_the_rule_downloads_below_the_data_root(project, config, tmp_path):
    """Run for real, with an archive put there by hand in place of the network: it is refused and told, nothing appears."""
    folder = Path(config["data_root"]) / "platelet"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "platelet_data_1219.zip", "w") as archive:
        archive.writestr("platelet_data/train-images.tif", b"not the data")
    target = str(folder / "train-images.tif")
    done = runs.snakemake(project, target, *runs.write_config(tmp_path / "c.yaml", config))
    assert done.returncode and "expected 188,671,885 bytes, found" in done.stdout, done.stdout
    assert [p.name for p in folder.iterdir()] == ["platelet_data_1219.zip"]


@pytest.mark.slow
def test_download_import_and_comparison_run_from_a_server_to_a_figure(tmp_path, monkeypatch):
    """A small set under the name platelet, whose stored weights have edges 2.25 times as strong as the formula's."""
    project = runs.copy_project(tmp_path / "project")
    labels = np.zeros((6, 96, 96), np.uint8)
    labels[:, 16:80, 16:80] = 1
    for number in range(2, 7):
        labels[1:5, 8 + 12 * (number - 1) : 16 + 12 * (number - 1), 30:60] = number
    balance, groups = class_balance_weights(np.bincount(labels.ravel())), [0, 1, 2, 2, 2, 2, 2]
    weights = np.stack([weight_slice(plane, balance, groups, edge_scale=2.25, floor=0) for plane in labels])
    image = np.random.default_rng(0).integers(0, 99, labels.shape).astype(np.int16)
    stacks = {"images": image, "labels": labels.astype(np.uint16), "error-weights": weights}
    members = {}
    for part in ("train", "eval", "test"):
        for kind, array in stacks.items() if part == "train" else list(stacks.items())[:2]:
            buffer = io.BytesIO()
            tifffile.imwrite(buffer, array, photometric="minisblack")
            members[f"platelet_data/{part}-{kind}.tif"] = buffer.getvalue()
    archive = archive_files.zip_bytes(members)
    listed = yaml.safe_load((project / "workflow/datasets.yaml").read_text())
    record = next(r for r in listed["datasets"] if r["name"] == "platelet")
    record |= {"size_bytes": len(archive), "md5": hashlib.md5(archive).hexdigest()}
    for file in record["files"]:
        file |= {"shape": list(labels.shape), "md5": hashlib.md5(members[file["member"]]).hexdigest()}
    config, platelet = runs.read_config(), runs.read_config("config/platelet.yaml")
    config |= {key: platelet[key] for key in ("volumes", "labels", "regions", "phantom")}
    config |= {
        "data_root": "data",
        "weight_maps": [*config["weight_maps"], RELEASED],
        "prediction": {"full_volumes": []},
        "instances": [],
    }
    for experiment in config["experiments"]:
        experiment |= {
            "weight_map": "released",
            "window": [1, 188, 188] if "unet" in experiment["name"] else [3, 48, 48],
        }
    for volume in config["volumes"]:
        volume["shape"] = None
    server = archive_files.Server(archive, cut=[len(archive) // 2])
    with archive_files.serving(server) as url:
        record["urls"] = [url]
        (project / "workflow/datasets.yaml").write_text(yaml.safe_dump(listed))
        targets = [f"results/{name}" for name in (
            "figures/weight_map_comparison_released_train.png", "figures/weight_map_released_train.png",
        )]  # fmt: skip
        arguments = [*targets, *runs.write_config(tmp_path / "c.yaml", config)]
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        done = runs.snakemake(project, *arguments)
    assert done.returncode == 0, done.stdout
    assert len(server.log) == 2 and "going on at" in done.stdout
    table = (project / "results/tables/weight_map_comparison.csv").read_text()
    pooled = [line.split(",") for line in table.splitlines() if ",,edge_scale," in line]
    assert len(pooled) == 1 and float(pooled[0][-2]) == pytest.approx(2.25, rel=1e-4)
    assert not runs.dry_run(project, *arguments), "with the data there, nothing runs again"
