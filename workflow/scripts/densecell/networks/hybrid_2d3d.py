"""The hybrid 2D-3D networks of Guay et al. 2021 (Fig. 2a, Methods and Table S1).

A 2D encoder-decoder runs over all slices of a thin stack. In the main network the first convolution of its two finest
blocks, on the way down and up, is 3 x 3 x 3 at half the block's width, and so is the transposed convolution that feeds
it. Its features and its own class probabilities go through a 3D pyramid of two scales.

Parameters at base width 64, one channel and seven classes, with the figure of Table S1:

- `Hybrid2D3D333`, the main network: 10,267,022 (10.3 M); No Multi-Loss is the same network with `auxiliary_weight: 0`
- `Hybrid2D3DNo333`, 1 x 3 x 3 in place of every 3 x 3 x 3 outside the pyramid: 9,916,238 (9.9 M)
- `Hybrid2D3DNoPyramid`, the 2D logits are the output: 7,882,311 (7.9 M)
- `Hybrid2D3D`, plain, two 1 x 3 x 3 a block at full width: 10,081,294 (none published)
"""

import torch
from torch import nn

from densecell.networks.blocks import (
    convolution,
    grouped_parameters,
    initialize,
    merge,
    pool_plane,
    size_error,
    upsampling,
)

PLANE = (1, 3, 3)
PYRAMID_INPUTS = ("softmax", "logits", "relu_logits")


