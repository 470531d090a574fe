import base64
import json
import time

import browser
import numpy as np
import object_inputs as made_up
import pytest

import export_meshes
import finish_report
import write_object_page
from densecell import files, io, raw_formats

NAMES = [record["name"] for record in made_up.RECORDS]
needs_browser = pytest.mark.skipif(not browser.PROGRAM, reason="no Chromium: apt-get install chromium")


def arguments(folder, *names, page_mb=6):
    records = [record for record in made_up.RECORDS if record["name"] in names]
    return [
        *("--image", str(folder / "image.ome.zarr"), "--meshes", *(str(folder / f"{name}.glb") for name in names)),
        *("--objects", *(str(folder / f"{name}.csv") for name in names), "--records", json.dumps(records)),
        *("--title", "Objects of <sample>", "--colors", json.dumps(made_up.COLORS), "--page-mb", str(page_mb)),
        *("--output", str(folder / "page.html")),
    ]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = made_up.write(tmp_path_factory.mktemp("objects"))
    for name in NAMES:
        export_meshes.main(made_up.export_arguments(folder, name))
    return folder


def test_page_holds_all_it_needs_and_equal_inputs_give_equal_bytes(inputs):
    texts = []
    for _ in range(2):
        write_object_page.main(arguments(inputs, *NAMES))
        texts.append((inputs / "page.html").read_text())
    assert texts[0] == texts[1]
    assert "<h1>Objects of &lt;sample&gt;</h1>" in texts[0] and "http-equiv" not in texts[0]
    assert "<script src" not in texts[0] and "<link" not in texts[0]
    assert files.read_sidecar(inputs / "page.html")["content"] == files.hash_file(inputs / "page.html")


def test_page_keeps_to_its_size_and_says_what_it_would_need(inputs, capsys):
    for name in NAMES:
        export_meshes.main(made_up.export_arguments(inputs, name, object_triangles=10**6, max_triangles=10**6))
    write_object_page.main(arguments(inputs, *NAMES, page_mb=5.2))
    assert (inputs / "page.html").stat().st_size <= 5.2e6
    small = capsys.readouterr().out
    write_object_page.main(arguments(inputs, *NAMES, page_mb=50))
    assert small != capsys.readouterr().out
    with pytest.raises(ValueError, match=r"meshes\.page_mb: expected room for 6 objects beside plotly, at least 4\."):
        write_object_page.main(arguments(inputs, *NAMES, page_mb=1))


def test_the_smallest_of_very_many_objects_share_a_switch(inputs, monkeypatch):
    monkeypatch.setattr(write_object_page.object_page, "SINGLE_OBJECTS", 1)
    write_object_page.main(arguments(inputs, "cells"))
    text = (inputs / "page.html").read_text()
    data = json.loads(text.split("const page = ")[1].split(";</script>")[0])
    assert [o["name"] for o in data["objects"]] == ["3", "1 smaller ones"]


def test_a_volume_without_objects_is_said_to_be_so(tmp_path):
    folder = made_up.write(tmp_path)
    io.write_volume(folder / "cells.ome.zarr", np.zeros(made_up.SHAPE, np.uint32), made_up.VOXEL_NM, record={})
    io.write_table(folder / "cells.csv", io.read_table(folder / "cells.csv").iloc[:0], {})
    export_meshes.main(made_up.export_arguments(folder, "cells"))
    write_object_page.main(arguments(folder, "cells"))
    assert "No objects were found." in (folder / "page.html").read_text()


# ------------------------------------------------------------------------------------------------------- in a browser
@pytest.fixture(scope="module")
def page(inputs, tmp_path_factory):
    for name in NAMES:
        export_meshes.main(made_up.export_arguments(inputs, name))
    write_object_page.main(arguments(inputs, *NAMES))
    with browser.chromium(tmp_path_factory.mktemp("profile"), (900, 650)) as page:
        page.open((inputs / "page.html").as_uri())
        page.wait_for("document.body.dataset.drawn")
        yield page


@pytest.fixture
def picture(page, tmp_path):
    """A function that gives the drawn scene, (height, width, 3), once it stays the same."""

    def take():
        last, end = None, time.monotonic() + 60
        while time.monotonic() < end:
            page.picture(tmp_path / "page.png")
            now = raw_formats.read_png(tmp_path / "page.png")[60:-40, 290:, :3].astype(int)
            if last is not None and np.array_equal(now, last):
                return now
            last = now
            time.sleep(0.3)
        raise AssertionError("the scene did not come to rest")

    if page.run("document.body.dataset.drawn") != "yes":
        pytest.skip("this Chromium has no WebGL")
    return take


