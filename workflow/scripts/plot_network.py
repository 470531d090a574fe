"""Draw a network as it is built: every convolution, pool and connection with its shape and channels, told by one pass.

Shapes come from the module itself at the experiment's window (z, y, x); the title has the number of its parameters.
"""

from command_line import Arguments, json_argument, run
from densecell import network_diagram
from densecell.networks import tracing
from figure_output import new_figure, save

MARGIN, TITLE, LEGEND_ROW = 0.15, 0.38, 0.27  # inches


def add_legend(figure, handles, width):
    """A legend below the drawing in as many columns as `width` (inches) takes; returns its number of rows."""
    for columns in range(len(handles), 0, -1):
        legend = figure.legend(
            handles=handles, loc="lower center", ncols=columns, frameon=False, fontsize=9.5, borderaxespad=0.3
        )
        if columns == 1 or legend.get_window_extent(figure.canvas.get_renderer()).width <= width * figure.dpi:
            return -(-len(handles) // columns)
        legend.remove()


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.parameter("network", "name in the table of networks", required=True)
    arguments.parameter("options", "JSON record of the network's options", json_argument, {})
    arguments.parameter("window", "JSON list: input size z, y, x in voxels", json_argument, required=True)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter("title", "title of the figure, before the number of parameters", str, "")
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    traced = tracing.trace(args.network, args.options, args.window, len(args.classes))
    planned = network_diagram.plan(traced)
    handles = network_diagram.legend_patches(traced)
    width, height = planned[-2:]
    total = max(width + 0.1, 6) + 2 * MARGIN
    figure, ((axes,),) = new_figure(total, height, 1, 1)
    figure.set_layout_engine("none")
    legend = LEGEND_ROW * add_legend(figure, handles, total) + 0.1
    tall = height + TITLE + legend + MARGIN
    figure.set_size_inches(total, tall)
    axes.set_position([MARGIN / total, legend / tall, 1 - 2 * MARGIN / total, height / tall])
    network_diagram.draw(axes, traced, planned)
    name = f"{args.title} ({args.network})" if args.title not in ("", args.network) else args.network
    figure.suptitle(f"{name}: {traced.n_parameters:,} parameters", y=1 - 0.1 / tall, va="top", fontsize=13)
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
