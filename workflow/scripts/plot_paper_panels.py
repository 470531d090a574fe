"""A figure of slices and renderings in rows of panels, 180 mm wide, with letters, scale bars (micrometers) and a legend.

Draws Figures 1, S1, S2 and S3 of Guay et al. 2021. --panels: rows of records with letter, title, and picture, or
labels, or folder with chosen and kind, or image; see paper_output.Slices.
"""

from command_line import Arguments, json_argument, run
from figure_output import save
from paper_output import Look, Slices, class_handles, draw_page, record_with


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.parameter("panels", "JSON list of rows of panel records", json_argument, required=True)
    arguments.parameter("equal", "1: all rows are equally high", int, 0)
    arguments.parameter("colors", "JSON record of class: #rrggbb", json_argument, required=True)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    look = Look.from_arguments(args)
    slices = Slices(look)
    rows = [[slices.panel(record) for record in row] for row in args.panels]
    figure = draw_page(rows, bool(args.equal), class_handles(look, slices.unlabelled))
    save(figure, args.output, args.dpi, record_with(args, slices.parents))


if __name__ == "__main__":
    run(main)
