"""Checking the configuration: the ready files are sound, and each kind of mistake is told with its key."""

import ast
import copy
import functools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

import config_schema
import configuration
import network_sizes

REPO = Path(__file__).resolve().parents[2]
SHARED = REPO.parent / "shared" / "data"
PRESETS = configuration.load_presets(REPO / "config" / "presets.yaml")


@functools.cache
def _read(name):
    return yaml.safe_load((REPO / name).read_text())


@pytest.fixture
def config():
    return copy.deepcopy(_read("config.yaml"))


def merge(below, above):
    """Snakemake's merge of configuration files: mappings key by key, lists replaced."""
    both = {
        k: merge(below[k], v) if isinstance(v, dict) and isinstance(below.get(k), dict) else v for k, v in above.items()
    }
    return {**below, **both}


def edit(config, path, value):
    """Set the key at `path`, such as regions[0].z; `...` removes it."""
    parts = [int(p) if p.isdigit() else p for p in re.findall(r"\w+", path)]
    for part in parts[:-1]:
        config = config.setdefault(part, {}) if isinstance(config, dict) else config[part]
    if value is ...:
        del config[parts[-1]]
    elif isinstance(config, list) and parts[-1] == len(config):
        config.append(value)
    else:
        config[parts[-1]] = value


def text_of(findings, path):
    return "\n".join(" | ".join(f) for f in findings if f.path == path)


# --------------------------------------------------------------------------------------- sound configurations
def test_default_configuration_is_sound(config):
    assert configuration.check(config, PRESETS) == []


def test_vnc_configuration_is_sound(config):
    if not (SHARED / "vnc").exists():
        pytest.skip(f"needs the EM stacks in {SHARED}")
    vnc = merge(config, {**_read("config/vnc.yaml"), "data_root": str(SHARED), "instances": []})
    assert configuration.check(vnc, PRESETS) == []


@pytest.mark.parametrize("name", ["config", "presets"])
def test_schemas_are_valid_and_every_key_is_described(name):
    schema = config_schema.load(str(configuration.SCHEMA_DIR / f"{name}.schema.yaml"))
    Draft202012Validator.check_schema(schema)
    rows = list(config_schema.table(schema))
    assert len({row[0] for row in rows}) == len(rows)
    assert all(row[1] and row[5].strip() for row in rows)


@pytest.mark.parametrize("name", ["config", "presets"])
def test_every_default_is_accepted_by_its_own_schema(name):
    def walk(schema):
        if "default" in schema:
            assert config_schema.findings(schema["default"], schema) == [], schema
        for sub in schema.get("properties", {}).values():
            walk(sub)
        if "items" in schema:
            walk(schema["items"])

    walk(config_schema.load(str(configuration.SCHEMA_DIR / f"{name}.schema.yaml")))


def test_page_of_keys_is_up_to_date():
    assert (REPO / "docs" / "configuration.md").read_text() == configuration.render(), (
        "run: python workflow/rules/configuration.py > docs/configuration.md"
    )


# -------------------------------------------------------------------------------------------------- resolving
def test_experiment_keys_override_the_presets_key_by_key(config):
    edit(config, "experiments[0].training", {"steps": 7, "warmup_steps": 1, "augmentation": {"elastic": False}})
    edit(config, "experiments[0].options", {"base_width": 4})
    experiment = configuration.resolve(config, PRESETS)["experiments"][0]
    robust = next(p for p in PRESETS["presets"] if p["name"] == "robust")
    assert experiment["options"] == {"base_width": 4, "norm": "instance"}
    assert experiment["weight_map"] == robust["weight_map"]
    assert experiment["training"] == {
        **robust["training"],
        "steps": 7,
        "warmup_steps": 1,
        "augmentation": {**robust["training"]["augmentation"], "elastic": False},
    }


def test_null_overrides_a_presets_training_key_but_means_its_weight_map(config):
    edit(config, "experiments[0].training.gradient_clip", None)
    edit(config, "experiments[0].weight_map", None)
    experiment = configuration.resolve(config, PRESETS)["experiments"][0]
    assert experiment["training"]["gradient_clip"] is None
    assert experiment["weight_map"] == "square_root"


