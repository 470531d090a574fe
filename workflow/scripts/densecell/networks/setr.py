"""SETR-PUP, slice by slice: a vision transformer over patches and progressive upsampling.

Zheng et al. 2021, doi 10.1109/CVPR46437.2021.00681, as Machireddy et al. 2023 compare with, whose sizes are not known.
With one channel in, one class out and windows of 512 pixels: 24,443,777 parameters (small), 89,582,081 (base) and
307,755,265 (large). Published results had pretrained weights; nothing is pretrained here.
"""

from torch import nn
from torch.nn import functional

from densecell.networks import planar, vit


def upsample(x):
    """Twice as large, bilinear."""
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class SETRPUP(vit.SliceTransformer):
    """(N, n_channels, Z, Y, X) -> one output, logits (N, n_classes, Z, Y, X); Y and X multiples of 16, slices don't see each
    other (but in the statistics of a training batch).

    size: small, base or large. side_px: side of the training window, for which the position embedding is made; other sizes
    get an interpolated one. base_width: width of an attention head; all widths follow, 64 is the published one.
    norm: batch (the published one), instance or none, in the decoder; norm_momentum as in `planar.norm_layers`.
    """

    def __init__(
        self, n_channels=1, n_classes=7, base_width=64, size="base", side_px=512, norm="batch", norm_momentum=0.01
    ):
        super().__init__()
        planar.check_base_width(base_width)
        heads, layers = vit.check_size(size, side_px)
        norm, width, decoded = planar.norm_layers(norm, norm_momentum), heads * base_width, 4 * base_width
        self.patches = nn.Conv2d(n_channels, width, vit.PATCH, vit.PATCH)
        self.encoder = vit.Encoder(width, heads, layers, side_px // vit.PATCH)

        def step(n_in):
            return nn.Sequential(nn.Conv2d(n_in, decoded, 3, padding=1), norm(decoded), nn.ReLU(inplace=True))

        self.decoder = nn.ModuleList([step(n) for n in (width, decoded, decoded, decoded)])
        self.predictor = nn.Conv2d(decoded, n_classes, 1)
        planar.initialize(self)

    def forward(self, x):
        self.output_shape(x.shape[2:])
        n, x = len(x), self.encoder(self.patches(planar.as_slices(x)))
        for i, step in enumerate(self.decoder):
            x = step(x if i == 0 else upsample(x))
        # the same as predicting after the last upsampling: both are weighted sums, one over channels, one over pixels
        return (planar.as_volume(upsample(self.predictor(x)), n),)
