#!/bin/sh
# Run densecell. Needs Python 3.11 or newer with venv, and pip; everything else is installed once into .venv.
#   ./run.sh                            the whole chain on the built-in phantom
#   ./run.sh --configfile config/x.yaml your own configuration; all arguments go to Snakemake
#   ./run.sh check [arguments]          check the configuration, all inputs and this machine, run nothing
#   ./run.sh plan [arguments]           show what would run, why, and what it will cost
#   ./run.sh verify [folder|arguments]  compare every result with the hash written beside it, and with its inputs
#   ./run.sh explain FILE               tell how a result was made, from the raw data on
#   ./run.sh crate [--configfile FILE]  export a run as an RO-Crate: results, code and how each result was made (--help)
#   ./run.sh paper_figures              every table, figure and video of the paper, small, on the phantom
#                                       (config/phantom_paper.yaml; another one with --configfile)
#   ./run.sh download NAME [FOLDER]     fetch a public data set into data/NAME (docs/datasets.md)
set -eu
cd "$(dirname "$0")"
. workflow/install.sh
install requirements.txt
python workflow/rules/config_text.py "$@" # before Snakemake reads a configuration, which may hold programs
case "${1:-}" in
  check)
    shift
    exec python workflow/scripts/check_setup.py "$@" ;;
  plan)
    shift
    exec snakemake --dry-run "$@" ;;
  explain)
    shift
    if [ $# -ne 1 ]; then
      echo "usage: ./run.sh explain FILE, such as results/tables/volume_fractions.csv" >&2
      exit 2
    fi
    exec python workflow/scripts/explain_result.py "$1" ;;
  crate)
    shift
    exec python workflow/scripts/export_crate.py "$@" ;;
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
  if [ $# -eq 1 ] && [ -d "$1" ]; then
    python workflow/scripts/verify_results.py "$1"
    exit
  fi
  snakemake --dry-run --quiet all "$@" >/dev/null || exit 2 # 1 says that something is damaged
  python workflow/scripts/verify_results.py "$(cat "$where")"
  exit
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
python workflow/scripts/finish_report.py "$report"
echo "densecell: the report is $report"
