"""Import labels (TIFF, PNG or OME-Zarr, gray or color) as an OME-Zarr volume.

Semantic labels become uint8 class numbers, 255 = unlabelled; --values maps stored values or colors to classes, many to
one, and without it value i is class i. Instance labels become uint32, 0 = none, 4294967295 = unlabelled (a color (r, g, b) becomes
65536 r + 256 g + b); of --values they have class unlabelled alone. Alpha is ignored. All values that no class has are listed with their counts before the import is
refused. A source smaller than its stack lies at --origin-voxels (z, y, x).

Single slices lie where --slices says; those in between are unlabelled. A source that annotates some classes only has 254 (other)
where there is none of them. Outside of --boxes, and where nothing is drawn in a slice that is not complete, voxels are unlabelled.
"""

from pathlib import Path

import numpy as np

from command_line import Arguments, json_argument, run
from densecell import io, raw_formats
from densecell.classes import OTHER, UNLABELLED, UNLABELLED_INSTANCE, Classes
from densecell.sparse_labels import Placement
from progress import Progress

LISTED_VALUES = 20


def color_code(colors):
    """(..., 3) colors as integers, 65536 r + 256 g + b for 8 bits."""
    red, green, blue = np.moveaxis(np.asarray(colors, np.int64), -1, 0)
    return red << 16 | green << 8 | blue


def value_codes(image, path):
    """One slice of a source (Y, X) or (Y, X, samples) as (Y, X) int64: its values, or codes of its colors.

    Raises ValueError for fractional or non-finite values and for colors of more than 8 bits.
    """
    if image.ndim == 3 and image.shape[2] == 2:
        image = image[..., 0]  # gray with alpha
    if image.ndim == 3:
        if image.dtype != np.uint8:
            raise ValueError(
                f"{path}: expected colors of 8 bits, found {image.dtype}. Save the labels as RGB with 8 bits per channel."
            )
        return color_code(image[..., :3])
    if image.dtype.kind == "f":
        odd = image[~(np.isfinite(image) & (image == np.rint(image)))]
        if odd.size:
            raise ValueError(
                f"{path}: expected whole numbers as labels, found {odd.size} voxels such as {odd.flat[0]:g}. Save the labels as integers."
            )
    return image.astype(np.int64)


def class_mapping(values, classes, is_color, source_name, annotates=None):
    """(codes, numbers, rest): sorted codes of known values or colors and their class numbers, int64 and uint8; rest: the number
    of every other value, None where there is none.

    annotates: names of the classes that were looked for, None: all.
    """
    if values is None and not is_color:
        if annotates is not None and len(annotates) == 1:
            return np.array([0]), np.array([OTHER], np.uint8), classes.index(annotates[0])
        words = [OTHER, UNLABELLED] if annotates else [UNLABELLED]
        drawn = classes.drawn_as(annotates).tolist()
        return np.array([*range(len(classes)), *words]), np.array([*drawn, *words], np.uint8), None
    kind, other = ("colors", "values") if is_color else ("values", "colors")
    mapping = {}
    for record in values or []:
        number = classes.index(record["class"])
        if record["class"] not in ("unlabelled", *(classes.names if annotates is None else ("other", *annotates))):
            raise ValueError(
                f"labels.{source_name}.values: expected classes that the source annotates, found {record['class']!r}. Add it to "
                f"labels.{source_name}.annotates, or call it " + ("unlabelled." if annotates is None else "other.")
            )
        for value in record.get(kind, []):
            code = int(color_code(value)) if is_color else int(value)
            if mapping.setdefault(code, number) != number:
                raise ValueError(
                    f"labels.{source_name}.values: expected each of the {kind} in one class, found {value} in two."
                )
    if not mapping:
        found = "color" if is_color else "gray"
        raise ValueError(
            f"labels.{source_name}.values: expected {kind} for each class, since the files are {found} images, found {'only ' + other if values else 'none'}."
        )
    codes = np.array(sorted(mapping))
    return codes, np.array([mapping[c] for c in codes.tolist()], np.uint8), None


