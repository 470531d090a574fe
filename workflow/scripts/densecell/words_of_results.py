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
    "segment_instances": Words(
        "{part[2]} of {part[1]}",
        "{method} of {class_name}, {connectivity} neighbors, from {min_volume_um3} µm³ on",
        "The objects of a class were told apart and numbered ({each}).",
        "the number of the object that each voxel belongs to",
    ),
    "export_nifti": Words(
        "{part[1]}, {stem}",
        "as NIfTI",
        "The numbered objects were exported as NIfTI ({names}).",
        "the numbered objects of a whole volume, as NIfTI",
    ),
    "export_panoptic": Words(
        "{part[1]}, {stem}",
        "linked, not copied",
        "Image, classes and objects were put into one store for viewers ({names}).",
        "a volume with its classes and objects as labels",
    ),
    "split_cells": Words(
        "{objects} by {combination} in {part[1]}",
        "pieces of at least {splitting.min_body_px} px",
        "In each slice cells that touch were split with the cells that were drawn in a few slices ({names}).",
        "the cells, or what is no cell yet, in each slice",
    ),
    "track_cells": Words(
        "{class_name}, {part[4]}, in {part[1]}",
        "IoU above {settings.min_iou} with the {settings.match} slice",
        "Parts of cells took the number of what they overlap most, going out from the labelled slices, and islands that of the cell that they run into or "
        "broke off ({each}).",
        "the cells in 3D, tracked through the slices",
    ),
    "compare_instances": Words(
        "{keys.objects} of {keys.volume} against {keys.reference}",
        "voxels counted for each pair of objects",
        "Objects were scored against known ones ({each}): Dice of each object, variation of information, adapted Rand error and matched objects.",
        "how well objects agree with known ones",
    ),
    "summarize_splitting": Words(
        "{stem}",
        "by the Dice of each known cell",
        "The ways to split cells were compared by the Dice of each known cell in slices that they were not made with.",
        "the ways to split cells, by their scores",
    ),
    "assign_organelles": Words(
        "{keys.objects} of {keys.volume}",
        "the one of {keys.container} with more than half of the voxels",
        "Each object was given to the one that most of it lies in, if that is more than half ({each}).",
        "which object lies in which",
    ),
    "measure_contents": Words(
        "{keys.objects} of {keys.volume}",
        "voxel by voxel",
        "What each object holds of every class was counted voxel by voxel ({names}), in the map of the ensemble and in those of its "
        "single networks where they were kept.",
        "the voxels of each class in each object and outside of all",
    ),
    "measure_morphology": Words(
        "{keys.objects} of {keys.volume}",
        "surfaces by marching cubes after a Gaussian of {settings.smoothing_voxels} voxels",
        "Size and shape of each object were measured ({each}): volume from voxels; surface area, sphericity and solidity from a smoothed mesh.",
        "the size and shape of each object",
    ),
    "measure_texture": Words(
        "{keys.objects} of {keys.volume}",
        "{settings.levels} gray levels, range: {settings.range}",
        "The texture of each object was measured ({each}): co-occurrence of gray levels, zones of one level, pattern spectrum.",
        "the texture of each object",
    ),
    "measure_neighbors": Words(
        "{keys.objects} of {keys.volume}",
        "in contact up to {settings.contact_nm} nm",
        "The nearest neighbors of each object and the areas of contact were measured on the surfaces of voxels ({how}; {names}).",
        "how far objects are from each other, and how much of them touches",
    ),
    "gather_contents": Words(
        "{stem}",
        "with the bias of each class in labelled regions",
        "These numbers were set beside how far the same networks are from what people drew.",
        "what each object holds of every class, with the spread over networks and the bias",
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
