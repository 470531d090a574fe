"""A run as an RO-Crate: what is in it, what stays out, and that it keeps to its profile."""

import base64
import json
import os
import zipfile
from pathlib import Path

import pytest
import requests
import rocrate
import run_results
from requests_cache import CachedRequest, CachedResponse, CachedSession
from rocrate_validator import services
from rocrate_validator.models import Severity

import crate_code
import export_crate
from densecell import files

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
BIOSCHEMAS = "https://bioschemas.org/"
GIVEN = ("--agent", "A Person", "--orcid", "https://orcid.org/0000-0002-1825-0097")
GIVEN += ("--license", "https://spdx.org/licenses/CC-BY-4.0")


@pytest.fixture
def folder(tmp_path):
    return run_results.small_run(tmp_path)


def export(folder, output, *arguments):
    """Export and return {@id: entity}."""
    export_crate.main(["--results", str(folder), "--output", str(output), *arguments])
    if output.suffix == ".zip":
        text = zipfile.ZipFile(output).read("ro-crate-metadata.json")
    else:
        text = (output / "ro-crate-metadata.json").read_text()
    return {entity["@id"]: entity for entity in json.loads(text)["@graph"]}


def values(entity, key):
    """The identifiers that a property points to."""
    value = entity.get(key, [])
    return [v["@id"] for v in (value if isinstance(value, list) else [value])]


# ------------------------------------------------------------------------------------------------------------ content
def test_jobs_form_a_chain_from_the_raw_stack_to_the_figure(folder, tmp_path):
    found = export(folder, tmp_path / "crate")
    jobs = {
        tuple(values(e, "result")): e for e in found.values() if e["@type"] == "CreateAction" and e["@id"] != "#run"
    }
    assert len(jobs) == 4
    drawn = jobs["results/figures/ranking.png",]
    assert values(drawn, "object")[0] == "results/tables/metrics.csv"
    assert values(drawn, "instrument") == ["workflow/scripts/plot_ranking.py"]
    computed = jobs["results/tables/metrics.csv",]
    aligned = ("#results/aligned/s1/image.ome.zarr", "results/aligned/s1/shifts.csv")
    assert set(values(computed, "object")[:2]) == set(aligned) and aligned in jobs  # two outputs of one job
    imported = jobs["#results/imported/s1/image.ome.zarr",]
    (raw,) = (found[i] for i in values(imported, "object") if i.startswith("#input/"))
    stack = folder.parents[1] / "private/stack.tif"
    assert raw["name"] == "stack.tif" and raw["sha256"] == files.hash_file(stack)
    assert (imported["startTime"], imported["endTime"]) == ("2026-11-21T10:00:00+00:00", "2026-11-21T10:00:04+00:00")
    assert (found["#run"]["startTime"], found["#run"]["endTime"]) == (imported["startTime"], drawn["endTime"])


def test_files_go_in_with_their_hash_and_volumes_by_their_hash_only(folder, tmp_path):
    found = export(folder, tmp_path / "crate")
    table = tmp_path / "crate/results/tables/metrics.csv"
    assert found["results/tables/metrics.csv"]["sha256"] == files.hash_file(table)
    assert table.read_bytes() == (folder / "tables/metrics.csv").read_bytes()
    volume = found["#results/aligned/s1/image.ome.zarr"]
    assert volume["sha256"] == files.content_id(folder / "aligned/s1/image.ome.zarr")
    assert not list((tmp_path / "crate").rglob("*.zarr")) and not list((tmp_path / "crate").rglob("*.log"))
    export(folder, tmp_path / "whole", "--with-volumes")
    assert (tmp_path / "whole/results/aligned/s1/image.ome.zarr/zarr.json").exists()


def test_the_code_that_ran_is_in_the_crate_with_its_version(folder, tmp_path):
    found = export(folder, tmp_path / "crate")
    workflow = found["workflow/Snakefile"]
    assert found["./"]["mainEntity"] == {"@id": "workflow/Snakefile"} and "commit c0ffee" in workflow["version"]
    assert (tmp_path / "crate/workflow/scripts/densecell/io.py").exists()
    assert [found[i]["name"] for i in values(workflow, "step")] == [
        "import_volume",
        "align_volume",
        "compute_metrics",
        "plot_ranking",
    ]
    assert {found[i]["name"] for i in values(workflow, "softwareRequirements")} == {"numpy", "python"}
    assert values(workflow, "license") == ["https://spdx.org/licenses/BSD-3-Clause"]


