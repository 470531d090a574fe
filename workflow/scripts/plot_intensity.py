"""Show what was done to the gray values of the slices of a volume: vertical (x, z) sections and single slices before and after, the mean
gray value of each slice, and how far its histogram is from the pooled one.

All pictures before share one gray scale, and so do all after. Shown are the darkest, the middle and the brightest slice, and the one that
is most unlike the others with brightness and contrast taken out. Flagged slices and slices that alignment left out are shaded.
"""

import numpy as np

from command_line import Arguments, run
from densecell import io, rendering
from figure_output import new_figure, save

BEFORE, AFTER, SHAPE, FLAGGED, LEFT_OUT = "#de8f05", "#0173b2", "#029e73", "crimson", "0.5"


def chosen_slices(table):
    """{z: why it is shown} of up to four slices, rising."""
    sound = table[(table["left_out"] == 0) & (table["flag"] == "")]
    by_mean = (table if sound.empty else sound).sort_values("mean_before", kind="stable")["z"].tolist()
    why = {}
    if table["ks_shape"].notna().any():
        why[int(table.loc[table["ks_shape"].idxmax(), "z"])] = "most unlike"
    for z, text in ((by_mean[0], "darkest"), (by_mean[-1], "brightest"), (by_mean[len(by_mean) // 2], "middle")):
        why.setdefault(z, text)
    return dict(sorted(why.items()))


def section_of(volume):
    """The (Z, X) plane at the middle y."""
    y = volume.shape[1] // 2
    return np.concatenate([volume[a:b, y : y + 1][:, 0] for a, b in volume.slabs()])


def draw_section(axes, volume, title):
    """The vertical section in physical proportions, z downward in slices."""
    section = section_of(volume)
    darkest, brightest = rendering.gray_range(section)
    step, _, pixel = volume.voxel_size_nm
    axes.imshow(section, cmap="gray", vmin=darkest, vmax=brightest, aspect=step / pixel, interpolation="nearest")
    axes.set(title=title, ylabel="slice", xticks=[])
    return darkest, brightest


def draw_slices(row, volume, chosen, limits, when):
    """The chosen slices in one gray scale."""
    for axes, (z, why) in zip(row, chosen.items()):
        plane = volume[z : z + 1][0]
        rendering.show_slice(axes, plane, volume.voxel_size_nm, cmap="gray", vmin=limits[0], vmax=limits[1])
        axes.set_title(f"slice {z} ({why}), {when}", fontsize=8)
    for axes in row[len(chosen) :]:
        axes.set_axis_off()


def shade(axes, table):
    """A band at each slice that is flagged or was left out."""
    for color, rows in ((LEFT_OUT, table[table["left_out"] == 1]), (FLAGGED, table[table["flag"] != ""])):
        for z in rows["z"]:
            axes.axvspan(z - 0.5, z + 0.5, color=color, alpha=0.15, linewidth=0)


def draw_means(axes, table):
    """Mean gray value of each slice, before and after, with one standard deviation of its pixels."""
    for when, color in (("before", BEFORE), ("after", AFTER)):
        mean, sd = table[f"mean_{when}"], table[f"sd_{when}"]
        axes.fill_between(table["z"], mean - sd, mean + sd, color=color, alpha=0.12, linewidth=0)
        axes.plot(table["z"], mean, "o-", color=color, markersize=2, linewidth=1, label=f"mean {when} (band: ± 1 sd)")
    shade(axes, table)
    axes.set(ylabel="gray value", xlabel="slice")
    axes.legend(frameon=False, fontsize=7, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    axes.grid(alpha=0.3)


def draw_distances(axes, table):
    """Distances to the pooled histogram; flagged slices named."""
    lines = (
        ("ks_before", BEFORE, "before"),
        ("ks_after", AFTER, "after"),
        ("ks_shape", SHAPE, "brightness and contrast taken out"),
    )
    for column, color, label in lines:
        axes.plot(table["z"], table[column], "o-", color=color, markersize=2, linewidth=1, label=label)
    shade(axes, table)
    for row in table[table["flag"] != ""].itertuples():
        place = {"xycoords": ("data", "axes fraction"), "rotation": 90, "ha": "center", "va": "top", "fontsize": 6}
        axes.annotate(row.flag.replace("_", " "), (row.z, 0.98), **place)
    axes.set(ylabel="distance to the pooled\nhistogram (KS)", xlabel="slice", ylim=(0, None))
    axes.legend(frameon=False, fontsize=7, ncols=3, loc="lower right", bbox_to_anchor=(1, 1))
    axes.grid(alpha=0.3)


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("slices", "table of the slices (csv)")
    arguments.input("before", "aligned volume (OME-Zarr)")
    arguments.input("after", "corrected volume (OME-Zarr)")
    arguments.parameter("method", "equalize, match, percentile or clahe", required=True)
    arguments.parameter("title", "title of the figure", str, "")
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    table, before, after = io.read_table(args.slices), io.open_volume(args.before), io.open_volume(args.after)
    table["flag"] = table["flag"].fillna("").astype(str)
    (depth, height, width), (step, pixel_y, pixel_x) = before.shape, before.voxel_size_nm
    section = float(np.clip(4.5 * depth * step / (width * pixel_x), 0.8, 5))
    picture = float(np.clip(2.4 * height * pixel_y / (width * pixel_x), 0.8, 4))
    figure, ((axes,),) = new_figure(10, section + 2 * picture + 5.2)
    axes.remove()
    grid = figure.add_gridspec(5, 4, height_ratios=[section, 2, 2, picture, picture])
    limits = []
    for columns, volume, when in ((slice(0, 2), before, "before"), (slice(2, 4), after, f"after ({args.method})")):
        limits.append(draw_section(figure.add_subplot(grid[0, columns]), volume, f"x, z at the middle y, {when}"))
    draw_means(figure.add_subplot(grid[1, :]), table)
    draw_distances(figure.add_subplot(grid[2, :]), table)
    for row, volume, of_row, when in ((3, before, limits[0], "before"), (4, after, limits[1], "after")):
        draw_slices([figure.add_subplot(grid[row, i]) for i in range(4)], volume, chosen_slices(table), of_row, when)
    figure.suptitle(args.title)
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
