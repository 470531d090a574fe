"""Compare every result of a run with the content hash in the sidecar beside it.

Usage: verify_results.py RESULTS_DIR. Prints each file or store that is damaged, changed or missing; exit code 1 if any.
"""

import sys
from pathlib import Path

from densecell import files


def main(argv=None):
    folder = Path((argv or sys.argv[1:])[0])
    bad, count = [], 0
    for sidecar in sorted(folder.rglob("*.json")):
        path = sidecar.with_name(sidecar.name.removesuffix(".json"))
        try:
            content = files.read_json(sidecar).get("content") if path.suffix else None
        except (ValueError, AttributeError):
            content = None
        if content is None:
            continue  # a JSON file of its own, not a sidecar
        count += 1
        if not path.exists():
            bad.append(f"{path}: missing")
        elif (files.hash_store(path) if path.is_dir() else files.hash_file(path)) != content:
            bad.append(f"{path}: differs from what was written")
    print("\n".join([*bad, f"densecell: {count} results checked, {len(bad)} damaged, changed or missing."]))
    if bad:
        sys.exit(1)


if __name__ == "__main__":
    main()
