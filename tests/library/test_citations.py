import re
from pathlib import Path

import pytest

from densecell import citations
from densecell.citations import CITATIONS

REPO = Path(__file__).resolve().parents[2]
SOFTWARE = {"molder2021", "paszke2019", "harris2020", "virtanen2020"}
WELL_KNOWN = {"ulyanov2016", "ioffe2015", "kingma2015", "loshchilov2019"}  # named in the method by what they are


def test_marks_are_written_out_and_counted_once():
    text = "It works [@guay2021], twice [@holm1979; @guay2021]. No [mark]."
    assert citations.cited(text) == ["guay2021", "holm1979"]
    assert citations.in_words(text) == "It works (Guay et al. 2021), twice (Holm 1979; Guay et al. 2021). No [mark]."


def test_an_unknown_work_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'nobody1999' is unknown; known: guay2021"):
        citations.cited("x [@nobody1999]")


@pytest.mark.parametrize("key", CITATIONS)
def test_an_entry_can_be_cited_in_full(key):
    cited, kind, fields = CITATIONS[key]
    assert {"author", "title", "year"} <= set(fields) and ("doi" in fields or "eprint" in fields or "url" in fields)
    assert fields["year"] in cited and key.endswith(fields["year"])
    surname = fields["author"].split(",")[0]
    assert cited.startswith(surname)
    required = {"article": "journal", "inproceedings": "booktitle", "misc": "eprint"}
    assert required[kind] in fields
    entry = citations.bibtex([key])
    assert entry.startswith(f"@{kind}{{{key},\n") and entry.count("{") == entry.count("}")
    line = citations.reference(key)
    assert surname in line and fields["year"] in line and "https://" in line and "{" not in line


@pytest.mark.parametrize("key", sorted(set(CITATIONS) - SOFTWARE - WELL_KNOWN))
def test_an_identifier_is_the_one_that_the_method_gives(key):
    fields = CITATIONS[key][2]
    method = (REPO / "docs/method.md").read_text()
    assert (fields.get("doi") or fields.get("eprint") or fields["url"].split("/")[-1]) in method


def test_entries_of_several_works_are_apart():
    entries = citations.bibtex(["guay2021", "holm1979"])
    assert re.findall(r"^@\w+\{(\w+),$", entries, re.MULTILINE) == ["guay2021", "holm1979"]
