"""What the keys of a configuration say about each other.

Each check takes the resolved configuration, in which None stands for what the schema has already refused, and
yields findings.
"""

import re

from config_schema import Finding, did_you_mean, join, show
from network_sizes import (
    BATCH_STATISTICS,
    EVEN_BASE_WIDTH,
    NETWORK_OPTIONS,
    NETWORK_SIZES,
    nearest_sides,
    nearest_windows,
    output_size,
)

NAMED = (
    "classes",
    "phantom",
    "volumes",
    "labels",
    "regions",
    "weight_maps",
    "experiments",
    "ensembles",
    "compositions",
    "boundaries",
    "instances",
    "scenes",
)
RESERVED_CLASSES = ("unlabelled", "other", "all", "organelles")  # words that tables and labels use for something else

LONGEST_COMMAND = 110_000  # bytes; Linux takes 131,072 in one word, and a command is one


def names_in(config, section):
    return [record["name"] for record in config[section] if record["name"] is not None]


def by_name(config, section):
    return {record["name"]: record for record in config[section] if record["name"] is not None}


def named_labels(region):
    """(key, name) of the label sources that a region names; several where they are combined."""
    for key, names in region["labels"].items():
        yield from ((key, name) for name in ([names] if not isinstance(names, list) else names))


def unknown_name(path, name, section, known):
    """The finding for a name that is not in `section`, or nothing; None (already reported) is passed over."""
    if name is not None and name not in known:
        listed = ", ".join(map(str, known)) or "none there"
        hint = did_you_mean(name, known) or f"Use one of these, or add '{name}' to {section}."
        one = next((other for other in map(str, known) if re.fullmatch(re.escape(str(name)) + r"_n\d+", other)), None)
        hint = f"'{name}' is a grid (n_slices is a list): name one of it, such as '{one}'." if one else hint
        yield Finding(path, show(name), f"a name in {section}: {listed}", hint)


def check_names(config, preset_names):
    """Names are unique in their list, upper and lower case taken as equal (as some disks do), and exist."""
    for section in NAMED:
        seen = set()
        for i, record in enumerate(config[section]):
            name = record["name"]
            if name is not None and name.lower() in seen:
                yield Finding(
                    f"{section}[{i}].name",
                    f"{show(name)} a second time",
                    "a name of its own",
                    "Rename one of the two.",
                )
            seen.add(name and name.lower())
    references = [(f"labels[{i}].volume", r["volume"], "volumes") for i, r in enumerate(config["labels"])]
    for i, region in enumerate(config["regions"]):
        references.append((f"regions[{i}].volume", region["volume"], "volumes"))
        references += [(f"regions[{i}].labels.{key}", name, "labels") for key, name in named_labels(region)]
    for i, experiment in enumerate(config["experiments"]):
        if experiment["weight_map"] != "none":  # no weights
            references.append((f"experiments[{i}].weight_map", experiment["weight_map"], "weight_maps"))
        yield from unknown_name(f"experiments[{i}].preset", experiment["preset"], "config/presets.yaml", preset_names)
    for i, ensemble in enumerate(config["ensembles"]):
        references += [
            (join("ensembles", i, "experiments", j), n, "experiments")
            for j, n in enumerate(ensemble["experiments"] or ())
        ]
    for i, composition in enumerate(config["compositions"]):
        names = enumerate(composition["ensembles"] or ())
        references += [(join("compositions", i, "ensembles", j), n, "ensembles") for j, n in names]
    for i, full in enumerate(config["prediction"]["full_volumes"]):
        where = f"prediction.full_volumes[{i}]"
        references += [(f"{where}.{key}", full[key], key + "s") for key in ("volume", "ensemble")]
        references.append((f"{where}.mask", full["mask"], "labels"))
    for path, name, section in references:
        yield from unknown_name(path, name, section, names_in(config, section))


