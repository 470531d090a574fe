"""What the checks of the inputs are told of a configuration; rules/checks.smk and `./run.sh check` ask the same."""

SPARSE_KEYS = ("annotates", "slices", "boxes", "complete", "incomplete_slices")
KEYS = {
    "volumes": ("name", "binning", "voxel_size_nm"),
    "labels": ("name", "volume", "axes", "kind", "frame", "values", "origin", *SPARSE_KEYS),
    "regions": ("name", "volume", "role", "frame", "z", "y", "x", "labels"),
    "classes": ("name", "group", "inside"),
}


def check_settings(config, files_of):
    """The records of a resolved configuration with the keys that check_inputs.py reads, and the key each is found at.

    files_of(record): the files of a label source.
    """
    told = {
        section: [{"key": f"{section}[{i}]", **{k: r[k] for k in keys}} for i, r in enumerate(config[section])]
        for section, keys in KEYS.items()
    }
    for record, labels in zip(told["labels"], config["labels"]):
        record["n_files"] = len(files_of(labels))
    for record, volume in zip(told["volumes"], config["volumes"]):
        record["is_aligned"] = volume["alignment"]["method"] != "none"
        first = next(v["name"] for v in config["volumes"] if v["path"] == volume["path"])
        if first != volume["name"]:
            record["same_file_as"] = first
    normalization = {
        key: config["normalization"][key] for key in ("method", "scope", "context")
    }  # the checks see raw stacks
    return {**told, "normalization": normalization, "checks": config["checks"]}
