#!/bin/sh
# Run densecell. Needs Python 3.11 or newer with venv, and pip; everything else is installed once into .venv.
#   ./run.sh                            the whole chain on the built-in phantom
#   ./run.sh --configfile config/x.yaml your own configuration; all arguments go to Snakemake
#   ./run.sh check [arguments]          check the configuration and the input files, run nothing
#   ./run.sh plan [arguments]           show what would run, and why
#   ./run.sh verify [arguments]         compare every result with the hash written beside it
#   ./run.sh paper_figures              every table, figure and video of the paper, small, on the phantom
#                                       (config/phantom_paper.yaml; another one with --configfile)
#   ./run.sh download NAME [FOLDER]     fetch a public data set into data/NAME (docs/datasets.md)
set -eu
cd "$(dirname "$0")"
. workflow/install.sh
install requirements.txt
case "${1:-}" in
  check)
    shift
    if output=$(snakemake --dry-run "$@" 2>&1); then
      echo "densecell: the configuration and its input files are fine; ./run.sh plan shows what would run."
    else
      printf '%s\n' "$output" >&2
      exit 1
    fi
    exit ;;
  plan)
    shift
    exec snakemake --dry-run "$@" ;;
  download)
    shift
    exec python workflow/scripts/download_dataset.py --dataset "${1:-}" --output "${2:-data/${1:-}}" ;;
  paper_figures)
    case " $* " in
      *" --configfile"*) ;;
      *) set -- "$@" --configfile config/phantom_paper.yaml ;;
    esac ;;
esac
where=$(mktemp)
trap 'rm -f "$where"' EXIT
export DENSECELL_RESULTS_FILE="$where"
if [ "${1:-}" = verify ]; then
  shift
  snakemake --dry-run --quiet all "$@" >/dev/null
  exec python workflow/scripts/verify_results.py "$(cat "$where")"
fi
code=0
snakemake "$@" || code=$?
[ "$code" -eq 0 ] || exit "$code"
results=$(cat "$where")
report="$results/report.html"
for argument in "$@"; do
  case "$argument" in
    -n|--dry-run|--dryrun|--unlock|--lint|--dag|--rulegraph|--report|--touch|--summary|--list*|--help|-h|--version) exit 0 ;;
  esac
done
# the report is made again when a figure or table is newer than it
if [ ! -f "$report" ] || [ -n "$(find "$results/figures" "$results/tables" -newer "$report" -type f 2>/dev/null | head -n 1)" ]; then
  snakemake "$@" --quiet all --report "$report"
fi
echo "densecell: the report is $report"
