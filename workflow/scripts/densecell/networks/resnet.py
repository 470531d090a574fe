"""Residual networks as backbones: features for a dense prediction, no classifier.

ResNet-101 (He et al. 2016, doi 10.1109/CVPR.2016.90) with its last stages dilated instead of strided and the multi-grid
of DeepLab v3 (Chen et al. 2017, arXiv 1706.05587). At base width 64 with three channels in it has 42,500,160 parameters.
Shapes are (N, C, Y, X): slices are a batch of pictures here.
"""

from torch import nn

from densecell.networks.blocks import Conv2d

EXPANSION = 4  # a bottleneck's output width over its inner width
BLOCKS_101 = (3, 4, 23, 3)


class Bottleneck(nn.Module):
    """1 x 1, dilated 3 x 3 and 1 x 1 convolution, each normalized, plus the input; output width 4 * `width`.

    norm: width -> normalization layer. The input goes through a 1 x 1 convolution where stride or width change.
    """

    def __init__(self, n_in, width, norm, stride=1, dilation=1):
        super().__init__()
        n_out = EXPANSION * width
        self.convolutions = nn.Sequential(
            nn.Conv2d(n_in, width, 1, bias=False),
            norm(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, stride, dilation, dilation, bias=False),
            norm(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, n_out, 1, bias=False),
            norm(n_out),
        )
        self.shortcut = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Sequential(Conv2d(n_in, n_out, 1, stride, bias=False), norm(n_out))
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.activation(self.convolutions(x) + self.shortcut(x))


def stage(n_in, width, norm, dilations, stride=1):
    """Bottlenecks in a row, one per entry of `dilations`; the first one has the stride."""
    widths = [n_in] + [EXPANSION * width] * (len(dilations) - 1)
    strides = [stride] + [1] * (len(dilations) - 1)
    return nn.Sequential(
        *(Bottleneck(n, width, norm, s, dilation) for n, s, dilation in zip(widths, strides, dilations))
    )


class ResNet101(nn.Module):
    """(N, n_channels, Y, X) -> (features of width 32 * w at stride 16, low-level features of width 4 * w at stride 4).

    w: base_width. norm: width -> normalization layer. multi_grid: factors of the last stage's dilation 2.
    """

    output_stride = 16

    def __init__(self, n_channels, base_width, norm, multi_grid=(1, 2, 4)):
        super().__init__()
        w = base_width
        self.n_features, self.n_low_level = EXPANSION * 8 * w, EXPANSION * w
        self.stem = nn.Sequential(
            nn.Conv2d(n_channels, w, 7, 2, 3, bias=False), norm(w), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        )
        a, b, c, _ = BLOCKS_101
        self.stage1 = stage(w, w, norm, [1] * a)
        self.stage2 = stage(EXPANSION * w, 2 * w, norm, [1] * b, stride=2)
        self.stage3 = stage(EXPANSION * 2 * w, 4 * w, norm, [1] * c, stride=2)
        self.stage4 = stage(EXPANSION * 4 * w, 8 * w, norm, [2 * factor for factor in multi_grid])

    def forward(self, x):
        low_level = self.stage1(self.stem(x))
        return self.stage4(self.stage3(self.stage2(low_level))), low_level
