import itertools
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from densecell.classes import UNLABELLED_INSTANCE
from densecell.objects import COLUMNS, ObjectTable, count_objects, crop, runs_of


def table_of(volume, cuts=(), voxel_size_nm=(50, 10, 10), origin_nm=(0, 0, 0), **options):
    objects = ObjectTable(volume.shape, voxel_size_nm, origin_nm)
    edges = [0, *cuts, len(volume)]
    for start, stop in itertools.pairwise(edges):
        objects.add(start, volume[start:stop])
    return objects.table(**options)


def volume_of(shape, boxes):
    volume = np.zeros(shape, np.uint32)
    for number, (z, y, x) in boxes.items():
        volume[slice(*z), slice(*y), slice(*x)] = number
    return volume


# By hand


def test_a_box_of_24_voxels():
    table = table_of(volume_of((6, 8, 10), {7: ((1, 3), (2, 5), (4, 8))}), origin_nm=(1000, 0, -5))
    row = table.iloc[0]
    assert list(table.columns) == list(COLUMNS) and len(table) == 1
    assert (row.instance, row.voxels) == (7, 24)
    assert row.volume_um3 == pytest.approx(24 * 50 * 10 * 10 * 1e-9)
    assert tuple(row[["z0", "z1", "y0", "y1", "x0", "x1"]]) == (1, 3, 2, 5, 4, 8)
    assert (row.z_nm, row.y_nm, row.x_nm) == (1000 + 75, 30, -5 + 55)  # mean slice 1.5, row 3, column 5.5
    assert (row.touches_border, row.orphan) == (0, 0)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("end", [0, -1])
def test_touching_any_face_of_the_volume_is_told(axis, end):
    volume = volume_of((5, 5, 5), {1: ((2, 3), (2, 3), (2, 3)), 2: ((2, 3), (2, 3), (2, 3))})
    at = [2, 2, 2]
    at[axis] = end
    volume[tuple(at)] = 1
    assert table_of(volume).set_index("instance").touches_border.to_dict() == {1: 1, 2: 0}


def test_numbers_from_first_orphan_on_are_orphans():
    volume = volume_of(
        (2, 2, 6), {3: ((0, 1), (0, 1), (0, 1)), 4: ((0, 1), (0, 1), (2, 3)), 9: ((0, 2), (0, 2), (4, 6))}
    )
    assert table_of(volume, first_orphan=4).set_index("instance").orphan.to_dict() == {3: 0, 4: 1, 9: 1}


def test_neither_none_nor_unlabelled_is_an_object():
    volume = np.full((2, 3, 4), UNLABELLED_INSTANCE, np.uint32)
    volume[0] = 0
    table = table_of(volume)
    assert len(table) == 0 and list(table.columns) == list(COLUMNS)


def test_runs_end_with_rows_and_with_numbers():
    runs = runs_of(np.array([[[1, 1, 2], [2, 0, 1]]], np.uint32), z0=4)
    assert np.stack(runs, axis=1).tolist() == [[1, 4, 0, 0, 2], [2, 4, 0, 2, 3], [2, 4, 1, 0, 1], [1, 4, 1, 2, 3]]


def test_a_slab_outside_the_volume_is_refused():
    objects = ObjectTable((4, 3, 3), (1, 1, 1))
    for z0, shape in ((3, (2, 3, 3)), (0, (1, 3, 4)), (-1, (1, 3, 3))):
        with pytest.raises(ValueError, match=r"expected slabs of a volume \(4, 3, 3\)"):
            objects.add(z0, np.zeros(shape, np.uint32))


# Against SciPy, and any slabs


@pytest.mark.parametrize("seed", range(3))
def test_equals_scipy_and_does_not_depend_on_the_slabs(seed):
    rng = np.random.default_rng(seed)
    volume = rng.choice([0, 1, 2, 5, 4_000_000_000], size=(9, 11, 13)).astype(np.uint32)
    table = table_of(volume)
    numbers = [1, 2, 5, 4_000_000_000]
    assert table.instance.tolist() == numbers
    for row in table.itertuples():
        at = np.argwhere(volume == row.instance)
        assert row.voxels == len(at)
        assert [row.z0, row.y0, row.x0] == at.min(axis=0).tolist()
        assert [row.z1, row.y1, row.x1] == (at.max(axis=0) + 1).tolist()
        np.testing.assert_allclose([row.z_nm, row.y_nm, row.x_nm], at.mean(axis=0) * (50, 10, 10))
    for cuts in ((1,), (4, 5), tuple(range(1, 9))):
        pd.testing.assert_frame_equal(table_of(volume, cuts), table, check_exact=True)


