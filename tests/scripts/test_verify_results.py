import pytest
from passport_inputs import small_results

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
        lines[0].startswith("1 differ from what densecell wrote") and lines[1] == f"  {results_dir}/tables/ranking.csv"
    )
    assert lines[2] == "1 are not densecell's:" and lines[3] == f"  {results_dir}/notes.txt"
    assert lines[-1].endswith("1 damaged, changed, missing or outdated.")


def test_files_of_others_alone_are_no_fault(results_dir, capsys):
    (results_dir / "notes.txt").write_text("mine")
    verify_results.main([str(results_dir)])
    assert "notes.txt" in capsys.readouterr().out


def test_many_findings_are_cut_off(results_dir, capsys):
    for i in range(30):
        (results_dir / f"note{i:02d}.txt").write_text("mine")
    verify_results.main([str(results_dir)])
    assert "30 are not densecell's" in (out := capsys.readouterr().out) and "and 10 more" in out and "note25" not in out


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no such folder"):
        verify_results.main([str(tmp_path / "none")])


def test_large_results_show_progress(results_dir, capsys, monkeypatch):
    monkeypatch.setattr(verify_results, "MANY_BYTES", 1)
    verify_results.main([str(results_dir)])
    assert "MB" in capsys.readouterr().err
