"""DeepLab v3+ (Chen et al. 2018, doi 10.1007/978-3-030-01234-2_49), slice by slice: two baselines of Guay et al. 2021.

A residual backbone, a pyramid of dilated convolutions over its features (ASPP), and a decoder that adds the backbone's
low-level features. At base width 64, three channels in the stem and seven classes it has 40,733,463 parameters with
DRN-D-54 (output stride 8) and 59,340,711 with ResNet-101 (output stride 16); Table S1 gives 40.7 M and 59.3 M. Nothing
is pretrained.
"""

import math

import torch
from torch import nn
from torch.nn import functional

from densecell.networks.blocks import grouped_parameters, size_error
from densecell.networks.drn import DRND54
from densecell.networks.resnet import ResNet101

ASPP_DILATIONS = {8: (1, 12, 24, 36), 16: (1, 6, 12, 18)}  # output stride -> dilations; the first branch is 1 x 1
NORMS = {"batch": nn.BatchNorm2d, "instance": lambda width: nn.InstanceNorm2d(width, affine=True)}
INITIALIZATIONS = {
    "kaiming": lambda weight: nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu"),
    "xavier": nn.init.xavier_uniform_,
}


class Dropout(nn.Module):
    """Dropout of rate `p` whose masks follow from a seed and a count, both kept with the weights.

    So a run that is killed and resumed draws the same masks, without the state of torch's global generator; from that
    one only the seed is drawn, when the network is built.
    """

    def __init__(self, p):
        super().__init__()
        self.p = p
        self.register_buffer("seed", torch.randint(2**31, ()))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        if not self.training or x.is_meta:
            return x
        generator = torch.Generator(x.device).manual_seed((int(self.seed) << 31) + int(self.count))
        self.count += 1
        kept = torch.empty_like(x).bernoulli_(1 - self.p, generator=generator)
        return x * kept / (1 - self.p)


def layer(n_in, n_out, norm, kernel=1, dilation=1):
    """Convolution, normalization, ReLU at equal size."""
    pad = dilation * (kernel // 2)
    convolution = nn.Conv2d(n_in, n_out, kernel, padding=pad, dilation=dilation, bias=False)
    return nn.Sequential(convolution, norm(n_out), nn.ReLU(inplace=True))


def upsample(x, size):
    """Bilinear to `size` (Y, X), corners aligned."""
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=True)


class PooledFeatures(nn.Module):
    """The mean over the slice through a 1 x 1 convolution, spread over the slice again: (N, n_in, Y, X) -> (N, n_out, Y, X).

    Batch statistics of one value per slice need two slices. A training batch of a single slice (the rest of an epoch)
    takes the running ones instead; one before there are any raises ValueError. Instance statistics of one value do not
    exist: no normalization there with norm instance.
    """

    def __init__(self, n_in, n_out, norm):
        super().__init__()
        self.convolution = nn.Conv2d(n_in, n_out, 1, bias=False)
        self.norm = norm(n_out)
        if isinstance(self.norm, nn.InstanceNorm2d):
            self.convolution, self.norm = nn.Conv2d(n_in, n_out, 1), nn.Identity()

    def forward(self, x):
        pooled = self.convolution(x.mean((2, 3), keepdim=True))  # (N, n_out, 1, 1)
        single = isinstance(self.norm, nn.BatchNorm2d) and self.training and len(x) == 1
        if single and not int(self.norm.num_batches_tracked):
            raise ValueError(
                "experiments.training.batch_size: batch normalization needs at least two slices in a batch (batch size x "
                "slices of a window), found one. Set batch_size to 2 or more, or experiments.options.norm to instance."
            )
        if single:
            n = self.norm
            pooled = functional.batch_norm(pooled, n.running_mean, n.running_var, n.weight, n.bias, eps=n.eps)
        else:
            pooled = self.norm(pooled)
        return functional.relu(pooled).expand(-1, -1, *x.shape[2:])


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: dilated branches and the slice's mean, joined: (N, n_in, Y, X) -> (N, n_out, Y, X)."""

    def __init__(self, n_in, n_out, norm, dilations, dropout):
        super().__init__()
        first, *others = dilations
        self.branches = nn.ModuleList(
            [layer(n_in, n_out, norm, 1, first), *(layer(n_in, n_out, norm, 3, dilation) for dilation in others)]
        )
        self.pooled = PooledFeatures(n_in, n_out, norm)
        self.join = nn.Sequential(layer((len(dilations) + 1) * n_out, n_out, norm), dropout(0.5))

    def forward(self, x):
        return self.join(torch.cat([*(branch(x) for branch in self.branches), self.pooled(x)], dim=1))


