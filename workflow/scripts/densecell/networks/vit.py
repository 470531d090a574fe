"""The encoder of a vision transformer (Dosovitskiy et al. 2021, arXiv 2010.11929) over the pixels of a feature map.

Layers with the norm first and GELU, a learned position embedding, no dropout and no class token. Nothing is pretrained.
"""

import math

import torch
from torch import nn
from torch.nn import functional

from densecell.networks import planar
from densecell.networks.blocks import grouped_parameters

SIZES = {"small": (6, 12), "base": (12, 12), "large": (16, 24)}  # attention heads, layers; heads are 64 wide
PATCH = 16  # pixels a side that one token stands for


def check_size(size, side_px):
    """(heads, layers) of a size by name. Raises ValueError for an unknown name or a side that patches don't fill."""
    if size not in SIZES:
        raise ValueError(f"experiments.options.size: unknown {size!r}; known: {', '.join(SIZES)}.")
    if side_px < PATCH or side_px % PATCH:
        raise ValueError(f"experiments.options.side_px: expected a multiple of {PATCH}, found {side_px}.")
    return SIZES[size]


class SliceTransformer(nn.Module):
    """What networks share whose every output sees the whole slice by attention; `predictor` is the last convolution."""

    same_padding = True
    tile_as_window = True
    shift_step = (1, PATCH, PATCH)

    def output_shape(self, input_shape):
        """(Z, Y, X) of the logits: that of the input. Raises ValueError with the nearest valid sizes."""
        return planar.output_shape(input_shape, PATCH)

    def receptive_field(self):
        """(Z, Y, X) in voxels that one output voxel depends on: the whole slice, by attention."""
        return (1, math.inf, math.inf)

    def parameter_groups(self):
        """encoder_decoder and predictors."""
        return grouped_parameters(self, predictors=[self.predictor])


class Layer(nn.Module):
    """(N, T, width) -> (N, T, width): attention among all T tokens, then two dense layers, each added to what it read."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_dense = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.joined = nn.Linear(width, width)
        self.dense = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def attention(self, x):
        """(N, T, width) -> (N, T, width): each head's mean of the tokens' values, weighted by softmax."""
        n, t, width = x.shape
        parts = self.queries_keys_values(x).view(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(*parts.unbind(0))  # (N, heads, T, width / heads)
        return self.joined(found.transpose(1, 2).reshape(n, t, width))

    def forward(self, x):
        x = x + self.attention(self.norm_attention(x))
        return x + self.dense(self.norm_dense(x))


class Encoder(nn.Module):
    """(N, width, Y, X) -> (N, width, Y, X); each pixel is a token that sees all others of its slice.

    The position embedding is a map of `grid` pixels a side, that of the training window. For other sizes it is
    interpolated bicubically, as the vision transformer's authors do.
    """

    def __init__(self, width, heads, layers, grid):
        super().__init__()
        self.positions = nn.Parameter(torch.empty(1, width, grid, grid).normal_(std=0.02))
        self.layers = nn.Sequential(*(Layer(width, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def positions_of(self, size):
        """The position embedding (1, width, Y, X) for a map of `size` (Y, X)."""
        if tuple(self.positions.shape[2:]) == tuple(size):
            return self.positions
        return functional.interpolate(self.positions, size=tuple(size), mode="bicubic", align_corners=False)

    def forward(self, x):
        size = x.shape[2:]
        tokens = (x + self.positions_of(size)).flatten(2).transpose(1, 2)  # (N, Y * X, width)
        return self.norm(self.layers(tokens)).transpose(1, 2).unflatten(2, size)