def click(page, kind, name):
    page.run(f"document.querySelector('[data-{kind}={json.dumps(name)}]').click()")


def visible(page):
    """Names of the groups of all objects that are drawn."""
    return page.run(
        "page.objects.filter(o => scene._fullData[o.trace].visible === true).map(o => o.group + '/' + o.name)"
    )


def green(pixels):
    return ((pixels[..., 1] > pixels[..., 0] + 8) & (pixels[..., 1] > pixels[..., 2] + 8)).mean()


def red(pixels):
    return ((pixels[..., 0] > 120) & (pixels[..., 1] < 110) & (pixels[..., 2] < 90)).mean()


@needs_browser
def test_page_draws_without_errors_and_without_a_network(page, picture):
    shown = picture()
    assert green(shown) > 0.02 and red(shown) > 0.002
    assert page.problems == [] and page.asked_elsewhere() == []
    assert "µm" in page.run("scene.layout.scene.xaxis.title.text")


@needs_browser
def test_a_click_hides_a_class_and_another_shows_it_again(page, picture):
    before = picture()
    assert visible(page) == ["cells/3", "cells/12", "nuclei/5", "nuclei/6", "nuclei fenestrations/5", "nucleoli/4"]
    click(page, "group", "cells")
    hidden = picture()
    assert visible(page) == ["nuclei/5", "nuclei/6", "nuclei fenestrations/5", "nucleoli/4"]
    assert green(hidden) < 0.2 * green(before) and red(hidden) >= red(before)
    click(page, "group", "cells")
    assert np.array_equal(picture(), before)


@needs_browser
def test_a_click_hides_a_single_object(page, picture):
    before = picture()
    click(page, "object", "nuclei/6")
    assert "nuclei/6" not in visible(page) and "nuclei/5" in visible(page)
    assert not np.array_equal(picture(), before)
    states = "(b => [b.checked, b.indeterminate])(document.querySelector('[data-group=nuclei]'))"
    assert page.run(states) == [True, True]
    click(page, "object", "nuclei/6")
    assert page.run(states) == [True, False] and np.array_equal(picture(), before)


@needs_browser
def test_colors_are_those_of_the_classes_or_of_the_objects(page, picture):
    colors = "page.objects.map(o => scene._fullData[o.trace].color)"
    by_class = page.run(colors)
    assert by_class[:4] == [made_up.COLORS[name] for name in ("cell", "cell", "nucleus", "nucleus")]
    choose = "(s => { s.value = '%s'; s.onchange(); })(document.getElementById('colors'))"
    page.run(choose % "object")
    assert len(set(page.run(colors)[:4])) == 4
    page.run(choose % "class")
    assert page.run(colors) == by_class


@needs_browser
def test_a_click_on_an_object_finds_its_switch(page, picture):
    picture()
    page.run("scene.emit('plotly_click', {points: [{curveNumber: page.objects[3].trace}]})")
    assert page.run("document.querySelector('.found [data-object]').dataset.object") == "nuclei/6"


@needs_browser
def test_page_works_within_the_frame_of_a_report(page, picture, inputs):
    """Snakemake's report shows a page as a data: address in a frame, which has no storage and no address of its own."""
    line = "<script>setInterval(() => parent.postMessage(document.body.dataset.drawn || '', '*'), 200);</script>"
    text, end = (inputs / "page.html").read_text().rsplit("</body>", 1)
    encoded = base64.b64encode(f"{text}{line}</body>{end}".encode()).decode()
    report = inputs / "report.html"
    told = "<script>onmessage = event => { document.title = event.data; };</script>"
    frame = f"<iframe width=800 height=500 src='data:text/html;base64,{encoded}'></iframe>"
    report.write_text(f"<html><head>{told}</head><body>{frame}</body></html>")
    finish_report.main([str(report)])
    page.open(report.as_uri())
    page.wait_for("document.title === 'yes'", seconds=60)
    assert page.problems == [] and page.asked_elsewhere() == []
    page.open((inputs / "page.html").as_uri())
    page.wait_for("document.body.dataset.drawn")
