"""The report, opened in a browser without a network: every category, figure and table is there and can be seen."""

import base64
import csv
import io
import json

import browser
import pytest
import workflow_runs as runs

import finish_report

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not browser.PROGRAM, reason="no Chromium: apt-get install chromium"),
]
NOTICE = "cdn.tailwindcss.com should not be used in production"  # Snakemake's own, about a part that it embeds
SHOWN = "#app > div > div:last-child"  # what stands beside the menu


@pytest.fixture(scope="module")
def page(finished_run, tmp_path_factory):
    report = finished_run / "results/tiny/report.html"
    done = runs.snakemake(finished_run, *runs.TINY, "--report", report)
    assert done.returncode == 0, done.stdout
    finish_report.main([str(report)])
    with browser.chromium(tmp_path_factory.mktemp("profile")) as page:
        page.open(report.as_uri())
        page.wait_for("document.querySelector('nav') && document.body.innerText.includes('0 Summary')")
        yield page
    report.unlink()


def click(page, text):
    """Click the link of the menu with this text, once it is there."""
    link = f"[...document.querySelectorAll('nav a')].find(a => a.innerText.trim() === {json.dumps(text)})"
    page.wait_for(f"{link} !== undefined")
    page.run(f"{link}.click()")


def open_category(page, name):
    """Its rows, as tuples of texts."""
    if page.run("[...document.querySelectorAll('nav a')].some(a => a.innerText.trim() === 'Results')"):
        click(page, "Results")
        page.wait_for("document.querySelectorAll('nav tbody tr').length === 0")
    click(page, name)
    page.wait_for("document.querySelectorAll('nav tbody tr').length > 0")
    cells = "[...r.querySelectorAll('td')].slice(0, -1).map(c => c.innerText.trim())"
    return [tuple(row) for row in page.run(f"[...document.querySelectorAll('nav tbody tr')].map(r => {cells})")]


def names_of_categories(page):
    return page.run("Object.keys(categories)")


def test_report_is_drawn_without_errors_and_without_a_network(page):
    assert [p for p in page.problems if NOTICE not in str(p)] == []
    assert page.asked_elsewhere() == []


def test_first_page_explains_the_report(page):
    text = page.run("document.body.innerText")
    assert "Start with 0 Summary" in text and "results/tiny/tables" in text and "{{" not in text


def test_every_category_lists_its_results_by_what_they_are(page):
    counts = page.run("Object.entries(categories).map(([name, parts]) => [name, Object.values(parts).flat().length])")
    assert [name[0] for name, _ in sorted(counts)] == sorted(name[0] for name, _ in counts)
    assert {"0 Summary", "5 Segmentation", "6 Evaluation"} <= {name for name, _ in counts}
    for name, count in counts:
        rows = open_category(page, name)
        assert len(rows) == len(set(rows)) == count, name
        for row in rows:
            assert len(row) == 1 and all(row) and "/" not in row[0] and "{" not in "".join(row), (name, row)


def test_every_result_can_be_seen(page):
    seen, large = {"png": 0, "csv": 0, "html": 0}, 0
    for name in names_of_categories(page):
        for i, row in enumerate(open_category(page, name)):
            eye = f"document.querySelectorAll('nav tbody tr')[{i}].querySelector('a[iconname=eye]')"
            link = page.run(f"{eye}.href")
            if link.startswith("data:text/csv"):  # the browser hands tables to a spreadsheet
                table = list(csv.reader(io.StringIO(base64.b64decode(link.split("base64,")[1]).decode())))
                assert len(table[0]) > 1 and (len(table) > 1 or row[0] == "All findings"), row
                seen["csv"] += 1
                continue
            page.run(f"{eye}.click()")
            kind = page.wait_for(
                f"(() => {{ const shown = document.querySelector({json.dumps(SHOWN)}).querySelector('img, iframe, video');"
                " return shown && (shown.tagName === 'IMG' ? shown.naturalWidth > 300 && 'png' : 'html') })()"
            )
            seen[kind] += 1
            if kind == "html":
                frame = f"document.querySelector({json.dumps(SHOWN)}).querySelector('iframe')"
                address = page.wait_for(
                    f"(a => (a.startsWith('blob:') || a.startsWith('data:') && a.length < {finish_report.LARGEST_ADDRESS}) && a)"
                    f"({frame}.getAttribute('src'))"
                )
                text = page.run(f"fetch({json.dumps(address)}).then(answer => answer.text())")
                large += address.startswith("blob:")
                assert "<h1" in text or "<h2" in text, row
                assert "http-equiv" not in text and "<script src" not in text, row
    assert seen["png"] >= 12 and seen["csv"] >= 1 and seen["html"] >= 1 and large >= 1
    assert [p for p in page.problems if NOTICE not in str(p)] == [] and page.asked_elsewhere() == []


def test_every_result_has_a_caption(page):
    for name in names_of_categories(page):
        for i, row in enumerate(open_category(page, name)):
            click_info = f"document.querySelectorAll('nav tbody tr')[{i}].querySelector('a[iconname=information-circle]').click()"
            page.run(click_info)
            text = page.wait_for(
                "document.querySelector('nav').innerText.includes('SNAKEMAKE RULE') && document.querySelector('nav').innerText"
            )
            caption = text.split("DESCRIPTION", 1)[1].split("SIZE")[0].strip() if "DESCRIPTION" in text else ""
            assert len(caption) > 60 and "{{" not in caption, row
            open_category(page, name)
