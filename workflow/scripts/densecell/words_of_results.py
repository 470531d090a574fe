"""What training and the scripts after it do, in words: networks, ensembles, predictions, scores, tables and texts."""

from densecell.step_words import Words

WORDS = {
    "train_network": Words(
        "{experiment} seed {seed}",
        "{settings.network}, {budget} on windows of {settings.window:x} voxels, {settings.training.optimizer}{sparse}",
        "{n_jobs:network was|networks were} trained ({each}); of each run with eval regions the state with the best mean IoU on them was kept.",
        "a trained network",
    ),
    "rank_networks": Words(
        "{folder}",
        "by the best eval score of each run",
        "The runs were ranked by mean IoU over all classes on the eval regions.",
        "the ranking of the trained networks by their score on the eval regions",
    ),
    "build_ensemble": Words(
        "{name}",
        "the best {top_k}",
        "",
        "a list of the best networks of an ensemble",
    ),
    "choose_ensemble": Words(
        "{name}",
        "one of k = {top_k}",
        "How many of the best runs an ensemble averages was chosen by the score on the eval regions ({how}).",
        "the list of networks whose number the eval regions chose",
    ),
    "predict_volume": Words(
        "{part[2]} in {part[1]}",
        "{tiles}",
        "Predicted tile by tile ({how}): {names}; an ensemble averages the probabilities of its networks.",
        "the classes that one network or an ensemble predicts for each voxel",
    ),
    "gather_slabs": Words(
        "{part[2]} in {part[1]}",
        "slabs joined",
        "The slabs of {names} were joined.",
        "the classes that an ensemble predicts for each voxel of a whole volume",
    ),
    "compose_classes": Words(
        "{part[2]} in {part[1]}",
        "targets at or above {threshold}, painted over each other",
        "The targets of several ensembles were joined into one class map ({how}); a class inside another covers it.",
        "the classes that several ensembles, each of its own targets, predict for each voxel of a whole volume",
    ),
    "export_tiff": Words(
        "{part[1]}, {stem}",
        "as TIFF",
        "The prediction was exported as TIFF.",
        "the predicted classes of a whole volume, as TIFF",
    ),
    "compute_confusion_matrix": Words(
        "{keys.experiment} in {keys.region} against {keys.reference}",
        "voxels counted slice by slice",
        "In each scored region the predictions were compared with the labels, voxel by voxel.",
        "how many voxels of each class were predicted as which class",
    ),
    "score_held_out": Words(
        "{experiment} seed {seed}",
        "slice by slice, {tiles}",
        "{n_jobs:network was|networks were} scored on the labelled slices that they were not trained on ({names}).",
        "how the targets that a network predicts on held-out slices overlap with those drawn, or the probabilities of a target there",
    ),
    "compute_overlap": Words(
        "{keys.experiment} in {keys.region} against {keys.reference}",
        "voxels counted slice by slice",
        "In each scored region the predicted targets were compared with the labels, voxel by voxel.",
        "how predicted targets overlap with those drawn, slice by slice",
    ),
    "summarize_draws": Words(
        "{stem}",
        "pooled over the voxels of all slices, and as means over slices",
        "From these sums Dice, precision and recall of each target were computed ({how}), and their mean and spread over draws.",
        "Dice, precision and recall of targets, of each draw or over draws",
    ),
    "compute_metrics": Words(
        "{folder}",
        "from the counts of voxels",
        "From the counts of right and wrong voxels the scores were computed.",
        "the scores (IoU, Dice, precision, recall, ...) of every prediction",
    ),
    "compute_volume_fractions": Words(
        "{keys.experiment} in {place}",
        "margins of {settings.margins_nm} nm around the reference's cells",
        "The volume of each class was counted in labels and predictions and divided by the volume of the cells, in whole volumes by that of "
        "all tissue ({how}).",
        "the share that each class has of the volume of the cells",
    ),
    "gather_tables": Words(
        "{stem}",
        "one below the other",
        "",
        "a table gathered from those of the regions",
    ),
    "compare_networks": Words(
        "{stem}",
        "rank tests, {confidence:%} intervals from {n_bootstrap} bootstrap samples, seed {seed}",
        "The experiments were compared by the scores of all their runs ({how}).",
        "the experiments against each other, by the scores of all their runs",
    ),
    "compute_ensemble_gain": Words(
        "{stem}",
        "ensembles against their size",
        "The scores of ensembles were set against their size.",
        "what averaging more networks gains",
    ),
    "compare_annotators": Words(
        "{stem}",
        "people against people and networks",
        "The agreement of people with each other was set against that of networks with people.",
        "how people agree with each other and networks with people",
    ),
    "compare_weight_maps": Words(
        "{stem}",
        "imported against computed weights",
        "Imported and computed weights were compared.",
        "how imported weights and computed ones agree",
    ),
    "compute_foreground": Words(
        "{part[2]} in {part[1]}",
        "thresholds {settings.thresholds}, borders within {settings.boundary_tolerance_nm} nm",
        "Tissue was scored against background, at several thresholds of the probability.",
        "scores of tissue against background",
    ),
    "choose_threshold": Words(
        "{stem}",
        "by the eval regions",
        "The threshold of the probability was chosen on the eval regions.",
        "scores of tissue against background, with the threshold that the eval regions chose",
    ),
    "sweep_small_regions": Words(
        "{part[2]} in {part[1]}",
        "regions below {min_sizes_voxels} voxels removed",
        "Small connected regions were removed from the predictions and the scores computed again ({how}).",
        "scores after small regions were removed from the prediction",
    ),
    "write_summary": Words(
        "{stem}",
        "volume fractions within {margin_nm} nm",
        "The numbers of the test regions were put into words by fixed rules.",
        "what the tables say about the test regions, in words and numbers",
    ),
    "make_methods_text": Words(
        "{stem}",
        "from the configuration, tables and sidecars",
        "The paragraph on methods was filled from the configuration and the tables.",
        "the paragraph on methods of this run, or its citations",
    ),
    "make_paper_tables": Words(
        "{stem}",
        "beside the published numbers",
        "The numbers were set beside those published.",
        "a table of the paper with the numbers of this run",
    ),
    "write_paper_index": Words(
        "{stem}",
        "all tables and figures of the paper",
        "Tables and figures of the paper were put on one page.",
        "every table and figure of the paper on one page",
    ),
}
