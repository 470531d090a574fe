import io
import itertools

import numpy as np
import pytest
from scipy import ndimage

from densecell.instances import Components, Numbered
from densecell.objects import ObjectTable
from densecell.pieces import Cut, Pieces

NM = (50, 10, 10)
CUTS = [(), (1,), (4, 5), (7,), tuple(range(1, 12))]  # of 12 slices


def slabs_of(depth, *cuts):
    return list(itertools.pairwise([0, *cuts, depth]))


def pieces_of(mask, settings, cuts=(), voxel_nm=NM, probability=None, connectivity=26, threads=1):
    components = Components(mask, slabs_of(len(mask), *cuts), connectivity, voxel_nm)
    return Pieces(components, settings, io.BytesIO(), probability, threads)


def whole(parts):
    return np.concatenate([parts.labels(i) for i in range(len(parts.slabs))])


def ellipsoids(shape, voxel_nm, objects):
    """objects: (center in voxels, radius in nm)."""
    grid = np.indices(shape).reshape(3, -1).T
    near = [np.linalg.norm((grid - np.array(c)) * voxel_nm, axis=1) <= radius for c, radius in objects]
    return np.any(near, axis=0).reshape(shape)


def platelets(seed=0, shape=(12, 60, 80), n=14):
    """Round bodies of 100 to 150 nm, of which many touch."""
    rng = np.random.default_rng(seed)
    centers = rng.uniform((0, 0, 0), shape, size=(n, 3))
    return ellipsoids(shape, NM, list(zip(centers, rng.uniform(100, 150, n))))


# By hand


def two_balls():
    return ellipsoids((9, 31, 51), NM, [((4, 15, 15), 110), ((4, 15, 33), 110)])


def test_two_bodies_that_touch_are_two_objects_of_the_same_voxels():
    mask = two_balls()
    numbered = Numbered(pieces_of(mask, Cut(min_depth=30)))
    found = whole(numbered)
    np.testing.assert_array_equal(found > 0, mask)
    assert set(found[mask & (np.arange(51) < 24)]) == {1} and set(found[mask & (np.arange(51) > 24)]) == {2}
    assert numbered.objects.table().voxels.sum() == mask.sum()


def test_a_shallow_neck_stays_one():
    assert whole(pieces_of(two_balls(), Cut(min_depth=80))).max() == 1


def test_two_bodies_are_told_apart_by_probability():
    mask = np.ones((2, 3, 9), bool)
    probability = np.full(mask.shape, 128, np.uint8)
    probability[..., [0, 1, 7, 8]] = 255
    pieces = pieces_of(mask, Cut(min_depth=0.3), probability=probability)
    found = whole(Numbered(pieces))
    assert found[0, 0, 0] == 1 and found[0, 0, 8] == 2 and found.min() == 1
    assert whole(pieces_of(mask, Cut(min_depth=0.6), probability=probability)).max() == 1


def test_a_thin_thing_between_thick_ones_is_not_touched():
    mask = np.zeros((4, 9, 30), bool)
    mask[0, 0] = True  # a thread of one voxel, 10 nm from the outside
    mask[2:, 3:, :] = True
    found = whole(pieces_of(mask, Cut(min_depth=100)))
    assert sorted(np.unique(found)) == [0, 1, 2]


def test_an_object_that_fills_the_volume_is_one():
    assert whole(pieces_of(np.ones((12, 4, 4), bool), Cut(0.0), (3,))).max() == 1


# Slabs, threads, memory


@pytest.mark.parametrize("connectivity", [6, 26])
@pytest.mark.parametrize("max_voxels", [2**25, 3000])
def test_slabs_change_nothing(connectivity, max_voxels):
    mask = platelets()
    settings = Cut(min_depth=15, smoothing_nm=10, max_voxels=max_voxels)
    first = Numbered(pieces_of(mask, settings, connectivity=connectivity), 1e-4)
    n_components = ndimage.label(mask, ndimage.generate_binary_structure(3, 3 if connectivity == 26 else 1))[1]
    assert len(first.objects.table()) > n_components
    for cuts in CUTS:
        other = Numbered(pieces_of(mask, settings, cuts, connectivity=connectivity, threads=2), 1e-4)
        np.testing.assert_array_equal(whole(other), whole(first))
        assert other.objects.table().equals(first.objects.table())


def test_numbers_follow_the_first_voxels_and_the_table_is_that_of_the_numbers():
    mask = platelets(1)
    numbered = Numbered(pieces_of(mask, Cut(min_depth=15), (5,)))
    found = whole(numbered)
    numbers, first = np.unique(found[found > 0], return_index=True)
    assert numbers.tolist() == list(range(1, len(numbers) + 1)) and (np.diff(first) > 0).all()
    counted = ObjectTable(mask.shape, NM)
    counted.add(0, found)
    assert counted.table().equals(numbered.objects.table())


@pytest.mark.parametrize("seed", range(4))
def test_every_object_is_connected_and_lies_in_one_component(seed):
    mask = platelets(seed)
    pieces = pieces_of(mask, Cut(min_depth=20), (3, 6))
    found, components = whole(pieces), ndimage.label(mask, np.ones((3, 3, 3)))[0]
    np.testing.assert_array_equal(found > 0, mask)
    for number in np.unique(found[mask]):
        assert ndimage.label(found == number, np.ones((3, 3, 3)))[1] == 1
        assert len(np.unique(components[found == number])) == 1


def test_a_component_above_the_limit_is_cut_on_blocks():
    mask = two_balls()
    pieces = pieces_of(mask, Cut(min_depth=30, max_voxels=4000), (2, 5))
    assert pieces.coarse == {1: (1, 2, 2)}  # 9 x 31 x 51 voxels, and the border; blocks of 50, 20 and 20 nm
    coarse, fine = whole(Numbered(pieces)), whole(Numbered(pieces_of(mask, Cut(min_depth=30))))
    np.testing.assert_array_equal(coarse > 0, mask)
    assert coarse.max() == 2 and (coarse != fine).sum() <= (mask & (abs(np.arange(51) - 24) <= 2)).sum()


def test_blocks_of_probability_are_means():
    mask = np.ones((2, 4, 64), bool)
    probability = np.full(mask.shape, 100, np.uint8)
    probability[..., :20] = probability[..., 40:] = 250
    pieces = pieces_of(mask, Cut(min_depth=0.3, max_voxels=200), probability=probability)
    found = whole(Numbered(pieces))
    assert pieces.coarse and found.max() == 2 and found[0, 0, 0] == 1 and found[0, 0, 63] == 2