class EncoderDecoder(nn.Module):
    """The 2D encoder-decoder with its class predictor, which all networks of the family share.

    first_kernel: of the half-width convolution before the two others in the two finest blocks; None: it has no such
    convolution, and the transposed ones are as wide as the blocks they feed.
    """

    same_padding = True
    shift_step = (1, 8, 8)
    first_kernel = 3

    def __init__(self, n_channels, n_classes, base_width, predictor_relu, norm):
        super().__init__()
        halved = self.first_kernel is not None
        if base_width < 1 or (halved and base_width % 2):
            expected = "an even number >= 2" if halved else "a number >= 1"
            raise ValueError(f"experiments.options.base_width: expected {expected}, found {base_width}.")
        self.predictor_relu = predictor_relu
        w = base_width
        w2, w4, w8 = 2 * w, 4 * w, 8 * w
        up1, up0 = (w, w // 2) if halved else (w2, w)  # widths of the transposed convolutions into the finest blocks

        def block(n_in, n_out, first=None):
            """Two 2D convolutions; with `first`, one of that width before them."""
            before = [convolution(n_in, first, self.first_kernel, norm)] if first else []
            return nn.Sequential(
                *before, convolution(first or n_in, n_out, PLANE, norm), convolution(n_out, n_out, PLANE, norm)
            )

        first1, first0 = (w, w // 2) if halved else (None, None)
        self.encoder = nn.ModuleList([block(n_channels, w, first0), block(w, w2, first1), block(w2, w4)])
        self.bottom = block(w4, w8)
        self.ups = nn.ModuleList([upsampling(w8, w4), upsampling(w4, up1), upsampling(w2, up0)])
        self.decoder = nn.ModuleList([block(w8, w4), block(w2 + up1, w2, first1), block(w + up0, w, first0)])
        self.predictor_2d = nn.Conv3d(w, n_classes, 1)

    def predict(self, predictor, x):
        """Logits of a class predictor, with the paper's ReLU if asked for."""
        return torch.relu(predictor(x)) if self.predictor_relu else predictor(x)

    def encode_decode(self, x):
        """(features, 2D logits) of the input, both of the output's size."""
        skips = []
        for block in self.encoder:
            x = block(x)
            skips.append(x)
            x = pool_plane(x)
        x = self.bottom(x)
        for up, block in zip(self.ups, self.decoder):
            x = block(merge(skips.pop(), up(x)))
        return x, self.predict(self.predictor_2d, x)

    def output_shape(self, input_shape):
        """(Z, Y, X) of the logits for an input of (Z, Y, X). Raises ValueError below 8 pixels, with the nearest size."""
        z, *plane = input_shape
        if z < 1 or min(plane) < 8:
            nearest = (max(z, 1), *(max(n, 8) for n in plane))
            raise size_error("at least (1, 8, 8)", input_shape, nearest, nearest)
        return (z, *(8 * (n // 8) for n in plane))

    def receptive_field(self):
        """(Z, Y, X) in voxels that one output voxel depends on, at most (instance norm: the whole window)."""
        # Two convolutions a block reach 2 * (1 + 2 + 4 + 8 + 4 + 2 + 1) pixels and the first ones 1 + 2 + 2 + 1 more;
        # pools, the phase of the upsampling and the center crops add at most 16.
        first = self.first_kernel is not None
        plane = 1 + 2 * (44 + 6 * first + 16)
        return (1 + 2 * 4 * (self.first_kernel == 3), plane, plane)

    def parameter_groups(self):
        """Names the paper regularizes apart: encoder_decoder (Theta_2D) and predictors."""
        return grouped_parameters(self, predictors=[self.predictor_2d])


class Hybrid2D3D333(EncoderDecoder):
    """(N, n_channels, Z, Y, X) -> (3D logits, 2D logits), each (N, n_classes, Z, 8 * floor(Y / 8), 8 * floor(X / 8)).

    predictor_relu: a ReLU on both predictors' logits (the paper's code and text). pyramid_input: what the pyramid sees
    beside the features: softmax (the paper's text), logits or relu_logits (the authors' code). pyramid_z_upsampling:
    the authors' code upsamples the coarse scale in z as well and crops, a slip; False is the paper's text.
    norm: none (the paper) or instance, after every convolution but the predictors.
    """

    def __init__(
        self,
        n_channels=1,
        n_classes=7,
        base_width=64,
        predictor_relu=True,
        pyramid_input="softmax",
        pyramid_z_upsampling=False,
        norm="none",
    ):
        super().__init__(n_channels, n_classes, base_width, predictor_relu, norm)
        if pyramid_input not in PYRAMID_INPUTS:
            raise ValueError(
                f"experiments.options.pyramid_input: unknown {pyramid_input!r}; known: {', '.join(PYRAMID_INPUTS)}."
            )
        self.pyramid_input = pyramid_input
        w, w2, n_in = base_width, 2 * base_width, base_width + n_classes
        self.fine = nn.Sequential(*(convolution(n, w, 3, norm) for n in (n_in, w, w)))
        self.coarse = nn.Sequential(
            *(convolution(n, w2, 3, norm) for n in (n_in, w2, w2, w2, w2)), convolution(w2, w, 1, norm)
        )
        self.coarse_up = upsampling(w, w, (2, 2, 2) if pyramid_z_upsampling else (1, 2, 2))
        self.predictor_3d = nn.Conv3d(w, n_classes, 1)
        initialize(self)

    def _pyramid_features(self, logits_2d):
        if self.pyramid_input == "softmax":
            return torch.softmax(logits_2d.float(), dim=1).to(logits_2d.dtype)
        return torch.relu(logits_2d) if self.pyramid_input == "relu_logits" else logits_2d

    def forward(self, x):
        x, logits_2d = self.encode_decode(x)
        x = torch.cat([x, self._pyramid_features(logits_2d)], dim=1)
        fine, coarse = self.fine(x), self.coarse_up(self.coarse(pool_plane(x)))
        if coarse.shape != fine.shape:  # only with pyramid_z_upsampling: the middle planes, as in the authors' code
            start = (coarse.shape[2] - fine.shape[2]) // 2
            coarse = coarse[:, :, start : start + fine.shape[2]]
        return self.predict(self.predictor_3d, fine + coarse), logits_2d

    def receptive_field(self):
        """(Z, Y, X) in voxels that one output voxel depends on, at most (instance norm: the whole window)."""
        z, y, x = super().receptive_field()
        return (z + 2 * 5, y + 2 * 10, x + 2 * 10)  # the coarse scale: five convolutions, in pixels of two

    def parameter_groups(self):
        """Names the paper regularizes apart: encoder_decoder (Theta_2D), pyramid (Theta_3D), predictors."""
        pyramid = [self.fine, self.coarse, self.coarse_up]
        return grouped_parameters(self, pyramid=pyramid, predictors=[self.predictor_2d, self.predictor_3d])


class Hybrid2D3DNo333(Hybrid2D3D333):
    """The main network with 1 x 3 x 3 convolutions in place of 3 x 3 x 3 outside the pyramid, otherwise identical."""

    first_kernel = PLANE


class Hybrid2D3D(Hybrid2D3D333):
    """The plain 2D-3D network: two 1 x 3 x 3 convolutions a block, transposed convolutions at full width."""

    first_kernel = None


class Hybrid2D3DNoPyramid(EncoderDecoder):
    """The main network without the pyramid: (N, n_channels, Z, Y, X) -> one output, the 2D logits.

    They are (N, n_classes, Z, 8 * floor(Y / 8), 8 * floor(X / 8)). predictor_relu and norm as in the main network.
    """

    def __init__(self, n_channels=1, n_classes=7, base_width=64, predictor_relu=True, norm="none"):
        super().__init__(n_channels, n_classes, base_width, predictor_relu, norm)
        initialize(self)

    def forward(self, x):
        return (self.encode_decode(x)[1],)
