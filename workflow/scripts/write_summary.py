"""Say in words what the tables show on the test regions: a small page (html) and the numbers behind it (csv).

Answers: does an ensemble (at the k chosen on eval) beat single networks; does one experiment beat another, judged by all
their seeds with an exact rank test; how many runs collapsed; IoU (0 to 1) per class with the spread over seeds; how far
the volume fractions at --margin-nm (nm) are from the reference's; how people agree where several labelled a region; with
--held-out, what Dice (0 to 1) the draws of sparse labels reach with how many slices; with --contents, what share of each cell (or
other container) each class fills, with the spread over networks and the bias.
"""

from html import escape

import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import budget_words, contents_words, files, io, summary
from densecell.classes import Classes

STYLE = """<meta charset="utf-8">
<style>
.densecell {font-family: sans-serif; max-width: 60em; line-height: 1.45}
.densecell table {border-collapse: collapse; margin: 0.8em 0}
.densecell th, .densecell td {padding: 0.2em 0.8em; border-bottom: 1px solid #ccc; text-align: right}
.densecell th:first-child, .densecell td:first-child {text-align: left}
</style>"""


def html_list(sentences):
    """An escaped list; nothing for no sentences."""
    items = "\n".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f"<ul>\n{items}\n</ul>" if sentences else ""


def section(title, sentences):
    """A heading over a list; nothing for no sentences."""
    return f"<h3>{escape(title)}</h3>\n{html_list(sentences)}" if sentences else ""


def number(value):
    return "–" if pd.isna(value) else f"{value:.3f}"


def html_scores(scores, chosen):
    """The table of `summary.scores_table`: one row per class, two columns per ensemble."""
    head = "".join(
        f"<th>{escape(e['name'])}, single networks: mean (range)</th><th>{escape(e['name'])}, k = {e['k']}</th>"
        for e in chosen
    )
    lines = [f"<table>\n<tr><th>IoU</th>{head}</tr>"]
    titles = {"all": "mean, all classes", "organelles": "mean, organelles"}
    for (subject, measure), rows in scores.groupby(["class", "measure"], sort=False):
        cells = ""
        for entry in chosen:
            values = rows[rows["experiment"] == entry["name"]].set_index("predictor")["value"]
            span = f"{number(values['seeds_min'])} to {number(values['seeds_max'])}"
            cells += (
                f"<td>{number(values['seeds_mean'])} ({span})</td><td>{number(values['top' + str(entry['k'])])}</td>"
            )
        title = titles.get(subject, subject) if measure != "iou" else subject
        lines.append(f"<tr><td>{escape(title.replace('_', ' '))}</td>{cells}</tr>")
    return "\n".join([*lines, "</table>"])


def fact(place, experiment, measure, value, unit, subject="all"):
    """One row of the summary's table that is not a score of one predictor."""
    return (*place, "", experiment, "seeds", subject, measure, float(value), unit)


def of_regions(args, classes):
    """What the scores of whole regions say: (parts of the page, tables, facts)."""
    metrics, ranking = io.read_table(args.metrics), io.read_table(args.ranking)
    chosen = [files.read_json(path) for path in args.chosen]
    fractions = io.read_table(args.volume_fractions) if args.volume_fractions else None
    organelles = [classes.names[i] for i in classes.organelles]
    tests = summary.regions_of_role(metrics, "test")

    parts = []
    if not tests:
        parts.append(
            "<p>No region has the role test: nothing here says how good the networks are on unseen tissue.</p>"
        )
    else:
        n_volumes = len({volume for volume, _ in tests})
        plural = "s" if len(tests) > 1 else ""
        text = f"Scores of {len(tests)} test region{plural} of {n_volumes} volume{'s' if n_volumes > 1 else ''}"
        parts.append(
            f"<p>{text}, which had no part in training or in choosing networks. They hold for that tissue; other"
        )
        parts.append("samples may differ by more than the seeds do.</p>")
    tables, facts = [], []
    for place in tests:
        parts.append(f"<h2>Test region {escape(place[1])} ({escape(place[0])})</h2>")
        sentences = [s for entry in chosen for s in summary.describe_ensemble(metrics, place, entry)]
        parts.append(section("Does averaging networks help?", sentences))
        compared = []
        for pair in summary.independent_pairs(chosen):
            for measure, sentence, test in summary.compare_experiments(metrics, place, *pair):
                compared.append(sentence)
                against = " against ".join(pair)
                facts.append(fact(place, against, f"p_value_{measure}", test.p_value, "1"))
                facts.append(fact(place, against, f"smallest_p_value_{measure}", test.smallest_p_value, "1"))
        parts.append(section("Is one experiment better? (single networks, collapsed ones included)", compared))
        tables.append(summary.scores_table(metrics, place, chosen, classes.names))
        if chosen:
            parts += ["<h3>Overlap with the reference, class by class</h3>", html_scores(tables[-1], chosen)]
        if fractions is not None:
            sentences = summary.describe_fractions(fractions, place, chosen, organelles, args.margin_nm)
            parts.append(
                section(f"Volume fractions (within {args.margin_nm:g} nm of the reference's cells)", sentences)
            )
    parts.append(section("Did training work?", summary.describe_collapses(ranking)))
    for place in summary.regions_of_role(metrics, "compare"):
        title = f"People and networks in {place[1]} ({place[0]})"
        parts.append(section(title, summary.describe_annotators(metrics, place, chosen)))
    for experiment, runs in ranking.groupby("experiment", sort=False):
        facts.append(fact(("", ""), experiment, "n_runs", len(runs), "run"))
        facts.append(fact(("", ""), experiment, "n_collapsed", runs["collapsed"].sum(), "run"))
    return parts, tables, facts


