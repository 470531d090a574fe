"""Threads: order, how far they run ahead, errors."""

import threading
import time

import pytest

from densecell.parallel import in_order


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_items(threads):
    def slow_at_first(i):
        time.sleep(0.02 if i == 0 else 0)
        return i * i

    assert list(in_order(slow_at_first, range(7), threads)) == [0, 1, 4, 9, 16, 25, 36]
    assert list(in_order(slow_at_first, [], threads)) == []


def test_two_threads_work_at_the_same_time():
    both = threading.Barrier(2, timeout=10)  # breaks, and raises, unless two items wait at once
    assert sorted(in_order(lambda i: both.wait(), range(2), 2)) == [0, 1]


@pytest.mark.parametrize("threads", [1, 3])
def test_items_are_taken_only_as_results_are_used(threads):
    taken = []

    def items():
        for i in range(100):
            taken.append(i)
            yield i

    results = in_order(lambda i: i, items(), threads)
    for i in range(10):
        assert next(results) == i
        assert len(taken) <= i + 1 + threads


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_comes_in_its_place_and_ends_the_work(threads):
    started = []

    def refuse_3(i):
        started.append(i)
        if i == 3:
            raise ValueError("item 3")
        return i

    results = in_order(refuse_3, range(100), threads)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="item 3"):
        next(results)
    assert max(started) <= 3 + threads


def test_no_thread_is_refused():
    with pytest.raises(ValueError, match="threads: expected an integer of at least 1, found 0"):
        list(in_order(abs, [1], 0))


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_of_the_items_comes_in_its_place(threads):
    def items():
        yield from range(5)
        raise ValueError("item 5 could not be read")

    results = in_order(lambda i: i, items(), threads)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="item 5 could not be read"):
        next(results)
