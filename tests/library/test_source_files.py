"""Folders and patterns stand for their slices; the rules and the scripts find the same files."""

import pytest

import headers
from densecell import sparse_labels
from densecell.source_files import source_files

NAMES = ["s10.tif", "s2.tif", "s1.PNG", "notes.txt", ".s0.tif", "a[1].tif"]


@pytest.fixture
def folder(tmp_path):
    for name in NAMES:
        (tmp_path / name).touch()
    (tmp_path / "x.ome.zarr").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "b.txt").touch()
    return tmp_path


@pytest.mark.parametrize(("words", "found"), [
    (["."], ["a[1].tif", "s1.PNG", "s2.tif", "s10.tif"]),  # in natural order; no texts, nothing hidden
    (["s*.tif"], ["s2.tif", "s10.tif"]),
    (["*"], ["a[1].tif", "s1.PNG", "s2.tif", "s10.tif"]),
    (["texts/*"], ["texts/b.txt"]),  # no image among them: the error will name it
    (["texts"], []),
    (["a[1].tif"], ["a[1].tif"]),  # a name that looks like a pattern
    (["x.ome.zarr"], ["x.ome.zarr"]),
    (["absent.tif"], ["absent.tif"]),
    (["s2.tif", "s*.PNG", "s10.tif"], ["s2.tif", "s1.PNG", "s10.tif"]),
])  # fmt: skip
def test_words_stand_for_files(folder, words, found):
    words = [str(folder / word) for word in words]
    assert source_files(words) == [str(folder / name) for name in found]
    assert [str(p) for p in headers.input_files(words)] == source_files(words)
    if len(words) == 1:
        assert headers.input_files(words[0]) == headers.input_files(words)


@pytest.mark.parametrize(("names", "numbers"), [
    (["z0007.tif", "z0012.tif"], [7, 12]),
    (["b1_z7.tif", "b1_z12.png"], [7, 12]),  # the number in which they differ
    (["z0007.tif"], [7]),
    (["z03.tif", "z0003.tif"], [3, 3]),  # one slice twice, which others tell
])  # fmt: skip
def test_the_number_in_a_name(names, numbers):
    assert sparse_labels.slice_numbers(names) == headers.slice_numbers(names) == numbers


@pytest.mark.parametrize(("names", "text"), [
    (["slice.tif"], "no number in the name slice.tif"),
    (["b1_z7.tif"], "2 numbers in the name b1_z7.tif"),
    (["b1_z7.tif", "b2_z8.tif"], "2 numbers that differ in the names b1_z7.tif, ..."),
    (["z7.tif", "z8b.tif"], "z7.tif and z8b.tif differ in more than a number"),
])  # fmt: skip
def test_names_that_tell_no_number(names, text):
    for tell in (sparse_labels.slice_numbers, headers.slice_numbers):
        with pytest.raises(ValueError, match=text.replace(".", r"\.")):
            tell(names)
