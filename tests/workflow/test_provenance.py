"""What jobs put into their run records, and that everything a rule runs can be explained in words."""

import re
import subprocess
from pathlib import Path

import pytest
import workflow_runs
import yaml

import provenance
from densecell.passport_words import WORDS

RULES = workflow_runs.REPO / "workflow" / "rules"
NO_RESULTS = {"download_dataset", "compare_costs"}  # one writes raw data, which a chain ends with; one what a run took


def git(folder, *arguments):
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "file").write_text("1")
    git(tmp_path, "init")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "first")
    return tmp_path


def test_the_commit_is_told_and_whether_files_differ_from_it(repository):
    commit = git(repository, "rev-parse", "HEAD")
    assert provenance.commit(str(repository)) == commit
    (repository / "untracked").write_text("1")
    assert provenance.commit(str(repository)) == commit
    (repository / "file").write_text("2")
    assert provenance.commit(str(repository)) == f"{commit}-dirty"


def test_tags_do_not_hide_the_commit(repository):
    git(repository, "tag", "-a", "v1", "-m", "one")
    assert provenance.commit(str(repository)) == git(repository, "rev-parse", "HEAD")


def test_an_unpacked_archive_within_another_repository_has_no_commit(repository):
    (repository / "densecell").mkdir()
    assert provenance.commit(str(repository / "densecell")) == "unknown"


def test_without_git_the_commit_is_unknown(repository, monkeypatch):
    monkeypatch.setenv("PATH", str(repository / "empty"))
    assert provenance.commit(str(repository)) == "unknown"


def test_a_broken_repository_has_no_commit(tmp_path):
    (tmp_path / ".git").mkdir()
    assert provenance.commit(str(tmp_path)) == "unknown"


def test_the_version_is_that_of_the_citation_file(tmp_path):
    known = yaml.safe_load((workflow_runs.REPO / "CITATION.cff").read_text())["version"]
    assert provenance.version(workflow_runs.REPO) == str(known)
    assert provenance.version(tmp_path) == "unknown"


def test_the_resolved_configuration_is_kept_once_under_its_hash(tmp_path):
    config = {"b": [1, 2.5, None], "a": {"x": "ä"}}
    path = provenance.keep_config(config, str(tmp_path / "run"))
    assert provenance.keep_config(config, str(tmp_path / "run")) == path
    assert [p.name for p in (tmp_path / "run").iterdir()] == [f"config.{provenance.config_hash(config)}.yaml"]
    assert yaml.safe_load(Path(path).read_text()) == config
    assert provenance.config_hash({**config, "c": 1}) != provenance.config_hash(config)
    assert provenance.config_hash(dict(reversed(config.items()))) == provenance.config_hash(config)


def test_a_dry_run_keeps_no_configuration(tmp_path):
    folder = workflow_runs.copy_project(tmp_path)
    workflow_runs.dry_run(folder, *workflow_runs.TINY)
    assert not (folder / "results").exists()


def test_a_run_keeps_its_configuration_and_its_jobs_name_it(tmp_path):
    folder = workflow_runs.copy_project(tmp_path)
    done = workflow_runs.snakemake(folder, *workflow_runs.TINY, "--", "results/tiny/phantom/subject1/image.tif")
    assert done.returncode == 0, done.stdout
    (kept,) = (folder / "results/tiny/run").glob("config.*.yaml")
    record = yaml.safe_load((folder / "results/tiny/phantom/subject1/image.tif.run.json").read_text())
    assert kept.name == f"config.{record['config_hash']}.yaml" and record["git_commit"] == "unknown"
    config = yaml.safe_load(kept.read_text())
    assert config["results_dir"] == "results/tiny" and config["experiments"][0]["training"]["optimizer"] == "adamw"


def scripts_of_rules():
    """Names of the scripts that rules run."""
    text = "".join(path.read_text() for path in RULES.glob("*.smk"))
    return set(re.findall(r"\{SCRIPTS(?::q)?\}/(\w+)\.py", text))


def test_the_script_of_every_rule_can_be_explained():
    scripts = scripts_of_rules()
    assert len(scripts) > 40
    assert scripts - NO_RESULTS <= set(WORDS)
    assert set(WORDS) <= scripts, "words for a script that no rule runs"
