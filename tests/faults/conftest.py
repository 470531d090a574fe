import shutil

import pytest
import small_run
import workflow_runs as runs


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """A project in which the small configuration has run, undisturbed. Nobody changes it."""
    project = small_run.make_project(tmp_path_factory.mktemp("undisturbed") / "project")
    done = small_run.run(project)
    assert done.returncode == 0, done.stdout
    return project


@pytest.fixture(scope="session")
def expected(undisturbed):
    """{file: hash} of its results."""
    return runs.compared_results(undisturbed / small_run.RESULTS)


@pytest.fixture
def copy(undisturbed, tmp_path):
    """A copy of the finished project that a test may change."""
    shutil.copytree(undisturbed, tmp_path / "project", symlinks=True)
    return tmp_path / "project"