def check_classes(config):
    """Groups, class names wherever they are used, colors, and stored values that mean two classes."""
    names, groups = names_in(config, "classes"), {c["group"] for c in config["classes"]}
    for i, name in enumerate(names):
        if name in RESERVED_CLASSES:
            yield Finding(
                f"classes[{i}].name",
                show(name),
                f"a name other than {', '.join(RESERVED_CLASSES)}",
                "Rename the class.",
            )
    missing = [g for g in ("background", "cell") if g not in groups and None not in groups]
    if missing:
        hint = f"Set group: {missing[0]} on the class that is the {missing[0]}; the edge weights need both."
        yield Finding(
            "classes",
            f"no class of group {' or '.join(missing)}",
            "at least one of group background and one of cell",
            hint,
        )
    boundaries = names_in(config, "boundaries")
    for name in [*names, *boundaries]:
        colors = config["figures"]["colors"]
        if name not in colors:
            near = did_you_mean(name, set(colors) - set(names)).removeprefix("Did you mean ").rstrip("?")
            hint = f"Rename {near} to it." if near else f'Add a line such as {name}: "#ff0000".'
            yield Finding(
                f"figures.colors.{name}",
                "no color",
                f"a color for each class: {', '.join([*names, *boundaries])}",
                hint,
            )
    for i, experiment in enumerate(config["experiments"]):
        for j, name in enumerate(experiment["targets"] or ()):
            section = "classes and boundaries" if boundaries else "classes"
            yield from unknown_name(join("experiments", i, "targets", j), name, section, [*names, *boundaries])
    for i, labels in enumerate(config["labels"]):
        yield from _check_values(f"labels[{i}].values", labels["values"] or (), names)


def _check_values(path, records, names):
    owner = {}
    for j, record in enumerate(records):
        yield from unknown_name(f"{path}[{j}].class", record["class"], "classes", [*names, "unlabelled", "other"])
        kinds = [key for key in ("values", "colors") if record.get(key) is not None]
        if len(kinds) != 1 or (set(kinds) - {kind for kind, _ in owner} and owner):
            hint = "Give values for gray label images or colors for color ones, the same in all records."
            yield Finding(f"{path}[{j}]", " and ".join(kinds) or "neither values nor colors", "values or colors", hint)
        for kind in kinds:
            for value in record[kind]:
                other = owner.setdefault((kind, str(value)), record["class"])
                if other != record["class"]:
                    yield Finding(
                        f"{path}[{j}].{kind}",
                        f"{show(value)}, which already means '{other}'",
                        "each stored value in one class",
                        "Remove it from one of the two.",
                    )


def check_options(config):
    """Options that the network does not have, and the length of the training."""
    for i, experiment in enumerate(config["experiments"]):
        where, training = f"experiments[{i}]", experiment["training"]
        known = NETWORK_OPTIONS.get(experiment["network"])
        for key in experiment["options"] if known else ():
            if key not in known:
                hint = did_you_mean(key, known) or "Remove it."
                expected = f"an option of {experiment['network']}: {', '.join(known)}"
                yield Finding(f"{where}.options.{key}", f"unknown key {show(key)}", expected, hint)
        base_width = experiment["options"].get("base_width")
        if experiment["network"] in EVEN_BASE_WIDTH and base_width and base_width % 2:
            hint = f"Use {base_width + 1}: some convolutions are half as wide."
            yield Finding(f"{where}.options.base_width", show(base_width), "an even number", hint)
        if training["steps"] is None and training["epochs"] is None:
            yield Finding(f"{where}.training", "neither steps nor epochs", "a length of the training", "Give steps.")
        if training["steps"] is not None and training["warmup_steps"] >= training["steps"]:
            yield Finding(
                f"{where}.training.warmup_steps",
                str(training["warmup_steps"]),
                f"less than steps, {training['steps']}",
                "Shorten the warm-up or train longer.",
            )


def tile_of_numbers(prediction, window):
    """The tile of stitch depth, which the networks take as it is; of stitch blend, which fits its depth itself, with that of the
    window; None for none, for words, and with stitch halo."""
    tile = prediction["tile"]
    if not tile or not window or prediction["stitch"] == "halo":
        return None
    tile = [window[0], *tile[1:]] if prediction["stitch"] == "blend" else tile
    return tile if all(isinstance(n, int) for n in tile) else None


