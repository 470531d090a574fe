"""Which tile owns which voxel: the paper's corners, a brute-force depth transform, and properties over a grid."""

import itertools

import numpy as np
import pytest
from scipy import ndimage

from densecell.tiling import Tiling, corners, paper_spacing


def test_the_papers_eval_and_test_tiles():
    assert paper_spacing((5, 296, 296)) == (4, 198, 198)
    tiling = Tiling((24, 800, 800), (5, 296, 296))
    assert tiling.corners == [[0, 4, 8, 12, 16, 19], [0, 198, 396, 504], [0, 198, 396, 504]]
    assert len(tiling) == 96
    assert Tiling((121, 609, 400), (5, 296, 296)).corners[1:] == [[0, 198, 313], [0, 104]]


def test_corners_of_a_tile_as_large_as_the_axis_or_larger():
    assert corners(5, 5, 4) == [0]
    assert corners(3, 5, 4) == [0]
    assert corners(9, 5, 4) == [0, 4]


def brute_force_owner(shape, tile, all_corners):
    """Deepest tile by the Euclidean distance transform of each tile with z sampled at 4; the first wins ties."""
    best, owner = np.zeros(shape), np.full(shape, -1)
    for number, corner in enumerate(itertools.product(*all_corners)):
        inside = np.zeros([n + 2 for n in tile], bool)
        inside[1:-1, 1:-1, 1:-1] = True
        depth = ndimage.distance_transform_edt(inside, sampling=(4, 1, 1))[1:-1, 1:-1, 1:-1]
        box = tuple(slice(c, min(c + t, n)) for c, t, n in zip(corner, tile, shape))
        depth = depth[tuple(slice(0, b.stop - b.start) for b in box)]
        wins = depth > best[box]
        best[box] = np.where(wins, depth, best[box])
        owner[box] = np.where(wins, number, owner[box])
    return owner


GRID = [((7, 20, 17), (5, 9, 8)), ((5, 12, 30), (5, 12, 7)), ((3, 10, 11), (3, 16, 5)), ((9, 9, 9), (2, 3, 4))]


@pytest.mark.parametrize(("shape", "tile"), GRID)
def test_depth_ownership_is_the_distance_transforms(shape, tile):
    tiling = Tiling(shape, tile)
    owner = np.full(shape, -1)
    for layer in tiling.layers():
        for index in layer:
            number = np.ravel_multi_index(index, [len(c) for c in tiling.corners])
            owner[tiling.box(index)][tiling.owned(index)] = number
    assert np.array_equal(owner, brute_force_owner(shape, tile, tiling.corners))


@pytest.mark.parametrize(("shape", "tile"), GRID)
@pytest.mark.parametrize("options", [{}, {"stitch": "halo", "halo": (0, 1, 1)}, {"spacing": (2, 3, 3)}])
def test_every_voxel_has_exactly_one_tile(shape, tile, options):
    tiling = Tiling(shape, tile, **options)
    count = np.zeros(shape, int)
    for index in itertools.chain(*tiling.layers()):
        count[tiling.box(index)] += tiling.owned(index)
    assert (count == 1).all()


def test_halo_keeps_tile_margins_away_from_the_inside():
    tiling = Tiling((1, 30, 30), (1, 10, 10), stitch="halo", halo=(0, 2, 2))
    owned = tiling.owned((0, 1, 1))
    assert not owned[:, :2].any()
    assert not owned[:, :, -2:].any()


def test_unknown_stitching_and_a_halo_that_eats_the_tile_are_refused():
    with pytest.raises(ValueError, match="known: depth, halo"):
        Tiling((5, 9, 9), (5, 5, 5), stitch="deep")
    with pytest.raises(ValueError, match="leaves nothing"):
        Tiling((5, 90, 90), (5, 9, 9), stitch="halo", halo=(0, 5, 5))
