"""Names and paths from a configuration reach the scripts as they are, one word each, and the shell never."""

import json
import os
import re
import subprocess

import numpy as np
import pytest
import tifffile
import workflow_runs as runs

RULES = runs.REPO / "workflow" / "rules"
FOLDER = 'it\'s; touch pwned1 $(touch pwned2) `touch pwned3` & touch pwned4 "x" > pwned5 *'
PRINTED = re.compile(r"^Shell command: (?:trap '' TERM; )?(python .*)$", re.MULTILINE)
# the programs of a shell line, replaced by one that tells its words
TELLING = "python() { printf '%s\\n' \"$@\"; }; tee() { printf 'tee\\n%s\\n' \"$1\"; cat; }\n"


def shell_lines(text):
    """The lines of the shell blocks of a rule file."""
    for block in re.findall(r"^( +)shell:\n((?:\1 +.*\n)+)", text, re.MULTILINE):
        yield from block[1].splitlines()


@pytest.mark.parametrize("path", sorted(RULES.glob("*.smk")), ids=lambda p: p.name)
def test_every_value_in_a_shell_line_is_quoted(path):
    """SCRIPTS is quoted where it is made; it is the only value that is put in before Snakemake formats the line."""
    for line in shell_lines(path.read_text()):
        text = line.strip()
        if text.startswith("f"):
            assert re.findall(r"\{([^}]*)\}", text) == ["SCRIPTS"], text
        else:
            assert all(field.endswith(":q") for field in re.findall(r"\{([^{}]*)\}", text)), text


def test_the_rules_have_shell_lines_and_quoted_scripts():
    lines = [line for path in RULES.glob("*.smk") for line in shell_lines(path.read_text())]
    assert len(lines) > 200
    assert re.search(r"SCRIPTS = shlex\.quote\(", (RULES / "location.smk").read_text())


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A project in a folder with an apostrophe and spaces, whose configuration names every path as badly as it can."""
    project = tmp_path_factory.mktemp("it's my project") / "a b"
    project.mkdir()
    runs.copy_project(project)
    data = project / "data" / FOLDER
    data.mkdir(parents=True)
    config = runs.read_config("tests/workflow/tiny.yaml")
    shape = config["phantom"][0]["shape"]
    for z in range(shape[0]):
        slice_ = np.random.default_rng(z).integers(0, 255, shape[1:], np.uint8)
        tifffile.imwrite(data / f"s {z:02}.tif", slice_)
    volume, size = config["volumes"][0], config["phantom"][0]["voxel_size_nm"]
    volume |= {"path": f"data/{FOLDER}", "voxel_size_nm": size, "shape": None, "truth": None}
    config["results_dir"] = f"results {FOLDER}"
    runs.write_config(project / "hostile.yaml", config)
    return project


def test_each_printed_command_gives_its_script_one_word_for_each_value(hostile, tmp_path):
    code, output = runs.dry_run_output(hostile, "--printshellcmds", "--configfile", "hostile.yaml", "--cores", "2")
    assert code == 0, output
    commands = PRINTED.findall(output)
    assert len(commands) > 20
    assert sum("touch pwned1" in command for command in commands) == len(commands)
    script = TELLING + "\n".join(commands) + "\n"  # together longer than an argument may be
    done = subprocess.run(["bash", "-s"], input=script, cwd=tmp_path, capture_output=True, text=True, check=True)
    words = done.stdout.splitlines()
    assert os.listdir(tmp_path) == [], "the shell ran or wrote something"
    assert f"data/{FOLDER}" in words
    assert f"results {FOLDER}/tables/metrics.csv" in words
    whole = (FOLDER, json.dumps(FOLDER)[1:-1])  # in JSON, too
    broken = [word for word in words if "touch" in word and not any(name in word for name in whole)]
    assert not broken, broken[:3]


def test_files_of_any_name_are_imported_and_nothing_else_happens(hostile):
    target = (
        f"results {FOLDER}/imported/{runs.read_config('tests/workflow/tiny.yaml')['volumes'][0]['name']}/image.ome.zarr"
    )
    done = runs.snakemake(hostile, "--configfile", "hostile.yaml", "--", target)
    assert done.returncode == 0, done.stdout
    assert (hostile / target / "0" / "zarr.json").exists()
    assert not list(hostile.rglob("pwned?"))


@pytest.mark.slow
def test_a_folder_of_more_slices_than_a_command_could_name_is_imported(tmp_path):
    """4,000 names are 270 kB; Linux takes 128 kB in one word, and a command is one."""
    runs.copy_project(tmp_path)
    config = runs.read_config("tests/workflow/tiny.yaml")
    folder = tmp_path / "data" / ("a folder with a long name" * 2)
    folder.mkdir(parents=True)
    tifffile.imwrite(folder / "slice 0000.tif", np.arange(124 * 120, dtype=np.uint16).reshape(124, 120))
    for z in range(1, 4000):
        (folder / f"slice {z:04}.tif").hardlink_to(folder / "slice 0000.tif")
    size = config["phantom"][0]["voxel_size_nm"]
    config["volumes"][0] |= {"path": f"data/{folder.name}", "voxel_size_nm": size, "shape": None, "truth": None}
    arguments = runs.write_config(tmp_path / "many.yaml", config)
    target = f"results/tiny/imported/{config['volumes'][0]['name']}/image.ome.zarr"
    done = runs.snakemake(tmp_path, *arguments, "--", target)
    assert done.returncode == 0, done.stdout[-3000:]
    assert json.loads((tmp_path / target / "0" / "zarr.json").read_text())["shape"] == [4000, 124, 120]
