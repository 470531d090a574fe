"""Tables from strangers, such as a known drift: read, or refused by name."""

import os

import limits
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_fuzz_raw_formats import MUTATIONS, mutated

from densecell import io

TABLE = "z,dy_px,dx_px,flag\n" + "".join(f"{z},{z / 3},{-z},\n" for z in range(20))
PIECES = [
    "\n",
    ",",
    '"',
    "'",
    "nan",
    "1e999",
    "-" * 50,
    "\0",
    "é",
    "=1+1",
    "\ufeff",
    "x" * 5000,
    ",,,,,",
    '"\n"',
    "#",
    "\r",
]


def read(path):
    return io.read_foreign_table(path, ("z", "dy_px", "dx_px"), ("flag",))


def assert_read_or_refused(path):
    with limits.bounded(seconds=10, n_bytes=2**28):
        try:
            table = read(path)
        except ValueError as error:
            assert path.name in str(error)
        else:
            assert all(table[name].dtype.kind in "iuf" for name in ("z", "dy_px", "dx_px"))


@limits.FUZZ
@given(mutations=MUTATIONS)
def test_a_mutated_table_is_read_or_refused_by_name(tmp_path, mutations):
    (tmp_path / "stranger.csv").write_bytes(mutated(TABLE.encode(), mutations))
    assert_read_or_refused(tmp_path / "stranger.csv")


@limits.FUZZ
@given(st.lists(st.tuples(st.integers(0, 400), st.sampled_from(PIECES)), max_size=6))
def test_a_table_with_anything_in_it_is_read_or_refused_by_name(tmp_path, changes):
    text = TABLE
    for place, piece in changes:
        text = text[:place] + piece + text[place:]
    (tmp_path / "stranger.csv").write_text(text, encoding="utf-8")
    assert_read_or_refused(tmp_path / "stranger.csv")


def test_a_field_of_many_megabytes_is_refused_in_words(tmp_path):
    (tmp_path / "stranger.csv").write_text(TABLE + '1,2,"' + "x" * 30_000_000 + '",\n')
    with limits.bounded(seconds=10, n_bytes=2**29), pytest.raises(ValueError, match=r"stranger\.csv.*numbers.*dx_px"):
        read(tmp_path / "stranger.csv")


def test_a_pipe_in_place_of_a_table_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "stranger.csv")
    with limits.bounded(seconds=2, n_bytes=2**28), pytest.raises(ValueError, match="regular file"):
        read(tmp_path / "stranger.csv")


def test_a_table_of_other_columns_is_refused_with_those_it_has(tmp_path):
    (tmp_path / "stranger.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"stranger\.csv: expected the columns z, dy_px, dx_px, flag, found a, b"):
        read(tmp_path / "stranger.csv")