def check_networks(config):
    """Networks exist and take the window and the tile they are given."""
    for i, experiment in enumerate(config["experiments"]):
        where, network, options = f"experiments[{i}]", experiment["network"], experiment["options"]
        if network not in NETWORK_SIZES:
            yield from unknown_name(f"{where}.network", network, "the table of networks", list(NETWORK_SIZES))
            continue
        window, batch_size = experiment["window"], experiment["training"]["batch_size"]
        batched = network in BATCH_STATISTICS and options.get("norm", "batch") == "batch"
        if batched and window and batch_size and window[0] * batch_size < 2:
            expected = f"2 or more: {network} normalizes by the statistics of the batch's slices"
            yield Finding(f"{where}.training.batch_size", show(batch_size), expected, "Use 4, the paper's.")
        sizes = {
            f"{where}.window": window,
            f"{where}.tile": experiment["tile"],
            "prediction.tile": tile_of_numbers(config["prediction"], window),
        }
        for path, size in sizes.items():
            if size and output_size(network, size, options) is None:
                takes = NETWORK_SIZES[network]
                axis = next(axis for axis, side in enumerate(size) if takes(axis, side, options) is None)
                nearest = " or ".join(map(str, nearest_sides(network, size[axis], options, axis)))
                expected = f"a size in {'zyx'[axis]} that {network} can take; nearest to {size[axis]}: {nearest}"
                windows = " or ".join(map(show, nearest_windows(network, size, options)))
                yield Finding(path, show(size), expected, f"Use {windows}.")


def check_ensembles(config):
    """Ensembles have enough runs, and members that predict the same."""
    experiments = by_name(config, "experiments")
    for i, ensemble in enumerate(config["ensembles"]):
        members = [experiments[n] for n in ensemble["experiments"] or () if n in experiments]
        runs = sum(len(e["seeds"] or ()) for e in members)
        if members and all(e["seeds"] for e in members) and max(ensemble["top_k"] or [0]) > runs:
            yield Finding(
                f"ensembles[{i}].top_k",
                show(ensemble["top_k"]),
                f"at most {runs}, the number of seeds of its experiments",
                "Remove the larger k, or add seeds.",
            )
        if members and all(e["seeds"] for e in members) and (ensemble["n_singles"] or 0) > runs:
            yield Finding(
                f"ensembles[{i}].n_singles",
                show(ensemble["n_singles"]),
                f"at most {runs}, the number of seeds of its experiments",
                "Use fewer, or null for all.",
            )
        if members and all(e["seeds"] for e in members):
            n_bytes = prediction_command_bytes(config, ensemble, members)
            if n_bytes > LONGEST_COMMAND:
                yield Finding(
                    f"ensembles[{i}]",
                    f"{runs:,} networks, which take about {n_bytes // 1000:,} kB to name",
                    f"at most {LONGEST_COMMAND // 1000} kB, what a command may hold on Linux",
                    "Set n_singles, lower random_draws, or use fewer seeds.",
                )
        for key in ("targets", "activation", "threshold", "compose"):
            if any(e[key] != members[0][key] for e in members):
                yield Finding(
                    f"ensembles[{i}].experiments",
                    f"experiments with different {key}",
                    f"equal {key}",
                    "Make one ensemble of each.",
                )


def prediction_command_bytes(config, ensemble, members):
    """About how long the command is that predicts a region with all runs, its singles and random sets."""
    folder, name = len(config["results_dir"]), max(len(e["name"] or "") for e in members)
    runs = sum(len(e["seeds"]) for e in members)
    singles = min(ensemble["n_singles"] or runs, runs)
    region = max((len(r["name"] or "") for r in config["regions"]), default=0)
    store = folder + region + len(ensemble["name"] or "") + 45
    drawn = [k for k in ensemble["top_k"] or () if 1 < k < singles]
    sets = (ensemble["random_draws"] or 0) * sum(k * (name + 12) + store for k in drawn)
    return runs * (folder + name + 40) + singles * (store + name + 12) + sets


def check_settings(config):
    """Alignment pairs, context and margins."""
    for i, volume in enumerate(config["volumes"]):
        if 1 not in volume["alignment"]["neighbors"]:
            yield Finding(
                f"volumes[{i}].alignment.neighbors",
                show(volume["alignment"]["neighbors"]),
                "1 among them",
                "Add 1: neighboring slices are always compared.",
            )
    normalization = config["normalization"]
    if any(normalization["context"]) and normalization["scope"] == "region":
        yield Finding(
            "normalization.context",
            show(normalization["context"]),
            "[0, 0, 0] with scope region, which sees nothing around the region",
            "Set scope: volume or context: [0, 0, 0].",
        )
    margins = config["analysis"]["volume_fractions"]
    if margins["margin_nm"] not in margins["margins_nm"]:
        yield Finding(
            "analysis.volume_fractions.margin_nm",
            show(margins["margin_nm"]),
            f"one of margins_nm: {show(margins['margins_nm'])}",
            "Add it to margins_nm or choose one of these.",
        )
