"""What the plan of a run says: windows, steps, parameters, hours and disk."""

import math
import re
from types import SimpleNamespace

import pytest
import torch
import workflow_runs as runs

import configuration
import network_costs
import plan
import plan_jobs
import plan_text
from densecell import evaluation, tiling, windows
from densecell.devices import Computation
from densecell.networks import build_network
from network_sizes import output_size

PRESETS = configuration.load_presets(runs.REPO / "config/presets.yaml")
TRAIN = (50, 800, 800)

# network, window, spacing, windows per epoch of the paper's train region
PAPER = [
    ("hybrid_2d3d_333", (5, 300, 300), (2, 100, 100), 828),
    ("unet_2d", (1, 572, 572), (1, 80, 80), 1800),
    ("unet_3d_thin", (5, 300, 300), (6, 100, 100), 288),
    ("unet_3d_thick", (16, 180, 180), (3, 140, 140), 300),
    ("deeplab_drn", (1, 572, 572), (1, 20, 20), 7200),
    ("deeplab_drn", (1, 572, 572), (1, 40, 40), 1800),
]


def costs(**changes):
    config = runs.read_config("tests/workflow/tiny.yaml")
    for path, value in {"prediction__stitch": "depth", **changes}.items():
        runs.edit(config, path.replace("__", "."), value)
    return plan.Costs(configuration.resolve(config, PRESETS))


@pytest.mark.parametrize(("network", "window", "spacing", "count"), PAPER)
def test_windows_per_epoch_are_the_papers(network, window, spacing, count):
    output = output_size(network, window, {})
    assert plan.windows_per_epoch(TRAIN, output, spacing) == count
    assert windows.count_windows(TRAIN, output, spacing) == count


@pytest.mark.parametrize("shape", [(24, 800, 800), (121, 609, 400), (3, 100, 297)])
@pytest.mark.parametrize("overlapping", [True, False])
def test_tiles_are_those_of_the_prediction(shape, overlapping):
    output = (5, 296, 296)
    made = tiling.DepthTiling(shape, output, spacing=tiling.paper_spacing(output, overlapping))
    n_tiles = [len(corners) for corners in made.corners]
    assert plan.n_tiles(shape, output, overlapping) == n_tiles[0] * n_tiles[1] * n_tiles[2]


def test_eval_and_test_volumes_have_the_papers_tiles():
    assert plan.n_tiles((24, 800, 800), (5, 296, 296), True) == 6 * 4 * 4
    assert plan.n_tiles((121, 609, 400), (5, 296, 296), True) == 30 * 3 * 2


# ------------------------------------------------------------------------------------------------- one experiment
def test_steps_come_from_epochs_windows_and_batches():
    epochs = {"steps": None, "epochs": 3, "batch_size": 4, "evaluate_every_steps": None}
    tiny = costs(experiments=[{**runs.read_config("tests/workflow/tiny.yaml")["experiments"][0], "training": epochs}])
    run = tiny.training(tiny.config["experiments"][0])
    # z: 8 corners / 4, y: 9 corners / 24, x: 73 corners / 24 of the train region, (10, 56, 120)
    assert run["windows"] == 2 * 1 * 4 and run["steps"] == 3 * 2


def test_given_steps_win_and_evaluations_are_counted():
    tiny = costs()
    hybrid = tiny.config["experiments"][0]
    window = 3 * network_costs.forward_flops("hybrid_2d3d_333", (3, 48, 48), 7, hybrid["options"])
    evaluation = tiny.prediction(hybrid, tiny.eval_images["eval"])  # in the same windows, of the image with its context
    assert tiny.evaluation_flops(hybrid) == evaluation
    run = tiny.training(hybrid)
    assert run["steps"] == 8
    assert run["flops"] == pytest.approx(8 * window + 2 * evaluation)


EVALUATED = [
    # network, window, tile, context, changes of the training
    ("hybrid_2d3d_333", [3, 48, 48], None, [0, 0, 0], {}),
    ("hybrid_2d3d_333", [5, 48, 48], [12, 96, 104], [0, 0, 0], {"batch_size": 2}),  # deeper than the region
    ("unet_2d", [1, 236, 236], None, [1, 30, 500], {"evaluation_share": 0.5}),
    ("unet_3d_thick", [4, 48, 48], [16, 48, 48], [0, 0, 0], {"evaluation_share": 0.02}),  # not of 10 slices
    ("unet_3d_thin", [3, 48, 48], None, [0, 4, 4], {"evaluate_every_steps": 7}),
]