def test_defaults_are_filled_in_records_and_mappings(config):
    for key in ("normalization", "figures", "analysis", "prediction"):
        config.pop(key)
    resolved = configuration.resolve(config, PRESETS)
    assert resolved["volumes"][0]["origin_nm"] == [0, 0, 0]
    assert resolved["volumes"][0]["alignment"] == {
        "method": "global", "max_shift_fraction": 0.1, "neighbors": [1], "detrend_window": 11, "seed": 0,
    }  # fmt: skip
    assert resolved["labels"][0]["origin"] == [0, 0, 0] and resolved["labels"][0]["values"] is None
    assert resolved["regions"][0]["mask"] == "none" and resolved["regions"][0]["z"] is None
    assert resolved["normalization"] == {
        "slices": "none",
        "reference_slices": 10,
        "clahe": {"clip": 2.0, "tiles": [8, 8]},
        "method": "zscore",
        "scope": "region",
        "context": [0, 0, 0],
    }
    assert resolved["analysis"]["volume_fractions"] == {"margins_nm": [50, 100, 200], "margin_nm": 100}
    assert resolved["prediction"]["full_volumes"] == []


def test_resolving_twice_changes_nothing_and_the_input_is_left_alone(config):
    before = copy.deepcopy(config)
    once = configuration.resolve(config, PRESETS)
    assert config == before
    assert configuration.resolve(once, PRESETS) == once
    assert configuration.check(once, PRESETS) == []


def test_folders_are_put_into_paths(config):
    resolved = configuration.resolve({**config, "results_dir": "./out/"}, PRESETS)
    assert resolved["results_dir"] == "out"
    assert resolved["volumes"][0]["path"] == "out/phantom/subject1/image.tif"
    assert resolved["volumes"][0]["truth"] == "out/phantom/subject1/truth.csv"


def test_the_checks_need_no_torch_and_no_library():
    allowed = {*sys.stdlib_module_names, "yaml", "jsonschema", "tifffile"}
    folder = Path(configuration.__file__).parent
    allowed |= {path.stem for path in folder.glob("*.py")}
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= allowed, path


def test_class_records_keep_the_order(config):
    assert configuration.class_records(config)[1] == {"name": "cell", "group": "cell"}
    assert [c["name"] for c in configuration.class_records(config)] == [c["name"] for c in config["classes"]]


# ---------------------------------------------------------------------------------------------- network sizes
@pytest.mark.parametrize(
    ("network", "options", "side", "output"),
    [
        ("hybrid_2d3d_333", {}, 300, 296),
        ("hybrid_2d3d_333", {}, 96, 96),
        ("hybrid_2d3d_333", {}, 8, 8),
        ("hybrid_2d3d_333", {}, 7, None),
        ("unet_2d", {}, 572, 388),
        ("unet_2d", {}, 188, 4),
        ("unet_2d", {}, 172, None),
        ("unet_2d", {}, 190, None),
        ("unet_2d", {"padding": "same"}, 160, 160),
        ("unet_2d", {"padding": "same"}, 188, None),
    ],
)
def test_output_size(network, options, side, output):
    expected = None if output is None else (3, output, output)
    assert network_sizes.output_size(network, (3, side, side), options) == expected


def test_nearest_sides():
    assert network_sizes.nearest_sides("unet_2d", 299, {}) == [284, 300]
    assert network_sizes.nearest_sides("unet_2d", 100, {}) == [188]
    assert network_sizes.nearest_sides("hybrid_2d3d_333", 5, {}) == [8]


