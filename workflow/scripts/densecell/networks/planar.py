"""What networks share that see one slice at a time: slices as a batch of pictures, and their normalizations.

Shapes are (N, C, Y, X) here, with N the slices of all windows of a batch.
"""

import math

from torch import nn
from torch.nn import functional

from densecell.networks.blocks import check_norm, size_error

EPSILON = 1e-3  # in the denominator of batch and instance statistics: Keras' default


def as_slices(x):
    """(N, C, Z, Y, X) -> (N * Z, C, Y, X)."""
    n, c, z, height, width = x.shape
    return x.transpose(1, 2).reshape(n * z, c, height, width)


def as_volume(x, n):
    """(N * Z, C, Y, X) -> (N, C, Z, Y, X)."""
    return x.unflatten(0, (n, -1)).transpose(1, 2)


class BatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d` that says what to do where a training batch is a single value per channel."""

    def forward(self, x):
        if self.training and x.numel() == x.shape[1]:
            raise ValueError(
                f"experiments.window: batch statistics of one value per channel, found features {tuple(x.shape)}. "
                "Use a larger window, training.batch_size: 2, or options.norm: none."
            )
        return super().forward(x)


class InstanceNorm2d(nn.InstanceNorm2d):
    """`nn.InstanceNorm2d` that keeps channels last for a single slice (see `blocks.InstanceNorm3d`) and explains single pixels."""

    def forward(self, x):
        if x.shape[2] * x.shape[3] == 1:
            raise ValueError(
                f"experiments.window: instance statistics of one pixel, found features {tuple(x.shape)}. "
                "Use a window of at least 32 pixels on one side, or options.norm: batch."
            )
        if x.shape[0] == 1:
            return functional.batch_norm(x, None, None, self.weight, self.bias, True, 0.0, self.eps)
        return super().forward(x)


def norm_layers(norm, momentum):
    """width -> normalization layer. norm: batch, instance or none (an Identity); momentum: share of a training batch in
    the running statistics of batch norm, 0 to 1 (0.01 is 0.99 in Keras, which gives the share that stays)."""
    check_norm(norm)
    if not 0 <= momentum <= 1:
        raise ValueError(f"experiments.options.norm_momentum: expected a number from 0 to 1, found {momentum}.")
    return {
        "batch": lambda width: BatchNorm2d(width, eps=EPSILON, momentum=momentum),
        "instance": lambda width: InstanceNorm2d(width, eps=EPSILON, affine=True),
        "none": lambda width: nn.Identity(),
    }[norm]


def check_base_width(base_width):
    """Raises ValueError below 1."""
    if base_width < 1:
        raise ValueError(f"experiments.options.base_width: expected a number >= 1, found {base_width}.")


def output_shape(input_shape, step=16):
    """(Z, Y, X) of the logits, that of the input. Raises ValueError unless Y and X are multiples of `step`."""
    z, *plane = input_shape
    if z < 1 or any(n < step or n % step for n in plane):
        below = (max(z, 1), *(max(n // step, 1) * step for n in plane))
        above = (max(z, 1), *(max(math.ceil(n / step), 1) * step for n in plane))
        raise size_error(f"multiples of {step} in y and x", input_shape, below, above)
    return (z, *plane)


def initialize(module):
    """Xavier uniform kernels (Glorot and Bengio 2010; Keras' default) and zero biases, from torch's global generator."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module
