"""A volume predicted in several slabs is the volume predicted in one, and their number alone makes nothing again."""

import re
import shutil

import pytest
import workflow_runs as runs

import verify_results
from densecell import files

pytestmark = pytest.mark.slow

VOLUME = "results/tiny/volumes/subject2/hybrid"


@pytest.fixture(scope="module")
def project(finished_run, tmp_path_factory):
    """A copy of the finished run that these tests may change."""
    folder = tmp_path_factory.mktemp("slabs") / "project"
    shutil.copytree(finished_run, folder, symlinks=True)
    return folder


def slabs_of(output):
    """Slabs that a dry run would predict."""
    return sorted(set(re.findall(r"--slab (\S+)", output)))


def test_another_number_of_slabs_alone_makes_nothing_again(project):
    (project / "slabs.yaml").write_text("prediction: {slabs: 3}\n")
    assert runs.dry_run(project, *runs.TINY, "slabs.yaml") == set()
    assert runs.dry_run(project, *runs.TINY, "--set-scatter", "slabs=2") == set()


def test_a_volume_that_is_made_again_has_the_new_number(project):
    (project / "slabs.yaml").write_text("prediction: {slabs: 3, flips: [x]}\n")
    code, output = runs.dry_run_output(project, *runs.TINY, "slabs.yaml")
    assert code == 0 and slabs_of(output) == ["1-of-3", "2-of-3", "3-of-3"], output


def test_the_volume_does_not_depend_on_the_number_of_slabs(project):
    one = files.hash_store(project / VOLUME)  # the sidecars are among the files
    files.remove(project / VOLUME)
    code, output = runs.dry_run_output(project, *runs.TINY, "--set-scatter", "slabs=3")
    assert code == 0 and slabs_of(output) == ["1-of-3", "2-of-3", "3-of-3"], output
    done = runs.snakemake(project, *runs.TINY, "--set-scatter", "slabs=3")  # two layers of shards: one slab is empty
    assert done.returncode == 0, done.stdout
    assert files.hash_store(project / VOLUME) == one
    results = project / "results" / "tiny"
    assert not any(path.is_file() for name in ("slabs", "restart/slabs") for path in (results / name).rglob("*"))
    verify_results.main([str(results)])  # exits where a result differs from its sidecar
    assert runs.dry_run(project, *runs.TINY) == set()