# -------------------------------------------------------------------------------------------- single mistakes
MISTAKES = [
    # misspelled keys, also deep inside
    ("clases", [], "clases", "Did you mean 'classes'?"),
    ("experiments[0].trainning", {}, "experiments[0].trainning", "Did you mean 'training'?"),
    ("experiments[0].training.learning_rat", 1, "experiments[0].training.learning_rat", "'learning_rate'?"),
    ("experiments[0].training.augmentation.flp", True, "experiments[0].training.augmentation.flp", "'flip'?"),
    ("experiments[0].options.base_widht", 8, "experiments[0].options.base_widht", "'base_width'?"),
    ("volumes[0].alignment.metod", "none", "volumes[0].alignment.metod", "'method'?"),
    ("regions[0].labels.annotator_x", "subject1_truth", "regions[0].labels.annotator_x",
     "annotator_<number>"),
    ("regions[0].labels", {1: "subject1_truth"}, "regions[0].labels.1", "one of reference"),
    ("prediction.full_volumes[0].tif", True, "prediction.full_volumes[0].tif", "'tiff'?"),
    # missing keys, types and bounds
    ("volumes[0].axes", ..., "volumes[0].axes", "the key is missing"),
    ("volumes[1].voxel_size_nm", ..., "volumes[1].voxel_size_nm", "3 numbers, each above 0 (nm)"),
    ("volumes[0].voxel_size_nm[1]", 0, "volumes[0].voxel_size_nm[1]", "above 0"),
    ("volumes[0].voxel_size_nm", [50, 10], "volumes[0].voxel_size_nm", "2 entries"),
    ("volumes[0].voxel_size_nm", 10, "volumes[0].voxel_size_nm", "[first, second, ...]"),
    ("volumes[0].voxel_size_nm[0]", float("inf"), "volumes[0].voxel_size_nm[0]", "inf"),
    ("volumes[0].binning[2]", 0, "volumes[0].binning[2]", "1 or more"),
    ("volumes[0].axes", "zxyy", "volumes[0].axes", "one of zyx, zxy"),
    ("volumes[0].name", "my-stack", "volumes[0].name", "letters, digits and _"),
    ("volumes[0].alignment.neighbors", [2], "volumes[0].alignment.neighbors", "1 among them"),
    ("experiments[0].training.steps", "many", "experiments[0].training.steps", "a whole number, 1 or more"),
    ("experiments[0].training.learning_rate", "1e-3", "experiments[0].training.learning_rate", "0.001"),
    ("experiments[0].training.steps", 2.0, "experiments[0].training.steps", "whole number"),
    ("experiments[0].training.steps", True, "experiments[0].training.steps", "true"),
    ("experiments[0].seeds", [1, 1], "experiments[0].seeds", "1 more than once"),
    ("experiments[0].training.optimizer", "adamW", "experiments[0].training.optimizer",
     "Did you mean 'adamw'?"),
    ("experiments[0].training.loss", "cross_entrpy", "experiments[0].training.loss", "'cross_entropy'?"),
    ("experiments[0].training.schedule", "stairs", "experiments[0].training.schedule",
     "staircase, polynomial, constant"),
    ("experiments[0].training", {"steps": None, "epochs": None}, "experiments[0].training", "Give steps."),
    ("experiments[0].training.warmup_steps", 2000, "experiments[0].training.warmup_steps",
     "less than steps, 1500"),
    ("figures.colors.cell", None, "figures.colors.cell", "in quotes"),
    ("figures.colors.cell", "green", "figures.colors.cell", "#rrggbb"),
    # names
    ("volumes[1].name", "Subject1", "volumes[1].name", "a second time"),
    ("classes[1].name", "all", "classes[1].name", "other than"),
    ("labels[0].volume", "subjct1", "labels[0].volume", "Did you mean 'subject1'?"),
    ("regions[0].labels.reference", "subject1_thruth", "regions[0].labels.reference", "'subject1_truth'?"),
    ("experiments[0].network", "hybrid_2d3d_33", "experiments[0].network", "Did you mean 'hybrid_2d3d_333'?"),
    ("experiments[0].preset", "robst", "experiments[0].preset", "Did you mean 'robust'?"),
    ("experiments[0].weight_map", "papr", "experiments[0].weight_map", "Did you mean 'paper'?"),
    ("experiments[0].options.base_width", 9, "experiments[0].options.base_width", "an even number"),
    ("device", "gpu", "device", "one of auto, cpu, cuda"),
    ("threads.training", 0, "threads.training", "1 or more"),
    ("threads.preprocessing", 0, "threads.preprocessing", "1 or more"),
    ("experiments[0].targets", ["cells"], "experiments[0].targets[0]", "Did you mean 'cell'?"),
    ("ensembles[0].experiments[0]", "hybird", "ensembles[0].experiments[0]", "Did you mean 'hybrid'?"),
    ("ensembles[0].top_k", [1, 4], "ensembles[0].top_k", "at most 3"),
    ("experiments[0].seeds", 2000, "ensembles[0]", "at most 110 kB, what a command may hold on Linux"),
    ("prediction.full_volumes[0].ensemble", "hybri", "prediction.full_volumes[0].ensemble", "'hybrid'?"),
    # classes
    ("classes[0].group", "organelle", "classes", "no class of group background"),
    ("figures.colors.cell", ..., "figures.colors.cell", "no color"),
    ("labels[0].values", [{"class": "cel", "values": [1]}], "labels[0].values[0].class",
     "Did you mean 'cell'?"),
    ("labels[0].values", [{"class": "cell"}], "labels[0].values[0]", "neither values nor colors"),
    (
        "labels[0].values",
        [{"class": "cell", "values": [1, 2]}, {"class": "background", "values": [2]}],
        "labels[0].values[1].values",
        "2, which already means 'cell'",
    ),
    # regions
    ("regions[0].y", [208, 0], "regions[0].y", "the second larger"),
    ("regions[0].y", [0, 500], "regions[0].y", "within 0 to 416"),
    ("regions[1].y", [200, 384], "regions[1]", "z [8, 28], y [200, 208], x [0, 416]"),
    ("regions[1].role", "train", "regions", "no region of role eval"),
    ("regions[0].labels", {}, "regions[0].labels.reference", "no reference labels"),
    ("regions[3].labels", {}, "regions[3].labels", "Add at least one."),
    ("regions[0].labels.reference", "subject2_truth", "regions[0].labels.reference",
     "labels of volume 'subject2'"),
    ("labels[0].kind", "instance", "regions[0].labels.reference", "that tell a class"),
    ("labels[0].origin", [0, 0, 10], "labels[0]", "within [36, 416, 416]"),
    # windows, tiles, context
    ("experiments[1].window", [1, 190, 190], "experiments[1].window", "nearest to 190: 188 or 204"),
    ("experiments[0].window", [5, 216, 96], "experiments[0].window", "(y 208 < 216)"),
    ("experiments[0].window", [40, 96, 96], "experiments[0].window", "(z 36 < 40)"),
    ("prediction", {"stitch": "depth", "tile": [1, 200, 200]}, "prediction.tile", "nearest to 200: 188 or 204"),
    ("prediction", {"stitch": "depth", "tile": ["window", "auto", 96]}, "prediction.tile", "words need stitch: halo"),
    ("prediction.tile", ["windw", 96, 96], "prediction.tile[0]", "Did you mean 'window'?"),
    ("prediction.tile", "auto", "prediction.tile", "in brackets"),
    ("prediction", {"stitch": "depth", "halo": [1, 8, 8]}, "prediction.halo", "Set stitch: halo"),
    ("prediction.halo", "all", "prediction.halo", "auto, or 3 whole numbers, each 0 or more, or auto (voxels)"),
    ("prediction.halo", [1, 8, "window"], "prediction.halo[2]", "a whole number, 0 or more, or auto"),
    ("prediction", {"stitch": "halo", "tile": ["auto", 96, 96], "halo": ["auto", 47, 48]}, "prediction.halo",
     "less than half of the tile in x, 96"),
    ("prediction", {"stitch": "halo", "tile": [2, "auto", "auto"]}, "prediction.halo", "half of the tile in z, 2"),
    ("prediction", {"stitch": "blend", "tile": ["window", "auto", 96]}, "prediction.tile", "window in y and x: the result of"),
    ("prediction", {"stitch": "blend", "tile": [5, 200, 200]}, "prediction.tile", "nearest to 200: 188 or 204"),
    ("prediction", {"stitch": "blend", "halo": [1, 8, 8]}, "prediction.halo", "Use [1, auto, auto]"),
    ("prediction", {"stitch": "blend", "tile": [2, 96, 96]}, "prediction.halo", "half of the tile in z, 2"),
    ("prediction", {"stitch": "blend", "overlap": 1}, "prediction.overlap", "at most 0.95"),
    ("prediction", {"stitch": "blend", "taper": -0.1}, "prediction.taper", "0 or more, at most 1"),
    ("experiments[0].activation", "sigmoid", "experiments[0].decision", "Set decision: compose."),
    ("experiments[0].decision", "compose", "experiments[0].decision", "argmax, with activation: softmax"),
    ("experiments[0].threshold", 0.4, "experiments[0].threshold", "nothing, with decision: argmax"),
    ("experiments[0].threshold", 0, "experiments[0].threshold", "above 0"),
    ("experiments[0].compose", {"outside": "cell"}, "experiments[0].compose", "Set activation: sigmoid and decision: compose"),
    ("prediction.flips", ["x", "x"], "prediction.flips", "'x' more than once"),
    ("prediction.flips", ["a"], "prediction.flips[0]", "one of z, y, x"),
    ("prediction.flips", "x", "prediction.flips", "a list of names"),
    ("prediction.precision", "float6", "prediction.precision", "one of auto, float32, bfloat16, float16"),
    ("prediction.memory_gb", 0, "prediction.memory_gb", "a number, above 0, or auto (GB)"),
    ("prediction.memory_gb", "most", "prediction.memory_gb", "or auto"),
    ("prediction.slabs", 0, "prediction.slabs", "1 or more"),
    ("prediction.full_volumes[0].mask", "subject2_trut", "prediction.full_volumes[0].mask", "'subject2_truth'?"),
    ("prediction.full_volumes[0].mask", "subject1_truth", "prediction.full_volumes[0].mask",
     "labels of 'subject2', the volume that is predicted"),
    ("prediction.full_volumes", [{"volume": "subject2", "ensemble": "hybrid"}] * 2, "prediction.full_volumes[1]",
     "each pair once"),
    ("normalization.context", [2, 0, 0], "normalization.context", "scope: volume"),
    ("analysis.volume_fractions.margin_nm", 70, "analysis.volume_fractions.margin_nm", "[50, 100, 200]"),
    # files
    ("volumes[0].path", "{results_dir}/phantom/subject3/image.tif", "volumes[0].path",
     "a name in phantom: subject1"),
    ("volumes[0].path", "nowhere/*.tif", "volumes[0].path", "holds"),
    ("volumes[0].path", "{data_rot}/a.tif", "volumes[0].path", "Did you mean 'data_root'?"),
    ("volumes[0].truth", "nowhere/truth.csv", "volumes[0].truth", "no file nowhere/truth.csv"),
    ("volumes[0].voxel_size_nm", [40, 10, 10], "volumes[0].voxel_size_nm",
     "[50, 10, 10], as in phantom 'subject1'"),
    ("volumes[0].shape", [36, 416, 400], "volumes[0].shape", "[36, 416, 416], as in the files"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "where", "phrase"), MISTAKES, ids=lambda v: v if isinstance(v, str) else "")
