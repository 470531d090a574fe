"""densecell as a module of another workflow: its own rules, results and input files stay apart from the outer workflow's."""

import subprocess

import pytest
import workflow_runs as runs
import yaml

SNAKEFILE = runs.REPO / "workflow" / "Snakefile"
OUTER = """
configfile: "mine.yaml"

rule all:
    input:
        "report.txt"

rule write_report:
    input:
        {needs}
    output:
        "report.txt"
    shell:
        "cat {{input}} > {{output}}"

rule stitch_tiles:
    output:
        "stitched.tif"
    shell:
        "touch {{output}}"

module densecell:
    snakefile: {snakefile}
    config: config["densecell"]
    {prefix}

use rule * from densecell as densecell_*
"""


def outer_workflow(folder, needs, snakefile=f'"{SNAKEFILE}"', prefix="", change=lambda config: None):
    """A workflow in `folder` that needs a file of densecell and holds its configuration, the tiny one, under a key."""
    folder.mkdir(exist_ok=True)
    config = runs.read_config("tests/workflow/tiny.yaml")
    change(config)
    (folder / "mine.yaml").write_text(yaml.safe_dump({"densecell": config}))
    (folder / "Snakefile").write_text(OUTER.format(needs=needs, snakefile=snakefile, prefix=prefix))
    return folder


def planned(folder, *arguments):
    code, output = runs.dry_run_output(folder, "--printshellcmds", *arguments)
    assert code == 0, output
    return output


METRICS = "results/tiny/tables/metrics.csv"


def test_outer_workflow_keeps_its_own_target_and_gets_what_that_needs(tmp_path):
    output = planned(outer_workflow(tmp_path, f'"{METRICS}"'))
    counts = dict(runs.STATISTICS.findall(output))
    assert counts["all"] == counts["write_report"] == "1" and counts["densecell_train_network"] == "4"
    assert "densecell_all" not in counts and "densecell_plot_ranking" not in counts


def test_all_of_densecell_is_one_target(tmp_path):
    folder = outer_workflow(tmp_path / "outer", f'"{METRICS}"')
    output = planned(folder, "densecell_all")
    alone = runs.copy_project(tmp_path / "alone")
    jobs = runs.dry_run(alone, *runs.TINY)
    assert {job.removeprefix("densecell_") for job in runs.JOB.findall(output)} - {runs.LAST} == jobs


def test_prefix_goes_before_results_and_into_the_options_of_scripts(tmp_path):
    output = planned(outer_workflow(tmp_path, f'"em/{METRICS}"', prefix='prefix: "em"'), "densecell_all")
    assert "em/results/tiny/volumes" in output
    assert output.count("results/tiny/") == output.count("em/results/tiny/")  # the options of scripts too
    assert "em/em/" not in output


def test_scripts_are_named_by_their_place_seen_from_the_working_folder(tmp_path):
    folder = tmp_path / "my outer workflow"
    project = runs.copy_project(folder / "dense cell")
    output = planned(outer_workflow(folder, f'"{METRICS}"', '"dense cell/workflow/Snakefile"'))
    assert "python 'dense cell/workflow/scripts'/train_network.py" in output
    assert str(project) not in output.split("Job stats:", 1)[1]


def test_input_file_may_come_from_a_rule_of_the_outer_workflow(tmp_path):
    def stitched(config):
        volume = config["volumes"][0]
        volume.update(path="stitched.tif", truth=None, shape=[10, 124, 120])

    target = "results/tiny/imported/subject1/image.ome.zarr"
    counts = dict(runs.STATISTICS.findall(planned(outer_workflow(tmp_path, f'"{target}"', change=stitched), target)))
    assert counts["stitch_tiles"] == counts["densecell_import_volume"] == "1"


def test_input_file_that_no_rule_makes_is_missed_by_name(tmp_path):
    def missing(config):
        config["volumes"][0].update(path="stiched.tif", truth=None, shape=[10, 124, 120])

    target = "results/tiny/imported/subject1/image.ome.zarr"
    code, output = runs.dry_run_output(outer_workflow(tmp_path, f'"{target}"', change=missing), target)
    assert code == 1 and "MissingInputException" in output and "stiched.tif" in output


def test_configuration_lies_on_top_of_config_yaml(tmp_path):
    folder = outer_workflow(tmp_path, '"results/ranking.txt"')
    own = yaml.safe_load((runs.REPO / "tests/workflow/tiny.yaml").read_text())  # not complete by itself
    (folder / "mine.yaml").write_text(yaml.safe_dump({"densecell": own}))
    assert "densecell_rank_networks" in planned(folder, "results/tiny/tables/ranking.csv")


def test_wrong_configuration_is_told_as_without_a_module(tmp_path):
    def wrong(config):
        config["experiments"][0]["networc"] = "unet_2d"

    code, output = runs.dry_run_output(outer_workflow(tmp_path, f'"{METRICS}"', change=wrong))
    assert code == 1 and "Did you mean 'network'?" in output


def test_python_modules_of_the_outer_workflow_with_the_names_of_ours_do_not_get_in_the_way(tmp_path):
    folder = outer_workflow(tmp_path, f'"{METRICS}"')
    (folder / "configuration.py").write_text("mine = 1\n")
    snakefile = folder / "Snakefile"
    snakefile.write_text("import configuration\nassert configuration.mine == 1\n" + snakefile.read_text())
    assert "densecell_train_network" in planned(folder)


def repository_of_the_project(folder):
    """A git repository of the project with the tag v1, as a hosting site would keep it."""
    runs.copy_project(folder)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"], ["tag", "v1"]):
        identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]
        subprocess.run(["git", *identity, *command], cwd=folder, check=True)


def test_released_version_is_used_from_its_repository(tmp_path, monkeypatch):
    repository_of_the_project(tmp_path / "repository")  # in place of the one on the network
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{tmp_path}/repository.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/laboratory/densecell")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    github = 'github("laboratory/densecell", path="workflow/Snakefile", tag="v1")'
    folder = outer_workflow(tmp_path / "outer", f'"{METRICS}"', github)
    done = runs.snakemake(folder, "--dry-run", "--printshellcmds")
    assert done.returncode == 0, done.stdout
    assert "python .snakemake/densecell/densecell/workflow/scripts/train_network.py" in done.stdout
    assert (folder / ".snakemake/densecell/densecell/workflow/scripts/train_network.py").is_file()


@pytest.mark.slow
def test_module_runs(tmp_path):
    target = "em/results/tiny/binned/subject1/image.ome.zarr"
    folder = outer_workflow(tmp_path, f'"{target}.json"', prefix='prefix: "em"')
    done = runs.snakemake(folder)
    assert done.returncode == 0, done.stdout
    assert (folder / "report.txt").read_text() == (folder / f"{target}.json").read_text()
    assert runs.snakemake(folder).stdout.count("Nothing to be done") == 1
    assert not (folder / "results").exists()
