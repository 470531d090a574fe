"""The graph of the rules in README.md: `python workflow/rules/rule_graph.py` draws it anew (make docs).

Only the way from the raw slices to the scores and the segmentation, without figures and reports: the whole has twice as many
rules. Ids are the names of the rules and lines are sorted, so that the same rules give the same text; GitHub draws it.
"""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGETS = ("results/tables/metrics.csv", "results/tables/volume_fractions.csv", "results/volumes/subject2/hybrid.tif")
BEGIN, END = "<!-- graph of the rules: make docs -->\n", "<!-- end of the graph -->\n"


def drawn(rulegraph):
    """The text of a picture of GitHub's from what `snakemake --rulegraph mermaid-js` prints."""
    names = dict(re.findall(r"(?m)^\s*(id\d+)\[(\w+)\]", rulegraph))
    arrows = {(names[a], names[b]) for a, b in re.findall(r"(?m)^\s*(id\d+) -+> (id\d+)", rulegraph)}
    return "\n".join(["```mermaid", "flowchart TB", *(f"    {a} --> {b}" for a, b in sorted(arrows)), "```", ""])


def current():
    """The picture as the rules are now."""
    command = ["snakemake", "--rulegraph", "mermaid-js", "--quiet", "all", "--forceall", "--", *TARGETS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return drawn(done.stdout)


def embedded(text, graph):
    """A page with its graph replaced. Raises ValueError where the page has no place for one."""
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(
            f"README.md: expected a line {BEGIN.strip()} and after it {END.strip()}, between which the graph lies."
        )
    return before + BEGIN + graph + END + after


if __name__ == "__main__":
    page = ROOT / "README.md"
    page.write_text(embedded(page.read_text(), current()))