def test_mistake_is_told_at_its_key(config, path, value, where, phrase):
    edit(config, path, value)
    found = configuration.check(config, PRESETS)
    assert phrase in text_of(found, where), configuration.report(found)
    assert all(part and not part.startswith("None") for finding in found for part in finding)


def test_tiles_of_words_and_numbers_with_halo(config):
    config["instances"] = []
    for tile in (["window", "auto", "auto"], [5, 200, "auto"], None):  # 200 suits no network with stitch depth
        config["prediction"] = {"stitch": "halo", "tile": tile, "halo": ["auto", 0, 16], "full_volumes": []}
        assert configuration.check(config, PRESETS) == []


def test_a_mask_is_of_class_labels(config):
    config["labels"].append({**config["labels"][-1], "name": "cells", "volume": "subject2", "kind": "instance"})
    edit(config, "prediction.full_volumes[0].mask", "cells")
    (finding,) = [f for f in configuration.check(config, PRESETS) if f.path == "prediction.full_volumes[0].mask"]
    assert finding.expected == "labels of kind semantic"


def test_a_mistake_causes_no_others(config):
    """Except where it takes something from others, a mistake is one finding."""
    for path, value in (
        ("volumes[0].voxel_size_nm", 10),
        ("experiments[0].trainning", {}),
        ("experiments[0].window", "large"),
        ("regions[0].volume", 3),
        ("volumes[0].binning", None),
        ("experiments[1].network", "unet2d"),
        ("regions[1].z", [0]),
    ):
        broken = copy.deepcopy(config)
        edit(broken, path, value)
        assert [f.path for f in configuration.check(broken, PRESETS)] == [path]


