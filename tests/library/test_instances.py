import itertools

import numpy as np
import pytest
from skimage.measure import label

from densecell.classes import UNLABELLED_INSTANCE
from densecell.instances import ClassMask, Components, Drawn, Numbered, links
from densecell.objects import count_objects
from densecell.watershed import structure_of

NM = (50, 10, 10)


def slabs_of(depth, *cuts):
    return list(itertools.pairwise([0, *cuts, depth]))


CUTS = [(), (1,), (3, 4), (5,), tuple(range(1, 9))]  # of 9 slices


def whole(parts):
    return np.concatenate([parts.labels(i) for i in range(len(parts.slabs))])


def random_mask(seed, density=0.35, shape=(9, 14, 17)):
    return np.random.default_rng(seed).random(shape) < density


# By hand


def test_a_class_map_gives_its_members_and_never_unlabelled():
    mask = ClassMask(np.array([[[0, 1, 2, 255]]], np.uint8), members=[1, 2, 255])
    assert mask[0:1].tolist() == [[[False, True, True, False]]] and mask.shape == (1, 1, 4)


@pytest.mark.parametrize(("connectivity", "expected"), [(6, 3), (18, 2), (26, 1)])
def test_connectivity_across_a_slab(connectivity, expected):
    mask = np.zeros((2, 3, 3), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = True  # by a corner
    mask[1, 1, 0] = connectivity == 18  # by an edge to the first, by a face to the second
    mask[0, 2, 2] = True
    for cuts in ((), (1,)):
        parts = Components(mask, slabs_of(2, *cuts), connectivity, NM)
        assert parts.n == (label(mask, connectivity={6: 1, 18: 2, 26: 3}[connectivity]).max())
    assert parts.n == {6: 3, 18: 2, 26: 1}[connectivity] == expected


def test_a_u_joins_in_the_last_slab():
    mask = np.zeros((4, 1, 5), bool)
    mask[:, 0, [0, 4]] = True
    mask[3] = True
    parts = Components(mask, slabs_of(4, 1, 2, 3), 6, NM)
    assert parts.n == 1 and parts.objects.table().voxels.tolist() == [11]
    np.testing.assert_array_equal(whole(parts), mask)


def test_links_are_told_once():
    above, below = np.array([[1, 1, 1, 0, 2]]), np.array([[3, 3, 4, 0, 5]])
    assert links(above, below, structure_of(6)).tolist() == [[1, 3], [1, 4], [2, 5]]


def test_objects_below_the_smallest_volume_are_left_out_and_counted():
    mask = np.zeros((2, 3, 9), bool)
    mask[0, 0, 0:2] = mask[0, 0, 3:6] = mask[1, 2, 5:9] = True  # 2, 3 and 4 voxels
    voxel_um3 = 50 * 10 * 10 * 1e-9
    numbered = Numbered(Components(mask, slabs_of(2, 1), 26, NM), min_volume_um3=3 * voxel_um3)
    assert numbered.objects.table().voxels.tolist() == [3, 4]
    assert (numbered.n_removed, numbered.removed_um3) == (1, pytest.approx(2 * voxel_um3))
    assert whole(numbered)[0, 0].tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0]


def test_an_empty_mask_has_no_objects():
    numbered = Numbered(Components(np.zeros((4, 2, 2), bool), slabs_of(4, 2), 26, NM), 1)
    assert len(numbered.objects.table()) == 0 and whole(numbered).max() == 0


def test_drawn_objects_keep_their_numbers():
    volume = np.zeros((3, 2, 6), np.uint32)
    volume[0, 0, :3], volume[1:, 1, 4:], volume[2, 0, 0] = 4_000_000_000, 17, UNLABELLED_INSTANCE
    volume[0, 1, 5] = 9
    drawn = Drawn(volume, slabs_of(3, 1), NM)
    assert drawn.objects.table().set_index("instance").voxels.to_dict() == {9: 1, 17: 4, 4_000_000_000: 3}
    numbered = Numbered(drawn, min_volume_um3=2 * 5e-6, keep=True)
    np.testing.assert_array_equal(whole(numbered), np.where(volume == 9, 0, volume))
    assert numbered.objects.table().instance.tolist() == [17, 4_000_000_000]


@pytest.mark.parametrize("largest", [20, 4_000_000_000])
@pytest.mark.parametrize("least_um3", [0, 2 * 5e-6])
def test_what_nobody_labelled_stays_unlabelled(largest, least_um3):
    volume = np.array([[[0, largest, largest, UNLABELLED_INSTANCE, 3, 3, 4]]], np.uint32)
    numbered = Numbered(Drawn(volume, [(0, 1)], NM), least_um3, keep=True)
    assert numbered.labels(0)[0, 0].tolist() == [0, largest, largest, UNLABELLED_INSTANCE, 3, 3, 0 if least_um3 else 4]
    assert UNLABELLED_INSTANCE not in numbered.objects.table().instance.to_numpy()


# Against scikit-image, for any slabs


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("density", [0.05, 0.2, 0.5])
@pytest.mark.parametrize(("connectivity", "rank"), [(6, 1), (18, 2), (26, 3)])
def test_components_are_those_of_the_whole_volume_numbered_by_their_first_voxel(seed, density, connectivity, rank):
    mask = random_mask(seed, density)
    expected = label(mask, connectivity=rank)  # numbers by the first voxel, too
    for cuts in CUTS:
        parts = Components(mask, slabs_of(9, *cuts), connectivity, NM)
        found = whole(parts)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.uint32
        assert parts.objects.table().voxels.tolist() == np.bincount(expected.ravel())[1:].tolist()


@pytest.mark.parametrize("threads", [1, 3])
def test_neither_slabs_nor_threads_change_anything(threads):
    mask = random_mask(5, 0.15, (9, 30, 30))
    first = Numbered(Components(mask, slabs_of(9), 6, NM), 2e-5)
    assert first.n_removed > 10 and len(first.objects.table()) > 10
    for cuts in CUTS:
        other = Numbered(Components(mask, slabs_of(9, *cuts), 6, NM, threads=threads), 2e-5)
        np.testing.assert_array_equal(whole(other), whole(first))
        assert other.objects.table().equals(first.objects.table())


def test_the_table_is_that_of_the_numbers():
    mask = random_mask(2, 0.2)
    numbered = Numbered(Components(mask, slabs_of(9, 2, 6), 18, NM, (5, 0, 7)), 1e-5)

    class Stored(np.ndarray):
        voxel_size_nm, origin_nm = NM, (5, 0, 7)

        def slabs(self):
            return slabs_of(9, 4)

    assert count_objects(whole(numbered).view(Stored)).equals(numbered.objects.table())
