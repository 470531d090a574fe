"""Convolution blocks the networks share.

Shapes are (N, C, Z, Y, X). A "2D" convolution is 1 x 3 x 3, so one stack of slices runs at once without mixing them.
"""

import math

import torch
from torch import nn
from torch.nn import functional

SMALL_INPUT = 20480  # torch's limit on N * C * Z * Y for its slow 3D convolution


class Conv2d(nn.Conv2d):
    """`nn.Conv2d` with a detour around torch 2.13 on the CPU: the backward pass of a 1 x 1 kernel with a stride wrote beyond its
    memory in channels last (64 x 64 pixels and more). The pixels that it reads are taken first."""

    def forward(self, x):
        if is_sparse_read(self):
            return functional.conv2d(x[..., :: self.stride[0], :: self.stride[1]], self.weight, self.bias)
        return super().forward(x)


def is_sparse_read(layer):
    """Whether a convolution only leaves out pixels: a kernel of 1 with a stride and no padding."""
    return max(layer.kernel_size) == 1 < max(layer.stride) and not any(layer.padding)


class Conv3d(nn.Conv3d):
    """`nn.Conv3d` with five detours around torch 2.13 on the CPU; the sums are the same.

    Kernels of 1 with a stride: as in `Conv2d`.

    One slice and one input channel: channels-last bfloat16 convolutions returned uninitialized values; only the
    kernel's middle plane meets the single slice, so that plane is applied in 2D. Fewer slices than the kernel is deep:
    in channels-last memory the kernel's gradient was uninitialized, or written beyond its end; with the zeros around
    the slices put in first it is right. Thin
    float32 windows: torch looks at N * C * Z * Y and takes its slow 3D convolution, two to five times slower for a
    step and with up to 9 copies of its input in memory; with z as the last axis it takes the fast one, and kernels that
    don't mix slices are 2D convolutions (forward pass of the U-Net 1.5 to 3.7 times faster, of the hybrid 1.6 times).
    """

    def forward(self, x):
        if is_sparse_read(self):
            z, y, x_step = self.stride
            return functional.conv3d(x[..., ::z, ::y, ::x_step], self.weight, self.bias)
        n, c, z, y, _ = x.shape
        if z == 1 and c == 1 and self.padding[0] == self.dilation[0] * (self.kernel_size[0] // 2):
            plane = self.weight[:, :, self.kernel_size[0] // 2].contiguous()
            steps = {"stride": self.stride[1:], "padding": self.padding[1:], "dilation": self.dilation[1:]}
            return functional.conv2d(x[:, :, 0].contiguous(), plane, self.bias, **steps).unsqueeze(2)
        slow = x.device.type == "cpu" and n * c * z * y <= SMALL_INPUT and not torch.is_autocast_enabled("cpu")
        if slow and self.kernel_size[0] == self.stride[0] == 1 and not self.padding[0]:
            steps = {"stride": self.stride[1:], "padding": self.padding[1:], "dilation": self.dilation[1:]}
            planes = functional.conv2d(x.transpose(1, 2).flatten(0, 1), self.weight[:, :, 0], self.bias, **steps)
            return planes.unflatten(0, (n, z)).transpose(1, 2)  # (N * Z, C, Y, X) -> (N, C, Z, Y, X)
        if slow and self.kernel_size[0] > 1:
            stride, pad, dilation = ((*v[1:], v[0]) for v in (self.stride, self.padding, self.dilation))
            weight = self.weight.permute(0, 1, 3, 4, 2)
            turned = functional.conv3d(x.permute(0, 1, 3, 4, 2), weight, self.bias, stride, pad, dilation)
            return turned.permute(0, 1, 4, 2, 3)  # (N, C, Y, X, Z) -> (N, C, Z, Y, X)
        if x.device.type == "cpu" and 1 < z < self.kernel_size[0] and self.padding[0]:
            x = functional.pad(x, (0, 0, 0, 0, self.padding[0], self.padding[0]))
            return functional.conv3d(x, self.weight, self.bias, self.stride, (0, *self.padding[1:]), self.dilation)
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


class BatchNorm3d(nn.BatchNorm3d):
    """`nn.BatchNorm3d` that says what to do where a training batch is a single value per channel."""

    def forward(self, x):
        if self.training and x.numel() == x.shape[1]:
            raise ValueError(
                f"experiments.window: batch statistics of one value per channel, found features {tuple(x.shape)}. "
                "Use a larger window, training.batch_size: 2, or another options.norm."
            )
        return super().forward(x)


NORMS = {"none": None, "instance": lambda width: InstanceNorm3d(width, affine=True), "batch": BatchNorm3d}


def check_norm(norm):
    """Raises ValueError for an unknown normalization, listing the known ones."""
    if norm not in NORMS:
        raise ValueError(f"experiments.options.norm: unknown {norm!r}; known: {', '.join(NORMS)}.")


def uses_window_statistics(network):
    """Whether an output depends on the whole window: on instance statistics or on pooled features of the slice."""
    norms = (nn.InstanceNorm2d, nn.InstanceNorm3d)
    return math.inf in network.receptive_field() or any(isinstance(layer, norms) for layer in network.modules())


def convolution(n_in, n_out, kernel, norm="none", padding="same"):
    """Convolution, normalization (none in the paper), ReLU.

    kernel: 3 for 3 x 3 x 3, (1, 3, 3) for 2D; padding: same (zeros) or valid.
    """
    check_norm(norm)
    kernel = (kernel,) * 3 if isinstance(kernel, int) else kernel
    pad = tuple(k // 2 for k in kernel) if padding == "same" else 0
    layers = [Conv3d(n_in, n_out, kernel, padding=pad)]
    if NORMS[norm]:
        layers.append(NORMS[norm](n_out))
    return nn.Sequential(*layers, nn.ReLU(inplace=True))


def pool_plane(x):
    """Largest value of each 2 x 2 pixels of a slice: (N, C, Z, Y, X) -> (N, C, Z, Y // 2, X // 2).

    The same numbers as torch's max_pool3d, whose channels-last kernel on the CPU takes up to six times as long (an
    inference pass of the hybrid at base width 8 took a sixth less time). With gradients it is torch's, which gives all of
    the gradient to the first of equal values.
    """
    if x.device.type != "cpu" or torch.is_grad_enabled():
        return functional.max_pool3d(x, (1, 2, 2))
    y, w = x.shape[3] // 2 * 2, x.shape[4] // 2 * 2
    rows = torch.maximum(x[..., 0:y:2, :w], x[..., 1:y:2, :w])
    return torch.maximum(rows[..., 0::2], rows[..., 1::2])


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


def grouped_parameters(network, **apart):
    """The parameters of lists of modules by name, and all others first, as encoder_decoder."""
    groups = {name: [p for module in modules for p in module.parameters()] for name, modules in apart.items()}
    taken = {id(p) for group in groups.values() for p in group}
    return {"encoder_decoder": [p for p in network.parameters() if id(p) not in taken], **groups}


def size_error(takes, found, below, above):
    """The ValueError of an input size (Z, Y, X) that a network can't take, with the valid sizes next to it."""
    below, above = tuple(below), tuple(above)
    nearest = f"nearest is {above}" if below == above else f"nearest are {below} and {above}"
    return ValueError(f"experiments.window: this network takes {takes}; found {tuple(found)}, {nearest}.")


def initialize(module):
    """Xavier uniform kernels and zero biases (Guay et al. 2021, Methods); draws from torch's global generator."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv3d, nn.ConvTranspose3d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module