@pytest.mark.parametrize("network", network_sizes.BATCH_STATISTICS)
def test_batch_statistics_need_two_slices(config, network):
    edit(config, "experiments[1].network", network)
    edit(config, "experiments[1].options.norm", "batch")
    edit(config, "experiments[1].window", [1, 160, 160])
    (finding,) = configuration.check(config, PRESETS)
    assert finding.path == "experiments[1].training.batch_size" and "2 or more" in finding.expected
    for path, value in (("training.batch_size", 2), ("window", [2, 160, 160]), ("options.norm", "instance")):
        mended = copy.deepcopy(config)
        edit(mended, f"experiments[1].{path}", value)
        assert configuration.check(mended, PRESETS) == []


def test_five_mistakes_are_told_together(config):
    edit(config, "experiments[0].trainning", {})
    edit(config, "experiments[0].window", [5, 216, 96])
    edit(config, "volumes[0].axes", "xyzz")
    edit(config, "regions[1].y", [200, 384])
    edit(config, "figures.colors.cell", "green")
    with pytest.raises(configuration.ConfigurationError) as error:
        configuration.prepare(config, REPO / "config" / "presets.yaml")
    text = str(error.value)
    assert "5 problems" in text
    assert re.findall(r"^(\d)\. (\S+)", text, re.M) == [
        ("1", "experiments[0].trainning"),
        ("2", "figures.colors.cell"),
        ("3", "volumes[0].axes"),
        ("4", "regions[1]"),
        ("5", "experiments[0].window"),
    ]
    assert text.count("found:") == text.count("expected:") == text.count("to do:") == 5


