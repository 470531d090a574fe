import pytest

import finish_report

TEXT = "<html><head><title>é</title></head><body><iframe src='data:text/html;base64,AAAA'></iframe></body></html>"


def test_a_script_is_put_into_the_head_once_and_nothing_else_changes(tmp_path):
    report = tmp_path / "report.html"
    report.write_text(TEXT, encoding="utf-8")
    for _ in range(2):
        finish_report.main([str(report)])
        text = report.read_text(encoding="utf-8")
        assert text.count("densecell-large-pages") == 1 and text.index("densecell-large-pages") < text.index("</head>")
        assert text.replace(f"{finish_report.SCRIPT}\n", "") == TEXT
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_anything_but_a_page_is_refused_and_left_as_it_was(tmp_path):
    report = tmp_path / "report.html"
    report.write_text("no page")
    with pytest.raises(ValueError, match=r"report\.html: expected a page of HTML with </head>"):
        finish_report.main([str(report)])
    assert report.read_text() == "no page"
