"""The original 2D U-Net (Ronneberger et al. 2015, doi 10.1007/978-3-319-24574-4_28), slice by slice.

At base width 64 with one channel in and seven classes it has 31,030,983 parameters; 572 x 572 in gives 388 x 388 out.
"""

from torch import nn

from densecell.networks.blocks import convolution, initialize, merge, pool_plane, upsampling

PLANE = (1, 3, 3)
PADDINGS = ("valid", "same")


class UNet2D(nn.Module):
    """(N, n_channels, Z, Y, X) -> one output, logits (N, n_classes, Z, Y - 184, X - 184); slices don't see each other.

    padding: valid (the original) or same (zeros; sizes must be multiples of 16, output as large as the input).
    norm: none (the original) or instance, per slice.
    """

    shift_step = (1, 16, 16)

    def __init__(self, n_channels=1, n_classes=7, base_width=64, padding="valid", norm="none"):
        super().__init__()
        if base_width < 1:
            raise ValueError(f"experiments.options.base_width: expected a number >= 1, found {base_width}.")
        if padding not in PADDINGS:
            raise ValueError(f"experiments.options.padding: unknown {padding!r}; known: {', '.join(PADDINGS)}.")
        self.padding, self.same_padding = padding, padding == "same"
        widths = [base_width * 2**i for i in range(5)]

        def block(n_in, n_out):
            return nn.Sequential(
                convolution(n_in, n_out, PLANE, norm, padding), convolution(n_out, n_out, PLANE, norm, padding)
            )

        self.encoder = nn.ModuleList([block(a, b) for a, b in zip([n_channels, *widths], widths)])
        self.ups = nn.ModuleList([upsampling(b, a) for a, b in zip(widths[-2::-1], widths[:0:-1])])
        self.decoder = nn.ModuleList([block(b, a) for a, b in zip(widths[-2::-1], widths[:0:-1])])
        self.predictor = nn.Conv3d(base_width, n_classes, 1)
        initialize(self)

    def forward(self, x):
        n, c, z, height, width = x.shape
        x = x.transpose(1, 2).reshape(n * z, c, 1, height, width)  # (N * Z, C, 1, Y, X)
        skips = []
        for i, block in enumerate(self.encoder):
            x = block(x if i == 0 else pool_plane(x))
            skips.append(x)
        skips.pop()
        for up, block in zip(self.ups, self.decoder):
            x = block(merge(skips.pop(), up(x)))
        x = self.predictor(x)  # (N * Z, n_classes, 1, Y', X')
        return (x.reshape(n, z, *x.shape[1:2], *x.shape[3:]).transpose(1, 2),)

    def output_shape(self, input_shape):
        """(Z, Y', X') of the logits. Raises ValueError with the nearest valid sizes."""
        z, *plane = input_shape
        step, least, rest, margin = (16, 188, 12, 184) if self.padding == "valid" else (16, 16, 0, 0)
        for n in plane:
            if n < least or n % step != rest:
                low = max(least, (n - rest) // step * step + rest)
                raise ValueError(
                    f"experiments.window: unet_2d with padding {self.padding} takes {least}, {least + step}, ...; "
                    f"found {n}, nearest are {low} and {low + step}."
                )
        return (z, *(n - margin for n in plane))

    def receptive_field(self):
        """(Z, Y, X) in voxels that one output voxel depends on, at most (instance norm: the whole slice)."""
        # Two convolutions a block reach 2 * (1 + 2 + 4 + 8 + 16 + 8 + 4 + 2 + 1); pools and upsampling phases at most 16.
        plane = 1 + 2 * (92 + 16)
        return (1, plane, plane)

    def parameter_groups(self):
        """encoder_decoder (Theta_2D of the paper) and predictors."""
        predictors = list(self.predictor.parameters())
        apart = {id(p) for p in predictors}
        return {"encoder_decoder": [p for p in self.parameters() if id(p) not in apart], "predictors": predictors}
