"""The fuzz tests again, with examples that the quick run does not see."""

import os
import subprocess
import sys

import pytest
import workflow_runs as runs

FILES = sorted(p.relative_to(runs.REPO).as_posix() for p in (runs.REPO / "tests").glob("*/test_fuzz_*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("path", [p for p in FILES if "longer" not in p])
def test_more_examples_find_nothing_more(path):
    """DENSECELL_FUZZ=5000 with another seed looks further: python -m pytest --hypothesis-seed=1 tests/library/test_fuzz_tables.py."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-k",
        "mutated or any or passes or name",
        "--hypothesis-seed=0",
        path,
    ]
    environment = {**os.environ, "DENSECELL_FUZZ": "300"}
    done = subprocess.run(command, cwd=runs.REPO, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