@pytest.mark.parametrize(("network", "window", "tile", "context", "changes"), EVALUATED)
def test_the_training_evaluates_when_the_plan_says(network, window, tile, context, changes):
    config = runs.read_config("tests/workflow/tiny.yaml")
    settings = {"steps": 400, "evaluate_every_steps": None, **changes}
    record = {"network": network, "window": window, "tile": tile, "spacing": [2, 8, 8], "training": settings}
    config["experiments"][0] |= record
    config["normalization"] = {"scope": "volume", "context": context}
    found = plan.Costs(configuration.resolve(config, PRESETS))
    experiment = found.config["experiments"][0]
    per_epoch = found.training(experiment)["steps_per_epoch"]
    (shape,) = found.eval_images.values()
    assert (shape == [10, 52, 104]) == (context == [0, 0, 0])
    trained = build_network(network, n_classes=7, base_width=4)
    tile, computation = tuple(tile or window), Computation("cpu", "float32")
    voxels = evaluation.evaluation_voxels(trained, tile, [SimpleNamespace(image=torch.empty(shape))], computation)
    expected = evaluation.evaluation_schedule(experiment["training"], per_epoch, window, voxels)
    assert found.evaluations(experiment, per_epoch) == expected
    n_evaluations = -(-experiment["training"]["steps"] // expected[0])
    step = 3 * network_costs.forward_flops(network, window, 7, experiment["options"])
    (taken,) = {taken for taken, _ in found.evaluation_tiles(experiment)}
    forward = network_costs.forward_flops(network, taken, 7, experiment["options"])
    one_evaluation = voxels / math.prod(taken) * forward  # of the tiles that the training passes through the network
    steps = experiment["training"]["steps"] * experiment["training"]["batch_size"]
    assert found.training(experiment)["flops"] == pytest.approx(steps * step + n_evaluations * one_evaluation)


def test_tile_of_an_experiment_and_of_the_prediction():
    tiny = costs()
    hybrid, shape = tiny.config["experiments"][0], (10, 52, 104)
    window, tile = (network_costs.forward_flops("hybrid_2d3d_333", (3, n, n), 7, hybrid["options"]) for n in (48, 104))
    assert tiny.prediction(hybrid, shape) == 5 * 2 * 3 * window
    tiled = {**hybrid, "tile": [3, 104, 104]}
    assert tiny.prediction(tiled, shape) == 5 * tile
    predicted = costs(prediction__tile=[3, 104, 104])
    assert predicted.prediction(hybrid, shape) == 5 * tile
    assert predicted.evaluation_flops(hybrid) == tiny.evaluation_flops(hybrid)


def test_blended_tiles_overlap_in_slices_and_have_a_margin_in_z():
    blend = costs(prediction__stitch="blend")
    hybrid, unet = blend.config["experiments"]
    window = network_costs.forward_flops("hybrid_2d3d_333", (3, 48, 48), 7, hybrid["options"])
    assert blend.prediction(hybrid, (9, 96, 144)) == 9 * 3 * 5 * window  # one of three slices is kept; every 24 px
    window = network_costs.forward_flops("unet_2d", unet["window"], 7, unet["options"])
    assert blend.prediction(unet, (9, 104, 156)) == 9 * 3 * 5 * window  # 52 px of labels, every 26
    whole = costs(prediction__stitch="blend", prediction__overlap=0)
    assert whole.prediction(unet, (9, 104, 156)) == 9 * 2 * 3 * window


def test_flips_multiply_a_prediction_and_halo_tiles_are_counted_without_margins():
    tiny, flipped, halo = costs(), costs(prediction__flips=["y", "x"]), costs(prediction__stitch="halo")
    hybrid, shape = tiny.config["experiments"][0], (9, 96, 144)  # 3 x 2 x 3 windows of (3, 48, 48)
    window = network_costs.forward_flops("hybrid_2d3d_333", (3, 48, 48), 7, hybrid["options"])
    assert flipped.prediction(hybrid, shape) == 4 * tiny.prediction(hybrid, shape)
    assert halo.prediction(hybrid, shape) == 3 * 3 * 2 * 3 * window  # the inner one of three slices is kept
    unet = tiny.config["experiments"][1]
    window = network_costs.forward_flops("unet_2d", unet["window"], 7, unet["options"])
    assert halo.prediction(unet, (9, 104, 156)) == 9 * 2 * 3 * window  # slices by themselves, 52 px of labels each
    for other in (flipped, halo):
        assert other.evaluation_flops(hybrid) == tiny.evaluation_flops(hybrid)


def test_how_predictions_are_made_is_told_where_it_is_not_the_plain_way():
    plain = costs().config["prediction"]
    assert list(plan_text.prediction_lines(plain)) == []
    assert list(plan_text.prediction_lines({**plain, "slabs": 4, "full_volumes": []})) == []
    settings = {**plain, "slabs": 4, "flips": ["z", "x"], "stitch": "halo", "memory_gb": 12.5}
    slabs, flips, margins = plan_text.prediction_lines(settings)
    assert "4 slabs" in slabs and "mean over 4 flips (z, x)" in flips and "12.5 GB of memory" in margins


@pytest.mark.parametrize(
    ("ensemble", "expected"),
    [
        ({"top_k": [1, 2]}, (4, 4 + 2)),
        ({"top_k": [1, 2], "n_singles": 1}, (3, 1 + 2)),
        ({"top_k": [1, 2], "n_singles": 3, "random_draws": 9}, (4, 3 + 2 + 3)),
        ({"top_k": [3], "random_draws": 2}, (4, 4 + 1 + 2)),
    ],
)
def test_networks_and_labels_of_an_ensemble(ensemble, expected):
    config = runs.read_config("tests/workflow/tiny.yaml")
    config["experiments"][0]["seeds"] = 4
    config["ensembles"][0] = {"name": "hybrid", "experiments": ["hybrid"], **ensemble}
    found = plan.Costs(configuration.resolve(config, PRESETS))
    assert found.predicted(found.config["ensembles"][0]) == expected


def test_what_is_not_known_is_a_question_mark():
    config = runs.read_config("tests/workflow/tiny.yaml")
    config["volumes"][0]["path"] = config["labels"][0]["path"] = "nowhere/image.nii"
    config["experiments"][1] |= {"network": "medicalnet", "window": [8, 48, 48], "options": {"resnet_depth": 50}}
    resolved = configuration.resolve(config, PRESETS)
    resolved["regions"] = [{**region, "z": None} for region in resolved["regions"]]
    text = plan_text.report(resolved, config)
    assert re.search(r"unet +medicalnet +2 +\? +8 +\? +\? +\?", text)


# -------------------------------------------------------------------------------------------------------- wording
def test_numbers_in_words():
    assert [plan_text.hours(x * plan_text.CARD_FLOPS * 3600) for x in (0.001, 0.25, 9.3, 247.2, 7252)] == [
        "< 0.01",
        "0.25",
        "9.3",
        "250",
        "7,300",
    ]
    assert plan_text.hours(None) == plan_text.size(None) == plan_text.number(None) == "?"
    assert [plan_text.size(n) for n in (1, 2.5e6, 2.14e9, 3e12)] == ["1 MB", "3 MB", "2.1 GB", "3.0 TB"]


def test_report_of_the_tiny_configuration():
    config = runs.read_config("tests/workflow/tiny.yaml")
    resolved = configuration.resolve(config, PRESETS)
    text = plan_text.report(resolved, config, on_gpu=False)
    assert re.search(r"hybrid +hybrid_2d3d_333 +2 +about 8 +8 +43,090 ", text)
    assert "4 training jobs" in text and "TFLOP/s" in text and "one CPU thread" in text and "results/tiny" in text
    assert "CPU" not in plan_text.report(resolved, config) and "seeds_scale" not in text
    assert re.search(r"An evaluation, as a share of the training between two: [0-9.]+ % every 4 steps \(hybrid\)", text)
    assert plan_text.line(resolved).startswith("plan: 4 training jobs in all")


def test_evaluations_of_regions_of_unknown_size_are_not_told():
    tiny = costs()
    assert len(plan_text.evaluation_texts(tiny)) > 0
    tiny.eval_images["eval"] = [None, 52, 104]
    assert plan_text.evaluation_texts(tiny) == []


def test_an_evaluation_that_comes_only_at_the_end_is_told_so():
    changes = {"steps": 8, "evaluate_every_steps": 4}
    experiment = {**runs.read_config("tests/workflow/tiny.yaml")["experiments"][0], "training": changes}
    (often,) = plan_text.evaluation_texts(costs(experiments=[experiment]))
    changes["evaluate_every_steps"] = 1000
    (once,) = plan_text.evaluation_texts(costs(experiments=[experiment]))
    assert re.fullmatch(r"[0-9.]+\s%\severy\s4\ssteps \(hybrid\)", often)
    assert re.fullmatch(r"[0-9.]+\s%\sonce,\sat\sthe\send \(hybrid\)", once)
    assert float(once.split("\xa0")[0]) == pytest.approx(float(often.split("\xa0")[0]) / 2, rel=0.05)


def test_report_counts_filmed_trainings():
    record = {"experiment": "hybrid", "seed": 1, "region": "eval", "slice": 0, "every_steps": 4}
    tiny = costs(videos={"training": [record]})
    assert tiny.filmed() == [tiny.training(tiny.config["experiments"][0])["flops"]]
    config = {**runs.read_config("tests/workflow/tiny.yaml"), "videos": {"training": [record]}}
    text = plan_text.report(configuration.resolve(config, PRESETS), config)
    assert "film trainings: 1 more training job, < 0.01 GPU-hours." in text


def test_report_says_what_seeds_scale_leaves_out():
    config = {**runs.read_config("tests/workflow/tiny.yaml"), "seeds_scale": 0.5}
    text = plan_text.report(configuration.resolve(config, PRESETS), config)
    assert "seeds_scale 0.5 keeps seeds: hybrid 1 of 2, unet 1 of 2." in text
    assert "Sizes of ensembles left out with them: k = 2 of hybrid, unet." in text


# --------------------------------------------------------------------------------------------- when it is printed
def test_a_dry_run_prints_the_plan_before_its_jobs(tmp_path):
    project = runs.copy_project(tmp_path)
    code, output = runs.dry_run_output(project, *runs.TINY)
    assert code == 0, output
    assert output.count("The plan\n") == 1
    assert output.index("The plan\n") < output.index("Job stats")
    _, quiet = runs.dry_run_output(project, *runs.TINY, "--quiet", "all")
    assert "The plan" not in quiet


def test_a_run_says_it_in_one_line_and_its_jobs_say_nothing(finished_run):
    first = min((finished_run / ".snakemake/log").glob("*.log"), key=lambda path: path.name).read_text()
    assert first.count("plan: 4 training jobs in all") == 1 and "The plan" not in first
    assert not [path for path in (finished_run / "results/tiny/logs").rglob("*.log") if "plan:" in path.read_text()]


# ------------------------------------------------------------------------------------------------- draws and targets
def sparse_costs(**changes):
    config = runs.read_config("tests/workflow/tiny_sparse.yaml")
    for path, value in changes.items():
        runs.edit(config, path.replace("__", "."), value)
    return plan.Costs(configuration.resolve(config, PRESETS))


def test_a_draw_has_a_batch_for_each_of_its_slices_and_no_evaluation():
    found = sparse_costs()
    forward = network_costs.forward_flops("resunet", (1, 64, 64), 2, {"base_width": 4})
    for name, n in (("pair_n2", 2), ("pair_n4", 4)):
        run = found.training(found.experiments[name])
        assert (run["windows"], run["steps_per_epoch"], run["steps"]) == (2 * n, n, 6)
        assert run["flops"] == 3 * forward * 2 * 6  # batches of 2
        assert run["parameters"] == network_costs.parameters("resunet", 2, {"base_width": 4})


def test_drawn_slices_of_the_grid_sampler_are_counted_one_by_one():
    changes = {"sampler": "grid", "batch_size": 1, "steps": None, "epochs": 3}
    found = sparse_costs(experiments__0__training=changes)
    in_plane = plan.windows_per_epoch((1, 124, 120), (1, 64, 64), (1, 32, 32))
    run = found.training(found.experiments["pair_n4"])
    assert run["windows"] == 4 * in_plane and run["steps"] == 3 * 4 * in_plane


def test_held_out_slices_are_counted_where_the_configuration_tells_them():
    slices = {
        f"labels__{i}__{key}": value for i in (0, 1) for key, value in (("boxes", None), ("slices", [0, 2, 5, 7, 9]))
    }
    found = sparse_costs(**slices)
    assert [found.n_held_out(found.experiments[name]) for name in ("pair_n2", "pair_n4", "classes")] == [3, 1, 0]
    pair = found.experiments["pair_n2"]
    assert found.held_out(pair) == 3 * found.prediction(pair, (1, 124, 120))
    assert found.predictions()[0] > sparse_costs(**slices, experiments__0__evaluate="none").predictions()[0]
    estimates = plan_jobs.Jobs(found, on_gpu=False)
    wildcards = {"experiment": "pair_n2", "seed": "1"}
    estimate = estimates.estimate("score_held_out", "score_held_out", wildcards)
    assert estimate["work_s"] == pytest.approx(found.held_out(pair) / plan_jobs.rate(plan_jobs.FORWARD_RATES, 4))


def test_regions_of_an_experiment_are_those_that_cost():
    found = sparse_costs()
    assert [list(s) for s in found.shapes("train", names=["dense", "test"])] == [[4, 124, 120]]
    assert found.scored({"experiments": ["classes"]}) == found.shapes("test")
    assert found.eval_shapes(found.experiments["classes"]) == []
