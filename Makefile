# For contributors. Everything runs in the environment that ./test.sh makes (.venv); VENV= takes the tools on the PATH.
VENV ?= .venv/bin/
PYTHON := $(VENV)python
SNAKEFILES := workflow/Snakefile workflow/rules
BENCHMARKS := predict scaling train memory forward_memory preprocess intensity alignment precision equal_time tracking

.PHONY: lint format test bench docs dag

lint:                   ## style of Python and rules, and what Snakemake says about the rules
	$(VENV)ruff check .
	$(VENV)ruff format --check .
	$(VENV)snakefmt --check $(SNAKEFILES)
	PATH="$(abspath $(VENV)):$$PATH" snakemake --lint

format:                 ## put Python and rules into the house style
	$(VENV)ruff check --fix .
	$(VENV)ruff format .
	$(VENV)snakefmt $(SNAKEFILES)

test:                   ## the quick tests; ./test.sh --slow adds the slow ones
	./test.sh

bench:                  ## all benchmarks, into docs/benchmarks.md; QUICK=1: only whether they run. Needs requirements-bench.txt
	@begun=$$(date +%s); failed=; for name in $(BENCHMARKS); do \
	  echo; echo "== $$name"; started=$$(date +%s); \
	  $(PYTHON) benchmarks/$$name.py $(if $(QUICK),--quick,--docs) || failed="$$failed $$name"; \
	  echo "== $$name: $$(($$(date +%s) - started)) s"; \
	done; echo; echo "all benchmarks: $$(($$(date +%s) - begun)) s$${failed:+; FAILED:$$failed}"; [ -z "$$failed" ]

docs:                   ## docs/configuration.md from the schemas, and the graph of the rules in README.md
	$(PYTHON) workflow/rules/configuration.py > docs/configuration.md
	PATH="$(abspath $(VENV)):$$PATH" $(PYTHON) workflow/rules/rule_graph.py

dag:                    ## the graph of the rules (needs Graphviz)
	PATH="$(abspath $(VENV)):$$PATH" snakemake --rulegraph | dot -Tsvg > docs/images/rulegraph.svg
