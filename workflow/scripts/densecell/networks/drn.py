"""The dilated residual network DRN-D-54 as a backbone (Yu et al. 2017, doi 10.1109/CVPR.2017.75).

Its two last stages of bottlenecks are dilated instead of strided, and two stages of plain convolutions with falling
dilation follow, which take away the gridding of dilated features. At base width 64 with three channels in it has
35,296,176 parameters. Shapes are (N, C, Y, X).
"""

from torch import nn

from densecell.networks.resnet import EXPANSION, stage


def plain(n_in, n_out, norm, kernel=3, stride=1, dilation=1):
    """One convolution, normalization, ReLU."""
    pad = dilation * (kernel // 2)
    convolution = nn.Conv2d(n_in, n_out, kernel, stride, pad, dilation, bias=False)
    return nn.Sequential(convolution, norm(n_out), nn.ReLU(inplace=True))


class DRND54(nn.Module):
    """(N, n_channels, Y, X) -> (features of width 8 * w at stride 8, low-level features of width 4 * w at stride 4).

    w: base_width. norm: width -> normalization layer.
    """

    output_stride = 8

    def __init__(self, n_channels, base_width, norm):
        super().__init__()
        w = base_width
        quarter, half = max(1, w // 4), max(1, w // 2)
        self.n_features, self.n_low_level = 8 * w, EXPANSION * w
        self.stem = nn.Sequential(plain(n_channels, quarter, norm, kernel=7), plain(quarter, quarter, norm))
        self.stage1 = plain(quarter, half, norm, stride=2)
        self.stage2 = stage(half, w, norm, [1] * 3, stride=2)
        self.stage3 = stage(EXPANSION * w, 2 * w, norm, [1] * 4, stride=2)
        self.stage4 = stage(EXPANSION * 2 * w, 4 * w, norm, [2] * 6)
        self.stage5 = stage(EXPANSION * 4 * w, 8 * w, norm, [4] * 3)
        self.stage6 = plain(EXPANSION * 8 * w, 8 * w, norm, dilation=2)
        self.stage7 = plain(8 * w, 8 * w, norm)

    def forward(self, x):
        low_level = self.stage2(self.stage1(self.stem(x)))
        x = self.stage5(self.stage4(self.stage3(low_level)))
        return self.stage7(self.stage6(x)), low_level
