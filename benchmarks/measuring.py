"""What the benchmarks share: timing in pairs, the machine, and reports as a table, as JSON and in docs/benchmarks.md.

Programs that are compared take turns (A B A B ...) in one process, so that a machine that slows down slows both; what counts
is the ratio. JSON goes to results/benchmarks/; with --docs the table also replaces the one in docs/benchmarks.md between
`<!-- bench NAME -->` and `<!-- end NAME -->`.
"""

import argparse
import datetime
import json
import platform
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

RESULTS, DOCS = ROOT / "results" / "benchmarks", ROOT / "docs" / "benchmarks.md"


def parser(description):
    """An argument parser with --docs, which every benchmark has."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--docs", action="store_true", help="put the table into docs/benchmarks.md")
    return made


def synchronize(device="cpu"):
    """Wait for what was started on a GPU."""
    if str(device).startswith("cuda"):
        import torch

        torch.cuda.synchronize()


def paired(functions, repeats=5, warmup=1, device="cpu"):
    """{name: list of seconds} of functions that take turns, `repeats` times each after `warmup` rounds."""
    seconds = {name: [] for name in functions}
    for turn in range(warmup + repeats):
        for name, function in functions.items():
            synchronize(device)
            started = time.perf_counter()
            function()
            synchronize(device)
            if turn >= warmup:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def median(seconds):
    """Median of each list in {name: seconds}."""
    return {name: statistics.median(values) for name, values in seconds.items()}


def ratio(seconds, a, b):
    """Median over the rounds of seconds of `a` over seconds of `b`."""
    return statistics.median(x / y for x, y in zip(seconds[a], seconds[b]))


def matrix_rate(precision, device="cpu", n=2048):
    """Operations per second of an n x n matrix product: what this machine can do at most."""
    import torch

    dtype = getattr(torch, precision)
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    return 2 * n**3 / median(paired({"product": lambda: a @ b}, 7, 2, device))["product"]


def machine(device="cpu", threads=None):
    """What the figures were measured on: processor or card, threads, versions, date; no name of the machine."""
    cpu = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass  # not Linux
    found = {"date": datetime.date.today().isoformat(), "cpu": cpu, "python": platform.python_version()}
    if "torch" in sys.modules:
        import torch

        found |= {"torch": torch.__version__, "threads": threads or torch.get_num_threads()}
        if str(device).startswith("cuda"):
            found["card"] = torch.cuda.get_device_name()
    elif threads:
        found["threads"] = threads
    return found


def report(name, columns, rows, args, *, notes=(), device="cpu", **facts):
    """Print a table, write results/benchmarks/NAME.json and, with args.docs, refresh docs/benchmarks.md.

    columns: headings; rows: lists of texts or numbers; notes: sentences below the table; facts: for the JSON. On a GPU the
    name ends in _gpu, so that its table stands beside the CPU's.
    """
    where = machine(device)
    name += "_gpu" if str(device).startswith("cuda") else ""
    cells = [[value if isinstance(value, str) else f"{value:.4g}" for value in row] for row in rows]
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns), *(f"| {' | '.join(row)} |" for row in cells)]
    told = ", ".join(f"{key} {value}" for key, value in where.items())
    text = "\n".join([f"Measured: {told}.", "", *lines, *(["", *notes] if notes else [])])
    print(text, flush=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    options = {k: v for k, v in vars(args).items() if k != "docs"}
    content = {"machine": where, "options": options, "columns": list(columns), "rows": rows, **facts}
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1, default=str) + "\n")
    if args.docs:
        page, start, end = DOCS.read_text(), f"<!-- bench {name} -->", f"<!-- end {name} -->"
        if start not in page or end not in page:
            raise SystemExit(f"docs/benchmarks.md: expected the marks {start} and {end}, found none; add them once.")
        before, rest = page.split(start, 1)
        DOCS.write_text(f"{before}{start}\n{text}\n{end}{rest.split(end, 1)[1]}")
