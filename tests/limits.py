"""Limits for tests that feed hostile files: how many examples, how long, and how much memory."""

import contextlib
import os
import resource
import signal

from hypothesis import HealthCheck, Phase, settings

# the same examples in every run of the quick tests; DENSECELL_FUZZ=5000 tries as many new ones
EXAMPLES = int(os.environ.get("DENSECELL_FUZZ", 0))
FUZZ = settings(
    max_examples=EXAMPLES or 60,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # shrinking would take minutes of a failing run
    suppress_health_check=list(HealthCheck),
)


class TooLong(BaseException):
    """Raised by the alarm; no `except Exception` of the code under test may swallow it."""


def _used_bytes():
    with open("/proc/self/statm") as handle:
        return int(handle.read().split()[0]) * resource.getpagesize()


@contextlib.contextmanager
def bounded(seconds, n_bytes):
    """Fail (TooLong, MemoryError) where the block takes more than `seconds` of the processor, or 12 times as long in all, or
    asks for more memory than it had before plus `n_bytes`."""

    def ring(signum, frame):
        raise TooLong(f"longer than {seconds} s")

    before = resource.getrlimit(resource.RLIMIT_AS)
    handlers = {kind: signal.signal(kind, ring) for kind in (signal.SIGALRM, signal.SIGPROF)}
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, 12 * seconds)  # for what waits and computes nothing; a busy machine is slow
    resource.setrlimit(resource.RLIMIT_AS, (_used_bytes() + n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for kind, handler in handlers.items():
            signal.signal(kind, handler)
