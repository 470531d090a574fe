"""Which tile owns which voxel: the paper's corners, a brute-force depth transform, and properties over a grid."""

import itertools

import numpy as np
import pytest
from scipy import ndimage

from densecell.tiling import DepthTiling, HaloTiling, Placement, corners, paper_spacing


def test_the_papers_eval_and_test_tiles():
    assert paper_spacing((5, 296, 296)) == (4, 198, 198)
    tiling = DepthTiling((24, 800, 800), (5, 296, 296))
    assert tiling.corners == [[0, 4, 8, 12, 16, 19], [0, 198, 396, 504], [0, 198, 396, 504]]
    assert len(tiling) == 96
    assert DepthTiling((121, 609, 400), (5, 296, 296)).corners[1:] == [[0, 198, 313], [0, 104]]


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


def all_tiles(tiling):
    return [tile for _, _, tiles in tiling.layers() for tile in tiles]


@pytest.mark.parametrize(("shape", "tile"), GRID)
def test_depth_ownership_is_the_distance_transforms(shape, tile):
    tiling = DepthTiling(shape, tile)
    owner = np.full(shape, -1)
    for number, one in enumerate(all_tiles(tiling)):
        owner[one.box][one.owned] = number
    assert np.array_equal(owner, brute_force_owner(shape, tile, tiling.corners))


@pytest.mark.parametrize(("shape", "tile"), GRID)
@pytest.mark.parametrize("spacing", [None, (2, 3, 3)])
def test_every_voxel_of_the_inner_part_has_exactly_one_tile(shape, tile, spacing):
    inner = [(n // 4, n - n // 5) for n in shape]
    count = np.zeros(shape, int)
    tiles = all_tiles(DepthTiling(shape, tile, spacing, inner))
    for one in tiles:
        count[one.box] += one.owned
    box = tuple(slice(*pair) for pair in inner)
    assert (count[box] == 1).all()
    assert count.sum() == sum(one.count() for one in tiles) == count[box].size


@pytest.mark.parametrize("inner", [[(0, 7), (0, 20), (0, 17)], [(2, 5), (3, 19), (9, 17)]])
@pytest.mark.parametrize("core", [(1, 4, 8), (3, 12, 4), (8, 20, 20)])
def test_cores_cover_the_inner_part_once_and_begin_at_steps(inner, core):
    count = np.zeros((7, 20, 17), int)
    tiling = HaloTiling(inner, core, (1, 4, 4))
    for tile in all_tiles(tiling):
        assert tile.owned is None
        assert all(corner % step == 0 for corner, step in zip(tile.corner, (1, 4, 4)))
        count[tile.box] += 1
    box = tuple(slice(*pair) for pair in inner)
    assert (count[box] == 1).all()
    assert count.sum() == count[box].size
    assert len(all_tiles(tiling)) == len(tiling)


@pytest.mark.parametrize(
    "tiling", [DepthTiling((9, 12, 12), (5, 6, 6)), HaloTiling([(0, 9), (0, 12), (0, 12)], (4, 6, 6), (1, 2, 2))]
)
def test_slices_said_to_be_final_are_settled_by_then(tiling):
    """What a layer calls final is never touched by a later one, and the last layer ends the box."""
    settled, final = np.zeros((9, 12, 12), bool), 0
    for _, stop, tiles in tiling.layers():
        for tile in tiles:
            assert tile.box[0].start >= final
            settled[tile.box] |= True if tile.owned is None else tile.owned
        final = stop
        assert settled[:final].all()
    assert final == 9


def test_a_placement_reads_before_the_corner_and_crops_the_box():
    """A network that turns 10 into 6 voxels, laid so that its output begins 1 voxel before the tile."""
    placement = Placement((1, 10, 10), (1, 6, 6), (0, 3, 3))
    assert placement.start((4, 20, 30)) == (4, 17, 27)
    assert placement.crop((4, 20, 30), (slice(4, 5), slice(20, 24), slice(31, 34))) == (
        slice(0, 1),
        slice(1, 5),
        slice(2, 5),
    )


def test_bounds_keep_tiles_at_the_border_inside():
    placement = Placement((1, 10, 10), (1, 10, 10), (0, 3, 3), [(0, 0), (0, 5), (0, 90)])
    assert placement.start((0, 0, 0)) == (0, 0, 0)
    assert placement.start((0, 12, 50)) == (0, 5, 47)
    assert placement.crop((0, 12, 50), (slice(0, 1), slice(12, 15), slice(50, 53)))[1:] == (slice(7, 10), slice(3, 6))


def test_depth_tiles_take_memory_in_proportion_to_the_volume():
    """Twice as many slices, twice the bookkeeping, not four times."""

    def n_bytes(depth):
        tiling = DepthTiling((depth, 20, 20), (5, 20, 20))
        return sum(a.nbytes for part in (tiling._depths[0], tiling._before[0]) for a in part)

    assert n_bytes(2000) < 2.1 * n_bytes(1000)
