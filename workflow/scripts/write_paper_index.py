"""One page (html) with every table and figure of Guay et al. 2021 from this run, pictures inside, and what differs.

Table S1 stands beside the published numbers where the configuration asks for them (paper.published). Scores are mean IoU
from 0 to 1. --items: {figure: [pictures]}; a figure without pictures is listed with the reason.
"""

import base64
from html import escape
from pathlib import Path

import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import files, io
from densecell.paper_items import ITEMS
from figure_output import display_name

STYLE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Guay et al. 2021 with densecell</title>
<style>
body {font-family: sans-serif; max-width: 76em; margin: 1em auto; padding: 0 1em; line-height: 1.45}
table {border-collapse: collapse; margin: 0.8em 0; font-size: 0.9em}
th, td {padding: 0.15em 0.7em; border-bottom: 1px solid #ccc; text-align: right; vertical-align: top}
th:first-child, td:first-child {text-align: left}
img {max-width: 100%; display: block; margin: 0.8em 0; border: 1px solid #ddd}
.note {color: #555}
</style>
</head>
<body>"""
PAPER = (
    '<a href="https://doi.org/10.1038/s41598-021-81590-0">Guay et al. 2021</a>, Dense cellular segmentation for EM using '
    "2D–3D neural network ensembles"
)
PARTS = {"a": "(a) ensembles", "b": "(b) single networks", "c": "(c) baselines, single networks"}
TITLES = {
    "miou_all": "MIoU(all)",
    "miou_org": "MIoU(org)",
    "mean_organelle_accuracy": "mean organelle accuracy",
    "n_parameters": "parameters",
}


def number(value, measure="", signed=False):
    """A score to three digits, a count in full; nothing for a missing value."""
    if pd.isna(value):
        return "–"
    return f"{value:,.0f}" if measure == "n_parameters" else f"{value:+.3f}" if signed else f"{value:.3f}"


def html_rows(table, columns, with_published):
    """Rows of a wide table: one per algorithm, and for each of `columns` (role, measure) ours, published, difference."""
    lines = []
    for (experiment, kind, k), rows in table.groupby(["experiment", "kind", "k"], sort=False):
        size = f"top {k}" if kind == "ensemble" else f"single ({display_name(rows['predictor'].iloc[0])})"
        published = next((name for name in rows["published_row"] if isinstance(name, str) and name), "–")
        cells = f"<td>{escape(str(experiment).replace('_', ' '))}, {size}</td>"
        cells += f"<td>{escape(published)}</td>" if with_published else ""
        for role, measure in columns:
            found = rows[(rows["role"] == role) & (rows["measure"] == measure)]
            ours, theirs, gap = (
                found.iloc[0][["value", "published", "difference"]] if len(found) else [float("nan")] * 3
            )
            cells += f"<td>{number(ours, measure)}</td>"
            if with_published:
                cells += f"<td>{number(theirs, measure)}</td><td>{number(gap, measure, True)}</td>"
        lines.append(f"<tr>{cells}</tr>")
    return lines


def html_table(table, parts):
    """The wide form of Table S1 or of the poster's table. parts: {part: its title}, "" without one."""
    with_published = bool(table["published"].notna().any())
    columns = list(dict.fromkeys(zip(table["role"], table["measure"])))
    columns.sort(key=lambda column: column[1] == "n_parameters")
    heads = "".join(f"<th>{' '.join(filter(None, (role, TITLES[measure])))}</th>" for role, measure in columns)
    if with_published:
        heads = heads.replace("</th>", "</th><th>published</th><th>difference</th>")
    lines = [f"<table>\n<tr><th></th>{'<th>published row</th>' if with_published else ''}{heads}</tr>"]
    for part, title in parts.items():
        rows = table[table["part"].astype(str) == part]
        if title and len(rows):
            lines.append(f'<tr><th colspan="{2 + 3 * len(columns)}">{title}</th></tr>')
        lines += html_rows(rows, columns, with_published)
    return "\n".join([*lines, "</table>"])


def html_text_numbers(table):
    """Numbers of the paper's text: ours, and the published ones."""
    lines = ["<table>\n<tr><th></th><th>measure</th><th>here</th><th>published</th></tr>"]
    for row in table.to_dict("records"):
        measure = {"relative_gain_miou_org": "relative gain in test MIoU(org)"}.get(row["measure"], "MIoU(org)")
        cells = f"<td>{escape(row['row'])}</td><td>{measure}</td>"
        lines.append(f"<tr>{cells}<td>{number(row['value'])}</td><td>{number(row['published'])}</td></tr>")
    return "\n".join([*lines, "</table>"])


def html_sentences(table):
    """The sentences of the network comparison, one fold-out list per score (such as test_miou_org)."""
    lines = []
    for score, rows in table.groupby("score", sort=False):
        role, _, measure = str(score).partition("_")
        title = f"{role} {TITLES.get(measure, measure)}: {len(rows)} sentence{'s' if len(rows) > 1 else ''}"
        lines += [f"<details><summary>{escape(title)}</summary>", "<ul>"]
        lines += [f"<li>{escape(str(sentence))}</li>" for sentence in rows["sentence"]]
        lines += ["</ul>", "</details>"]
    return "\n".join(lines)


def picture(path):
    """An image element with the PNG inside."""
    files.check_content(path)
    data = base64.b64encode(Path(path).read_bytes()).decode()
    return f'<img alt="{escape(Path(path).name)}" src="data:image/png;base64,{data}">'


def html_item(name, paths, root):
    """A section of one figure: caption, pictures, where from, what differs; or the reason why it is left out."""
    item = ITEMS[name]
    lines = [f'<h2 id="{name}">{escape(item.title)}</h2>']
    if not paths:
        return "\n".join([*lines, f"<p>Left out. {escape(item.missing)}</p>"])
    shown = ", ".join(f"<code>{escape(str(Path(path).relative_to(root)))}</code>" for path in paths)
    lines += [f"<p>{escape(item.caption)}</p>", *map(picture, paths)]
    lines.append(f'<p class="note">Files: {shown}. Made by: {escape(item.made_by)}.<br>')
    return "\n".join([*lines, f"What differs from the paper: {escape(item.differs)}</p>"])


def html_videos(paths, root):
    """Links to the videos, which lie beside the page and not in it; or which keys ask for some."""
    lines = ['<h2 id="videos">Videos</h2>']
    if not paths:
        return "\n".join([*lines, "<p>Left out. videos.rotations and videos.training are empty.</p>"])
    names = [Path(path).relative_to(root).as_posix() for path in paths]
    lines += ["<ul>", *[f'<li><a href="../{escape(name)}">{escape(name)}</a></li>' for name in names], "</ul>"]
    note = (
        "Made by: render_rotation, render_training.<br>What differs from the paper: the camera's path and the program"
    )
    lines.append(
        f'<p class="note">{note} of the paper are not known; a training is filmed as long as the experiment runs.</p>'
    )
    return "\n".join(lines)


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("pictures", "all pictures (png)", several=True)
    arguments.input("table_s1", "Table S1 (csv)")
    arguments.input("poster_table", "the poster's table (csv)")
    arguments.input("text_numbers", "numbers of the text (csv)")
    arguments.input("sentences", "sentences of the network comparison (csv)")
    arguments.parameter("items", "JSON record of figure: list of pictures", json_argument, required=True)
    arguments.parameter("videos", "JSON list of videos that the page links to", json_argument, default=[])
    arguments.output("output", "page (html)")
    args = arguments.parse(argv)

    table = io.read_table(args.table_s1)
    root = Path(args.table_s1).parent.parent
    lines = [STYLE, "<h1>Tables and figures of the paper, from this run</h1>", f"<p>{PAPER}.</p>"]
    lines += [
        "<p>k of each ensemble and the best single network are chosen on eval; test is only reported. What differs from",
        "the paper stands below each figure and, in one table, in <code>docs/reproducing-the-paper.md</code>.</p>",
        '<h2 id="table_s1">Table S1: scores</h2>',
        html_table(table, PARTS),
        '<p class="note">Files: <code>paper/table_s1.csv</code>; every k: <code>paper/table_s1_every_k.csv</code>. Made by:',
        "make_paper_tables.<br>What differs from the paper: k is chosen on eval (the paper does not say how); a class absent",
        "from reference and prediction is left out of the mean.</p>",
        '<h2 id="poster">The poster\'s table</h2>',
        html_table(io.read_table(args.poster_table), {"": "", "nan": ""}),
        '<p class="note">File: <code>paper/poster_table.csv</code>. The test numbers of the poster are 1.24 to 1.32 times those of',
        "Table S1 for the same networks, so it shows another measure or cell; both candidates stand here.</p>",
        '<h2 id="text">Numbers in the text</h2>',
        html_text_numbers(io.read_table(args.text_numbers)),
        '<p class="note">File: <code>paper/text_numbers.csv</code>.</p>',
        '<h2 id="comparison">Networks against each other</h2>',
        html_sentences(io.read_table(args.sentences)),
        '<p class="note">File: <code>tables/network_comparison_text.csv</code>. Made by: compare_networks.</p>',
    ]
    lines += [html_item(name, args.items.get(name, []), root) for name in ITEMS]
    lines.append(html_videos(args.videos, root))
    files.write_text(args.output, "\n".join([*lines, "</body>", "</html>"]) + "\n", args.record)


if __name__ == "__main__":
    run(main)