def test_slabs_may_come_in_any_order():
    volume = ndimage.label(np.random.default_rng(0).random((8, 20, 20)) > 0.8)[0].astype(np.uint32)
    objects = ObjectTable(volume.shape, (1, 1, 1))
    for z in (5, 0, 7, 3, 1, 2, 6, 4):
        objects.add(z, volume[z : z + 1])
    pd.testing.assert_frame_equal(objects.table(), table_of(volume, voxel_size_nm=(1, 1, 1)), check_exact=True)


def test_counts_a_stored_volume():
    volume = volume_of((6, 4, 4), {1: ((0, 5), (1, 2), (1, 3))})

    class Stored:
        shape, voxel_size_nm, origin_nm = volume.shape, (50, 10, 10), (0, 0, 0)

        def slabs(self):
            return [(0, 4), (4, 6)]

        def __getitem__(self, index):
            return volume[index]

    pd.testing.assert_frame_equal(count_objects(Stored()), table_of(volume))


def test_memory_grows_with_a_slab_and_not_with_the_volume():
    slab = np.kron(np.arange(1, 5, dtype=np.uint32), np.ones((4, 200, 50), np.uint32))  # 4 objects, 640 kB
    peaks = []
    for n_slabs in (5, 100):
        objects = ObjectTable((4 * n_slabs, *slab.shape[1:]), (1, 1, 1))
        tracemalloc.start()
        for z in range(0, 4 * n_slabs, 4):
            objects.add(z, slab)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


# Renumbering


def test_renumbered_objects_join_and_vanish():
    volume = volume_of(
        (2, 3, 4), {1: ((0, 1), (0, 1), (2, 4)), 5: ((1, 2), (1, 2), (0, 1)), 8: ((1, 2), (2, 3), (0, 1))}
    )
    objects = ObjectTable(volume.shape, (1, 1, 1))
    objects.add(0, volume[:1])
    objects.add(1, volume[1:], offset=0)
    assert objects.column("first").tolist() == [2, 16, 20]
    objects.renumber([2, 0, 2])
    table = objects.table()
    assert table.instance.tolist() == [2] and table.voxels.tolist() == [3] and objects.column("first").tolist() == [2]
    assert table[["z0", "z1", "y0", "y1", "x0", "x1"]].iloc[0].tolist() == [0, 2, 0, 3, 0, 4]


def test_an_offset_is_added_to_all_numbers_but_none():
    objects = ObjectTable((1, 1, 4), (1, 1, 1))
    objects.add(0, np.array([[[0, 1, 1, 3]]]), offset=10)
    assert objects.column("instance").tolist() == [11, 13]


# Cutting out


def test_crop_tells_what_lies_outside_and_fills_it_in_a_mask():
    volume = volume_of((6, 8, 10), {7: ((0, 2), (2, 5), (4, 8)), 8: ((2, 3), (2, 5), (4, 8))})
    row = next(r for r in table_of(volume).itertuples() if r.instance == 7)
    cut = crop(volume, row, pad=3)
    assert cut.start == (0, 0, 1) and cut.clipped == ((3, 0), (1, 0), (0, 1)) and cut.padded_start == (-3, -1, 1)
    np.testing.assert_array_equal(cut.array, volume[0:5, 0:8, 1:10])
    mask = cut.mask_of(7)
    assert mask.shape == (2 + 6, 3 + 6, 4 + 6) and mask.sum() == 24
    assert mask[3:5, 3:6, 3:7].all()


def test_crop_takes_a_pad_for_each_axis_and_rows_of_any_kind():
    volume = volume_of((6, 8, 10), {7: ((1, 2), (2, 5), (4, 8))})
    table = table_of(volume)
    box = {name: int(table[name][0]) for name in ("z0", "z1", "y0", "y1", "x0", "x1")}
    for row in (table.iloc[0], SimpleNamespace(**box)):
        assert crop(volume, row, pad=(1, 0, 2)).array.shape == (3, 3, 8)