def of_draws(args):
    """What the scores of sparse draws on held-out slices say: (parts of the page, tables)."""
    metrics = io.read_table(args.held_out)
    parts = [
        "<h2>Held-out slices</h2>",
        "<p>Labelled slices that a training did not see; scores pooled over their voxels. They chose nothing, but they come from the "
        "stacks that were trained on.</p>",
        section("How many labelled slices are enough?", budget_words.describe_budget(metrics)),
    ]
    if args.by_distance:
        sentences = budget_words.describe_distance(io.read_table(args.by_distance))
        parts.append(section("How far from a labelled slice does it hold?", sentences))
    return parts, [budget_words.facts(metrics, summary.COLUMNS)]


def html_cells(table):
    """A table of texts with a heading for each column and one for the rows."""
    if table.empty:
        return ""
    lines = [f"<table>\n<tr><th>number</th>{''.join(f'<th>{escape(name)}</th>' for name in table.columns)}</tr>"]
    for number_of, texts in table.iterrows():
        cells = "".join(f"<td>{escape(text)}</td>" for text in texts)
        lines.append(f"<tr><td>{escape(number_of)}</td>{cells}</tr>")
    return "\n".join([*lines, "</table>"])


def of_contents(args, classes):
    """What cells and other containers hold: (parts of the page, tables)."""
    contents = io.read_table(args.contents)
    parts = ["<h2>What each object holds</h2>", f"<p>{contents_words.INTRODUCTION}</p>"]
    tables = []
    for record in args.containers:
        rows = contents[(contents["volume"] == record["volume"]) & (contents["objects"] == record["objects"])]
        given = rows, classes, record["class"]
        title = f"{record['objects'].replace('_', ' ')} of {record['volume']}"
        parts += [section(title, contents_words.describe_contents(*given))]
        parts += [html_cells(contents_words.contents_cells(*given))]
        tables.append(contents_words.contents_facts(*given, summary.COLUMNS))
    return parts, tables


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("metrics", "measures of all predictions (csv)", required=False)
    arguments.input("ranking", "ranking of the networks (csv)", required=False)
    arguments.input("chosen", "chosen member list of every ensemble (json)", several=True, required=False)
    arguments.input("volume_fractions", "volume fractions (csv)", required=False)
    arguments.input("held_out", "scores of draws on held-out slices (csv)", required=False)
    arguments.input("by_distance", "the same by distance to the training slices (csv)", required=False)
    arguments.input("contents", "contents of containers (csv)", required=False)
    arguments.parameter("containers", "JSON list of their volume, objects, class", json_argument, [])
    arguments.parameter("margin_nm", "margin in nm of the volume fractions", float, 100.0)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.output("output", "page (html)")
    arguments.output("table", "the numbers (csv)")
    args = arguments.parse(argv)

    if not (args.metrics or args.held_out or args.contents):
        raise ValueError(
            "expected --metrics with --ranking, --held-out, or --contents, found none: there is nothing to summarize"
        )
    classes = Classes.from_records(args.classes)
    parts, tables, facts = [], [], []
    if args.metrics:
        parts, tables, facts = of_regions(args, classes)
    if args.held_out:
        more = of_draws(args)
        parts, tables = parts + more[0], tables + more[1]
    if args.contents:
        more = of_contents(args, classes)
        parts, tables = parts + more[0], tables + more[1]
    if facts:
        tables.append(pd.DataFrame(facts, columns=summary.COLUMNS))
    page = [
        STYLE,
        '<div class="densecell">',
        "<h2>What the numbers say</h2>",
        *(part for part in parts if part),
        "</div>",
    ]
    files.write_text(args.output, "\n".join(page) + "\n", args.record)
    io.write_table(args.table, pd.concat(tables, ignore_index=True), args.record)


if __name__ == "__main__":
    run(main)
