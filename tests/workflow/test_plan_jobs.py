"""What single jobs are said to take: seconds, memory and disk."""

import pytest
import workflow_runs as runs

import configuration
import plan
import plan_jobs
import plan_text

PRESETS = configuration.load_presets(runs.REPO / "config/presets.yaml")


def jobs(on_gpu=False, **changes):
    config = runs.read_config("tests/workflow/tiny.yaml")
    for path, value in changes.items():
        runs.edit(config, path.replace("__", "."), value)
    return plan_jobs.Jobs(plan.Costs(configuration.resolve(config, PRESETS)), on_gpu)


def test_voxels_over_the_rate_of_the_step():
    found = jobs().estimate("make_phantom", "make_phantom", {"volume": "subject1"})
    assert found["start_s"] + found["work_s"] == pytest.approx(1 + 10 * 124 * 120 / 6e4)
    region = {"region": "eval", "weight_map": "paper"}  # 10 x 52 x 104
    assert jobs().estimate("build_weight_map", "build_weight_map", region)["work_s"] == pytest.approx(
        10 * 52 * 104 / 26e6
    )


def test_a_raw_stack_is_larger_than_the_binned_one():
    binned = jobs(
        volumes=[{**v, "binning": [1, 2, 2]} for v in runs.read_config("tests/workflow/tiny.yaml")["volumes"]]
    )
    volume = {"volume": "subject1"}
    plain = jobs().estimate("import_volume", "import_volume", volume)
    halved = binned.estimate("import_volume", "import_volume", volume)
    assert halved["work_s"] == plain["work_s"] and halved["disk_bytes"] == plain["disk_bytes"] == 10 * 124 * 120


def test_every_predicted_label_volume_is_counted_once():
    w = {"region": "test", "reference": "reference", "ensemble": "hybrid"}
    found = jobs()
    voxels = 5 * 104 * 104
    assert found.estimate("compute_confusion_matrix", "compute_confusion_matrix", w)["work_s"] == 4 * voxels / 177e6
    assert found.estimate("compute_confusion_matrix", "compute_confusion_matrix", w)["disk_bytes"] == 0
    assert found.estimate("predict_volume", "predict_region", w)["disk_bytes"] == 4 * voxels  # seeds 1, 2; top 1, 2


def test_networks_take_their_operations_over_the_rate_of_card_or_threads():
    w = {"experiment": "hybrid", "seed": "1"}
    card, threads = jobs(on_gpu=True), jobs()
    flops = card.trainings["hybrid"]["flops"]
    assert card.estimate("train_network", "train_network", w)["work_s"] == flops / plan_text.CARD_FLOPS
    assert threads.estimate("train_network", "train_network", w, 2)["work_s"] == flops / (2 * 3.5e10)  # base width 4
    assert "GTX 1080" in card.estimate("train_network", "train_network", w)["source"]
    assert (
        threads.estimate("train_network", "train_network", w)["disk_bytes"]
        == 2 * 4 * card.trainings["hybrid"]["parameters"]
    )


def test_slabs_share_a_volume_and_leave_nothing_of_their_own():
    w = {"volume": "subject2", "ensemble": "hybrid"}
    whole, quarter = (jobs(prediction__slabs=n).estimate("predict_volume", "predict_volume", w) for n in (1, 4))
    assert quarter["work_s"] == pytest.approx(whole["work_s"] / 4) and whole["work_s"] > 0
    assert whole["disk_bytes"] == 0
    assert jobs().estimate("gather_slabs", "gather_slabs", w)["disk_bytes"] == 3 * 10 * 120 * 120  # with both members


@pytest.mark.parametrize(("width", "expected"), [(8, 5e10), (16, 9e10), (63, 9e10), (64, 2e11), (96, 2e11)])
def test_wide_networks_use_the_processor_better(width, expected):
    assert plan_jobs.rate(plan_jobs.FORWARD_RATES, width) == expected


def test_memory_is_that_of_a_slice_of_the_regions_or_of_the_budget():
    found = jobs(prediction__memory_gb=2)
    assert found.memory_bytes("align_volume", {"volume": "subject1"}) == 120e6 + 110 * 124 * 120
    regions, parameters = 10 * 56 * 120 + 10 * 52 * 104, found.trainings["unet"]["parameters"]
    training = found.memory_bytes("train_network", {"experiment": "unet"})
    assert training == 420e6 + 9 * regions + 16 * parameters
    assert found.memory_bytes("predict_volume", {"region": "test", "ensemble": "unet"}) == 420e6 + 2e9
    assert jobs().memory_bytes("predict_volume", {"region": "test", "ensemble": "unet"}) is None


def test_what_is_not_known_is_none():
    config = configuration.resolve(runs.read_config("tests/workflow/tiny.yaml"), PRESETS)
    config["phantom"], config["volumes"][0]["path"] = [], "nowhere/image.nii"
    config["regions"] = [{**region, "z": None} for region in config["regions"]]
    found = plan_jobs.Jobs(plan.Costs(config), False)
    assert found.estimate("import_volume", "import_volume", {"volume": "subject1"})["work_s"] is None
    assert (
        found.estimate("predict_volume", "predict_region", {"region": "eval", "ensemble": "hybrid"})["work_s"] is None
    )
    assert (
        found.estimate("render_surfaces", "render_surfaces", {"region": "eval", "source": "hybrid"})["work_s"] is None
    )
    assert found.estimate("rank_networks", "rank_networks", {})["work_s"] == 0
