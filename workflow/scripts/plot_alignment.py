"""Show what alignment did: a vertical (x, z) section before and after, and the drift that was found, in nm.

The section is at the middle y of the aligned stack, in physical proportions. Flagged slices are marked; with --truth (columns z, dy_px,
dx_px of the raw, unbinned stack: where the content of a slice lies) the known drift is drawn beneath the found one.
"""

import numpy as np

from command_line import Arguments, json_argument, run
from densecell import io, rendering
from figure_output import new_figure, save

AXIS_COLORS = {"y": "#0173b2", "x": "#de8f05"}


def vertical_section(volume, y_nm):
    """The (Z, X) plane of a volume at the position y_nm."""
    y = int(np.clip(round((y_nm - volume.origin_nm[1]) / volume.voxel_size_nm[1]), 0, volume.shape[1] - 1))
    return np.concatenate([volume[a:b, y : y + 1][:, 0] for a, b in volume.slabs()])


def known_positions_nm(truth, binning, voxel_nm):
    """Known content position of each binned slice in nm: (n, 2), y and x; means over the binned slices."""
    raw_px = truth.sort_values("z")[["dy_px", "dx_px"]].to_numpy()
    n = len(raw_px) // binning[0]
    means = raw_px[: n * binning[0]].reshape(n, binning[0], 2).mean(axis=1)
    return means * [voxel_nm[1] / binning[1], voxel_nm[2] / binning[2]]


def draw_section(axes, volume, y_nm, title, flagged):
    """A vertical section at its place in micrometers, z downward, with small marks at flagged slices."""
    section = vertical_section(volume, y_nm)
    (top, left), (step_um, pixel_um) = (np.array(v[::2]) * 1e-3 for v in (volume.origin_nm, volume.voxel_size_nm))
    extent = np.array([left, left + section.shape[1] * pixel_um, top + section.shape[0] * step_um, top])
    darkest, brightest = rendering.gray_range(section)
    axes.imshow(section, cmap="gray", vmin=darkest, vmax=brightest, extent=extent, interpolation="nearest")
    for z in flagged:
        mark = {"arrowstyle": "-|>", "color": "crimson"}
        at = {"xy": (1, top + (z + 0.5) * step_um), "xytext": (14, 0), "textcoords": "offset points"}
        axes.annotate("", xycoords=axes.get_yaxis_transform(), arrowprops=mark, **at)
    axes.set(title=title, xlabel="x (µm)", ylabel="z (µm)")


def draw_drift(axes, shifts, known_nm):
    """Found (points) and known (lines) content position of every slice, y and x, with flagged slices shaded."""
    sound = ~shifts["flag"].isin(("blank", "destroyed"))
    for i, axis in enumerate("yx"):
        found = shifts[f"{axis}_nm"].to_numpy(float)
        axes.plot(
            shifts["z"], found, "o-", color=AXIS_COLORS[axis], markersize=3, linewidth=0.8, label=f"{axis}, found"
        )
        if known_nm is not None:
            known = known_nm[:, i] + np.median((found - known_nm[:, i])[sound])
            distance = np.median(np.abs(found - known)[sound])
            style = {"color": AXIS_COLORS[axis], "linewidth": 4, "alpha": 0.3}
            axes.plot(shifts["z"], known, label=f"{axis}, known (median distance {distance:.1f} nm)", **style)
    for row in shifts[shifts["flag"] != ""].itertuples():
        axes.axvspan(row.z - 0.5, row.z + 0.5, color="crimson", alpha=0.15, linewidth=0)
        axes.annotate(
            row.flag, (row.z, 1), xycoords=("data", "axes fraction"), rotation=90, ha="center", va="top", fontsize=7
        )
    axes.set(xlabel="slice", ylabel="position of the content (nm)", title="drift")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2, frameon=False)


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("shifts", "shift table of the alignment (csv)")
    arguments.input("before", "binned stack before alignment (OME-Zarr)")
    arguments.input("after", "aligned stack (OME-Zarr)")
    arguments.input("truth", "known drift (csv); may be absent", required=False, foreign=True)
    arguments.parameter("binning", "JSON list: raw voxels per binned voxel (z, y, x)", json_argument, [1, 1, 1])
    arguments.parameter("title", "title of the figure", str, "")
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    shifts = io.read_table(args.shifts)
    shifts["flag"] = shifts["flag"].fillna("").astype(str)
    before, after = io.open_volume(args.before), io.open_volume(args.after)
    known_nm = None
    if args.truth:
        known_nm = known_positions_nm(
            io.read_foreign_table(args.truth, ("z", "dy_px", "dx_px")), args.binning, before.voxel_size_nm
        )
        if len(known_nm) != len(shifts):
            raise ValueError(f"{args.truth}: expected {len(shifts)} slices after binning, found {len(known_nm)}")
    flagged = shifts.loc[shifts["flag"] != "", "z"]
    depth_um, width_um = (n * v * 1e-3 for n, v in zip(before.shape[::2], before.voxel_size_nm[::2]))
    width = 6.5
    section = float(np.clip(width * depth_um / width_um, 0.8, 6))
    heights = {"height_ratios": [section + 0.6, section + 0.6, 3.4]}
    figure, ((top,), (middle,), (bottom,)) = new_figure(width + 1, 2 * section + 5, 3, 1, gridspec_kw=heights)
    y_nm = after.origin_nm[1] + after.shape[1] / 2 * after.voxel_size_nm[1]
    draw_section(top, before, y_nm, "before alignment", flagged)
    draw_section(middle, after, y_nm, "after alignment (cropped to what all slices show)", flagged)
    middle.set_xlim(top.get_xlim())
    draw_drift(bottom, shifts, known_nm)
    figure.suptitle(args.title)
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
