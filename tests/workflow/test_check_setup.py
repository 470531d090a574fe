"""`./run.sh check`: what is wrong with the configuration and with the inputs is told at once, with the key to change."""

import re
import subprocess
import sys

import broken_inputs
import pytest
import tifffile
import workflow_runs as runs
import yaml

import check_setup
from densecell import findings

SHARED = runs.REPO.parent / "shared" / "data"


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """(folder, configuration) of the broken inputs, on top of the tiny configuration."""
    folder = tmp_path_factory.mktemp("broken")
    return folder, {**runs.read_config("tests/workflow/tiny.yaml"), **broken_inputs.make(folder)}


def found_by(folder, config, monkeypatch):
    monkeypatch.chdir(runs.REPO)
    return check_setup.inspect(list(map(str, runs.write_config(folder / "config.yaml", config))), threads=1)


def test_each_broken_input_is_found_once_with_its_key_and_nothing_else(broken, monkeypatch):
    found = found_by(*broken, monkeypatch)
    assert {(f.finding, f.volume, f.key) for f in found} == broken_inputs.EXPECTED, findings.report(found)
    assert len(found) == len(broken_inputs.EXPECTED)
    slices = {f.volume: f.slices for f in found if f.slices}
    assert slices == {"blank": (5,), "copy": (8,), "moved": (6,)}
    by_name = {f.finding: f for f in found}
    assert "missing 4" in by_name["configuration"].found
    assert "77 in 20 voxels from slice 3" in by_name["label_value"].found
    assert "mitochondrion in train, not in eval" in by_name["class_missing"].found
    assert "20 nm apart" in by_name["guard_gap"].found
    assert all(f.to_do for f in found)


def test_without_the_faults_nothing_is_found(broken, tmp_path, monkeypatch):
    _, config = broken
    images, labels = broken_inputs.pieces(3)
    for name, stack in zip(("a", "b", "c"), images):
        tifffile.imwrite(tmp_path / f"{name}.tif", stack, photometric="minisblack")
    tifffile.imwrite(tmp_path / "labels.tif", labels[0], photometric="minisblack")
    volumes = [{**config["volumes"][0], "name": n, "path": str(tmp_path / f"{n}.tif")} for n in "abc"]
    regions = [{**region, "volume": "a"} for region in config["regions"]]
    regions[1]["y"] = [112, broken_inputs.SIDE]
    label_source = {**config["labels"][0], "volume": "a", "path": str(tmp_path / "labels.tif")}
    classes = {
        f.finding
        for f in found_by(
            tmp_path, {**config, "volumes": volumes, "regions": regions, "labels": [label_source]}, monkeypatch
        )
    }
    assert classes <= {"class_missing", "class_nowhere", "gpu"}  # rare organelles may lack in so small a piece