def test_neither_paths_nor_the_host_of_the_machine_are_told(folder, tmp_path):
    (folder / "tables/notes.csv").write_text("x")
    run_results.result(folder, "tables/notes.csv", "compute_metrics", f"seen in {os.getcwd()}/x\n", [], 20)
    found = export(folder, tmp_path / "crate")
    texts = [p for p in (tmp_path / "crate").rglob("*") if p.is_file() and "workflow" not in p.parts]
    for secret in (str(tmp_path), os.getcwd(), "secret-host"):
        assert [str(p) for p in texts if secret.encode() in p.read_bytes()] == []
    assert found["#results/tables/notes.csv"]["name"] == "tables/notes.csv"  # told, and not in the crate
    assert "path: stack.tif" in (tmp_path / f"crate/config.{run_results.CONFIG}.yaml").read_text()
    shown = export(folder, tmp_path / "with_host", "--with-host")
    assert "host secret-host" in shown["#job/1"]["description"]


def test_folders_of_raw_data_outside_the_project_are_not_told(folder, tmp_path, monkeypatch, capsys):
    raw = folder.parents[1] / "private"
    page = f"<script>{json.dumps({'input': [str(raw / 'stack_17.tif')]})}</script>"
    table = base64.b64encode(f"path\n{raw}/x.tif\n".encode()).decode()
    results = {
        "tables/findings.csv": f"path,finding\n{raw}/stack_17.tif,blank\n",
        "tables/fine.csv": "private,tif\n1,2\n",
    }
    results |= {"summary.html": page, "embedded.html": f'<a href="data:text/csv;charset=utf8;base64,{table}">'}
    for second, (path, text) in enumerate(results.items(), 20):
        run_results.result(folder, path, "compute_metrics", text, [], second)
    monkeypatch.chdir(Path("/"))
    found = export(folder, tmp_path / "crate")
    assert "results/tables/fine.csv" in found
    told = capsys.readouterr().err
    for path in ("tables/findings.csv", "summary.html", "embedded.html"):
        assert f"results/{path}" not in found and f"{path}: names a folder of this machine" in told
    assert str(raw) not in (tmp_path / "crate/ro-crate-metadata.json").read_text()


def test_folders_of_the_machine_are_those_of_records_and_configurations(monkeypatch):
    monkeypatch.setattr(os, "getcwd", lambda: "/desk/here")
    monkeypatch.setenv("HOME", "/home/me")
    records = [
        {
            "output": "/scratch/run1/tables/x.csv",
            "record": {"parents": {"/mnt/lab/raw/stack_17.tif": "", "data/y.tif": ""}},
        }
    ]
    config = {
        "results_dir": "/archive",
        "volumes": [{"path": "/nas/em/*.tif", "voxel_size_nm": [1, 2, 3]}],
        "data_root": "/tmp/me",
    }
    found = crate_code.folders_of_the_machine(records, [config])
    expected = {"/scratch/run1/tables", "/mnt/lab/raw", "/archive", "/tmp/me", "/nas/em", "/desk/here", "/home/me"}
    assert set(found) == {*expected, str(crate_code.PROJECT)}


@pytest.mark.parametrize(
    ("text", "tells"),
    [
        ("/data/x.tif", True),
        ("file:///data", True),
        ('"/data"', True),
        ("results/data/x.tif", False),
        ("/database", False),
        ("https://example.org/data/x", False),
        ("/mnt/lab/raw/stack.tif", True),
        ("/mnt/lab", False),
    ],
)
def test_a_folder_counts_as_a_path_of_its_own_only(tmp_path, text, tells):
    (tmp_path / "x.csv").write_text(text)
    assert crate_code.tells_of_the_machine(tmp_path / "x.csv", ["/data", "/mnt/lab/raw"]) == tells


