"""What each job of a run will take: seconds, memory and disk, from the size of its data and a rate that was measured once.

A job takes its start (the interpreter and its imports) and its work: voxels, or operations of the network, over a rate. Every
rate is one of docs/benchmarks.md (two threads of an AMD EPYC, no GPU) or of the card in plan_text.py. None: not known.
"""

import math

from plan_text import CARD, CARD_FLOPS

START_S = {"numpy": 1, "torch": 3, "figures": 3}  # on an idle machine
ON_TORCH = ("train_network", "predict_volume", "score_held_out", "build_ensemble", "plot_network")
# script -> voxels a second; tables, rankings and figures do little beside starting
VOXEL_RATES = {
    "make_phantom": (6e4, "a tiny phantom"),
    "make_tumor_phantom": (7e5, "a tumor phantom of 64 x 640 x 640"),
    "draw_sparse_labels": (53e6, "alignment, none"),
    "check_volume": (4e8, "docs/checks.md"),
    "import_volume": (53e6, "alignment, none"),
    "import_labels": (53e6, "alignment, none"),
    "import_weight_map": (53e6, "alignment, none"),
    "bin_volume": (170e6, "binning"),
    "bin_labels": (53e6, "alignment, none"),
    "align_volume": (31e6, "alignment, global"),
    "align_labels": (53e6, "alignment, none"),
    "correct_intensity": (35e6, "even slices"),
    "measure_intensity": (280e6, "intensity"),
    "normalize_region": (38e6, "normalization"),
    "extract_labels": (53e6, "alignment, none"),
    "extract_targets": (53e6, "alignment, none"),
    "build_weight_map": (26e6, "weight map"),
    "compute_confusion_matrix": (177e6, "confusion"),
    "compute_overlap": (177e6, "confusion"),
    "compute_volume_fractions": (31e6, "volume fractions"),
    "segment_instances": (4.5e6, "docs/method.md, objects of a class"),
    "export_nifti": (53e6, "alignment, none"),
    "export_panoptic": (170e6, "binning"),
    "split_cells": (1.2e6, "docs/method.md, splitting cells"),
    "track_cells": (31e6, "tracking and splitting cells"),
    "compare_instances": (50e6, "tracking and splitting cells"),
    "assign_organelles": (31e6, "volume fractions"),
    "measure_contents": (31e6, "volume fractions"),
    "measure_morphology": (5e6, "morphology"),
    "measure_neighbors": (1e7, "morphology"),
    "measure_texture": (3.7e6, "docs/method.md, texture"),
    "gather_slabs": (170e6, "binning"),
    "export_tiff": (53e6, "alignment, none"),
    "compose_classes": (53e6, "alignment, none"),
}
# (base width from which on, operations a second of one thread); wide networks use the processor better
TRAINING_RATES = ((64, 1.1e11), (16, 1.1e11), (0, 3.5e10))
FORWARD_RATES = ((64, 2e11), (16, 9e10), (0, 5e10))
NOT_KNOWN = ("render_surfaces", "render_rotation", "render_training", "download_dataset", "sweep_small_regions")
NOT_KNOWN += ("export_meshes", "write_object_page", "render_objects", "film_objects")  # by triangles, not voxels
# Peak memory of a job that streams over slices, of the sections Memory and Alignment at volume scale in docs/benchmarks.md:
# 148 MB for slices of 512 x 512, 547 MB for 2000 x 2000; with torch and the drawing packages as in a tiny run
BASE_BYTES, BYTES_PER_PIXEL = {"numpy": 120e6, "torch": 420e6, "figures": 210e6}, 110


def rate(rates, base_width):
    """The rate of the widest network that is not wider than this one."""
    return next(value for width, value in rates if base_width >= width)


def kind_of(script):
    """What a script has to load: torch, the drawing packages, or NumPy and its like."""
    return "torch" if script in ON_TORCH else "figures" if script.startswith(("plot_", "write_")) else "numpy"


