"""A conda of the tests' own: its program, an offline channel, and an environment with Snakemake that starts the runs."""

import subprocess
import sys
from pathlib import Path

import channel
import distributions
import environments
import rattler
import yaml

ACTIVATE = 'export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"\n'
IN_HOME = 'raise ImportError("a package in the home of the user was taken")\n'


def described(file):
    """The strict MatchSpecs of an environment file."""
    return [rattler.MatchSpec(spec, strict=True) for spec in yaml.safe_load(Path(file).read_text())["dependencies"]]


def installed(prefix):
    """{conda package: version} of an environment."""
    records = [rattler.PrefixRecord.from_path(path) for path in Path(prefix, "conda-meta").glob("*.json")]
    return {record.name.normalized: str(record.version) for record in records}


class Installation:
    """conda in the folder `root`; `packed` tells what its channels hold, {package: version}.

    The home of the user who calls it holds a broken NumPy, as an old `pip install --user` leaves one.
    """

    def __init__(self, root):
        self.root, self.coordinator = root, root / "envs" / "snakemake"
        self.packed = channel.build(
            root / "channels", [n for n in distributions.pins() if n not in environments.IN_NONE]
        )
        program = (Path(__file__).parent / "conda_program.py").read_text()
        self._write("bin/conda", f"#!{sys.executable}\n{program}").chmod(0o755)
        self._write("bin/activate", ACTIVATE)
        self._write(f"home/.local/lib/{channel.PYTHON}/site-packages/numpy.py", IN_HOME)
        self.create("snakemake", self.coordinator)

    def _write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def environment(self):
        """The environment variables of a user who has activated Snakemake's environment, and nothing else."""
        path = f"{self.coordinator}/bin:{self.root}/bin:/usr/bin:/bin"
        channels = f"file://{self.root}/channels/"
        return {"PATH": path, "HOME": str(self.root / "home"), "OMP_NUM_THREADS": "1", "DENSECELL_CHANNELS": channels}

    def run(self, *command, cwd=None):
        """Run a command as that user; returns the finished process, its output in `stdout`."""
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.run(command, cwd=cwd, env=self.environment(), check=False, **streams)

    def create(self, name, prefix):
        """Solve and install the environment envs/<name>.yaml in the folder `prefix`, as Snakemake does."""
        file = distributions.REPO / "envs" / f"{name}.yaml"
        done = self.run(self.root / "bin/conda", "env", "create", "--file", file, "--prefix", prefix)
        assert done.returncode == 0, done.stdout

    def snakemake(self, folder, *arguments):
        """Run Snakemake in `folder` on two cores, with an environment of its own for each rule."""
        return self.run("snakemake", "--cores", "2", "--use-conda", *map(str, arguments), cwd=folder)
