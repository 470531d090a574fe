"""The graph of the rules in README.md is the graph of the rules."""

import pytest
import workflow_runs as runs

import rule_graph

PRINTED = """
flowchart TB
	id0[score]
	id1[train]
	style id0 fill:#D2D957
	id1 --> id0
"""


def test_a_graph_is_drawn_with_the_names_of_rules():
    assert rule_graph.drawn(PRINTED) == "```mermaid\nflowchart TB\n    train --> score\n```\n"


def test_a_graph_takes_the_place_of_the_former_one():
    page = f"a\n{rule_graph.BEGIN}old\n{rule_graph.END}b\n"
    assert rule_graph.embedded(page, "new\n") == f"a\n{rule_graph.BEGIN}new\n{rule_graph.END}b\n"


def test_a_page_without_a_place_is_refused():
    with pytest.raises(ValueError, match="expected a line"):
        rule_graph.embedded("a\n", "new\n")


def test_graph_in_the_readme_is_current():
    page = (runs.REPO / "README.md").read_text()
    code, printed = runs.dry_run_output(
        runs.REPO, "--rulegraph", "mermaid-js", "--quiet", "all", "--forceall", "--nolock", "--", *rule_graph.TARGETS
    )
    assert code == 0, printed
    assert rule_graph.embedded(page, rule_graph.drawn(printed)) == page, "the rules have changed: make docs"
