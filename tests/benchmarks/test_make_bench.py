"""What `make bench` runs exists, can be tried quickly, and has a place in docs/benchmarks.md."""

import re
from pathlib import Path

import measuring
import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = re.search(r"(?m)^BENCHMARKS := (.*)$", (ROOT / "Makefile").read_text())[1].split()
BY_HAND = {"presets", "stitching"}  # need trainings of hours


def test_make_bench_runs_every_program_with_a_report():
    programs = {p.stem for p in (ROOT / "benchmarks").glob("*.py")} - {"measuring", "synthetic"}
    assert programs - BY_HAND == set(NAMES)
    assert all("measuring.report(" in (ROOT / "benchmarks" / f"{name}.py").read_text() for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_program_is_quick_on_demand_and_has_its_place(name):
    program, page = (ROOT / "benchmarks" / f"{name}.py").read_text(), (ROOT / "docs" / "benchmarks.md").read_text()
    assert '"--quick"' in program and "def main(argv=None)" in program
    assert page.count(f"<!-- bench {name} -->") == page.count(f"<!-- end {name} -->") == 1
    assert f"python benchmarks/{name}.py" in page


@pytest.mark.parametrize(("device", "name"), [("cpu", "speed"), ("cuda:0", "speed_gpu")])
def test_a_report_replaces_what_stands_between_its_marks(tmp_path, monkeypatch, device, name):
    page = tmp_path / "benchmarks.md"
    marks = [f"<!-- bench {n} -->\nold\n<!-- end {n} -->\n" for n in ("speed", "speed_gpu", "other")]
    page.write_text("before\n" + "".join(marks) + "after\n")
    monkeypatch.setattr(measuring, "DOCS", page)
    monkeypatch.setattr(measuring, "RESULTS", tmp_path)
    monkeypatch.setattr(measuring, "machine", lambda device: {"cpu": "abacus"})
    args = measuring.parser("").parse_args(["--docs"])
    measuring.report("speed", ["way", "ratio"], [["ours", 2.0]], args, notes=["A note."], device=device)
    text = page.read_text()
    assert (
        f"<!-- bench {name} -->\nMeasured: cpu abacus.\n\n| way | ratio |\n|---|---|\n| ours | 2 |\n\nA note.\n" in text
    )
    assert text.count("old") == 2 and text.startswith("before\n") and text.endswith("after\n")
    assert (tmp_path / f"{name}.json").exists()


def test_a_page_without_the_marks_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "benchmarks.md").write_text("nothing here\n")
    monkeypatch.setattr(measuring, "DOCS", tmp_path / "benchmarks.md")
    monkeypatch.setattr(measuring, "RESULTS", tmp_path)
    with pytest.raises(SystemExit, match="expected the marks <!-- bench speed -->"):
        measuring.report("speed", ["way"], [["ours"]], measuring.parser("").parse_args(["--docs"]))