class Jobs:
    """Estimates for the jobs of a configuration. costs: `plan.Costs` of it; on_gpu: whether networks run on a GPU."""

    def __init__(self, costs, on_gpu):
        self.costs, self.on_gpu = costs, on_gpu
        self.trainings = {name: costs.training(experiment) for name, experiment in costs.experiments.items()}
        self.regions = {region["name"]: (region, shape) for region, shape in costs.regions}
        self.ensembles = {e["name"]: e for e in costs.config["ensembles"]}
        self.scorings = {name: costs.held_out(experiment) for name, experiment in costs.experiments.items()}
        self.full = {(f["volume"], f["ensemble"]): f for f in costs.config["prediction"]["full_volumes"]}

    # ------------------------------------------------------------------------------------------------------- sizes
    def shape(self, wildcards):
        """Size (z, y, x) of the region or volume of a job; None where it has none or the files don't tell."""
        if wildcards.get("region") in self.regions:
            shape = self.regions[wildcards["region"]][1]
        else:
            shape = self.costs.volumes.get(wildcards.get("volume"))
        return None if not shape or None in shape else tuple(shape)

    def n_binned(self, wildcards):
        """Voxels of the stack per voxel of the volume."""
        records = {v["name"]: v for v in self.costs.config["volumes"]}
        return math.prod(records[wildcards["volume"]]["binning"]) if wildcards.get("volume") in records else 1

    def n_labels(self, rule, wildcards):
        """Label volumes that a job writes or reads: of predictors and annotators."""
        ensemble = self.ensembles.get(wildcards.get("ensemble"))
        if ensemble and rule in (
            "predict_region",
            "compute_confusion_matrix",
            "compute_overlap",
            "compute_volume_fractions",
        ):
            return self.costs.predicted(ensemble)[1]
        return 1

    def whole_copies(self, wildcards):
        """Bytes per voxel of a predicted volume: labels, members and probabilities that are kept."""
        full = self.full[wildcards["volume"], wildcards["ensemble"]]
        ensemble = self.ensembles[wildcards["ensemble"]]
        k, n_targets = max(ensemble["top_k"]), self.costs.n_targets(ensemble)
        return 1 + full["keep_members"] * k + full["probabilities"] * n_targets

    # ------------------------------------------------------------------------------------------------------- times
    def operations(self, rule, wildcards):
        """(operations of the networks in a job, base width); (None, 0) where they aren't known."""
        if rule in ("train_network", "record_training"):
            experiment = self.costs.experiments[wildcards["experiment"]]
            return self.trainings[experiment["name"]]["flops"], experiment["options"].get("base_width", 64)
        if rule == "score_held_out":
            experiment = self.costs.experiments[wildcards["experiment"]]
            return self.scorings[experiment["name"]], experiment["options"].get("base_width", 64)
        ensemble, shape = self.ensembles[wildcards["ensemble"]], self.shape(wildcards)
        names = ensemble["experiments"]
        widths = [self.costs.experiments[name]["options"].get("base_width", 64) for name in names]
        found = [self.costs.prediction(self.costs.experiments[name], shape) for name in names] if shape else [None]
        if None in found:
            return None, 0
        n_networks = self.costs.predicted(ensemble)[0] if rule == "predict_region" else max(ensemble["top_k"])
        slabs = self.costs.config["prediction"]["slabs"] if rule == "predict_volume" else 1
        return n_networks * sum(found) / len(found) / slabs, min(widths)

    def work_s(self, script, rule, wildcards, threads):
        """(seconds of a job beside its start or None, where the rate comes from)."""
        if script in ("train_network", "predict_volume", "score_held_out"):
            flops, width = self.operations(rule, wildcards)
            if self.on_gpu:
                return flops and flops / CARD_FLOPS, f"{CARD_FLOPS / 1e12:g} TFLOP/s ({CARD})"
            per_s = threads * rate(TRAINING_RATES if script == "train_network" else FORWARD_RATES, width)
            section = "training" if script == "train_network" else "prediction"
            return flops and flops / per_s, f"docs/benchmarks.md ({section})"
        if script in NOT_KNOWN:
            return None, ""
        if script not in VOXEL_RATES:
            return 0, "docs/benchmarks.md"
        shape, (per_s, section) = self.shape(wildcards), VOXEL_RATES[script]
        n = self.n_labels(rule, wildcards)
        if script in (
            "make_tumor_phantom",
            "draw_sparse_labels",
            "check_volume",
            "import_volume",
            "import_labels",
            "bin_volume",
            "bin_labels",
        ):
            n = self.n_binned(wildcards)
        source = section if section.startswith("docs/") else f"docs/benchmarks.md ({section})"
        return shape and n * math.prod(shape) / per_s, source

    # ------------------------------------------------------------------------------------------------ memory and disk
    def held_voxels(self, experiment):
        """Voxels that a training holds at once: its regions or, of a draw, about so many slices of them."""
        shapes = self.costs.shapes("train", "eval", names=experiment["regions"])
        drawn = experiment["draw"] and self.costs.n_slices(experiment)
        return drawn * max(y * x for _, y, x in shapes) if drawn and shapes else sum(map(math.prod, shapes))

    def memory_bytes(self, script, wildcards):
        """Peak memory of a job as far as it is known: a training without the activations of its windows, a prediction as
        large as its budget allows."""
        costs, kind = self.costs, kind_of(script)
        if script == "train_network":
            held = self.held_voxels(costs.experiments[wildcards["experiment"]])
            n = self.trainings[wildcards["experiment"]]["parameters"] or 0
            return BASE_BYTES[kind] + 9 * held + 16 * n  # image, weights, labels; weights, gradients, two moments
        if script in ("predict_volume", "score_held_out"):
            budget = costs.config["prediction"]["memory_gb"]
            return None if budget == "auto" else BASE_BYTES[kind] + budget * 1e9
        shape = self.shape(wildcards) or (1, 1, 1)
        return BASE_BYTES[kind] + BYTES_PER_PIXEL * math.prod(shape[1:])

    def disk_bytes(self, script, rule, wildcards):
        """Bytes at most, before compression, that stay on the disk after a job."""
        if rule == "train_network":
            n = self.trainings[wildcards["experiment"]]["parameters"]
            return n and 2 * 4 * n  # best and last, float32
        shape = self.shape(wildcards)
        if not shape or script not in (*VOXEL_RATES, "predict_volume") or rule.startswith("compute_"):
            return 0
        per_voxel = {
            "make_phantom": 10,
            "make_tumor_phantom": 10,
            "normalize_region": 4,
            "build_weight_map": 4,
            "import_weight_map": 4,
            "segment_instances": 4,
            "export_nifti": 2,
            "export_panoptic": 0,  # files under a second name
        }
        n = per_voxel.get(script, 1) * (self.n_binned(wildcards) if rule.startswith("import_") else 1)
        if rule in ("predict_region", "predict_probabilities"):
            n = self.n_labels(rule, wildcards) if rule == "predict_region" else self.costs.n_classes
        elif rule in ("predict_volume", "gather_slabs"):  # slabs are temporary and linked into the volume
            n = self.whole_copies(wildcards) if rule == "gather_slabs" else 0
        return n * math.prod(shape)

    def estimate(self, script, rule, wildcards, threads=1):
        """{start_s, work_s, memory_bytes, disk_bytes, source} of a job; None for what isn't known."""
        work, source = self.work_s(script, rule, wildcards, threads)
        return {
            "start_s": START_S[kind_of(script)],
            "work_s": work,
            "memory_bytes": self.memory_bytes(script, wildcards),
            "disk_bytes": self.disk_bytes(script, rule, wildcards),
            "source": source,
        }
