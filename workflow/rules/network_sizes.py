"""Which input windows each network takes and how large its output is, without torch."""

# A network's size on one axis doesn't depend on the other two: each function below takes an axis (0 for z), the size
# of the window there and the network's options, and gives the output's size there, or None where it can't take it.


def _hybrid(axis, size, options):
    return size if axis == 0 else size // 8 * 8 or None


def _unet_2d(axis, size, options):
    if axis == 0:
        return size
    if options.get("padding") == "same":
        return size if size % 16 == 0 else None
    return size - 184 if size % 16 == 12 and size >= 188 else None


def _unet_3d_thick(axis, size, options):
    return size if size > 0 and size % 4 == 0 else None


def _unet_3d_thin(axis, size, options):
    cropped = size - 2 * options.get("crop_px", 2)
    return size if axis == 0 else cropped if size % 4 == 0 and cropped > 0 else None


def _deepvess(axis, size, options):
    if axis == 0:
        return size - 6 if size >= 7 else None
    return size - 28 if size >= 33 and size % 5 == 3 else None


def _medicalnet(axis, size, options):
    free = axis == 0 and not options.get("z_downsampling", True)
    return size if free or (size > 0 and size % 8 == 0) else None


def _sixteenths(axis, size, options):
    return size if axis == 0 or (size > 0 and size % 16 == 0) else None


def _deeplab(stride):
    return lambda axis, size, options: size if axis == 0 or size > stride else None


NETWORK_SIZES = {
    "hybrid_2d3d_333": _hybrid,
    "hybrid_2d3d_no_333": _hybrid,
    "hybrid_2d3d_no_pyramid": _hybrid,
    "hybrid_2d3d": _hybrid,
    "unet_2d": _unet_2d,
    "unet_3d_thick": _unet_3d_thick,
    "unet_3d_thin": _unet_3d_thin,
    "deepvess": _deepvess,
    "medicalnet": _medicalnet,
    "deeplab_drn": _deeplab(8),
    "deeplab_resnet101": _deeplab(16),
    "resunet": _sixteenths,
    "setr_pup": _sixteenths,
    "transunet": _sixteenths,
}

PYRAMID_OPTIONS = ("pyramid_input", "pyramid_z_upsampling")
DEEPLAB_OPTIONS = ("base_width", "norm", "gray_to_rgb", "initialization", "dropout")
TRANSFORMER_OPTIONS = ("base_width", "norm", "norm_momentum", "size", "side_px")

# the options that each network has; another one would be refused only when the training starts
NETWORK_OPTIONS = {
    "hybrid_2d3d_333": ("base_width", "norm", "predictor_relu", *PYRAMID_OPTIONS),
    "hybrid_2d3d_no_333": ("base_width", "norm", "predictor_relu", *PYRAMID_OPTIONS),
    "hybrid_2d3d_no_pyramid": ("base_width", "norm", "predictor_relu"),
    "hybrid_2d3d": ("base_width", "norm", "predictor_relu", *PYRAMID_OPTIONS),
    "unet_2d": ("base_width", "norm", "padding"),
    "unet_3d_thick": ("base_width", "norm"),
    "unet_3d_thin": ("base_width", "norm", "crop_px"),
    "deepvess": ("base_width", "norm"),
    "medicalnet": ("base_width", "norm", "resnet_depth", "z_downsampling"),
    "deeplab_drn": DEEPLAB_OPTIONS,
    "deeplab_resnet101": DEEPLAB_OPTIONS,
    "resunet": ("base_width", "norm", "norm_momentum", "form", "shortcut_norm"),
    "setr_pup": TRANSFORMER_OPTIONS,
    "transunet": TRANSFORMER_OPTIONS,
}

# networks with convolutions of half the base width
EVEN_BASE_WIDTH = ("hybrid_2d3d_333", "hybrid_2d3d_no_333", "hybrid_2d3d_no_pyramid", "medicalnet")

# networks with batch statistics (options.norm: batch, their default), which one slice alone does not have
BATCH_STATISTICS = ("deeplab_drn", "deeplab_resnet101")


def output_size(network, window, options):
    """Output size (z, y, x) of a network for an input `window` (z, y, x); None where it can't take it."""
    sizes = tuple(NETWORK_SIZES[network](axis, size, options) for axis, size in enumerate(window))
    return None if None in sizes else sizes


def nearest_sides(network, side, options, axis=2):
    """The valid input sizes of an axis (x unless given) next to an invalid `side`: one below (if any) and one above."""
    takes = NETWORK_SIZES[network]
    below = next((n for n in range(side, 0, -1) if takes(axis, n, options)), None)
    above = next(n for n in range(side, side + 1000) if takes(axis, n, options))
    return [above] if below is None else [below, above]


def nearest_windows(network, window, options):
    """The valid windows (z, y, x) next to an invalid one, axis by axis: one below (if any) and one above."""
    sides = [nearest_sides(network, side, options, axis) for axis, side in enumerate(window)]
    nearest = [[pair[0] for pair in sides], [pair[-1] for pair in sides]]
    return nearest if all(len(pair) == 2 for pair in sides) else nearest[1:]
