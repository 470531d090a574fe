"""Convolution blocks the networks share.

Shapes are (N, C, Z, Y, X). A "2D" convolution is 1 x 3 x 3, so one stack of slices runs at once without mixing them.
"""

import torch
from torch import nn
from torch.nn import functional

SMALL_INPUT = 20480  # torch's limit on N * C * Z * Y for its slow 3D convolution


class Conv3d(nn.Conv3d):
    """`nn.Conv3d` with two detours around torch 2.13 on the CPU; the sums are the same.

    One slice and one input channel: channels-last bfloat16 convolutions returned uninitialized values; only the
    kernel's middle plane meets the single slice, so that plane is applied in 2D. Thin float32 windows: torch looks at
    N * C * Z * Y and takes its slow 3D convolution, two to five times slower for a step; with z as the last axis it
    takes the fast one.
    """

    def forward(self, x):
        n, c, z, y, _ = x.shape
        if z == 1 and c == 1 and self.padding[0] == self.kernel_size[0] // 2:
            plane = self.weight[:, :, self.kernel_size[0] // 2].contiguous()
            return functional.conv2d(x[:, :, 0].contiguous(), plane, self.bias, padding=self.padding[1:]).unsqueeze(2)
        slow = x.device.type == "cpu" and n * c * z * y <= SMALL_INPUT and not torch.is_autocast_enabled("cpu")
        if slow and self.kernel_size[0] > 1:
            pad = (*self.padding[1:], self.padding[0])
            turned = functional.conv3d(
                x.permute(0, 1, 3, 4, 2), self.weight.permute(0, 1, 3, 4, 2), self.bias, padding=pad
            )
            return turned.permute(0, 1, 4, 2, 3)  # (N, C, Y, X, Z) -> (N, C, Z, Y, X)
        return super().forward(x)


class InstanceNorm3d(nn.InstanceNorm3d):
    """`nn.InstanceNorm3d` that keeps channels last for a batch of one.

    There, instance statistics are batch statistics; torch's own instance norm copies to contiguous memory, which cost
    a quarter to two fifths of a training step on the CPU.
    """

    def forward(self, x):
        if x.shape[0] == 1:
            return functional.batch_norm(x, None, None, self.weight, self.bias, True, 0.0, self.eps)
        return super().forward(x)


NORMS = {"none": None, "instance": lambda width: InstanceNorm3d(width, affine=True)}


def convolution(n_in, n_out, kernel, norm="none", padding="same"):
    """Convolution, normalization (none in the paper), ReLU.

    kernel: 3 for 3 x 3 x 3, (1, 3, 3) for 2D; padding: same (zeros) or valid.
    """
    if norm not in NORMS:
        raise ValueError(f"experiments.options.norm: unknown {norm!r}; known: {', '.join(NORMS)}.")
    kernel = (kernel,) * 3 if isinstance(kernel, int) else kernel
    pad = tuple(k // 2 for k in kernel) if padding == "same" else 0
    layers = [Conv3d(n_in, n_out, kernel, padding=pad)]
    if NORMS[norm]:
        layers.append(NORMS[norm](n_out))
    return nn.Sequential(*layers, nn.ReLU(inplace=True))


def upsampling(n_in, n_out, factor=(1, 2, 2)):
    """Transposed convolution with kernel = stride = `factor`, bias, no ReLU (Guay et al. 2021)."""
    return nn.ConvTranspose3d(n_in, n_out, factor, stride=factor)


def center_crop(x, shape):
    """Crop (..., Z, Y, X) to `shape`, starting at floor((big - small) / 2) on each axis."""
    starts = [(big - small) // 2 for big, small in zip(x.shape[-3:], shape)]
    (z, y, x0), (nz, ny, nx) = starts, shape
    return x[..., z : z + nz, y : y + ny, x0 : x0 + nx]


def merge(skip, up):
    """Center-crop both to the smaller size on each axis, then concatenate [skip, up] over channels."""
    shape = [min(a, b) for a, b in zip(skip.shape[-3:], up.shape[-3:])]
    return torch.cat([center_crop(skip, shape), center_crop(up, shape)], dim=1)


def initialize(module):
    """Xavier uniform kernels and zero biases (Guay et al. 2021, Methods); draws from torch's global generator."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv3d, nn.ConvTranspose3d)):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return module
