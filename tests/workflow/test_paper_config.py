"""What stands in for what the key `paper` leaves out, and what is refused."""

import copy

import pytest
import workflow_runs as runs
import yaml

import configuration
import paper_config

PRESETS = configuration.load_presets(runs.REPO / "config" / "presets.yaml")


@pytest.fixture(scope="module")
def shipped():
    return yaml.safe_load((runs.REPO / "config.yaml").read_text())


def derived(config, **changes):
    return paper_config.derive(configuration.resolve({**copy.deepcopy(config), **changes}, PRESETS))


def with_experiment(config, network, **options):
    extra = {**config["experiments"][0], "name": "extra", "network": network, "options": {}, **options}
    return {"experiments": [*config["experiments"], extra]}


def test_without_the_key_the_first_of_each_kind_is_taken(shipped):
    paper = derived(shipped)
    assert (paper["main"], paper["best_2d"], paper["best_3d"]) == ("hybrid", "unet", "hybrid")
    assert (paper["ensembles"], paper["singles"], paper["baselines"]) == (["hybrid", "unet"], ["hybrid"], ["unet"])
    assert paper["regions"] == {role: role for role in ("train", "eval", "test", "compare")}


def test_what_is_given_is_kept_and_the_rest_follows_from_it(shipped):
    paper = derived(shipped, paper={"main": "unet", "ensembles": ["unet"], "regions": {"test": "test"}})
    assert (paper["main"], paper["ensembles"], paper["singles"], paper["best_3d"]) == ("unet", ["unet"], [], "hybrid")


def test_networks_without_an_ensemble_are_baselines_and_the_plain_one_is_on_the_poster_only(shipped):
    changes = with_experiment(shipped, "hybrid_2d3d")
    ensembles = [*shipped["ensembles"], {"name": "plain", "experiments": ["extra"], "top_k": [1, 2]}]
    paper = derived(shipped, **changes, ensembles=ensembles)
    assert paper["ensembles"] == ["hybrid", "unet"] and paper["poster"] == ["hybrid", "unet", "plain"]
    ensembles[2] = {"name": "one", "experiments": ["extra"], "top_k": [1]}
    paper = derived(shipped, **with_experiment(shipped, "unet_3d_thin"), ensembles=ensembles)
    assert paper["baselines"] == ["unet", "one"] and paper["poster"] == ["hybrid", "unet"]


def test_without_2d_networks_and_a_compared_region_both_are_none(shipped):
    regions = [region for region in shipped["regions"] if region["role"] != "compare"]
    paper = derived(shipped, regions=regions, ensembles=shipped["ensembles"][:1])
    assert paper["best_2d"] is None and paper["regions"]["compare"] is None


def test_the_published_algorithm_follows_from_the_network_and_its_loss(shipped):
    config = configuration.resolve(shipped, PRESETS)
    assert paper_config.algorithm(config, "hybrid") == "hybrid_2d3d_333"
    config["experiments"][0]["training"]["auxiliary_weight"] = 0
    assert paper_config.algorithm(config, "hybrid") == "hybrid_2d3d_333_no_multi_loss"
    config["ensembles"][0]["experiments"] = ["hybrid", "unet"]
    assert paper_config.algorithm(config, "hybrid") == "" and not paper_config.is_2d(config, "hybrid")


@pytest.mark.parametrize(
    "paper, path, expected",
    [
        ({"main": "hybird"}, "paper.main", "a name in ensembles"),
        ({"baselines": ["unet", "x"]}, "paper.baselines[1]", "a name in ensembles"),
        ({"regions": {"eval": "nowhere"}}, "paper.regions.eval", "a name in regions"),
        ({"regions": {"test": "eval"}}, "paper.regions.test", "a region with the role test"),
        ({"slices": {"eval": -1}}, "paper.slices.eval", "0 or more"),
        ({"published": "guay"}, "paper.published", "one of none, guay_2021"),
    ],
)
def test_refuses_names_that_do_not_exist_and_regions_of_another_role(shipped, paper, path, expected):
    config = {**copy.deepcopy(shipped), "paper": paper}
    found = {finding.path: finding for finding in configuration.check(config, PRESETS)}
    assert expected in found[path].expected


# ------------------------------------------------------------------------------------------------------- dry runs
@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return runs.copy_project(tmp_path_factory.mktemp("project"))


def test_the_platelets_have_every_figure_but_those_of_the_compared_cell(project):
    arguments = ("--configfile", "config/platelet.yaml", "--config", "seeds_scale=0.02")
    jobs = runs.dry_run(project, "paper_figures", *arguments)
    drawn = {job.split("/")[1] for job in jobs if job.startswith("plot_paper_panels/")}
    assert drawn == {"figure_1", "figure_s1", "figure_s2"}
    assert {"plot_paper_members", "plot_paper_overview", "make_paper_tables", "write_paper_index"} <= jobs
    assert "plot_foreground/eval" in jobs and not [job for job in jobs if "annotator" in job]


def test_the_phantom_has_the_compared_cell_too(project):
    jobs = runs.dry_run(project, "paper_figures", *runs.TINY)
    assert {"plot_paper_panels/figure_s3", "plot_annotators/compare", "render_surfaces/compare_annotator_1"} <= jobs
