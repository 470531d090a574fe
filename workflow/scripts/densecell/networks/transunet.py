"""TransUNet, slice by slice: the features of a residual network as the tokens of a transformer, and a U-Net's decoder.

Chen et al. 2021, arXiv 2102.04306, as Machireddy et al. 2023 compare with, whose sizes are not known. With one channel in,
one class out and windows of 512 pixels, size base: 105,901,969 parameters, of them 11,884,992 in the residual network
and 7,387,345 in the decoder. Published results had pretrained weights; nothing is pretrained here.
"""

import math

import torch
from torch import nn

from densecell.networks import planar, vit
from densecell.networks.blocks import Conv2d
from densecell.networks.setr import upsample

STAGES = ((1, 3, 1), (2, 4, 2), (4, 9, 2))  # inner width in base widths, blocks, stride: ResNet-50's without the last
EXPANSION = 4  # a block's output width over its inner width


def group_norm(width):
    """Statistics of 32 groups of channels and all pixels of a slice; fewer groups where the width is narrow, so that each has
    two channels: one channel of one pixel has no statistics."""
    groups = math.gcd(32, width)
    return nn.GroupNorm(max(1, groups // 2) if groups == width else groups, width)


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolution, each after group norm and ReLU, plus the input; output width 4 * `width`.

    Where the width or the size changes, the input goes through a 1 x 1 convolution behind the first norm and ReLU.
    """

    def __init__(self, n_in, width, stride=1):
        super().__init__()
        n_out = EXPANSION * width
        self.before = nn.Sequential(group_norm(n_in), nn.ReLU(inplace=True))
        self.convolutions = nn.Sequential(
            nn.Conv2d(n_in, width, 1, bias=False),
            group_norm(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, stride, 1, bias=False),
            group_norm(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, n_out, 1, bias=False),
        )
        changes = stride != 1 or n_in != n_out
        self.shortcut = Conv2d(n_in, n_out, 1, stride, bias=False) if changes else None

    def forward(self, x):
        activated = self.before(x)
        return self.convolutions(activated) + (self.shortcut(activated) if self.shortcut else x)


class ResNet(nn.Module):
    """(N, n_channels, Y, X) -> features at 1/16, 1/8, 1/4 and 1/2 of the size, 16, 8, 4 and 1 base widths wide."""

    def __init__(self, n_channels, base_width):
        super().__init__()
        self.stem = nn.Conv2d(n_channels, base_width, 7, 2, 3, bias=False)
        self.pool = nn.MaxPool2d(3, 2, 1)
        n_in, stages = base_width, []
        for width, blocks, stride in STAGES:
            n_out = EXPANSION * width * base_width
            strides = [stride] + [1] * (blocks - 1)
            widths = [n_in] + [n_out] * (blocks - 1)
            stages.append(nn.Sequential(*(Bottleneck(n, width * base_width, s) for n, s in zip(widths, strides))))
            n_in = n_out
        self.stages = nn.ModuleList(stages)
        self.after = nn.Sequential(group_norm(n_in), nn.ReLU(inplace=True))

    def forward(self, x):
        found = [self.stem(x)]
        x = self.pool(found[0])
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return [self.after(x), *found[-2::-1]]


class Decoder(nn.Module):
    """Features (N, n_in, Y, X) and those of the residual network -> (N, base_width / 4, 16 Y, 16 X)."""

    def __init__(self, n_in, base_width, norm):
        super().__init__()

        def layer(a, b):
            return nn.Sequential(nn.Conv2d(a, b, 3, padding=1, bias=False), norm(b), nn.ReLU(inplace=True))

        w = base_width
        self.first = layer(n_in, 8 * w)
        widths, skips = (8 * w, 4 * w, 2 * w, w, max(1, w // 4)), (8 * w, 4 * w, w, 0)
        pairs = zip(widths, widths[1:], skips)
        self.steps = nn.ModuleList([nn.Sequential(layer(a + skip, b), layer(b, b)) for a, b, skip in pairs])

    def forward(self, x, skips):
        x = self.first(x)
        for i, step in enumerate(self.steps):
            x = upsample(x)
            x = step(torch.cat([skips[i], x], dim=1) if i < len(skips) else x)
        return x


class TransUNet(vit.SliceTransformer):
    """(N, n_channels, Z, Y, X) -> one output, logits (N, n_classes, Z, Y, X); Y and X multiples of 16, slices don't see each
    other (but in the statistics of a training batch).

    size: of the transformer, small, base or large. side_px: side of the training window, for which the position embedding
    is made; other sizes get an interpolated one. base_width: all widths follow, 64 is the published one. norm: batch (the
    published one), instance or none, in the decoder; norm_momentum as in `planar.norm_layers`.
    """

    def __init__(
        self, n_channels=1, n_classes=7, base_width=64, size="base", side_px=512, norm="batch", norm_momentum=0.01
    ):
        super().__init__()
        planar.check_base_width(base_width)
        heads, layers = vit.check_size(size, side_px)
        width = heads * base_width
        self.resnet = ResNet(n_channels, base_width)
        self.patches = nn.Conv2d(16 * base_width, width, 1)
        self.encoder = vit.Encoder(width, heads, layers, side_px // vit.PATCH)
        self.decoder = Decoder(width, base_width, planar.norm_layers(norm, norm_momentum))
        self.predictor = nn.Conv2d(max(1, base_width // 4), n_classes, 3, padding=1)
        planar.initialize(self)

    def forward(self, x):
        self.output_shape(x.shape[2:])
        n, (x, *skips) = len(x), self.resnet(planar.as_slices(x))
        x = self.decoder(self.encoder(self.patches(x)), skips)
        return (planar.as_volume(self.predictor(x), n),)
