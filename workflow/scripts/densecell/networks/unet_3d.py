"""The two fully 3D U-Nets that Guay et al. 2021 compare with (Table S1: 3D U-Net Thick and Thin; after Cicek et al. 2016).

Three widths, three 3 x 3 x 3 convolutions a block, two pools and two transposed convolutions that halve the width, zero
padding, bias, ReLU, no normalization. At base width 32, one channel and seven classes: Thick, which pools all axes,
2,074,727 parameters (2.1 M); Thin, which pools y and x only, 2,033,767 (2.0 M).
"""

from torch import nn
from torch.nn import functional

from densecell.networks.blocks import (
    center_crop,
    convolution,
    grouped_parameters,
    initialize,
    merge,
    size_error,
    upsampling,
)

STEP = 4  # two pools of two


class UNet3D(nn.Module):
    """What both share; `pool` is the factor (z, y, x) of the pools and transposed convolutions."""

    same_padding = True
    pool = (2, 2, 2)
    crop_px = 0

    @property
    def shift_step(self):
        """(z, y, x): moved by so many voxels, the input moves the output by as much."""
        return tuple(STEP if factor == 2 else 1 for factor in self.pool)

    def __init__(self, n_channels=1, n_classes=7, base_width=32, norm="none"):
        super().__init__()
        if base_width < 1:
            raise ValueError(f"experiments.options.base_width: expected a number >= 1, found {base_width}.")
        widths = [base_width, 2 * base_width, 4 * base_width]

        def block(n_in, n_out):
            return nn.Sequential(*(convolution(n, n_out, 3, norm) for n in (n_in, n_out, n_out)))

        self.encoder = nn.ModuleList([block(a, b) for a, b in zip([n_channels, *widths], widths)])
        self.ups = nn.ModuleList([upsampling(b, a, self.pool) for a, b in zip(widths[-2::-1], widths[:0:-1])])
        self.decoder = nn.ModuleList([block(b, a) for a, b in zip(widths[-2::-1], widths[:0:-1])])
        self.predictor = nn.Conv3d(base_width, n_classes, 1)
        initialize(self)

    def forward(self, x):
        shape = self.output_shape(x.shape[2:])
        skips = []
        for i, block in enumerate(self.encoder):
            x = block(x if i == 0 else functional.max_pool3d(x, self.pool))
            skips.append(x)
        skips.pop()
        for up, block in zip(self.ups, self.decoder):
            x = block(merge(skips.pop(), up(x)))
        return (center_crop(self.predictor(x), shape),)

    def output_shape(self, input_shape):
        """(Z, Y, X) of the logits for an input of (Z, Y, X). Raises ValueError with the nearest valid windows."""
        steps = [STEP if factor == 2 else 1 for factor in self.pool]
        if any(n < s or n % s for n, s in zip(input_shape, steps)) or min(input_shape[1:]) <= 2 * self.crop_px:
            least = (steps[0], *(s * (2 * self.crop_px // s + 1) for s in steps[1:]))
            below = (max(n // s * s, low) for n, s, low in zip(input_shape, steps, least))
            above = (max(-(-n // s) * s, low) for n, s, low in zip(input_shape, steps, least))
            raise size_error(f"multiples of {tuple(steps)} from {least} on", input_shape, below, above)
        z, y, x = input_shape
        return (z, y - 2 * self.crop_px, x - 2 * self.crop_px)

    def receptive_field(self):
        """(Z, Y, X) in voxels that one output voxel depends on, at most (instance norm: the whole window)."""
        # Three convolutions a block reach 3 * (1 + 2 + 4 + 2 + 1) where an axis is pooled, else 3 * 5; pools and the
        # phase of the upsampling add at most 4.
        return tuple(1 + 2 * (30 + 4) if factor == 2 else 1 + 2 * 15 for factor in self.pool)

    def parameter_groups(self):
        """encoder_decoder and predictors."""
        return grouped_parameters(self, predictors=[self.predictor])


class UNet3DThick(UNet3D):
    """(N, n_channels, Z, Y, X) -> one output, logits (N, n_classes, Z, Y, X); all sizes multiples of four.

    The paper's window is (16, 180, 180). norm: none (the paper), instance or batch.
    """


class UNet3DThin(UNet3D):
    """(N, n_channels, Z, Y, X) -> one output, logits (N, n_classes, Z, Y - 2 * crop_px, X - 2 * crop_px).

    Y and X are multiples of four, Z is free. crop_px: pixels left out at each side in y and x; the paper states
    (5, 300, 300) -> (5, 296, 296), which the network's own arithmetic doesn't give, so 2 are cut off; 0 for none.
    norm: none (the paper), instance or batch.
    """

    pool = (1, 2, 2)

    def __init__(self, n_channels=1, n_classes=7, base_width=32, crop_px=2, norm="none"):
        if crop_px < 0:
            raise ValueError(f"experiments.options.crop_px: expected a number >= 0, found {crop_px}.")
        super().__init__(n_channels, n_classes, base_width, norm)
        self.crop_px = crop_px
