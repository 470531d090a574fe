"""Work on slabs in several threads, with results in order and memory bounded.

NumPy's arithmetic, SciPy's filters and the decompression of chunks let go of Python's lock, so threads are enough and
nothing is copied between processes.
"""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor


def in_order(function, items, threads=1):
    """Yield `function(item)` for each item, in the order of the items, computed by `threads` threads.

    No more than `threads` results are in work or waiting while the caller uses the one before them, so a volume is
    streamed. What is yielded does not depend on `threads`. An error, of `function` or of the items
    themselves, is raised in its item's place, and no further item is started. Raises ValueError for fewer than one thread.
    """
    if threads < 1:
        raise ValueError(f"threads: expected an integer of at least 1, found {threads}")
    if threads == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque()
        try:
            for future in _submitted(pool, function, items):
                waiting.append(future)
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _submitted(pool, function, items):
    """The future of each item, and as the last one the error of the items themselves, if they raise one."""
    try:
        for item in items:
            yield pool.submit(function, item)
    except Exception as error:
        failed = Future()
        failed.set_exception(error)
        yield failed
