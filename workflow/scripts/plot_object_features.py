"""Draw what was measured on objects: one panel per measure, one column per volume, one dot per object.

The bar beside the dots is the mean with one standard deviation (n - 1); objects that are not whole (cut by the volume's border, or orphans) are hollow and not counted, and
so are orphans. Shape or texture, whichever the table holds; of its measures those in FEATURES are shown (Machireddy et al. 2023).
"""

from command_line import Arguments, run
from densecell import io
from figure_output import display_name, new_figure, save
from object_output import dot_legend, draw_columns, in_words, is_whole

FEATURES = (
    *("volume_um3", "surface_area_um2", "sphericity", "solidity", "circular_variance", "elongation", "flatness"),
    *("fenestrated_percent_fill3d", "proximity"),
    *("homogeneity", "correlation", "variance", "contrast"),
    *("zone_percentage", "szhge", "zone_size_mean", "zone_level_mean"),
    *("bright_mean", "bright_sd", "bright_skewness", "bright_entropy"),
    *("dark_mean", "dark_sd", "dark_skewness", "dark_entropy"),
)
TITLES = {
    "fenestrated_percent_fill3d": "fenestrated (%)",
    "proximity": "proximity\n(0: central, 1: at the membrane)",
    "szhge": "small zones, high gray level\n(SZHGE)",
    "zone_percentage": "zones per voxel",
    "zone_size_mean": "mean size of zones (voxels)",
    "zone_level_mean": "mean level of zones",
    **{
        f"{side}_{name}": f"{side} spots: {title}"
        for side in ("bright", "dark")
        for name, title in (
            ("mean", "mean size (steps)"),
            ("sd", "SD of size (steps)"),
            ("skewness", "skewness"),
            ("entropy", "entropy (bit)"),
        )
    },
}
N_COLUMNS, PANEL_INCHES = 4, 2.6


def columns_of(table, volumes):
    """{volume: (values, is_whole)} of the rows of one measure."""
    rows = {volume: table[table["volume"] == volume] for volume in volumes}
    return {volume: (part["value"].to_numpy(float), is_whole(part["flag"])) for volume, part in rows.items()}


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("table", "measures of objects (csv)")
    arguments.parameter("objects", "name of the objects", required=True)
    arguments.parameter("color", "color of their class, #rrggbb", required=True)
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    table = io.read_table(args.table)
    table = table[table["objects"] == args.objects]
    volumes = list(dict.fromkeys(table["volume"]))
    units = dict(zip(table["measure"], table["unit"]))
    shown = [name for name in FEATURES if name in units] or [None]
    n_columns = min(N_COLUMNS, len(shown))
    n_rows = -(-len(shown) // n_columns)
    width = max(PANEL_INCHES, 0.7 + 0.75 * len(volumes))
    figure, panels = new_figure(max(width * n_columns, 7), PANEL_INCHES * n_rows + 0.8, n_rows, n_columns)
    for axes, name in zip(panels.ravel(), shown):
        if name is None:
            axes.text(0.5, 0.5, f"no {display_name(args.objects)} were measured", ha="center", va="center")
            axes.axis("off")
            continue
        draw_columns(axes, columns_of(table[table["measure"] == name], volumes), args.color)
        axes.set_title(TITLES.get(name) or in_words(name, units[name]), fontsize=9)
    for axes in panels.ravel()[len(shown) :]:
        axes.axis("off")
    figure.suptitle(display_name(args.objects))
    dot_legend(figure, args.color)
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
