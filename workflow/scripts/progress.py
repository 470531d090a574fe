"""Progress of a long loop on stderr: how far, how fast, how long still."""

import sys
import time
from pathlib import Path

SECONDS_BETWEEN_LINES = 5


class Progress:
    """Counts steps of a known total and prints a line at most every 5 s, and one at the end.

    total: number of steps; unit: what a step is, in the plural ("slices", "voxels").
    """

    def __init__(self, total, unit):
        self.total, self.unit, self.done = total, unit, 0
        self.name = Path(sys.argv[0]).stem
        self.started = self.printed = time.monotonic()

    def step(self, n=1):
        """Count `n` more steps."""
        self.done += n
        now = time.monotonic()
        finished = self.done >= self.total
        if not finished and now - self.printed < SECONDS_BETWEEN_LINES:
            return
        self.printed = now
        seconds = max(now - self.started, 1e-3)
        rate = self.done / seconds
        speed = f"{rate:,.1f}" if rate < 100 else f"{rate:,.0f}"
        rest = f"done in {seconds:,.0f} s" if finished else f"{(self.total - self.done) / rate:,.0f} s left"
        line = f"{self.name}: {self.done:,}/{self.total:,} {self.unit}, {speed} {self.unit}/s, {rest}"
        print(line, file=sys.stderr, flush=True)
