#!/bin/sh
# Run the tests. Needs Python 3.11 or newer with venv, and pip. Arguments go to pytest; --slow adds the slow tests.
set -eu
cd "$(dirname "$0")"
. workflow/install.sh
install requirements-dev.txt
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}"
slow="not slow"
if [ "${1:-}" = --slow ]; then
  slow="slow or not slow"
  shift
fi
exec python -m pytest -m "$slow and not gpu" "$@"
