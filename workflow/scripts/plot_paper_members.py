"""A test slice with its labels, the best single networks of an ensemble and the ensemble: Figure 2b of Guay et al. 2021.

Networks are ordered by their eval score; MIoU(org), 0 to 1, is of the whole region, not of the slice shown. With fewer
networks than --n-members there are fewer panels.
"""

from string import ascii_lowercase

from command_line import Arguments, json_argument, run
from densecell import files, io, paper
from figure_output import display_name, save
from paper_output import Look, Slices, class_handles, draw_page, predictors_below, record_with

PER_ROW = 4


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("chosen", "chosen member list of the ensemble (json)")
    arguments.input("ranking", "ranking of its candidates (csv)")
    arguments.input("metrics", "scores (csv)")
    arguments.parameter("place", "JSON record of image, reference, folder, mask and z", json_argument, required=True)
    arguments.parameter("region", "name of the region", required=True)
    arguments.parameter("reference_name", "name of the reference's label source", required=True)
    arguments.parameter("n_members", "number of single networks", int, 4)
    arguments.parameter("colors", "JSON record of class: #rrggbb", json_argument, required=True)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    look = Look.from_arguments(args)
    slices, metrics, chosen = Slices(look), io.read_table(args.metrics), files.read_json(args.chosen)
    available, folder = predictors_below(args.place["folder"]), args.place["folder"]
    members = paper.ranked_singles(io.read_table(args.ranking), available)[: args.n_members]
    record = {key: args.place[key] for key in ("image", "reference", "mask", "z")}
    # the reference is shown whole: masked by itself nothing would change
    panels = [("image", record), ("reference", {**record, "labels": record["reference"], "mask": False})]
    for name in [*members, paper.predictor_of(chosen, "ensemble", available)]:
        row = paper.score_row(metrics, args.region, args.reference_name, chosen["name"], name, "miou_org")
        who = display_name(name) if name in members else f"ensemble, {display_name(name)}"
        title = f"{who}: MIoU(org) {row['value']:.3f}"
        panels.append((title, {**record, "labels": f"{folder}/{name}.ome.zarr"}))
    drawn = [
        slices.panel({**panel, "letter": letter, "title": title})
        for letter, (title, panel) in zip(ascii_lowercase, panels)
    ]
    rows = [drawn[i : i + PER_ROW] for i in range(0, len(drawn), PER_ROW)]
    figure = draw_page(rows, True, class_handles(look, slices.unlabelled))
    save(figure, args.output, args.dpi, record_with(args, slices.parents))


if __name__ == "__main__":
    run(main)
