"""The residual U-Net of Machireddy et al. 2023 for FIB-SEM stacks, slice by slice; in two forms, its text's and its code's.

Residual blocks with pre-activation, (norm, ReLU, 3 x 3 convolution) twice plus a shortcut; the first convolution of a
block halves the picture where a U-Net would pool. With one channel in and one class out, base width 64: 32,443,777
parameters as the text tells it (8,117,953 at 32, 2,032,993 at 16) and 40,912,643 as the code does (10,236,803 at 32).
"""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from densecell.networks import planar
from densecell.networks.blocks import Conv2d, grouped_parameters

FORMS = ("paper", "code")
STEP = 16  # both forms halve the picture four times
# Widths of the encoder's blocks in base widths (the last is the bridge) and their strides. In the text, four encoder blocks and
# the bridge each halve but for the first; in the code five encoder blocks, and the bridge keeps the size.
WIDTHS = {"paper": (1, 2, 4, 8, 16), "code": (1, 2, 4, 8, 8, 16)}
STRIDES = {"paper": (1, 2, 2, 2, 2), "code": (1, 2, 2, 2, 2, 1)}


def convolution(n_in, n_out, kernel=3, stride=1):
    """A convolution with bias, padded by zeros to the size of its input (over its stride)."""
    return Conv2d(n_in, n_out, kernel, stride, kernel // 2)


class ResidualBlock(nn.Module):
    """(N, n_in, Y, X) -> (N, n_out, Y / stride, X / stride): (norm, ReLU, 3 x 3 convolution) twice, plus a shortcut.

    The shortcut is a 1 x 1 convolution and, with `shortcut_norm`, a norm. first: the picture itself comes in, which
    neither norm nor ReLU shall see.
    """

    def __init__(self, n_in, n_out, norm, stride=1, first=False, shortcut_norm=True):
        super().__init__()
        in_place = not isinstance(norm(n_in), nn.Identity)  # else the ReLU would reach what the shortcut reads
        before = [] if first else [norm(n_in), nn.ReLU(inplace=in_place)]
        self.convolutions = nn.Sequential(
            *before,
            convolution(n_in, n_out, 3, stride),
            norm(n_out),
            nn.ReLU(inplace=True),
            convolution(n_out, n_out),
        )
        layers = [convolution(n_in, n_out, 1, stride), *([norm(n_out)] if shortcut_norm else [])]
        self.shortcut = nn.Sequential(*layers)

    def forward(self, x):
        return self.convolutions(x) + self.shortcut(x)


class NearestUpsampling(nn.Module):
    """Pixels doubled, then a 2 x 2 convolution; a row and a column of zeros at the bottom and right keep the size, as in Keras."""

    def __init__(self, n_in, n_out, norm):
        super().__init__()
        self.convolution = nn.Conv2d(n_in, n_out, 2)

    def forward(self, x):
        n, c, height, width = x.shape
        # not functional.interpolate: with deterministic algorithms and channels last its backward pass damages the heap (torch 2.13)
        doubled = x[..., None, :, None].expand(n, c, height, 2, width, 2).reshape(n, c, 2 * height, 2 * width)
        return self.convolution(functional.pad(doubled, (0, 1, 0, 1)))


class TransposedUpsampling(nn.Module):
    """A transposed 3 x 3 convolution of stride 2, ReLU and a norm, in this order: the code's."""

    def __init__(self, n_in, n_out, norm):
        super().__init__()
        self.convolution = nn.ConvTranspose2d(n_in, n_out, 3, stride=2, padding=1, output_padding=1)
        self.norm = norm(n_out)

    def forward(self, x):
        return self.norm(functional.relu(self.convolution(x)))


class ResUNet(nn.Module):
    """(N, n_channels, Z, Y, X) -> one output, logits (N, n_classes, Z, Y, X); Y and X multiples of 16, slices don't see each
    other (but in the statistics of a training batch).

    form: paper (the text: four encoder blocks and the bridge; pixels are doubled and convolved 2 x 2) or code (five encoder
    blocks, an input norm, transposed convolutions). norm: batch (the published one), instance (per slice) or none.
    norm_momentum: share of a batch in the running statistics. shortcut_norm: a norm after each shortcut's 1 x 1
    convolution, as in the code; without it 32,437,889 parameters.

    Ours: strided convolutions are padded at all sides; Keras pads at the bottom and right alone, which moves the features of
    a level by a pixel.
    """

    same_padding = True
    shift_step = (1, STEP, STEP)

    def __init__(
        self,
        n_channels=1,
        n_classes=7,
        base_width=64,
        form="paper",
        norm="batch",
        norm_momentum=0.01,
        shortcut_norm=True,
    ):
        super().__init__()
        planar.check_base_width(base_width)
        if form not in FORMS:
            raise ValueError(f"experiments.options.form: unknown {form!r}; known: {', '.join(FORMS)}.")
        self.form, norm = form, planar.norm_layers(norm, norm_momentum)
        widths = [base_width * width for width in WIDTHS[form]]
        self.input_norm = norm(n_channels) if form == "code" else nn.Identity()

        def block(n_in, n_out, stride=1, first=False):
            return nn.Sequential(ResidualBlock(n_in, n_out, norm, stride, first, shortcut_norm))

        sizes = zip([n_channels, *widths], widths, STRIDES[form])
        self.encoder = nn.ModuleList([block(a, b, stride, i == 0) for i, (a, b, stride) in enumerate(sizes)])
        upsampling = NearestUpsampling if form == "paper" else TransposedUpsampling
        ups = [widths[-1], *(base_width * width for width in (8, 4, 2, 1))]
        self.ups = nn.ModuleList([upsampling(a, b, norm) for a, b in pairwise(ups)])
        self.decoder = nn.ModuleList([block(2 * width, width) for width in ups[1:]])
        self.predictor = nn.Conv2d(base_width, n_classes, 1)
        planar.initialize(self)

    def forward(self, x):
        self.output_shape(x.shape[2:])
        n, x, skips = len(x), self.input_norm(planar.as_slices(x)), []
        for block in self.encoder:
            x = block(x)
            skips.append(x)
        skips = skips[:4]
        for i, (up, block) in enumerate(zip(self.ups, self.decoder)):
            x = block(torch.cat([skips[-1 - i], up(x)], dim=1))
        return (planar.as_volume(self.predictor(x), n),)

    def output_shape(self, input_shape):
        """(Z, Y, X) of the logits: that of the input. Raises ValueError with the nearest valid sizes."""
        return planar.output_shape(input_shape, STEP)

    def receptive_field(self):
        """(Z, Y, X) in voxels that one output voxel depends on, at most (instance norm: the whole slice)."""
        # Paper: blocks reach 2 + (1 + 2) + (2 + 4) + (4 + 8) + (8 + 16) on the way down; upsamplings and blocks
        # (8 + 16) + (4 + 8) + (2 + 4) + (1 + 2) on the way up. Code: 32 more in the bridge, and 16 + 8 + 4 + 2 in place of
        # 8 + 4 + 2 + 1 by upsamplings. The phase of the halvings adds at most 16.
        reach = 47 + 45 if self.form == "paper" else 47 + 32 + 60
        plane = 1 + 2 * (reach + STEP)
        return (1, plane, plane)

    def parameter_groups(self):
        """encoder_decoder and predictors."""
        return grouped_parameters(self, predictors=[self.predictor])