def test_a_configuration_of_the_project_with_absolute_paths_stays_out(folder, tmp_path, monkeypatch, capsys):
    mine = crate_code.PROJECT / "config" / "mine.yaml"
    monkeypatch.setattr(crate_code, "code_files", lambda: [(tmp_path / "mine.yaml", "config/mine.yaml")])
    monkeypatch.setattr(crate_code, "is_private", lambda path, _: path.name == mine.name)
    assert "config/mine.yaml" not in export(folder, tmp_path / "crate")
    assert "config/mine.yaml: names a folder of this machine" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "private"), [("path: /data/x.tif", True), ("path: data/x.tif", False), ("", False)])
def test_which_configurations_are_private(tmp_path, monkeypatch, text, private):
    monkeypatch.setattr(crate_code, "PROJECT", tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/mine.yaml").write_text(text)
    assert crate_code.is_private(tmp_path / "config/mine.yaml", ["/home/me"]) == private


def test_a_script_that_is_gone_is_told_by_its_hash(folder, tmp_path):
    run_results.result(folder, "tables/old.csv", "former_script", "x\n", [], 40)
    found = export(folder, tmp_path / "crate")
    assert found["#tool/former_script"]["version"] == "code 1234"


def test_who_ran_it_is_told_only_where_it_was_given(folder, tmp_path):
    anonymous, named = export(folder, tmp_path / "a"), export(folder, tmp_path / "b", *GIVEN)
    assert "agent" not in anonymous["#run"] and anonymous["./"]["license"].startswith("No license")
    assert values(named["#run"], "agent") == ["https://orcid.org/0000-0002-1825-0097"]
    assert values(named["./"], "license") == ["https://spdx.org/licenses/CC-BY-4.0"]


def test_parts_of_a_gathered_volume_are_jobs_of_their_own(folder, tmp_path):
    part = {**run_results.FACTS, "script": "predict_volume", "started": "2026-11-21T10:01:00Z"}
    parts = [{**part, "output": f"{folder}/slabs/s1/net/{i}-of-2/labels.ome.zarr", "cpu_s": i} for i in (1, 2)]
    aligned = folder / "aligned/s1/image.ome.zarr"
    run_results.result(folder, "volumes/s1/net/labels.ome.zarr", "gather_slabs", None, [aligned], 30, parts=parts)
    found = export(folder, tmp_path / "crate")
    slabs = [e for e in found.values() if values(e, "instrument") == ["workflow/scripts/predict_volume.py"]]
    assert sorted(values(e, "result")[0] for e in slabs) == [
        f"#results/slabs/s1/net/{i}-of-2/labels.ome.zarr" for i in (1, 2)
    ]


# ------------------------------------------------------------------------------------------------------------ writing
def test_the_default_is_an_archive_in_the_results_that_comparisons_leave_out(folder, monkeypatch):
    monkeypatch.chdir(folder.parents[1])
    export_crate.main(["--results", "results/small"])
    names = zipfile.ZipFile(folder / "crate.run.zip").namelist()
    assert "ro-crate-metadata.json" in names and "results/tables/metrics.csv" in names


def test_a_failure_leaves_what_was_there(folder, tmp_path, monkeypatch):
    output = tmp_path / "crate.zip"
    export(folder, output)
    before = output.read_bytes()
    monkeypatch.setattr("rocrate.model.file.File.stream", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export(folder, output)
    assert output.read_bytes() == before and sorted(p.name for p in tmp_path.iterdir()) == [
        "crate.zip",
        "private",
        "results",
    ]


@pytest.mark.parametrize("name", ["mine", "mine.zip", "results", "."])
def test_nothing_that_is_no_crate_is_replaced(folder, tmp_path, name):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    for other in ("mine.zip", "mine.json"):
        (tmp_path / other).write_text("{}")
    output = {"results": folder, ".": folder.parent}.get(name, tmp_path / name)
    with pytest.raises(ValueError, match=r"--output: .*(is no crate|holds the results)"):
        export_crate.main(["--results", str(folder), "--output", str(output)])
    assert (tmp_path / "mine" / "thesis.tex").exists() and (tmp_path / "mine.json").exists()


def test_a_crate_takes_the_place_of_a_crate_and_of_nothing_beside_it(folder, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    for _ in range(2):
        export_crate.main(["--results", str(folder), "--output", str(tmp_path / "run")])
    assert (tmp_path / "run" / "ro-crate-metadata.json").exists() and (tmp_path / "run.json").exists()


def test_a_folder_without_run_records_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"nothing: expected run records .* found none"):
        export(tmp_path / "nothing", tmp_path / "crate")


def test_the_results_are_those_of_the_configuration_files(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("results_dir: results/mine\n")
    assert export_crate.results_dir([]) == "results"
    assert export_crate.results_dir(["config/vnc.yaml", mine]) == "results/mine"


def test_absolute_paths_in_a_configuration_become_names():
    config = {"a": "/home/me/x.tif", "b": ["/data/s/", "relative/y.tif", 3], "c": {"d": None}}
    assert crate_code.without_paths(config) == {"a": "x.tif", "b": ["s", "relative/y.tif", 3], "c": {"d": None}}


# --------------------------------------------------------------------------------------------------------- the profile
def cached_context(path):
    """A cache for the validator that holds the JSON-LD context of RO-Crate 1.1, so that it needs no network.

    The library ships that of 1.3; of the terms that a crate here uses these four mean something else (compared with the
    context of 1.1 that rocrate 0.13 shipped).
    """
    context = json.loads((Path(rocrate.__file__).parent / "data/ro-crate.jsonld").read_text())
    own = {"ComputationalWorkflow": "ComputationalWorkflow", "FormalParameter": "FormalParameter"}
    own |= {"input": "ComputationalWorkflow#input", "output": "ComputationalWorkflow#output"}
    context["@context"] |= {term: BIOSCHEMAS + place for term, place in own.items()}
    with CachedSession(cache_name=str(path), backend="sqlite", expire_after=-1) as session:
        kept = {
            "url": CONTEXT,
            "content": json.dumps(context).encode(),
            "headers": {"Content-Type": "application/ld+json"},
        }
        response = CachedResponse(status_code=200, request=CachedRequest(method="GET", url=CONTEXT), **kept)
        session.cache.save_response(response, session.cache.create_key(requests.Request("GET", CONTEXT).prepare()))
    return path


def findings(crate, cache):
    """{(severity, check)} that the validator finds, offline, against the profile and those it builds on."""
    settings = services.ValidationSettings(
        rocrate_uri=str(crate),
        profile_identifier="provenance-run-crate",
        requirement_severity=Severity.RECOMMENDED,
        offline=True,
        cache_path=cached_context(cache),
    )
    result = services.validate(settings)
    return {(issue.severity.name, issue.check.identifier) for issue in result.get_issues()}


# what is left of the recommendations, and why
LEFT = {
    ("RECOMMENDED", "process-run-crate-0.5_3.2"),  # a url for each script: they are in the crate
    ("RECOMMENDED", "process-run-crate-0.5_5.1"),  # an address as name of each package: it has its url
    ("RECOMMENDED", "ro-crate-1.1_22.3"),  # a publisher: a crate is not published yet
    ("RECOMMENDED", "ro-crate-1.1_30.2"),  # the author's affiliation, which nobody gave
    ("RECOMMENDED", "ro-crate-1.1_30.3"),
}


@pytest.mark.slow  # 30 s: several hundred shapes
def test_a_crate_keeps_to_its_profile(folder, tmp_path):
    crate = tmp_path / "crate"
    export(folder, crate, *GIVEN)
    assert findings(crate, tmp_path / "cache") == LEFT
    metadata = json.loads((crate / "ro-crate-metadata.json").read_text())
    (action,) = (e for e in metadata["@graph"] if e["@id"] == "#run")
    del action["instrument"]
    (crate / "ro-crate-metadata.json").write_text(json.dumps(metadata))
    assert "REQUIRED" in {severity for severity, _ in findings(crate, tmp_path / "cache")}