class SemanticLabels:
    """Turns slices of codes into class numbers, and counts classes and unknown values on the way."""

    dtype, fill_value = np.uint8, UNLABELLED

    def __init__(self, codes, numbers, rest, n_classes):
        self.codes, self.numbers, self.rest = codes, numbers, rest
        self.counts = np.zeros(256, np.int64)
        self.n_classes = n_classes
        self.unknown = {}  # code -> [voxels, slice of the first]

    def convert(self, codes, z, within=None, unsaid=()):
        """(Y, X) uint8; unknown values are noted and become 255.

        within: (Y, X) bool, what is labelled at all, None: everything; unsaid: numbers that become 255.
        """
        place = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        is_known = self.codes[place] == codes
        labels = np.where(is_known, self.numbers[place], np.uint8(UNLABELLED if self.rest is None else self.rest))
        is_odd = ~is_known if self.rest is None else np.zeros(codes.shape, bool)
        if within is not None:
            labels[~within] = UNLABELLED
            is_odd &= within
        if unsaid:
            labels[np.isin(labels, unsaid)] = UNLABELLED
        self.counts += np.bincount(labels.ravel(), minlength=256)
        for code, count in zip(*np.unique(codes[is_odd], return_counts=True)):
            self.unknown.setdefault(int(code), [0, z])[0] += int(count)
        return labels

    def check(self, is_color, source_name, class_names):
        """Raise ValueError listing every unknown value or color."""
        if not self.unknown:
            return
        kind = "colors" if is_color else "values"

        def show(code):
            return str([code >> 16, code >> 8 & 255, code & 255] if is_color else code)

        by_count = sorted(self.unknown.items(), key=lambda item: -item[1][0])
        lines = [f"    {show(code)}: {n} voxels, first in slice {z}" for code, (n, z) in by_count[:LISTED_VALUES]]
        lines += [f"    and {len(by_count) - LISTED_VALUES} more"] if len(by_count) > LISTED_VALUES else []
        raise ValueError(
            f"labels.{source_name}: expected {kind} that have a class, found {len(by_count)} without one:\n"
            + "\n".join(lines)
            + f"\n  Add them to labels.{source_name}.values, e.g. {{class: unlabelled, {kind}: [{show(by_count[0][0])}]}}, or to a class "
            f"({', '.join(class_names)})."
        )


class InstanceLabels:
    """Turns slices of codes into instance numbers. values: as in the configuration; only what they call unlabelled is read."""

    dtype, fill_value = np.uint32, UNLABELLED_INSTANCE

    def __init__(self, values=None):
        records = [r for r in values or () if r["class"] == "unlabelled"]
        colors = [int(color_code(color)) for r in records for color in r.get("colors") or ()]
        self.unlabelled = colors + [value for r in records for value in r.get("values") or ()]

    def convert(self, codes, z, within=None, unsaid=()):
        """(Y, X) uint32. within: as in SemanticLabels; unsaid: where it holds OTHER, what isn't an object is unlabelled. Raises
        ValueError for numbers that don't fit."""
        if codes.min() < 0 or codes.max() >= UNLABELLED_INSTANCE:
            raise ValueError(
                f"slice {z}: expected instance numbers from 0 to {UNLABELLED_INSTANCE - 1}, found {codes.min()} to {codes.max()}."
            )
        labels = codes.astype(np.uint32)
        is_unknown = np.isin(codes, self.unlabelled) if self.unlabelled else np.zeros(codes.shape, bool)
        if within is not None:
            is_unknown |= ~within
        if OTHER in unsaid:
            is_unknown |= codes == 0
        labels[is_unknown] = UNLABELLED_INSTANCE
        return labels


def check_place(source_name, shape, origin, image_shape):
    """Raise ValueError if a source drawn on the raw stack doesn't fit into it at its origin."""
    if any(o < 0 or o + n > total for o, n, total in zip(origin, shape, image_shape)):
        raise ValueError(
            f"labels.{source_name}: expected labels within the stack of {tuple(image_shape)} voxels (z, y, x), found {tuple(shape)} at origin "
            f"{tuple(origin)}. Correct axes, origin, path or frame (raw: before binning; aligned: after alignment)."
        )


