"""Compare every result of a run with the hash in the sidecar beside it, and every sidecar with what it was made from.

Names each file that was changed (of a volume, which part), is missing, has lost its sidecar or is older than its input; exit
code 1 if there is one, 2 if nothing could be checked. Files that densecell did not write are named too, and are no fault.
"""

import argparse
import os
import sys
from pathlib import Path

from command_line import run
from densecell import passport, verification
from densecell.passport_words import plural
from progress import Progress

MANY_BYTES = 1e9  # from here on progress is shown
SHOWN = 20  # findings of a kind
NOT_CHECKED = 2  # exit code


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", help="folder of the results")
    parser.add_argument(
        "--threads", type=int, default=min(8, os.cpu_count() or 1), help="files that are read at a time"
    )
    args = parser.parse_args(argv)

    folder = Path(args.results)
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder of results. Run densecell first, or correct the path.")
    if not passport.is_results(folder):
        raise ValueError(
            f"{folder}: expected the results folder of a run, which holds {passport.RUN}/config.<hash>.yaml, found none. Give the "
            "whole folder, such as results; results of earlier versions hold no such file, the next run adds it."
        )
    findings, checks = verification.look(passport.Results(folder))
    n_bytes = verification.n_bytes(checks)
    progress = Progress(round(n_bytes / 1e6), "MB") if n_bytes >= MANY_BYTES else None
    findings += verification.check(checks, args.threads, progress and (lambda n: progress.step(n / 1e6)))
    for kind, meaning in verification.KINDS.items():
        found = [finding for finding in findings if finding.kind == kind]
        if found:
            noun = "file" if kind == "unknown" else "result"
            print(f"{plural(len({finding.path for finding in found}), noun)}: {meaning}")
        for finding in found[:SHOWN]:
            print(f"  {finding.path}{f': {finding.text}' if finding.text else ''}")
        if len(found) > SHOWN:
            print(f"  and {len(found) - SHOWN} more")
    n_results = len({check.path for check in checks if check.kind == "damaged"})
    n_bad = len({finding.path for finding in findings if finding.kind in verification.BAD})
    print(
        f"densecell: {plural(n_results, 'result')} checked, {n_bytes / 1e6:,.0f} MB, {n_bad} damaged, changed, missing or outdated."
    )
    if n_bad:
        sys.exit(1)
    if not n_results:
        raise ValueError(
            f"{folder}: expected results with sidecars, found none, so nothing was checked. Run densecell first."
        )


if __name__ == "__main__":
    run(main, NOT_CHECKED)
