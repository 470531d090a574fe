"""MedicalNet: a 3D ResNet with dilated last stages for segmentation, in the manner of Chen et al. 2019 (Med3D, arXiv
1904.00625), trained from random weights.

Guay et al. 2021 name it among what they tried without details, numbers or a parameter count, so ours is one reading: a
ResNet (He et al. 2016) whose strides end at 8, dilations of 2 and 4 in its last two stages in their place, a transposed
convolution back to a quarter of the size, one more convolution, the class predictor, and linear interpolation to full
size. At depth 10, base width 64, one channel and seven classes it has 14,514,631 parameters, at depth 50 46,707,399.
"""

from torch import nn
from torch.nn import functional

from densecell.networks.blocks import NORMS, Conv3d, check_norm, grouped_parameters, initialize, size_error, upsampling

STAGES = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}  # blocks of the four stages by depth
BOTTLENECK_FROM = 50  # from this depth on a block is 1 x 1 x 1, 3 x 3 x 3, 1 x 1 x 1 at four times the width
STRIDES, DILATIONS = (1, 2, 1, 1), (1, 1, 2, 4)  # of the four stages, after the stem's 4
STEP = 8


def normalized(layer, n_out, norm, relu=True):
    """A convolution, its normalization and a ReLU."""
    layers = [layer, *([NORMS[norm](n_out)] if NORMS[norm] else []), *([nn.ReLU(inplace=True)] if relu else [])]
    return nn.Sequential(*layers)


class Residual(nn.Module):
    """ReLU(layers(x) + shortcut(x))."""

    def __init__(self, layers, shortcut):
        super().__init__()
        self.layers, self.shortcut = layers, shortcut

    def forward(self, x):
        return functional.relu(self.layers(x) + self.shortcut(x))


class MedicalNet(nn.Module):
    """(N, n_channels, Z, Y, X) -> one output, logits (N, n_classes, Z, Y, X); all sizes multiples of eight.

    resnet_depth: 10, 18, 34 or 50; 10 is the default because its 14 M parameters come nearest to the hybrid's 10 M and
    it trains without a large GPU. z_downsampling: False keeps the depth, without strides or dilations in z and with
    a stem of 3 x 7 x 7, so that thin stacks of any depth go in. norm: batch (the source), instance or none.
    """

    same_padding = True

    def __init__(self, n_channels=1, n_classes=7, base_width=64, resnet_depth=10, z_downsampling=True, norm="batch"):
        super().__init__()
        check_norm(norm)
        if base_width < 2 or base_width % 2:
            raise ValueError(f"experiments.options.base_width: expected an even number >= 2, found {base_width}.")
        if resnet_depth not in STAGES:
            known = ", ".join(map(str, STAGES))
            raise ValueError(f"experiments.options.resnet_depth: expected one of {known}, found {resnet_depth}.")
        self.norm, self.z_downsampling, self.resnet_depth = norm, z_downsampling, resnet_depth
        self.stem = self._convolution(n_channels, base_width, 7 if z_downsampling else (3, 7, 7), stride=2)
        self.pool = nn.MaxPool3d(3, self._in_z(2), padding=1)
        self.stages, width = nn.ModuleList(), base_width
        for i, n_blocks in enumerate(STAGES[resnet_depth]):
            blocks = []
            for j in range(n_blocks):
                n_inner = base_width * 2**i
                blocks.append(self._block(width, n_inner, STRIDES[i] if j == 0 else 1, DILATIONS[i]))
                width = n_inner * (4 if resnet_depth >= BOTTLENECK_FROM else 1)
            self.stages.append(nn.Sequential(*blocks))
        half = base_width // 2
        self.up = normalized(upsampling(width, half, self._in_z(2)), half, norm)
        self.head = self._convolution(half, half, 3)
        self.predictor = nn.Conv3d(half, n_classes, 1)
        initialize(self)

    @property
    def shift_step(self):
        """(z, y, x): moved by so many voxels, the input moves the output by as much."""
        return self._in_z(STEP)

    def _in_z(self, factor):
        """`factor` on all axes, or 1 in z when the depth is kept."""
        return (factor if self.z_downsampling else 1, factor, factor)

    def _convolution(self, n_in, n_out, kernel, stride=1, dilation=1, relu=True):
        kernel = (kernel,) * 3 if isinstance(kernel, int) else kernel
        dilation = self._in_z(dilation)
        padding = tuple(d * (k // 2) for d, k in zip(dilation, kernel))
        layer = Conv3d(n_in, n_out, kernel, self._in_z(stride), padding, dilation, bias=self.norm == "none")
        return normalized(layer, n_out, self.norm, relu)

    def _block(self, n_in, n_inner, stride, dilation):
        """A basic block, or a bottleneck; its shortcut is a 1 x 1 x 1 convolution where the shape changes."""
        make, spatial = self._convolution, {"stride": stride, "dilation": dilation}
        if self.resnet_depth >= BOTTLENECK_FROM:
            n_out = 4 * n_inner
            layers = [make(n_in, n_inner, 1), make(n_inner, n_inner, 3, **spatial), make(n_inner, n_out, 1, relu=False)]
        else:
            n_out = n_inner
            layers = [make(n_in, n_out, 3, **spatial), make(n_out, n_out, 3, dilation=dilation, relu=False)]
        same = n_in == n_out and stride == 1
        shortcut = nn.Identity() if same else make(n_in, n_out, 1, stride=stride, relu=False)
        return Residual(nn.Sequential(*layers), shortcut)

    def forward(self, x):
        shape = self.output_shape(x.shape[2:])
        x = self.pool(self.stem(x))
        for stage in self.stages:
            x = stage(x)
        x = self.predictor(self.head(self.up(x)))
        return (functional.interpolate(x, size=shape, mode="trilinear", align_corners=False),)

    def output_shape(self, input_shape):
        """(Z, Y, X) of the logits, the input's. Raises ValueError with the nearest valid windows."""
        steps = self._in_z(STEP)
        if any(n < s or n % s for n, s in zip(input_shape, steps)):
            below = (max(n // s, 1) * s for n, s in zip(input_shape, steps))
            above = (max(-(-n // s), 1) * s for n, s in zip(input_shape, steps))
            raise size_error(f"multiples of {steps}", input_shape, below, above)
        return tuple(input_shape)

    def receptive_field(self):
        """(Z, Y, X) in voxels that one output voxel depends on, at most (batch and instance norm: the whole window)."""
        # The stem reaches 3 and its pool 2 pixels; a block's 3 x 3 x 3 convolutions 4, 8, 16 and 32 by stage, the first
        # of the second stage 4; the head 4; the transposed convolution's phase and the interpolation at most 8 + 4.
        kernels = 1 if self.resnet_depth >= BOTTLENECK_FROM else 2
        n = [kernels * blocks for blocks in STAGES[self.resnet_depth]]
        side = 1 + 2 * (3 + 2 + 4 * n[0] + 4 + 8 * (n[1] - 1) + 16 * n[2] + 32 * n[3] + 4 + 8 + 4)
        kept = 1 + 2 * (1 + 1 + sum(n) + 1)
        return (side if self.z_downsampling else kept, side, side)

    def parameter_groups(self):
        """encoder_decoder (all but the class predictor) and predictors."""
        return grouped_parameters(self, predictors=[self.predictor])
