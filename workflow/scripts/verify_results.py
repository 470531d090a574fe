"""Compare every result of a run with the hash in the sidecar beside it, and every sidecar with what it was made from.

Names each file that was changed (of a volume, which part), is missing, has lost its sidecar or is older than its input; exit
code 1 if there is one. Files that densecell did not write are named too, and are no fault.
"""

import argparse
import os
import sys
from pathlib import Path

from command_line import run
from densecell import passport, verification
from progress import Progress

MANY_BYTES = 1e9  # from here on progress is shown
SHOWN = 20  # findings of a kind


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
    findings, checks = verification.look(passport.Results(folder))
    n_bytes = sum(check.size for check in checks)
    progress = Progress(round(n_bytes / 1e6), "MB") if n_bytes >= MANY_BYTES else None
    findings += verification.check(checks, args.threads, progress and (lambda n: progress.step(n / 1e6)))
    for kind, meaning in verification.KINDS.items():
        found = [finding for finding in findings if finding.kind == kind]
        if found:
            print(f"{len({finding.path for finding in found})} {meaning}:")
        for finding in found[:SHOWN]:
            print(f"  {finding.path}{f': {finding.text}' if finding.text else ''}")
        if len(found) > SHOWN:
            print(f"  and {len(found) - SHOWN} more")
    n_results = len({check.path for check in checks if check.kind == "damaged"})
    n_bad = len({finding.path for finding in findings if finding.kind in verification.BAD})
    print(
        f"densecell: {n_results} results checked, {n_bytes / 1e6:,.0f} MB, {n_bad} damaged, changed, missing or outdated."
    )
    if n_bad:
        sys.exit(1)


if __name__ == "__main__":
    run(main)
