"""What is compared as tissue against background: ensembles and the volumes of other programs."""

FOREGROUND = config["analysis"]["foreground"]
BACKGROUND_CLASSES = [c["name"] for c in config["classes"] if c["group"] == "background"]


def external_volumes(region):
    return {record["name"]: record for record in FOREGROUND["external"] if record["region"] == region}


def foreground_sources(region):
    return [*FOREGROUND["ensembles"], *external_volumes(region)]


def foreground_inputs(region, source):
    """What Snakemake waits for: the folders of an ensemble, the files of another program's volume."""
    if source in FOREGROUND["ensembles"]:
        return [f"{R}/probabilities/{region}/{source}", f"{R}/predictions/{region}/{source}"]
    return source_files(external_volumes(region)[source])


def foreground_paths(region, source):
    """The files that the scripts read, in the order `source_record` says."""
    if source not in FOREGROUND["ensembles"]:
        return source_files(external_volumes(region)[source])
    return foreground_words(region, source)


def foreground_words(region, source):
    """The same as the scripts are told it."""
    if source not in FOREGROUND["ensembles"]:
        return source_words(external_volumes(region)[source])
    probabilities = [f"{R}/probabilities/{region}/{source}/{name}.ome.zarr" for name in BACKGROUND_CLASSES]
    labels = [f"{R}/predictions/{region}/{source}/top{k}.ome.zarr" for k in ENSEMBLES[source]["top_k"]]
    return probabilities + labels


def source_record(region, source):
    if source in FOREGROUND["ensembles"]:
        predictors = [f"top{k}" for k in ENSEMBLES[source]["top_k"]]
        return {
            "name": source,
            "kind": "ensemble",
            "n_background": len(BACKGROUND_CLASSES),
            "predictors": predictors,
        }
    record = external_volumes(region)[source]
    return {key: record[key] for key in ("name", "kind", "axes", "maximum")} | {"n_files": len(source_files(record))}


def chosen_list(source):
    return [f"{R}/ensembles/{source}/chosen.json"] if source in FOREGROUND["ensembles"] else []


def chosen_option(sources):
    lists = [path for source in sources for path in chosen_list(source)]
    return option("--chosen", *lists)
