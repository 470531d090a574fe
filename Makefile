# For contributors. Everything runs in the environment that ./test.sh makes (.venv); VENV= takes the tools on the PATH.
VENV ?= .venv/bin/
PYTHON := $(VENV)python
SNAKEFILES := Snakefile workflow/rules

.PHONY: lint format test bench docs dag

lint:                   ## style of Python and rules, and what Snakemake says about the rules
	$(VENV)ruff check .
	$(VENV)ruff format --check .
	$(VENV)snakefmt --check $(SNAKEFILES)
	PATH="$(abspath $(VENV)):$$PATH" .ci/lint_rules

format:                 ## put Python and rules into the house style
	$(VENV)ruff check --fix .
	$(VENV)ruff format .
	$(VENV)snakefmt $(SNAKEFILES)

test:                   ## the quick tests; ./test.sh --slow adds the slow ones
	./test.sh

bench:                  ## what each benchmark measures and how it is called; they take hours and are called one by one
	@for program in benchmarks/*.py; do echo; echo "== $$program"; $(PYTHON) $$program --help; done

docs:                   ## docs/configuration.md from the schemas
	$(PYTHON) workflow/rules/configuration.py > docs/configuration.md

dag:                    ## the graph of the rules (needs Graphviz)
	PATH="$(abspath $(VENV)):$$PATH" snakemake --rulegraph | dot -Tsvg > docs/images/rulegraph.svg
