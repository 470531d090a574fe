"""Training augmentation (Guay et al. 2021, Methods, and the authors' released code).

Elastic deformation: one map per epoch for every z-slice of image, labels and weights. Per window: flips, optional quarter turns, then
brightness, then contrast, on the normalized image, with no clipping. Tensors are (..., Z, Y, X); randomness comes from
a numpy Generator.
"""

import math

import numpy as np
import torch
from scipy import ndimage


def elastic_displacement(shape_yx, generator, grid_px=40, smoothing=0.6, amplitude_px=20):
    """(2, Y, X) displacement in pixels: uniform(-1, 1) noise on a grid of `grid_px`, smoothed by `smoothing` cells,
    times the amplitude, upsampled by cubic splines. Mean 0, standard deviation about 6, extremes about 16 px."""
    cells = [max(2, math.ceil(n / grid_px)) for n in shape_yx]
    displacement = np.empty((2, *shape_yx), dtype=np.float32)
    for axis in range(2):
        noise = generator.uniform(-1, 1, cells)
        smooth = ndimage.gaussian_filter(noise, smoothing, mode="reflect") * amplitude_px
        displacement[axis] = ndimage.zoom(smooth, [n / c for n, c in zip(shape_yx, cells)], order=3)
    return displacement


def elastic_index(displacement):
    """(Y * X,) flat source index of each pixel: nearest neighbor, clipped to the image."""
    _, height, width = displacement.shape
    rows = np.clip(np.rint(np.arange(height)[:, None] + displacement[0]), 0, height - 1).astype(np.int64)
    columns = np.clip(np.rint(np.arange(width)[None, :] + displacement[1]), 0, width - 1).astype(np.int64)
    return (rows * width + columns).ravel()


def deform(volume, index):
    """Apply an elastic index to every slice of a (..., Y, X) tensor, nearest neighbor."""
    return volume.reshape(-1, volume.shape[-2] * volume.shape[-1])[:, index].reshape(volume.shape)


def augment_window(
    image,
    others,
    generator,
    flip=True,
    flip_axes="zyx",
    rot90=False,
    brightness=0.12,
    contrast=0.2,
    intensity_range=1.0,
):
    """One window's augmentation.

    image: (..., Z, Y, X) normalized; others: list of such tensors moved alike (labels, weights). flip: mirror along each of
    flip_axes with probability 1/2. brightness: u * brightness * intensity_range is added, contrast: the result is multiplied
    by 1 + contrast * u', u and u' uniform in (-1, 1). intensity_range: max - min of the normalized region. rot90 turns only
    square windows by any quarter, others by half.
    """
    axes = [axis for name, axis in zip("zyx", (-3, -2, -1)) if flip and name in flip_axes and generator.random() < 0.5]
    turns = int(generator.integers(4)) if rot90 else 0
    if image.shape[-1] != image.shape[-2]:
        turns -= turns % 2
    moved = []
    for tensor in (image, *others):
        tensor = torch.flip(tensor, axes) if axes else tensor
        moved.append(torch.rot90(tensor, turns, (-2, -1)) if turns else tensor)
    shift = float(generator.uniform(-1, 1)) * brightness * intensity_range
    gain = 1 + contrast * float(generator.uniform(-1, 1))
    return (moved[0] + shift) * gain, moved[1:]
