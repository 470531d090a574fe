"""A download survives what servers do: cut lines, silence, changed files; and gives up where it should."""

import archive_files as made_up
import pytest

from densecell.downloads import DownloadError, download

CONTENT = bytes(range(256)) * 1200  # 307,200 bytes


def fetch(url, path, **options):
    said = []
    size = download(url, path, **{"attempts": 3, "timeout_s": 5, "wait_s": 0, "say": said.append, **options})
    assert size == path.stat().st_size
    return path.read_bytes(), said


def test_whole_file_with_progress(tmp_path):
    steps = []
    with made_up.serving(made_up.Server(CONTENT)) as url:
        content, said = fetch(url, tmp_path / "x", progress=lambda done, total: steps.append((done, total)))
    assert content == CONTENT and said == []
    assert steps[-1] == (len(CONTENT), len(CONTENT)) and sorted(steps) == steps
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_goes_on_where_the_line_was_cut(tmp_path):
    server = made_up.Server(CONTENT, cut=[100_000, 50_000])
    with made_up.serving(server) as url:
        content, said = fetch(url, tmp_path / "x")
    assert content == CONTENT
    assert [asked for _, asked in server.log] == [None, "bytes=100000-", "bytes=150000-"]
    assert "the connection ended at 100,000 of 307,200 bytes" in said[0]


def test_a_later_call_goes_on_with_what_an_earlier_one_got(tmp_path):
    server = made_up.Server(CONTENT, cut=[70_000])
    with made_up.serving(server) as url:
        with pytest.raises(DownloadError, match="ended at 70,000 of 307,200 bytes"):
            download(url, tmp_path / "x", attempts=1, wait_s=0)
        assert (tmp_path / "x").stat().st_size == 70_000
        assert fetch(url, tmp_path / "x")[0] == CONTENT
    assert server.log[-1][1] == "bytes=70000-"


def test_starts_anew_where_the_server_knows_no_ranges(tmp_path):
    server = made_up.Server(CONTENT, cut=[100_000], ranges=False)
    with made_up.serving(server) as url:
        assert fetch(url, tmp_path / "x")[0] == CONTENT


def test_starts_anew_where_what_is_here_is_longer_than_the_file(tmp_path):
    (tmp_path / "x").write_bytes(bytes(len(CONTENT) + 5))
    with made_up.serving(made_up.Server(CONTENT)) as url:
        assert fetch(url, tmp_path / "x")[0] == CONTENT


def test_a_server_that_does_not_tell_the_size(tmp_path):
    totals = set()
    with made_up.serving(made_up.Server(CONTENT, sized=False)) as url:
        assert fetch(url, tmp_path / "x", progress=lambda done, total: totals.add(total))[0] == CONTENT
    assert totals == {None}


def test_silence_is_a_failure_and_is_tried_again(tmp_path):
    server = made_up.Server(CONTENT, sleep_s=0.5)
    with made_up.serving(server) as url, pytest.raises(DownloadError, match=r"timed out \(2 attempts\)"):
        download(url, tmp_path / "x", attempts=2, timeout_s=0.1, wait_s=0, say=lambda text: None)
    assert len(server.log) == 2


def test_missing_file_is_not_tried_again(tmp_path):
    server = made_up.Server(b"no", status=404)
    with made_up.serving(server) as url, pytest.raises(DownloadError, match="the server answers 404") as error:
        download(url, tmp_path / "x", wait_s=0)
    assert len(server.log) == 1 and not error.value.is_offline


def test_busy_server_is_tried_again(tmp_path):
    server = made_up.Server(b"busy", status=503)
    with made_up.serving(server) as url, pytest.raises(DownloadError, match=r"answers 503 .*\(3 attempts\)"):
        download(url, tmp_path / "x", attempts=3, wait_s=0, say=lambda text: None)
    assert len(server.log) == 3


def test_a_web_page_in_place_of_the_file_is_refused_at_once(tmp_path):
    server = made_up.Server(b"<html>Log in</html>", kind="text/html; charset=utf-8")
    with made_up.serving(server) as url, pytest.raises(DownloadError, match="a web page in place of the file"):
        download(url, tmp_path / "x", wait_s=0)
    assert len(server.log) == 1


def test_no_server_is_being_offline(tmp_path):
    with pytest.raises(DownloadError) as error:
        download("http://127.0.0.1:9/x", tmp_path / "x", attempts=2, wait_s=0, say=lambda text: None)
    assert error.value.is_offline