def test_the_command_lists_all_and_fails_and_a_sound_setup_passes(broken, tmp_path):
    folder, config = broken
    command = [sys.executable, str(runs.REPO / "workflow/scripts/check_setup.py")]
    arguments = list(map(str, runs.write_config(folder / "config.yaml", config)))
    streams = {"capture_output": True, "text": True, "check": False, "cwd": runs.REPO, "env": runs.environment()}
    done = subprocess.run([*command, *arguments], **streams)
    assert done.returncode == 1 and "Traceback" not in done.stdout + done.stderr
    assert re.findall(r"(?m)^\d+\. (\w+)", done.stdout) == ["ERROR"] * 4 + ["WARNING"] * 6, done.stdout
    done = subprocess.run(
        [*command, "--configfile", "tests/workflow/tiny.yaml", "--config", f"results_dir={tmp_path}"], **streams
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not_there_yet" in done.stdout


def test_findings_that_are_accepted_become_notes(broken, monkeypatch):
    folder, config = broken
    accepted = ["axes_swapped", "label_value", "guard_gap"]
    found = found_by(folder, {**config, "checks": {"accept": accepted}}, monkeypatch)
    assert {f.severity for f in found if f.finding in accepted} == {"note"}
    assert {f.finding for f in found if f.severity == "error"} == {"unreadable", "configuration"}


def test_a_misspelled_key_and_data_are_told_together(broken, monkeypatch):
    folder, config = broken
    found = found_by(folder, {**config, "figurs": {}, "volumes": config["volumes"][:3]}, monkeypatch)
    assert {"figurs", "volumes[1].axes", "volumes[2].path"} <= {f.key for f in found}


@pytest.mark.shared
def test_real_stacks_have_no_errors_and_only_the_missing_gap_is_a_warning(monkeypatch):
    if not (SHARED / "vnc").exists():
        pytest.skip(f"needs the EM stacks in {SHARED}")
    monkeypatch.chdir(runs.REPO)
    found = check_setup.inspect(["--configfile", "config/vnc.yaml", "--config", f"data_root={SHARED}"], threads=1)
    assert {f.finding for f in found if f.severity != "note"} - {"gpu", "disk", "memory"} == {"guard_gap"}, (
        findings.report(found)
    )


def test_every_finding_has_a_name_that_can_be_accepted_and_is_explained():
    folder = runs.REPO / "workflow/scripts"
    text = "".join(p.read_text() for p in [*folder.glob("densecell/*_checks.py"), *folder.glob("check_*.py")])
    names = set(re.findall(r'(?:Finding|at_slices)\(\s*"(\w+)"', text))
    schema = yaml.safe_load((runs.REPO / "workflow/schemas/config.schema.yaml").read_text())
    accepted = set(schema["properties"]["checks"]["properties"]["accept"]["items"]["enum"])
    assert names - accepted == {"configuration", "disk", "gpu", "memory", "not_there_yet"} and accepted <= names
    explained = (runs.REPO / "docs/checks.md").read_text()
    assert [name for name in sorted(names) if f"`{name}`" not in explained] == []


# ------------------------------------------------------------------------------------------------------ in the workflow
@pytest.mark.slow
def test_an_error_stops_the_run_before_training(tmp_path):
    project = runs.copy_project(tmp_path / "project")
    folder = tmp_path / "inputs"
    folder.mkdir()
    images, labels = broken_inputs.pieces(1)
    tifffile.imwrite(folder / "sound.tif", images[0], photometric="minisblack")
    labels[0][2, 5:9, 5:9] = 99
    tifffile.imwrite(folder / "labels.tif", labels[0], photometric="minisblack")
    sections = {k: v for k, v in broken_inputs.sections(folder, ["sound"]).items() if k != "results_dir"}
    config = {**runs.read_config("tests/workflow/tiny.yaml"), **sections}
    arguments = runs.write_config(tmp_path / "config.yaml", config)
    targets = ("results/tiny/tables/findings.csv", "results/tiny/models/hybrid/seed1/best.safetensors")
    done = runs.snakemake(project, *arguments, "--", *targets)
    assert done.returncode != 0
    assert "99 in 16 voxels from slice 2" in done.stdout and "The run stops here" in done.stdout
    assert not (project / "results/tiny/logs/train_network").exists()
    done = runs.snakemake(
        project, *arguments, "--config", "checks={stop_at: never}", "--", "results/tiny/tables/findings.csv"
    )
    assert done.returncode == 0, done.stdout
    assert "label_value,error" in (project / "results/tiny/tables/findings.csv").read_text()


@pytest.mark.slow
def test_the_phantoms_have_no_finding_but_what_is_in_them(finished_run):
    table = (finished_run / "results/tiny/tables/findings.csv").read_text()
    told = {tuple(line.split(",")[i] for i in (0, 2, 3)) for line in table.splitlines()[1:]}
    assert told == {("subject2", "unlike_neighbors", "warning"), ("subject1", "guard_gap", "warning")}
