"""What the scripts before training do, in words: phantoms, inputs and their checks, preprocessing, regions, labels, weights."""

from densecell.step_words import Words

WORDS = {
    "make_phantom": Words(
        "{part[1]}",
        "{settings.shape:x} voxels of {settings.voxel_size_nm:x} nm, preset {settings.preset}, seed {settings.seed}",
        "No microscope took part: the stacks are phantoms of blood platelets, synthesized with known truth ({how}).",
        "a synthetic stack",
    ),
    "make_tumor_phantom": Words(
        "{part[1]}",
        "{settings.shape:x} voxels of {settings.voxel_size_nm:x} nm, preset {settings.preset}, seed {settings.seed}, cells "
        "{settings.miniature} times smaller than in life",
        "No microscope took part: the stacks are phantoms of tumors, synthesized with known truth ({how}).",
        "a synthetic stack",
    ),
    "draw_sparse_labels": Words(
        "{drawn.name} of {part[1]}",
        "slices {drawn.slices}",
        "The true classes were copied for single slices, as if someone had drawn them: {names} ({how}).",
        "a mask of one class, or the numbers of the cells, in one slice of a synthetic stack, from its truth",
    ),
    "import_volume": Words(
        "{part[1]}",
        "voxels of {voxel_size_nm:x} nm in z, y and x",
        "The image stacks of {names} were read ({how}).",
        "a raw image stack, as it was, in the format of densecell",
    ),
    "import_labels": Words(
        "{labels}",
        "{kind} labels, drawn on the {frame} stack",
        "Labels were read: {names} ({how}).",
        "labels of a stack, as they were, in the format of densecell",
    ),
    "check_volume": Words(
        "{part[1]}",
        "every slice once",
        "The slices of {names} were looked at for what stands out.",
        "what a look at each slice of a raw stack found",
    ),
    "check_inputs": Words(
        "{stem}",
        "volumes, labels and regions",
        "Volumes, labels and regions were checked against each other.",
        "what is odd about the inputs",
    ),
    "plot_checks": Words("{stem}", "drawn", "", "a picture of what the checks saw of a raw stack"),
    "bin_volume": Words(
        "{part[1]}",
        "the mean of each block of {binning:x} voxels",
        "Images were binned: {how}.",
        "a binned image stack",
        ("binning", [1, 1, 1]),
    ),
    "bin_labels": Words(
        "{labels}",
        "the most frequent class or object of each block of {binning:x} voxels",
        "Labels were binned: {how}.",
        "binned labels of a stack",
        ("binning", [1, 1, 1]),
    ),
    "align_volume": Words(
        "{part[1]}",
        "method {settings.method}",
        "The slices of {names} were aligned to each other by shifts of whole pixels ({how}).",
        "an image stack whose slices are aligned",
        ("settings.method", "none"),
    ),
    "align_labels": Words(
        "{labels}",
        "frame {frame}",
        "",
        "labels of an aligned stack",
    ),
    "correct_intensity": Words(
        "{part[1]}",
        "method {method}",
        "The gray values of the slices of {names} were made even, each slice by itself ({how}).",
        "an image stack whose slices have even gray values",
    ),
    "measure_intensity": Words(
        "{part[1]}",
        "method {method}",
        "The gray values of the whole volume {names} were measured ({how}).",
        "the numbers that normalize the gray values of a whole volume",
    ),
    "normalize_region": Words(
        "{region.name}",
        "method {method} with the statistics of the {scope}",
        "Regions were cut out ({names}) and their gray values normalized ({how}).",
        "the normalized image of a region",
    ),
    "extract_labels": Words(
        "{part[1]} ({role})",
        "labels cut out",
        "Labelled regions and their roles: {names}.",
        "the labels of a region",
    ),
    "extract_targets": Words(
        "{target} of {part[1]}",
        "a class with all that lies in it, or the contours of its objects, against the rest, where label sources tell",
        "Targets were made of the labels: {names} ({how}).",
        "where a class is, where it is not, and where that is unknown, in a region",
    ),
    "draw_slices": Words(
        "{experiment}",
        "{draw.n_slices} slices, {draw.pick}, of {regions}",
        "Training slices were drawn from the labelled ones, another draw for each seed: {names} ({how}).",
        "which slices each seed of an experiment is trained on, and how far the others are from them",
    ),
    "build_weight_map": Words(
        "{settings.name} of {stem}",
        "class balance to the power {settings.class_weight_power}, {edges}, floor {settings.floor}",
        "For training each voxel got a weight, higher for rare classes and at borders ({names}: {how}).",
        "the weight of each voxel of a train region in the loss",
    ),
    "import_weight_map": Words(
        "{part[1]} of {stem}",
        "floor {floor}",
        "For training each voxel got a weight that was read from a file ({names}).",
        "the weight of each voxel of a train region in the loss",
    ),
}