class Decoder(nn.Module):
    """ASPP features and low-level features -> logits at the low-level size (a quarter of the slice)."""

    def __init__(self, n_low_level, n_in, n_reduced, n_classes, norm, dropout):
        super().__init__()
        self.reduce = layer(n_low_level, n_reduced, norm)
        self.refine = nn.Sequential(
            layer(n_in + n_reduced, n_in, norm, 3), dropout(0.5), layer(n_in, n_in, norm, 3), dropout(0.1)
        )
        self.predictor = nn.Conv2d(n_in, n_classes, 1)

    def forward(self, x, low_level):
        low_level = self.reduce(low_level)
        x = upsample(x, low_level.shape[2:])
        return self.predictor(self.refine(torch.cat([x, low_level], dim=1)))


class Deeplab(nn.Module):
    """(N, n_channels, Z, Y, X) -> one output, logits (N, n_classes, Z, Y, X); slices meet only in batch statistics.

    Any Y and X above the output stride, so that the deepest features have two pixels a side. gray_to_rgb: a single
    channel is repeated to three (the published parameter count); False: a stem of one channel. norm: batch (the
    published one) or instance, per slice. initialization: kaiming (normal, of the public implementations) or xavier (the
    paper's other networks; it does not say for these). dropout: after the ASPP (0.5) and in the decoder (0.5, 0.1), as
    in the public implementations. base_width scales every width; 64 is the published network.
    """

    same_padding = True

    def __init__(
        self,
        backbone,
        n_channels=1,
        n_classes=7,
        base_width=64,
        gray_to_rgb=True,
        norm="batch",
        initialization="kaiming",
        dropout=True,
    ):
        super().__init__()
        if base_width < 1:
            raise ValueError(f"experiments.options.base_width: expected a number >= 1, found {base_width}.")
        for key, value, table in (("norm", norm, NORMS), ("initialization", initialization, INITIALIZATIONS)):
            if value not in table:
                raise ValueError(f"experiments.options.{key}: unknown {value!r}; known: {', '.join(table)}.")
        self.repeats = 3 if gray_to_rgb and n_channels == 1 else 1
        width, norm = 4 * base_width, NORMS[norm]
        rate = Dropout if dropout else lambda p: nn.Identity()
        self.backbone = backbone(self.repeats * n_channels, base_width, norm)
        self.aspp = ASPP(self.backbone.n_features, width, norm, ASPP_DILATIONS[self.backbone.output_stride], rate)
        self.decoder = Decoder(self.backbone.n_low_level, width, max(1, 3 * base_width // 4), n_classes, norm, rate)
        self._initialize(INITIALIZATIONS[initialization])

    @property
    def shift_step(self):
        """(z, y, x): moved by so many voxels, the input moves the features by as much."""
        return (1, self.backbone.output_stride, self.backbone.output_stride)

    def _initialize(self, kernels):
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                kernels(part.weight)
                if part.bias is not None:
                    nn.init.zeros_(part.bias)

    def forward(self, x):
        n, c, z, height, width = x.shape
        x = x.transpose(1, 2).reshape(n * z, c, height, width)  # (N * Z, C, Y, X)
        if self.repeats > 1:
            x = x.repeat(1, self.repeats, 1, 1)
        features, low_level = self.backbone(x)
        x = upsample(self.decoder(self.aspp(features), low_level), (height, width))
        return (x.reshape(n, z, -1, height, width).transpose(1, 2),)

    def output_shape(self, input_shape):
        """(Z, Y, X) of the logits: that of the input. Raises ValueError at and below the output stride."""
        z, *plane = input_shape
        least = self.backbone.output_stride + 1
        if z < 1 or min(plane) < least:
            nearest = (max(z, 1), *(max(n, least) for n in plane))
            raise size_error(f"at least (1, {least}, {least})", input_shape, nearest, nearest)
        return (z, *plane)

    def receptive_field(self):
        """(Z, Y, X) in voxels that one output voxel depends on: the whole slice, by the pooled features of the ASPP."""
        return (1, math.inf, math.inf)

    def parameter_groups(self):
        """encoder_decoder (Theta_2D of the paper) and predictors."""
        return grouped_parameters(self, predictors=[self.decoder.predictor])


class DeeplabDRN(Deeplab):
    """DeepLab v3+ over DRN-D-54 at output stride 8; options as in `Deeplab`."""

    def __init__(self, **options):
        super().__init__(DRND54, **options)


class DeeplabResNet101(Deeplab):
    """DeepLab v3+ over ResNet-101 at output stride 16; options as in `Deeplab`."""

    def __init__(self, **options):
        super().__init__(ResNet101, **options)
