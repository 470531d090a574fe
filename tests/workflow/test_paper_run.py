"""The tables, figures, renderings and videos of the paper on the tiny phantom: all there, none empty, none made twice."""

import html

import matplotlib.image
import numpy as np
import pytest
import workflow_runs as runs

from densecell import io

pytestmark = pytest.mark.slow

FIGURES = ("figure_1", "figure_2b", "figure_3", "figure_s1", "figure_s2", "figure_s3")
EXPERIMENTS = ("hybrid", "hybrid_no_pyramid", "deeplab_drn")


@pytest.fixture(scope="module")
def project(finished_run):
    """The project of the tiny run, in which everything of the paper has run too."""
    done = runs.snakemake(finished_run, *runs.TARGETS, *runs.TINY_PAPER)
    assert done.returncode == 0, done.stdout
    return finished_run


@pytest.fixture(scope="module")
def results(project):
    return project / "results/tiny_paper"


def test_every_figure_is_a_picture_with_something_in_it(results):
    shown = [results / f"paper/{name}.png" for name in FIGURES]
    shown += [results / f"figures/network_{name}.png" for name in EXPERIMENTS]
    names = ("foreground_eval", "small_regions", "network_comparison", "ensemble_gain", "annotator_confusion_compare")
    shown += [results / f"figures/{name}.png" for name in names]
    shown += sorted((results / "renderings/eval/hybrid").glob("*.png"))
    assert len(shown) > 15
    for path in shown:
        picture = matplotlib.image.imread(path)[..., :3]
        assert min(picture.shape[:2]) > 200 and picture.std() > 0.02, path


def test_the_tables_of_the_paper_hold_every_network_once(results):
    table = io.read_table(results / "paper/table_s1.csv")
    assert set(EXPERIMENTS) <= set(table.astype(str).to_numpy().ravel())
    assert len(table) and not table.duplicated().any()
    index = (results / "paper/index.html").read_text()
    assert [name for name in FIGURES if f"{name}.png" not in index] == []


def test_random_ensembles_are_scored_beside_the_ranked_ones(results):
    metrics = io.read_table(results / "tables/metrics.csv")
    mine = metrics[(metrics["experiment"] == "hybrid") & (metrics["region"] == "eval")]
    assert {"random2_1", "random2_2", "top1", "top2", "seed1", "seed2", "seed3"} == set(mine["predictor"])
    assert not metrics[metrics["region"] == "compare"]["predictor"].str.startswith("random").any()


def test_the_filmed_network_is_the_one_that_was_ranked(results):
    trained, filmed = (
        results / f"{name}/best.safetensors" for name in ("models/hybrid/seed1", "snapshots/hybrid_seed1")
    )
    assert trained.read_bytes() == filmed.read_bytes()
    frames = io.open_volume(results / "snapshots/hybrid_seed1/cell.ome.zarr")
    assert frames.shape[0] == 3 and len(np.unique(frames[:])) > 5  # steps 0, 4 and 8


def test_videos_are_there(results):
    names = {path.name for path in (results / "videos").glob("*.mp4")}
    assert names == {
        "eval_hybrid.mp4", "eval_reference.mp4", "training_hybrid_probabilities.mp4", "training_hybrid_segmentation.mp4"
    }  # fmt: skip


def test_the_report_holds_the_captions_of_the_paper(project, tmp_path):
    done = runs.snakemake(project, *runs.TARGETS, *runs.TINY_PAPER, "--report", tmp_path / "report.html")
    assert done.returncode == 0, done.stdout
    text = " ".join(html.unescape((tmp_path / "report.html").read_text()).replace("\\n", " ").split())
    for name in ("paper", "network", "foreground", "small_regions", "rendering"):
        assert " ".join((project / f"workflow/report/{name}.rst").read_text().split()[:5]) in text, name


def test_a_second_run_has_nothing_to_do(project):
    assert runs.dry_run(project, *runs.TARGETS, *runs.TINY_PAPER) == set()
