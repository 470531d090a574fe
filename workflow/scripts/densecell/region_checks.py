"""Whether regions, labels and volumes fit each other: classes, gaps between roles, the same data twice, intensities."""

import itertools

import numpy as np

from densecell.classes import UNLABELLED
from densecell.findings import Finding

SCORED = ("eval", "test", "compare")
FEW_BITS = 16  # of the 255 of a look; neighbors of real stacks differ in 40 or more, strangers in 128 (docs/checks.md)
DIFFERS, INVERTED, LEAST_INVERTED = (
    0.25,
    0.5,
    0.12,
)  # in standard deviations of the training volume; a ratio; as the first
LISTED = 6


# ------------------------------------------------------------------------------------------------------------ places
def region_box(region, shape, binning):
    """[(start, stop)] of a region in z, y, x in voxels of the raw stack; shifts and the crop of the alignment are not known.

    region: its record (z, y, x ranges or None, frame); shape: (Z, Y, X) of the raw stack.
    """
    box = []
    for axis, size, factor in zip("zyx", shape, binning):
        scale = 1 if region["frame"] == "raw" else factor
        start, stop = region[axis] or (0, -(-size // scale))
        box.append((min(start * scale, size), min(stop * scale, size)))
    return box


def stack_of(name, volumes):
    """The volume record whose file a volume shares, itself where it shares none: several records may bin one stack differently."""
    return volumes[name].get("same_file_as", name)


def guard_gaps(regions, volumes, shapes, guard_nm, context):
    """Pairs of regions of one stack with roles that must not know each other, closer than `guard_nm` along every axis.

    volumes: {name: record}; shapes: {name: (Z, Y, X) of the raw stack}; context: voxels (z, y, x) around a region that the
    network sees. One finding for each volume.
    """
    close = {}
    for a, b in itertools.combinations([r for r in regions if r["volume"] in shapes], 2):
        is_one_stack = stack_of(a["volume"], volumes) == stack_of(b["volume"], volumes)
        if not is_one_stack or {a["role"], b["role"]} in ({a["role"]}, {"test", "compare"}):
            continue
        volume, binnings = volumes[a["volume"]], [volumes[r["volume"]]["binning"] for r in (a, b)]
        boxes = [region_box(r, shapes[r["volume"]], binning) for r, binning in zip((a, b), binnings)]
        gaps = [max(q[0] - p[1], p[0] - q[1]) for p, q in zip(*boxes)]
        in_nm = [gap * size for gap, size in zip(gaps, volume["voxel_size_nm"])]
        if max(in_nm) < guard_nm:
            reach = [n * max(factors) for n, *factors in zip(context, *binnings)]
            seen = ", within the context of each other" if all(gap < max(n, 1) for gap, n in zip(gaps, reach)) else ""
            text = f"{a['name']} ({a['role']}) and {b['name']} ({b['role']}) {max(max(in_nm), 0):.0f} nm apart{seen}"
            close.setdefault(a["volume"], []).append(text)
    for name, texts in close.items():
        todo = "Leave a gap: what crosses the border is trained on and scored. Or lower checks.guard_nm."
        yield Finding("guard_gap", "warning", "regions", f"at least {guard_nm:g} nm (checks.guard_nm)", "; ".join(texts),
                      "regions", todo, name)  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- labels
def unknown_values(name, volume, key, unknown, is_color):
    """Label values without a class. unknown: {code: [voxels, slice of the first]}; a color's code is 65536 r + 256 g + b."""
    if not unknown:
        return
    by_count = sorted(unknown.items(), key=lambda item: -item[1][0])

    def show(code):
        return str([code >> 16, code >> 8 & 255, code & 255]) if is_color else str(code)

    texts = [f"{show(code)} in {n:,} voxels from slice {z}" for code, (n, z) in by_count[:LISTED]]
    more = f" and {len(by_count) - LISTED} more" if len(by_count) > LISTED else ""
    kind = "colors" if is_color else "values"
    todo = f"Add a line such as {{class: unlabelled, {kind}: [{show(by_count[0][0])}]}}, or give it to a class."
    yield Finding("label_value", "error", f"labels {name}", f"{kind} that have a class", ", ".join(texts) + more,
                  f"{key}.values", todo, volume)  # fmt: skip


def sparse_labels(placed, key, volume, regions, where):
    """Single slices that binning makes unlabelled, and scored regions in which only some objects are drawn.

    placed: name and frame of a source at `key`, `slices` and `incomplete_slices` (z in the frame), `n_slices` of its stack (None: not
    known); volume: its record; where: {region: (first, one after the last) slice of it in the frame} of the regions that use it.
    """
    slices, factor = placed.get("slices", ()), volume["binning"][0]
    if placed["frame"] == "raw" and factor > 1:
        labelled, end = set(slices), placed["n_slices"] or float("inf")
        blocks = {z: range(z // factor * factor, (z // factor + 1) * factor) for z in slices}
        lost = [z for z, block in blocks.items() if any(n not in labelled and n < end for n in block)]
        if lost:
            text = f"{len(lost)} of {len(slices)} slices ({', '.join(map(str, lost[:LISTED]))}{', ...' * (len(lost) > LISTED)})"
            todo = f"A block of {factor} slices (volumes: binning) that holds an unlabelled one is unlabelled. Label its neighbors, too."
            yield Finding("slices_lost", "warning", f"labels {placed['name']}", "labelled slices that fill blocks",
                          f"{text} lost in binning", f"{key}.slices", todo, volume["name"])  # fmt: skip
    for region in regions:
        first, stop = where.get(region["name"], (0, 0))
        found = [z for z in placed.get("incomplete_slices", ()) if first <= z < stop]
        if found and region["role"] in SCORED:
            todo = "What isn't drawn is unlabelled and not scored, so that false positives don't count there. Score complete slices."
            text = f"{len(found)} slices in which only some objects are drawn"
            yield Finding("incomplete_scored", "warning", f"labels {placed['name']}", "complete slices in scored regions", text,
                          f"{key}.incomplete_slices", todo, volume["name"], region["name"])  # fmt: skip


def class_presence(counts, regions, class_names, region_key, rough=(), annotated=None):
    """Regions without labels, and classes that one role has and another lacks.

    counts: {region: voxels (256,) of its reference}; region_key: {region: its key}; rough: regions whose place in their labels
    is known but roughly, so that labels near by may lie in them after the alignment; annotated: {region: names of the classes that
    its labels annotate}, None: all everywhere. A class that nobody looked for is not absent.
    """
    labelled = {name: n[:UNLABELLED] for name, n in counts.items()}
    for region in regions:
        name = region["name"]
        if name in labelled and not labelled[name].sum():
            todo = "Move the region to where the labels are, or correct the labels' origin or values."
            severity = "warning" if name in rough else "error"
            if name in rough:
                todo += " The alignment moves the two against each other by its shifts, which are not known here."
            yield Finding("region_unlabelled", severity, "the region", "labelled voxels", f"only unlabelled ({UNLABELLED})",
                          region_key[name], todo, region["volume"], name)  # fmt: skip
    by_role, known, unknown = {}, {}, set()  # of a role with a region that could not be counted nothing is told
    for region in regions:
        if region["name"] in labelled:
            by_role[region["role"]] = by_role.get(region["role"], 0) + labelled[region["name"]]
            known.setdefault(region["role"], set()).update(
                class_names if annotated is None else annotated[region["name"]]
            )
        elif "reference" in region["labels"]:
            unknown.add(region["role"])
    if "train" not in by_role or "train" in unknown:
        return
    absent = {
        role: [n for n, count in zip(class_names, found) if n in known[role] and not count]
        for role, found in by_role.items()
    }
    looked_for = set().union(*known.values())
    nowhere = [
        name
        for name in class_names
        if name in looked_for and all(name in absent[role] for role in absent if name in known[role]) and not unknown
    ]
    if nowhere:
        todo = "Remove the class, correct the labels' values, or move a region to where it occurs."
        yield Finding("class_nowhere", "warning", "all regions", "each class somewhere", f"no voxel of {', '.join(nowhere)}",
                      "classes", todo)  # fmt: skip
    for role, names in absent.items():
        names = [
            n for n in names if n not in nowhere and (n in absent["train"]) == (role == "train") and n in known["train"]
        ]
        if not names or role in unknown or (role == "train" and len(by_role) == 1):
            continue
        if role == "train":
            found, todo = (
                f"{', '.join(names)} only in scored regions",
                "Move or enlarge a train region: what isn't trained isn't found.",
            )
        else:
            found = f"{', '.join(names)} in train, not in {role}"
            todo = f"Move or enlarge a region of role {role}; else the class does not count " + (
                "when checkpoints, members and k are chosen." if role == "eval" else "in its scores.")  # fmt: skip
        yield Finding(
            "class_missing", "warning", f"{role} regions", "the same classes in all roles", found, "regions", todo
        )


# ------------------------------------------------------------------------------------------------- the same data twice
def look_bits(looks):
    """(n, 256) uint8 of 0 and 1 from `slice_statistics.look_of` texts; rows of nothing but 0 for ''."""
    blank = "0" * 64
    return np.stack([np.unpackbits(np.frombuffer(bytes.fromhex(look or blank), np.uint8)) for look in looks])


def like_slices(looks_a, looks_b):
    """[(slice of a, slice of b)] that show the same picture, whatever their contrast; the most alike for each slice of b."""
    bits_a, bits_b = (look_bits(looks).astype(np.float32) * 2 - 1 for looks in (looks_a, looks_b))
    known = np.array([bool(look) for look in looks_a])
    pairs = []
    for z, bits in enumerate(bits_b):
        if looks_b[z] and known.any():
            agreement = np.where(known, np.abs(bits_a @ bits - 1), -1)  # the last bit is padding, equal in all
            best = int(np.argmax(agreement))
            if agreement[best] >= 255 - 2 * FEW_BITS:
                pairs.append((best, z))
    return pairs


def same_data(volumes, looks, contents, regions, shapes):
    """Slices that two volumes have in common; an error where one is trained on and the other scored and their pixels are equal.

    volumes: {name: record with binning and key, same_file_as where an earlier one has its file}; looks, contents: {name: look, hash
    of the pixels of each slice}. Slices with one look may be neighbors, or show the same round mask; in equal slices the regions
    overlap or don't. Records of one file are meant to be equal: of them only that error is told (and `guard_gaps` of their regions).
    """
    for a, b in itertools.combinations([n for n in volumes if n in looks], 2):
        pairs = like_slices(looks[a], looks[b])
        if not pairs or len(pairs) < min(2, len(looks[a]), len(looks[b])):
            continue
        equal_in_a = {content: y for y, content in enumerate(contents[a])}
        pairs = [(equal_in_a.get(contents[b][z], y), z) for y, z in pairs]
        is_one_file = stack_of(a, volumes) == stack_of(b, volumes)
        if is_one_file:
            pairs = [(z, z) for z, look in enumerate(looks[b]) if look]
        is_equal = {(y, z): contents[a][y] == contents[b][z] for y, z in pairs}
        same_plane = shapes[a][1:] == shapes[b][1:]
        boxes = {
            n: [(r["role"], region_box(r, shapes[n], volumes[n]["binning"])) for r in regions if r["volume"] == n]
            for n in (a, b)
        }
        leaks = [(y, z) for y, z in pairs if is_equal[y, z] and same_plane and is_leak(boxes[a], y, boxes[b], z)]
        if is_one_file and not leaks:
            continue
        n_equal, severity = sum(is_equal.values()), "error" if leaks else "warning"
        listed = ", ".join(f"{y} = {z}" for y, z in (leaks or pairs)[:3])
        known = f"{n_equal} of them have equal pixels" if n_equal else "none has equal pixels"
        found = f"{len(pairs)} slices look like slices of {a}, {known} ({a} = {b}: {listed})"
        todo = "Look at them. If it is the same tissue, remove one of the two: scores on data that was trained on are too good."
        if leaks:
            todo = "Remove one of the two, or score on other slices: scores on data that was trained on are too good."
        yield Finding("same_data", severity, f"{a} and {b}", "volumes that differ", found,
                      f"{volumes[b]['key']}.path", todo, b)  # fmt: skip


def is_leak(boxes_a, y, boxes_b, z):
    """Whether the same voxels, in slice y of one volume and slice z of another, are trained on and scored.

    boxes_a, boxes_b: [(role, [(start, stop)] in z, y, x of the raw stack)].
    """
    for (role, (in_z, *plane)), (other_role, (other_z, *other_plane)) in itertools.product(boxes_a, boxes_b):
        of_both = {role, other_role}
        is_within = in_z[0] <= y < in_z[1] and other_z[0] <= z < other_z[1]
        overlap = all(max(p[0], q[0]) < min(p[1], q[1]) for p, q in zip(plane, other_plane))
        if "train" in of_both and of_both & set(SCORED) and is_within and overlap:
            return True
    return False


# -------------------------------------------------------------------------------------------------------- intensities
def quantiles(fingerprint, method):
    """(99,) percentiles 1 to 99 of a volume after the configured normalization.

    fingerprint: {"percentiles": {"1.0": gray value, ...}, "mean": .., "std": ..}.
    """
    values = np.array([fingerprint["percentiles"][f"{p:.1f}"] for p in range(1, 100)])
    if method in ("none", "unit"):  # one factor for all volumes of a type, and only ratios of distances are looked at
        return values
    if method == "percentile":
        return (values - values[0]) / max(values[-1] - values[0], 1e-9)
    return (values - fingerprint["mean"]) / max(fingerprint["std"], 1e-9)


def intensities(fingerprints, train_volumes, method, keys):
    """Volumes whose gray values, as the network gets them, differ from all training volumes', or are their negative.

    fingerprints: {volume: see `quantiles`}; keys: {volume: its key}.
    """
    trained = [name for name in train_volumes if name in fingerprints]
    for name, of_volume in fingerprints.items():
        if name in trained or not trained:
            continue
        seen, distances = quantiles(of_volume, method), []
        for other in trained:
            known = quantiles(fingerprints[other], method)
            spread = max(float(np.std(known)), 1e-9)
            negative = 2 * np.mean(known) - known[::-1] if method in ("none", "unit") else -known[::-1]
            if method == "percentile":
                negative = 1 - known[::-1]
            distances.append((np.abs(seen - known).mean() / spread, np.abs(seen - negative).mean() / spread, other))
        distance, inverted, other = min(distances)
        if distance > LEAST_INVERTED and inverted < INVERTED * distance:
            found = (
                f"the histogram of the negative of {other} ({inverted:.2f} sd from it, {distance:.2f} sd from {other})"
            )
            yield Finding("contrast_inverted", "warning", "the volume", f"dark and bright as in {other}, which is trained on", found,
                          f"{keys[name]}.path", "Look at both. If it is inverted, invert the files (Fiji: Edit > Invert).", name)  # fmt: skip
        elif distance > DIFFERS:
            found = f"after normalization ({method}) gray values lie {distance:.2f} sd from those of {other}"
            todo = "Compare the histograms in the figure. Other contrast: match histograms before; other tissue or much resin: train on some of it."
            yield Finding(
                "intensity_differs",
                "warning",
                "the volume",
                f"at most {DIFFERS:g} sd",
                found,
                "normalization",
                todo,
                name,
            )