def report(source_name, counts, class_names, annotates=None):
    """Print the voxel count and share of each annotated class, and a warning for a class without a voxel."""
    labelled, n_voxels = int(counts[:UNLABELLED].sum()), int(counts.sum())
    print(f"import_labels: {source_name}: {n_voxels:,} voxels, {labelled:,} labelled")
    for name, count in zip(class_names, counts):
        if name not in (annotates or class_names):
            continue
        note = "" if count else "  WARNING: no voxel of this class in this source"
        print(f"  {name:20s} {count:>14,} {100 * count / max(labelled, 1):8.3f} %{note}")


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("paths", "one stack, or its slices in order", several=True, foreign=True)
    arguments.input("image", "the imported stack that the labels belong to (OME-Zarr)")
    arguments.parameter("axes", "order of the axes in the files, e.g. zyx", required=True)
    arguments.parameter("kind", "semantic or instance", default="semantic")
    arguments.parameter("frame", "raw: drawn on the raw stack; aligned: drawn on the aligned stack", default="raw")
    arguments.parameter("values", "JSON list of class and values or colors, or null", json_argument)
    arguments.parameter("origin_voxels", "JSON list (z, y, x): first voxel in that frame", json_argument, [0, 0, 0])
    arguments.parameter("annotates", "JSON list of the classes that were looked for; null: all", json_argument)
    arguments.parameter("slices", "JSON list of the z of each slice, or by_name, or null", json_argument)
    arguments.parameter("boxes", "JSON list of labelled ranges {z, y, x}, or null", json_argument)
    arguments.parameter("complete", "JSON: false where only some objects are drawn", json_argument, True)
    arguments.parameter("incomplete_slices", "JSON list of z where only some objects are drawn", json_argument, [])
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.output("output", "the labels (OME-Zarr)")
    args = arguments.parse(argv)

    classes, image = Classes.from_records(args.classes), io.open_volume(args.image)
    name = Path(args.output).name.removeprefix("labels_").removesuffix(".ome.zarr")
    source = raw_formats.open_source(args.paths, args.axes)
    is_color = len(source.shape) == 4 and source.shape[3] > 2
    placed = Placement(name, source.shape, args.paths, vars(args), classes)
    if args.frame == "raw":
        check_place(name, placed.shape, args.origin_voxels, image.shape)
    if args.kind == "semantic":
        mapping = class_mapping(args.values, classes, is_color, name, args.annotates)
        converter = SemanticLabels(*mapping, len(classes))
    else:
        converter = InstanceLabels(args.values)
    attributes = {
        "kind": args.kind,
        "frame": args.frame,
        "origin_voxels": args.origin_voxels,
        "image_shape": list(image.shape),
        **placed.attributes,
    }
    origin_nm = [o + i * size for o, i, size in zip(image.origin_nm, args.origin_voxels, image.voxel_size_nm)]
    progress = Progress(placed.shape[0], "slices")
    options = {"fill_value": converter.fill_value, "attributes": attributes}
    with io.new_volume(
        args.output, placed.shape, converter.dtype, image.voxel_size_nm, origin_nm, args.record, **options
    ) as store:
        for start, stop in store.slabs():
            present = placed.slices_within(start, stop)
            if present:
                slab = np.full((stop - start, *placed.shape[1:]), converter.fill_value, converter.dtype)
                for z in present:
                    codes = value_codes(source.read_slice(placed.index[z]), f"{args.paths[0]}, slice {placed.index[z]}")
                    slab[z - args.origin_voxels[0] - start] = placed.convert(converter, codes, z)
                store.write(start, slab)
            progress.step(stop - start)
        if args.kind == "semantic":
            converter.check(is_color, name, classes.names)
            store.add_attributes(class_counts=converter.counts[: len(classes)].tolist())
            report(name, converter.counts, classes.names, args.annotates)


if __name__ == "__main__":
    run(main)
