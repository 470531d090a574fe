import subprocess
import sys

import pytest
from passport_inputs import small_results, text_output

import verify_results


@pytest.fixture
def results_dir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return small_results(tmp_path)


def test_sound_results_are_counted(results_dir, capsys):
    verify_results.main([str(results_dir)])
    assert "densecell: 5 results checked, 0 MB, 0 damaged" in capsys.readouterr().out


def test_what_is_wrong_is_named_and_the_exit_code_is_1(results_dir, capsys):
    (results_dir / "tables/ranking.csv").write_text("rank\n7\n")
    (results_dir / "notes.txt").write_text("mine")
    with pytest.raises(SystemExit) as stop:
        verify_results.main([str(results_dir), "--threads", "1"])
    assert stop.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0].startswith("1 result: not as written by densecell")
        and lines[1] == f"  {results_dir}/tables/ranking.csv"
    )
    assert lines[2] == "1 file: not written by densecell" and lines[3] == f"  {results_dir}/notes.txt"
    assert lines[-1].endswith("1 damaged, changed, missing or outdated.")


def test_of_one_result_nothing_is_told_in_the_plural(tmp_path, capsys):
    text_output(tmp_path, tmp_path / "results/tables/x.csv", "a\n1\n", "rank_networks", {})
    (tmp_path / "results/run").mkdir()
    (tmp_path / "results/run/config.ab.yaml").write_text("")
    verify_results.main([str(tmp_path / "results")])
    assert capsys.readouterr().out.startswith("densecell: 1 result checked,")
    (tmp_path / "results/tables/x.csv").unlink()
    with pytest.raises(SystemExit):
        verify_results.main([str(tmp_path / "results")])
    first, _, last = capsys.readouterr().out.splitlines()
    assert first == "1 result: gone, with the sidecar still there" and last.startswith("densecell: 0 results checked,")


def test_files_of_others_alone_are_no_fault(results_dir, capsys):
    (results_dir / "notes.txt").write_text("mine")
    verify_results.main([str(results_dir)])
    assert "notes.txt" in capsys.readouterr().out


def test_many_findings_are_cut_off(results_dir, capsys):
    for i in range(30):
        (results_dir / f"note{i:02d}.txt").write_text("mine")
    verify_results.main([str(results_dir)])
    assert (
        "30 files: not written by densecell" in (out := capsys.readouterr().out)
        and "and 10 more" in out
        and "note25" not in out
    )


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no such folder"):
        verify_results.main([str(tmp_path / "none")])


@pytest.mark.parametrize(
    ("made", "reason"), [("results/r/tables", "expected the results folder"), ("new", "nothing was checked")]
)
def test_where_nothing_can_be_checked_the_exit_code_is_2(results_dir, tmp_path, made, reason):
    (tmp_path / "new/run").mkdir(parents=True)
    (tmp_path / "new/run/config.ab.yaml").write_text("")
    command = [sys.executable, verify_results.__file__, made]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and reason in done.stderr


def test_large_results_show_progress(results_dir, capsys, monkeypatch):
    monkeypatch.setattr(verify_results, "MANY_BYTES", 1)
    verify_results.main([str(results_dir)])
    assert "MB" in capsys.readouterr().err
