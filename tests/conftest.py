import pytest
import workflow_runs


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """A copy of the project in which the tiny configuration has run. Tests leave it as they found it."""
    folder = workflow_runs.copy_project(tmp_path_factory.mktemp("run"))
    done = workflow_runs.snakemake(folder, *workflow_runs.TINY)
    assert done.returncode == 0, done.stdout
    return folder
