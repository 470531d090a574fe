"""What the paragraph on methods tells of the configuration: names and numbers, no paths, colors or threads."""

# key of the configuration: what is told of each of its records
RECORDS = {
    "volumes": ("name", "voxel_size_nm", "binning", "alignment"),
    "classes": ("name",),
    "regions": ("name", "volume", "role", "mask"),
    "experiments": (
        *("name", "network", "options", "window", "tile", "spacing", "weight_map", "seeds", "training"),
        *("targets", "activation", "draw", "evaluate", "scored_on"),
    ),
    "ensembles": ("name", "experiments", "top_k"),
}
WEIGHTS = ("name", "floor", "class_weight_power", "edge_sigma_px", "edge_amplitude", "edge_threshold", "edge_scale")
OBJECTS = (
    *("name", "class", "method", "connectivity", "min_volume_um3", "watershed", "split", "track"),
    *("within", "reference", "morphology", "texture"),
)
# part of the analysis: what is told of it
ANALYSIS = {
    "volume_fractions": ("margins_nm",),
    "comparison": ("confidence", "n_bootstrap", "seed"),
    "foreground": ("regions", "boundary_tolerance_nm"),
    "small_regions": ("ensembles", "min_sizes_voxels"),
}


def picked(record, names):
    """The named values of a record."""
    return {name: record[name] for name in names}


def decisions(config):
    """Experiments that predict each target by itself, and compositions; nothing where there are none."""
    names = [c["name"] for c in config["classes"]]
    alone = [
        {
            **picked(e, ("name", "threshold")),
            **picked(e["compose"], ("nested", "ties")),
            "targets": e["targets"] or names,
        }
        for e in config["experiments"]
        if e["activation"] == "sigmoid"
    ]
    joined = [picked(c, ("name", "ensembles", "threshold")) for c in config["compositions"]]
    predicted = {name for e in alone for name in e["targets"]}
    drawn = [picked(b, ("name", "class", "width_px")) for b in config["boundaries"] if b["name"] in predicted]
    told = {"sigmoid": alone, "compositions": joined, "boundaries": drawn}
    return {key: records for key, records in told.items() if records}


def objects(config):
    """Records of `instances` and how their objects are measured; nothing where there are none."""
    drawn = {labels["name"] for labels in config["labels"] if labels["kind"] == "instance"}
    records = [{**picked(r, OBJECTS), "is_drawn": r["labels"] in drawn} for r in config["instances"]]
    measured = {"morphology": picked(config["morphology"], ("smoothing_voxels",))}
    measured["texture"] = {**picked(config["texture"], ("levels", "range")), "spectrum": config["texture"]["spectrum"]}
    return {"instances": records, **measured} if records else {}


def settings(config):
    """The told part of a resolved configuration: what it leaves out makes no text again when it changes."""
    phantoms = f"{config['results_dir']}/phantom/"
    used = {experiment["weight_map"] for experiment in config["experiments"]}
    prediction = config["prediction"]
    return {
        **{key: [picked(record, names) for record in config[key]] for key, names in RECORDS.items()},
        "phantoms": [record["name"] for record in config["volumes"] if str(record["path"]).startswith(phantoms)],
        "normalization": picked(config["normalization"], ("method", "scope", "slices")),
        "weight_maps": [
            {**picked(record, WEIGHTS), "is_file": bool(record["path"])}
            for record in config["weight_maps"]
            if record["name"] in used
        ],
        "prediction": {
            **picked(prediction, ("stitch", "tile", "halo", "flips", "precision")),
            **picked(prediction, ("overlap", "taper") if prediction["stitch"] == "blend" else ()),
            **decisions(config),
            "full_volumes": [picked(job, ("volume", "ensemble")) for job in prediction["full_volumes"]],
        },
        **objects(config),
        "analysis": {part: picked(config["analysis"][part], names) for part, names in ANALYSIS.items()},
    }
