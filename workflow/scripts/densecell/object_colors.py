"""Colors that tell objects apart: the same object has the same color in every picture, and colors of small numbers differ most."""

from functools import cache

import numpy as np

from densecell.classes import UNLABELLED_INSTANCE
from densecell.rendering import gray_range, hatching

N_COLORS = 64  # then they repeat
STEPS = 16  # candidates: so many values of red, green and blue
LIGHTNESS = (0.45, 0.88)  # of Oklab: visible on dark and on bright gray
LEAST_CHROMA = 0.12  # EM images are gray
OF_LIGHTNESS = 0.5  # what a difference in lightness counts: gray values show through
OPACITY = 0.6
LINE = np.array([20, 20, 20])  # between two objects that touch, and around each


def oklab(rgb):
    """sRGB values 0 to 1, (n, 3), as lightness, green to red, blue to yellow of Oklab (Ottosson 2020), in which distances are seen."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    cones = linear @ np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ]
    )
    mixing = [
        [0.2104542553, 1.9779984951, 0.0259040371],
        [0.7936177850, -2.4285922050, 0.7827717662],
        [-0.0040720468, 0.4505937099, -0.8086757660],
    ]
    return np.cbrt(cones) @ np.array(mixing)


@cache
def palette():
    """(N_COLORS, 3) uint8: each color as far from all before it as can be."""
    values = np.linspace(0, 1, STEPS)
    candidates = np.stack(np.meshgrid(values, values, values, indexing="ij"), axis=-1).reshape(-1, 3)
    places = oklab(candidates)
    fits = (places[:, 0] >= LIGHTNESS[0]) & (places[:, 0] <= LIGHTNESS[1])
    fits &= np.hypot(places[:, 1], places[:, 2]) >= LEAST_CHROMA
    candidates, places = candidates[fits], places[fits] * (OF_LIGHTNESS, 1, 1)
    chosen = [int(np.argmax(np.round(places[:, 1] - abs(places[:, 0] - 0.32), 6)))]  # a red
    nearest = np.full(len(places), np.inf)
    for _ in range(N_COLORS - 1):
        nearest = np.minimum(nearest, np.linalg.norm(places - places[chosen[-1]], axis=1))
        chosen.append(int(np.argmax(np.round(nearest, 6))))  # rounded, so that no machine's last digit chooses
    return np.rint(255 * candidates[chosen]).astype(np.uint8)


def object_colors(instances):
    """(n, 3) uint8 RGB of objects by their numbers, (n,) from 1 on; 0 (none) is black."""
    instances = np.asarray(instances, np.int64)
    colors = palette()[(instances - 1) % N_COLORS]
    return np.where((instances == 0)[..., None], np.uint8(0), colors)


def edges(instances):
    """(Y, X) bool: pixels of an object with a pixel of another, or of none, to the right or below."""
    at = np.zeros(instances.shape, bool)
    at[:-1] |= instances[:-1] != instances[1:]
    at[:, :-1] |= instances[:, :-1] != instances[:, 1:]
    return at


def paint_objects(image, instances, opacity=OPACITY, grays=None):
    """RGB picture (Y, X, 3) uint8: a gray slice with its objects in their colors, each with a dark line around it.

    image: (Y, X) numbers, or None: objects on white; instances: (Y, X) of object numbers, 0 none; what nobody labelled is hatched.
    grays: (darkest, brightest) that are shown, None: of the image.
    """
    instances = np.asarray(instances, np.int64)
    unlabelled = instances == UNLABELLED_INSTANCE
    if image is None:
        gray, opacity = np.full(instances.shape, 255.0), 1.0
    else:
        darkest, brightest = grays or gray_range(image)
        gray = 255 * np.clip((np.asarray(image, np.float64) - darkest) / (brightest - darkest), 0, 1)
    picture = gray[..., None].repeat(3, axis=2)
    found = (instances > 0) & ~unlabelled
    picture[found] = (1 - opacity) * picture[found] + opacity * object_colors(instances[found])
    picture[edges(np.where(unlabelled, 0, instances))] = LINE
    if unlabelled.any():
        picture[unlabelled] = hatching(instances.shape)[unlabelled]
    return np.rint(picture).astype(np.uint8)
