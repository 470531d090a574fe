"""How many parameters each network has and how much one window costs, without torch.

A network is told as its convolutions, each (weights, other parameters, products): every weight is multiplied once at
every position of a grid, which is a multiplication and an addition. A test holds the numbers to torch's counts.
"""

import functools
import math


def _conv(kernel, n_in, n_out, positions, norm="none"):
    """A convolution of `kernel` weights, its bias and, with instance norm, a scale and a shift per channel."""
    return kernel * n_in * n_out, n_out * (1 if norm == "none" else 3), kernel * n_in * n_out * positions


def _blocks(kernels, widths, positions, norm):
    return [_conv(k, a, b, positions, norm) for k, a, b in zip(kernels, widths, widths[1:])]


def hybrid(window, n_classes, options, first=27, mixed=True, pyramid=True):
    """The 2D-3D networks. first: weights of the kernel that begins the fine blocks (27 for 3 x 3 x 3, 9 without z);
    mixed False: no such kernel at all; pyramid False: the 2D predictions are the output."""
    w, norm = options.get("base_width", 64), options.get("norm", "none")
    z, y, x = window
    down = [z * (y >> i) * (x >> i) for i in range(4)]
    up = [z * (y // 8 * 8 >> i) * (x // 8 * 8 >> i) for i in range(4)]
    starts = [w // 2, w, None] if mixed else [None] * 3  # width of the first convolution, half of its block's

    def block(n_in, level, positions):
        width, start = w << level, starts[level] if level < 3 else None
        widths = [n_in, start, width, width] if start else [n_in, width, width]
        return _blocks([first, 9, 9][-len(widths) + 1 :], widths, positions, norm)

    layers = []
    for level in range(4):
        layers += block(1 if level == 0 else w << (level - 1), level, down[level])
    for level in (2, 1, 0):
        upsampled = starts[level] or w << level
        layers.append(_conv(4, w << (level + 1), upsampled, up[level + 1]))
        layers += block((w << level) + upsampled, level, up[level])
    layers.append(_conv(1, w, n_classes, up[0]))
    if pyramid:
        n = w + n_classes
        layers += _blocks([27] * 3, [n, w, w, w], up[0], norm)
        layers += _blocks([27] * 5 + [1], [n, *[2 * w] * 5, w], up[1], norm)
        layers += [_conv(4, w, w, up[1]), _conv(1, w, n_classes, up[0])]
    return layers


def unet_2d(window, n_classes, options):
    """The 2D U-Net; without padding each convolution takes a pixel off every side."""
    w, norm = options.get("base_width", 64), options.get("norm", "none")
    z, *sides = window
    loss = 0 if options.get("padding") == "same" else 2
    layers, n_in = [], 1

    def block(n_in, width):
        for a in (n_in, width):
            sides[:] = [side - loss for side in sides]
            layers.append(_conv(9, a, width, z * sides[0] * sides[1], norm))

    for level in range(5):
        block(n_in, w << level)
        n_in = w << level
        sides[:] = [side // 2 for side in sides] if level < 4 else sides
    for level in (3, 2, 1, 0):
        layers.append(_conv(4, 2 * (w << level), w << level, z * sides[0] * sides[1]))
        sides[:] = [side * 2 for side in sides]
        block(2 * (w << level), w << level)
    return [*layers, _conv(1, w, n_classes, z * sides[0] * sides[1])]


def unet_3d(window, n_classes, options, pool_z=2):
    """The 3D U-Nets: three scales, three 3 x 3 x 3 convolutions in each block; pool_z: pooling along z."""
    w, norm = options.get("base_width", 32), options.get("norm", "none")
    z, y, x = window
    positions = [(z // pool_z**i) * (y >> i) * (x >> i) for i in range(3)]
    layers = []
    for level in range(3):
        width = w << level
        layers += _blocks([27] * 3, [width // 2 if level else 1, *[width] * 3], positions[level], norm)
    for level in (1, 0):
        width = w << level
        layers.append(_conv(4 * pool_z, 2 * width, width, positions[level + 1]))
        layers += _blocks([27] * 3, [2 * width, *[width] * 3], positions[level], norm)
    return [*layers, _conv(1, w, n_classes, positions[0])]


def deepvess(window, n_classes, options):
    """Three 3D convolutions, then every 27 x 27 px patch apart: two 2D ones, a dense layer and the predictor."""
    w, norm = options.get("base_width", 32), options.get("norm", "none")
    z, y, x = window
    layers = [_conv(27, a, w, (z - i) * (y - i) * (x - i), norm) for i, a in ((2, 1), (4, w), (6, w))]
    patches = max(0, z - 6) * max(0, (y - 28) // 5) * max(0, (x - 28) // 5)
    features = 2 * w * 4 * 4
    layers += [_conv(9, w, 2 * w, 11 * 11 * patches, norm), _conv(9, 2 * w, 2 * w, 9 * 9 * patches, norm)]
    return [*layers, _conv(1, features, features, patches), _conv(1, features, n_classes * 5 * 5, patches)]


def quadratic(width, n_parameters, products):
    """A large residual network in place of its list of layers: parameters and products per input voxel as polynomials
    of the base width (7 classes, batch norm), which torch's counts at widths 16, 32 and 64 give exactly."""

    def layers(window, n_classes, options):
        w = options.get("base_width", width)
        total, per_voxel = (sum(c * w**power for power, c in enumerate(reversed(p))) for p in (n_parameters, products))
        return [(round(total), 0, per_voxel * math.prod(window))]

    return layers


def medicalnet(window, n_classes, options):
    """MedicalNet of depth 10; the deeper ones have no row."""
    if options.get("resnet_depth", 10) != 10:
        return []
    if options.get("z_downsampling", True):
        return quadratic(64, (3536.75, 439, 7), (7.73828125, 42.9296875, 0))(window, n_classes, options)
    return quadratic(64, (3520.75, 243, 7), (57.859375, 36.96875, 0))(window, n_classes, options)


def _norms(widths, norm):
    """Normalizations of features of these `widths`: a scale and a shift per channel, no products."""
    return [(0, 2 * width, 0) for width in widths if norm != "none"]


def resunet(window, n_classes, options):
    """The residual U-Net, in the form of its text or of its code."""
    w, norm = options.get("base_width", 64), options.get("norm", "batch")
    z, y, x = window
    positions = [z * (y >> level) * (x >> level) for level in range(5)]
    code = options.get("form", "paper") == "code"
    down = [(1, 0), (2, 1), (4, 2), (8, 3), *([(8, 4)] if code else []), (16, 4)]  # width in w, level

    def block(n_in, n_out, level, first=False):
        layers = [_conv(kernel, a, n_out, positions[level]) for kernel, a in ((9, n_in), (9, n_out), (1, n_in))]
        after = [n_out] if options.get("shortcut_norm", True) else []
        return layers + _norms([*([] if first else [n_in]), n_out, *after], norm)

    layers, n_in = _norms([1] if code else [], norm), 1
    for i, (width, level) in enumerate(down):
        layers += block(n_in, width * w, level, first=i == 0)
        n_in = width * w
    for level in (3, 2, 1, 0):
        width = w << level
        if code:  # transposed: every weight is multiplied once at every position of the smaller grid
            layers += [_conv(9, n_in, width, positions[level + 1]), *_norms([width], norm)]
        else:
            layers.append(_conv(4, n_in, width, positions[level]))
        layers += block(2 * width, width, level)
        n_in = width
    return [*layers, _conv(1, w, n_classes, positions[0])]


TRANSFORMERS = {"small": (6, 12), "base": (12, 12), "large": (16, 24)}  # attention heads, layers


def _transformer(width, n_layers, window, options):
    """Layers of attention and two dense ones over the 16 x 16 px patches of each slice, with a position embedding."""
    z, y, x = window
    tokens = (y // 16) * (x // 16)
    dense = [_conv(1, a, b, z * tokens) for a, b in ((1, 3), (1, 1), (1, 4), (4, 1))]
    dense = [(weights * width**2, others * width, products * width**2) for weights, others, products in dense]
    attention = (0, 0, 2 * width * z * tokens**2)
    layers = [*dense, attention, *_norms([width] * 2, "layer")] * n_layers
    return [*layers, *_norms([width], "layer"), (0, (options.get("side_px", 512) // 16) ** 2 * width, 0)]


def setr_pup(window, n_classes, options):
    """A vision transformer and four convolutions with an upsampling after each."""
    w, norm = options.get("base_width", 64), options.get("norm", "batch")
    heads, n_layers = TRANSFORMERS[options.get("size", "base")]
    z, y, x = window
    width, positions = heads * w, [z * (y >> level) * (x >> level) for level in range(5)]
    layers = [_conv(256, 1, width, positions[4]), *_transformer(width, n_layers, window, options)]
    for level, n_in in zip((4, 3, 2, 1), (width, 4 * w, 4 * w, 4 * w)):
        layers += [_conv(9, n_in, 4 * w, positions[level]), *_norms([4 * w], norm)]
    return [*layers, _conv(1, 4 * w, n_classes, positions[1])]


def transunet(window, n_classes, options):
    """Three stages of a residual network, a vision transformer and the decoder of a U-Net; only few layers have biases."""
    w, norm = options.get("base_width", 64), options.get("norm", "batch")
    heads, n_layers = TRANSFORMERS[options.get("size", "base")]
    z, y, x = window
    width, positions = heads * w, [z * (y >> level) * (x >> level) for level in range(5)]

    def plain(kernel, a, b, level):
        return kernel * a * b, 0, kernel * a * b * positions[level]

    layers, n_in = [plain(49, 1, w, 1)], w
    for i, n_blocks in enumerate((3, 4, 9)):
        inner, outer = w << i, 4 * w << i
        for k in range(n_blocks):
            before = i + 1 if k == 0 and i else i + 2  # the stride is the second convolution's
            layers += [plain(1, n_in, inner, before), plain(9, inner, inner, i + 2), plain(1, inner, outer, i + 2)]
            layers += [*_norms([n_in, inner, inner], "group"), *([plain(1, n_in, outer, i + 2)] if k == 0 else [])]
            n_in = outer
    layers += [*_norms([n_in], "group"), _conv(1, n_in, width, positions[4])]
    layers += [*_transformer(width, n_layers, window, options), plain(9, width, 8 * w, 4), *_norms([8 * w], norm)]
    last = max(1, w // 4)
    for level, a, b in ((3, 16 * w, 4 * w), (2, 8 * w, 2 * w), (1, 3 * w, w), (0, w, last)):
        layers += [plain(9, a, b, level), plain(9, b, b, level), *_norms([b, b], norm)]
    return [*layers, _conv(9, last, n_classes, positions[0])]


# network -> its convolutions for (window, n_classes, options)
NETWORK_COSTS = {
    "hybrid_2d3d_333": hybrid,
    "hybrid_2d3d_no_333": functools.partial(hybrid, first=9),
    "hybrid_2d3d_no_pyramid": functools.partial(hybrid, pyramid=False),
    "hybrid_2d3d": functools.partial(hybrid, mixed=False),
    "unet_2d": unet_2d,
    "unet_3d_thick": unet_3d,
    "unet_3d_thin": functools.partial(unet_3d, pool_z=1),
    "deepvess": deepvess,
    "medicalnet": medicalnet,
    "deeplab_drn": quadratic(64, (9929.1875, 992.25, 7), (173.15637207, 38.5, 0)),
    "deeplab_resnet101": quadratic(64, (14458, 1886.5, 7), (81.87548828, 38.5, 0)),
    "resunet": resunet,
    "setr_pup": setr_pup,
    "transunet": transunet,
}


def parameters(network, n_classes, options):
    """Number of trained parameters; None where the table has no row for the network."""
    layers = _layers(network, (16, 512, 512), n_classes, options)
    return sum(weights + others for weights, others, _ in layers) or None


def forward_flops(network, window, n_classes, options):
    """Floating-point operations of one forward pass over a window (z, y, x); None where the table has no row."""
    layers = _layers(network, window, n_classes, options)
    return round(2 * sum(products for _, _, products in layers)) or None


def _layers(network, window, n_classes, options):
    return NETWORK_COSTS[network](window, n_classes, options) if network in NETWORK_COSTS else []