def test_prepare_returns_the_resolved_configuration(config):
    prepared = configuration.prepare(config, REPO / "config" / "presets.yaml")
    assert prepared == configuration.resolve(config, PRESETS)
    json.dumps(prepared)


def test_mistake_in_a_preset_is_told_once_and_there(config):
    presets = copy.deepcopy(PRESETS)
    presets["presets"][1]["training"]["optimizer"] = "adm"
    assert [f.path for f in configuration.check(config, presets)] == ["presets[1].training.optimizer"]


@pytest.mark.parametrize("value", [None, 5, "text", [], {}, [None, 5, {}]], ids=str)
def test_any_wrong_type_is_a_finding_and_never_a_crash(config, value):
    optional = {"phantom", "labels", "weight_maps", "instances"}
    for key in set(config) - {"results_dir", "data_root"}:
        allowed = (value == [] and key in optional) or (value == {} and isinstance(config[key], dict))
        found = configuration.check({**config, key: value}, PRESETS)
        assert found or allowed, key


def test_the_order_of_keys_is_the_files_whatever_the_hash_seed():
    """Rules make params of mappings: an order that changes from run to run would rerun jobs."""
    code = (
        "import json, configuration, sys, yaml; "
        "presets = configuration.load_presets('config/presets.yaml'); "
        "print(json.dumps(configuration.resolve(yaml.safe_load(open('config.yaml')), presets)))"
    )
    texts = set()
    for seed in "0123":
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(REPO / "workflow/rules")}
        texts.add(
            subprocess.run(
                [sys.executable, "-c", code], cwd=REPO, env=environment, capture_output=True, text=True, check=True
            ).stdout
        )
    assert len(texts) == 1
    assert '"labels": {"reference": "subject2_truth", "annotator_1"' in texts.pop()
