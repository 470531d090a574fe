"""DeepVess (Haft-Javaherian et al. 2019, doi 10.1371/journal.pone.0213539), as Guay et al. 2021 tried it (supplement).

A patch of (7, 33, 33) voxels gives the classes of the central 5 x 5 pixels of its central slice. At base width 32, one
channel and seven classes it has 1,340,655 parameters; the paper prints no count. The paper's outcome was background
everywhere.
"""

import torch
from torch import nn

from densecell.networks.blocks import convolution, grouped_parameters, initialize, size_error

DEPTH, SIDE, STEP = 7, 33, 5  # a patch's planes and pixels, and the pixels of a side that it predicts
PLANE = (1, 3, 3)


class DeepVess(nn.Module):
    """(N, n_channels, Z, Y, X) -> one output, logits (N, n_classes, Z - 6, Y - 28, X - 28).

    Z is 7 or more; Y and X are 33, 38, 43, ... The patches of a larger input share the first three convolutions; the
    layers after them, whose pools and dense layers depend on where a patch begins, see every patch apart. So the
    logits are those of each patch predicted by itself (unless a norm takes its statistics from the window or batch).
    norm: none, instance or batch.
    """

    same_padding = False
    shift_step = (1, STEP, STEP)

    def __init__(self, n_channels=1, n_classes=7, base_width=32, norm="none"):
        super().__init__()
        if base_width < 1:
            raise ValueError(f"experiments.options.base_width: expected a number >= 1, found {base_width}.")
        w = base_width
        self.n_classes = n_classes
        self.volume = nn.Sequential(*(convolution(n, w, 3, norm, "valid") for n in (n_channels, w, w)))
        self.plane = nn.Sequential(  # (1, 27, 27) -> 13 -> 11 -> 9 -> (1, 4, 4)
            nn.MaxPool3d((1, 2, 2)),
            convolution(w, 2 * w, PLANE, norm, "valid"),
            convolution(2 * w, 2 * w, PLANE, norm, "valid"),
            nn.MaxPool3d((1, 2, 2)),
        )
        n_features = 2 * w * 4 * 4
        self.dense = nn.Sequential(nn.Flatten(), nn.Linear(n_features, n_features), nn.ReLU())
        self.predictor = nn.Linear(n_features, n_classes * STEP * STEP)
        initialize(self)

    def forward(self, x):
        depth, _, _ = self.output_shape(x.shape[2:])
        x = self.volume(x)  # (N, C, Z', Y - 6, X - 6)
        # slice by slice, as the patches of a slice hold its features about 29 times
        return (torch.cat([self._predict_slice(x[:, :, z]) for z in range(depth)], dim=2),)

    def _predict_slice(self, x):
        """(N, C, Y - 6, X - 6) features of one slice -> (N, n_classes, 1, Y', X')."""
        n, channels, side = *x.shape[:2], SIDE - (DEPTH - 1)
        x = x.unfold(2, side, STEP).unfold(3, side, STEP)  # (N, C, rows, columns, 27, 27)
        rows, columns = x.shape[2:4]
        x = x.permute(0, 2, 3, 1, 4, 5).reshape(-1, channels, 1, side, side)  # (N * rows * columns, C, 1, 27, 27)
        x = self.predictor(self.dense(self.plane(x)))  # (N * rows * columns, n_classes * 5 * 5)
        x = x.reshape(n, rows, columns, self.n_classes, STEP, STEP).permute(0, 3, 1, 4, 2, 5)
        return x.reshape(n, self.n_classes, 1, rows * STEP, columns * STEP)

    def output_shape(self, input_shape):
        """(Z - 6, Y - 28, X - 28) of the logits. Raises ValueError with the nearest valid windows."""
        z, *plane = input_shape
        if z < DEPTH or any(n < SIDE or (n - SIDE) % STEP for n in plane):
            below = (max(z, DEPTH), *(SIDE + max((n - SIDE) // STEP, 0) * STEP for n in plane))
            above = (max(z, DEPTH), *(SIDE + max(-(-(n - SIDE) // STEP), 0) * STEP for n in plane))
            takes = f"z from {DEPTH} on and y, x of {SIDE}, {SIDE + STEP}, {SIDE + 2 * STEP}, ..."
            raise size_error(takes, input_shape, below, above)
        return (z - (DEPTH - 1), *(n - (SIDE - STEP) for n in plane))

    def receptive_field(self):
        """(Z, Y, X) in voxels that one output voxel depends on, at most: the patch (norms: more)."""
        return (DEPTH, SIDE, SIDE)

    def parameter_groups(self):
        """encoder_decoder (the convolutions and the hidden dense layer) and predictors."""
        return grouped_parameters(self, predictors=[self.predictor])
