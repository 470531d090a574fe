"""The hybrid 2D-3D network with 3 x 3 x 3 convolutions and a 3D spatial pyramid (Guay et al. 2021, Fig. 2a).

A 2D encoder-decoder runs over all slices of a thin stack; the first convolution of its two finest blocks, on the way
down and up, is 3 x 3 x 3 at half the block's width, and so is the transposed convolution that feeds it. Its features and its own class
probabilities go through a 3D pyramid of two scales. At base width 64 and seven classes it has 10,267,022 parameters
(Table S1: 10.3 M).
"""

import torch
from torch import nn
from torch.nn import functional

from densecell.networks.blocks import convolution, initialize, merge, upsampling

PLANE = (1, 3, 3)
PYRAMID_INPUTS = ("softmax", "logits", "relu_logits")


class Hybrid2D3D(nn.Module):
    """(N, n_channels, Z, Y, X) -> (3D logits, 2D logits), each (N, n_classes, Z, 8 * floor(Y / 8), 8 * floor(X / 8)).

    predictor_relu: a ReLU on both predictors' logits (the paper's code and text). pyramid_input: what the pyramid sees
    beside the features: softmax (the paper's text), logits or relu_logits (the authors' code). pyramid_z_upsampling:
    the authors' code upsamples the coarse scale in z as well and crops, a slip; False is the paper's text.
    norm: none (the paper) or instance, after every convolution but the predictors.
    """

    same_padding = True

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
        super().__init__()
        if base_width < 2 or base_width % 2:
            raise ValueError(f"experiments.options.base_width: expected an even number >= 2, found {base_width}.")
        if pyramid_input not in PYRAMID_INPUTS:
            raise ValueError(
                f"experiments.options.pyramid_input: unknown {pyramid_input!r}; known: {', '.join(PYRAMID_INPUTS)}."
            )
        self.predictor_relu, self.pyramid_input = predictor_relu, pyramid_input
        w = base_width
        half, w2, w4, w8 = w // 2, 2 * w, 4 * w, 8 * w

        def block(n_in, n_out, mixed=None):
            """Two 2D convolutions; with `mixed`, a 3 x 3 x 3 one of that width before them."""
            first = [convolution(n_in, mixed, 3, norm)] if mixed else []
            return nn.Sequential(
                *first, convolution(mixed or n_in, n_out, PLANE, norm), convolution(n_out, n_out, PLANE, norm)
            )

        self.encoder = nn.ModuleList([block(n_channels, w, mixed=half), block(w, w2, mixed=w), block(w2, w4)])
        self.bottom = block(w4, w8)
        self.ups = nn.ModuleList([upsampling(w8, w4), upsampling(w4, w), upsampling(w2, half)])
        self.decoder = nn.ModuleList([block(w8, w4), block(w2 + w, w2, mixed=w), block(w + half, w, mixed=half)])
        self.predictor_2d = nn.Conv3d(w, n_classes, 1)

        n_in = w + n_classes
        self.fine = nn.Sequential(*(convolution(n, w, 3, norm) for n in (n_in, w, w)))
        self.coarse = nn.Sequential(
            *(convolution(n, w2, 3, norm) for n in (n_in, w2, w2, w2, w2)), convolution(w2, w, 1, norm)
        )
        self.coarse_up = upsampling(w, w, (2, 2, 2) if pyramid_z_upsampling else (1, 2, 2))
        self.predictor_3d = nn.Conv3d(w, n_classes, 1)
        initialize(self)

    def _pool(self, x):
        return functional.max_pool3d(x, (1, 2, 2))

    def _pyramid_features(self, logits_2d):
        if self.pyramid_input == "softmax":
            return torch.softmax(logits_2d.float(), dim=1).to(logits_2d.dtype)
        return torch.relu(logits_2d) if self.pyramid_input == "relu_logits" else logits_2d

    def forward(self, x):
        skips = []
        for block in self.encoder:
            x = block(x)
            skips.append(x)
            x = self._pool(x)
        x = self.bottom(x)
        for up, block in zip(self.ups, self.decoder):
            x = block(merge(skips.pop(), up(x)))
        logits_2d = self.predictor_2d(x)
        if self.predictor_relu:
            logits_2d = torch.relu(logits_2d)

        x = torch.cat([x, self._pyramid_features(logits_2d)], dim=1)
        fine, coarse = self.fine(x), self.coarse_up(self.coarse(self._pool(x)))
        if coarse.shape != fine.shape:  # only with pyramid_z_upsampling: the middle planes, as in the authors' code
            start = (coarse.shape[2] - fine.shape[2]) // 2
            coarse = coarse[:, :, start : start + fine.shape[2]]
        logits_3d = self.predictor_3d(fine + coarse)
        if self.predictor_relu:
            logits_3d = torch.relu(logits_3d)
        return logits_3d, logits_2d

    def output_shape(self, input_shape):
        """(Z, Y, X) of the logits for an input of (Z, Y, X). Raises ValueError below 8 pixels."""
        z, *plane = input_shape
        if z < 1 or min(plane) < 8:
            raise ValueError(f"experiments.window: this network takes at least (1, 8, 8), found {tuple(input_shape)}.")
        return (z, *(8 * (n // 8) for n in plane))

    def receptive_field(self):
        """(Z, Y, X) in voxels that one output voxel depends on, at most (instance norm: the whole window)."""
        # Convolutions reach 3 + 3*2 + 2*4 + 2*8 + 2*4 + 3*2 + 3 pixels in the encoder-decoder and 5*2 in the pyramid;
        # pools, the phase of the upsampling and the center crops add at most 16.
        plane = 1 + 2 * (50 + 10 + 16)
        return (1 + 2 * (4 + 5), plane, plane)

    def parameter_groups(self):
        """Names the paper regularizes apart: encoder_decoder (Theta_2D), pyramid (Theta_3D), predictors."""
        predictors = [*self.predictor_2d.parameters(), *self.predictor_3d.parameters()]
        pyramid = [*self.fine.parameters(), *self.coarse.parameters(), *self.coarse_up.parameters()]
        apart = {id(p) for p in predictors + pyramid}
        return {
            "encoder_decoder": [p for p in self.parameters() if id(p) not in apart],
            "pyramid": pyramid,
            "predictors": predictors,
        }
