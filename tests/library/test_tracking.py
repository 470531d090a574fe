"""Tracking of cells and islands: cases a reader can follow, then properties."""

import numpy as np
import pytest
from tracked_slices import SETTINGS, empty, graph_of, sliced, tracked

from densecell.propagation import nearest_labelled
from densecell.tracking import best_of, resolve, track


def test_toy_of_the_specification():
    a, b = np.zeros((2, 6, 8), np.uint32)
    a[0:3, 0:3], a[4:6, 5:7] = 1, 2
    b[1:4, 0:3], b[4:6, 6:8] = 1, 2
    graph = graph_of(sliced([a, b], np.zeros((2, 6, 8))), [0, 0])
    assert list(zip(graph.lower, graph.upper, graph.shared)) == [(0, 2, 6), (1, 3, 2)]
    np.testing.assert_allclose(graph.iou_upper, [6 / 12, 2 / 6])


def test_a_cell_keeps_the_number_of_the_slice_before_whatever_the_split_says():
    cells, islands = empty(4)
    cells[:, 2:8, 2:8] = np.array([1, 1, 5, 5])[:, None, None]
    assert (tracked(cells, islands, [0])[0][:, 4, 4] == 1).all()
    assert (tracked(cells, islands, [3])[0][:, 4, 4] == 5).all()
    assert tracked(cells, islands, [0, 3])[0][:, 4, 4].tolist() == [1, 1, 5, 5]


def test_labelled_slices_decide_alone_with_match_labelled():
    cells, islands = empty(4)
    for z, x in enumerate((2, 5, 8, 11)):  # half of it moves away in each slice
        cells[z, 2:8, x : x + 7] = 1 if z == 0 else 4
    volume, found = tracked(cells, islands, match="labelled", min_iou=0.1)
    assert (volume[cells > 0] == 1).all()
    assert found.tracks["first_z"].tolist() == [2]  # slices 2 and 3 overlap too little with slice 0: an island
    volume, found = tracked(cells, islands, min_iou=0.1)
    assert (volume[cells > 0] == 1).all() and not len(found.tracks)


def test_a_part_that_overlaps_too_little_is_an_island():
    cells, islands = empty(2)
    cells[0, 2:10, 2:10], cells[1, 2:4, 2:4] = 1, 7
    volume, found = tracked(cells, islands)
    assert len(found.tracks) == 1
    assert volume[1, 3, 3] == 1  # and as such it broke off the cell


def y_shape():
    """A cell and an island beside it that joins it in slice 5."""
    cells, islands = empty(7)
    cells[:, 2:10, 2:12] = 3
    islands[:5, 4:7, 15:18] = 1
    cells[5:, 4:7, 12:18] = 3
    return cells, islands


def test_an_island_that_meets_a_cell_is_that_cell_from_its_first_slice_on():
    volume, found = tracked(*y_shape(), labelled=[5])
    assert (volume[:, 5, 16] == 3).all()
    assert found.tracks.iloc[0][["instance", "orphan", "first_z", "last_z", "voxels", "votes"]].tolist() == [
        3, 0, 0, 4, 45, 9,
    ]  # fmt: skip


def test_what_breaks_off_a_cell_stays_the_cell():
    cells, islands = (stack[::-1] for stack in y_shape())
    volume, found = tracked(cells, islands, labelled=[0])
    assert (volume[:, 5, 16] == 3).all()
    assert found.tracks["from_instance"].tolist() == [3]


def test_an_island_that_meets_nothing_is_an_orphan_and_counted():
    cells, islands = empty(3)
    cells[:, 2:6, 2:6] = 4
    islands[1:, 8:10, 20:23] = 1
    volume, found = tracked(cells, islands)
    assert (volume[1:, 8, 21] == 5).all() and found.first_orphan == 5
    assert found.tracks[["orphan", "voxels", "votes"]].to_numpy().tolist() == [[1, 12, 0]]


def test_of_two_cells_the_one_with_more_pixels_wins():
    cells, islands = empty(3, 14, 40)
    cells[:, :, :4], cells[:, :, 36:] = 2, 6
    islands[0, 2:4, 8:14] = islands[0, 2:4, 24:30] = islands[1, 2:4, 8:30] = 1
    cells[1, 2:4, 4:8] = 0
    cells[2, 2:4, :13], cells[2, 2:4, 24:] = 2, 6  # 5 columns of the island in cell 2, 6 in cell 6
    volume, found = tracked(cells, islands)
    assert volume[1, 3, 20] == 6
    assert found.tracks.loc[0, "votes"] == 12


def test_votes_in_different_slices_add_up():
    """Two arms of a track: one runs into cell 2 with 10 pixels in slice 2, the other into cell 6 with 12 in slice 3."""
    cells, islands = empty(4, 14, 40)
    cells[:, :, :2], cells[:, :, 38:] = 2, 6
    islands[0, 2:4, 10:30] = 1
    islands[1, 2:4, 10:15] = islands[1, 2:4, 20:26] = 1
    islands[2, 2:4, 20:26] = 1
    cells[2, 2:4, 2:15] = 2
    cells[3, 2:4, 20:38] = 6
    arms = [(volume[0, 3, 12], volume[1, 3, 12]) for volume, _ in (tracked(cells, islands, vote=v) for v in ("most", "first", "last"))]  # fmt: skip
    assert arms == [(6, 6), (2, 2), (6, 6)]
    row = tracked(cells, islands)[1].tracks.iloc[0]
    assert (row["votes"], row["other_votes"], row["instances_met"]) == (12, 10, 2)


def test_of_equal_votes_the_smaller_number_wins():
    meetings = [np.array(a) for a in ([0, 0, 1, 1], [7, 3, 3, 7], [1, 2, 5, 5], [4, 4, 2, 3])]
    cell, votes, other, met = resolve(np.zeros(2, int), np.zeros(2, int), meetings)
    assert (cell.tolist(), votes.tolist(), other.tolist(), met.tolist()) == ([3, 7], [4, 3], [4, 2], [2, 2])
    with pytest.raises(ValueError, match=r"track.vote: expected one of most, first, last, found 'all'"):
        resolve(np.zeros(2, int), np.zeros(2, int), meetings, "all")


def test_an_empty_slice_ends_a_track():
    cells, islands = y_shape()
    cells[2], islands[2] = 0, 0
    volume, found = tracked(cells, islands, labelled=[5])
    assert (volume[3:5, 5, 16] == 3).all()
    assert (volume[:2, 5, 16] == found.first_orphan).all()


def merging():
    """Two islands that become one, which runs into a cell."""
    cells, islands = empty(3)
    cells[:, 2:10, 2:5] = 3
    islands[0, 4:7, 8:12] = islands[0, 4:7, 15:18] = islands[1, 4:7, 8:18] = 1
    cells[2, 4:7, 5:18] = 3
    return cells, islands


def test_islands_that_grow_together_are_one_where_asked_for():
    volume, found = tracked(*merging(), labelled=[2])
    assert volume[0, 5, 9] == 3 and volume[0, 5, 16] == found.first_orphan
    assert (tracked(*merging(), labelled=[2], merge_tracks=True)[0][0, 5, 8:18] != found.first_orphan).all()


def test_both_directions_must_say_the_same():
    cells, islands = empty(5)
    cells[:, :, :4], cells[:, :, 26:] = 1, 2
    islands[1:4, 3:5, 10:13] = 1
    cells[0, 3:5, 4:13], cells[4, 3:5, 10:26] = 1, 2  # upward it breaks off cell 1, downward off cell 2
    assert tracked(cells, islands)[0][2, 4, 11] == 1
    volume, found = tracked(cells, islands, bidirectional=True)
    assert (volume[1:4, 4, 11] == found.first_orphan).all()
    np.testing.assert_array_equal(
        tracked(*y_shape(), labelled=[5])[0], tracked(*y_shape(), labelled=[5], bidirectional=True)[0]
    )


def test_what_was_drawn_in_a_labelled_slice_wins():
    cells, islands = y_shape()
    drawn = cells[2].copy()
    drawn[4:7, 15:18] = 9
    volume, found = tracked(cells, islands, labelled=[2], drawn={2: drawn})
    assert (volume[:5, 5, 16] == 9).all() and found.tracks["drawn"].tolist() == [9]
    drawn[4:7, 15:18] = 0  # labelled, and no object: tracking decides
    assert (tracked(cells, islands, labelled=[2], drawn={2: drawn})[0][:5, 5, 16] == 3).all()


def test_tracks_of_different_drawn_numbers_part_where_they_overlap_least():
    cells, islands = empty(5)
    cells[:, :, :2] = 1
    for z, x in enumerate((5, 6, 10, 11, 12)):  # six pixels wide: from slice 1 to 2 it moves by four
        islands[z, 4:7, x : x + 6] = 1
    drawn = {z: np.where(islands[z], number, cells[z]) for z, number in ((0, 7), (4, 8))}
    volume, _ = tracked(cells, islands, labelled=[0, 4], drawn=drawn)
    assert [volume[z, 5, x] for z, x in enumerate((7, 8, 12, 13, 14))] == [7, 7, 8, 8, 8]


def thread_beside_a_cell():
    """A thread of cell 9 along z that touches cell 3 in slices 2 and 3, where the split takes it for a part of cell 3."""
    cells, islands = empty(6, 40, 60)
    cells[:, 5:35, 5:35] = 3
    islands[:, 18:22, 37:41] = 1
    cells[2:4, 18:22, 35:41] = 3
    islands[2:4] = 0
    drawn = np.where(islands[0] > 0, 9, cells[0]).astype(np.uint32)
    return cells, islands, {0: drawn}


def test_a_thread_that_touches_another_cell_stays_its_own_cell_as_a_protrusion():
    cells, islands, drawn = thread_beside_a_cell()
    volume, _ = tracked(cells, islands, drawn=drawn)
    assert volume[:, 20, 39].tolist() == [9, 9, 3, 3, 3, 3]
    volume, _ = tracked(cells, islands, drawn=drawn, protrusion_px=5)
    assert volume[:, 20, 39].tolist() == [9] * 6
    assert (volume[:, 10:30, 10:30] == 3).all()


def test_without_other_evidence_protrusions_stay_with_their_cell():
    cells, islands, _ = thread_beside_a_cell()
    volume, _ = tracked(cells, islands, protrusion_px=5)
    assert (volume[cells > 0] == 3).all()


@pytest.mark.parametrize("vote", ["most", "first", "last"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_numbers_of_components_change_nothing(vote, bidirectional):
    """A stack that is turned upside down in y has its components in another order."""
    generator = np.random.default_rng(0)
    cells, islands = empty(12, 40, 40)
    cells[:, :, :6], cells[:, :, 34:] = 1, 2
    for _ in range(25):
        z, y, x = (generator.integers(0, n) for n in (10, 36, 36))
        islands[z : z + 4, y : y + 4, x : x + 5] = 1
    islands[cells > 0] = 0
    settings = {"vote": vote, "bidirectional": bidirectional, "labelled": [4]}
    volume, found = tracked(cells, islands, **settings)
    turned, _ = tracked(cells[:, ::-1], islands[:, ::-1], **settings)
    orphans = volume >= found.first_orphan
    np.testing.assert_array_equal(np.where(orphans, 0, volume), np.where(orphans, 0, turned[:, ::-1]))
    pairs = np.unique(np.stack([volume[orphans], turned[:, ::-1][orphans]]), axis=1)
    assert len(np.unique(pairs[0])) == len(pairs[0]) == len(np.unique(pairs[1]))


def test_every_voxel_is_kept_and_every_number_is_a_cell_or_an_orphan():
    cells, islands = y_shape()
    islands[:3, 8:10, 25:28] = 1
    volume, found = tracked(cells, islands, labelled=[5])
    np.testing.assert_array_equal(volume > 0, (cells > 0) | (islands > 0))
    assert set(np.unique(volume)) == {0, 3, found.first_orphan}


def test_the_window_limits_what_a_large_cell_counts():
    """An island of 12 pixels that overlaps a cell of 1200 with 11 and another island of 24 with 1."""
    cells, islands = empty(2, 40, 60)
    cells[0, :, :30] = 1
    cells[1, :, :20] = 1
    islands[0, 10:12, 31:43] = 1
    islands[1, 10:11, 20:32] = 1
    settings = {"labelled": [0]}
    volume, found = tracked(cells, islands, **settings)
    assert volume[1, 10, 25] == found.first_orphan  # IoU 1 / 35 with the island, 10 / 1202 with the cell
    assert tracked(cells, islands, window=12, **settings)[0][1, 10, 25] == 1


def test_best_pairs():
    keys, iou = np.array([1, 0, 1, 0, 2]), np.array([0.5, 0.2, 0.5, 0.3, 0.0])
    assert best_of(keys, iou, np.array([9, 1, 8, 1, 1])).tolist() == [3, 2]


def test_an_unknown_match_is_refused_by_its_key():
    cells, islands = y_shape()
    graph = graph_of(sliced(cells, islands), [0] * 7)
    with pytest.raises(ValueError, match=r"track.match: expected one of previous, labelled, found 'next'"):
        track(graph, [0] * 7, {**SETTINGS, "match": "next"})


def test_too_high_numbers_are_refused():
    with pytest.raises(ValueError, match=r"cells: expected numbers below 2147483648, found 2147483648"):
        sliced([np.full((2, 2), 2**31, np.uint32)], [np.zeros((2, 2))])


def test_beyond_a_slice_without_cells_the_numbers_of_the_split_hold():
    cells, islands = empty(8)
    cells[:, 2:6, 2:12], cells[:, 2:6, 15:25] = 3, 7
    whole = cells.copy()
    cells[4] = 0
    volume, found = tracked(cells, islands, labelled=[0])
    np.testing.assert_array_equal(volume, cells)
    assert len(found.tracks) == 0
    cells[5:] = np.where(whole[5:] == 3, 7, np.where(whole[5:] == 7, 3, 0))  # what the split says is all that is known
    np.testing.assert_array_equal(tracked(cells, islands, labelled=[0])[0], cells)


@pytest.mark.parametrize("numbers", [(6, 2), (2, 6)])
@pytest.mark.parametrize("meets", [True, False])
def test_of_two_cells_that_overlap_an_island_alike_the_smaller_number_wins(numbers, meets):
    cells, islands = empty(2)
    island, whole = (0, 1) if meets else (1, 0)
    cells[whole, 2:4, 5:15], cells[whole, 4:6, 5:15] = numbers
    islands[island, 2:6, 5:15] = 1
    volume, _ = tracked(cells, islands, labelled=[whole])
    assert (volume[island, 2:6, 5:15] == 2).all()


def test_orphans_get_numbers_above_a_drawn_cell_that_was_lost():
    cells, islands = empty(3)
    cells[:, 2:6, 2:8], islands[2, 8:10, 20:24] = 1, 1
    nearest = nearest_labelled(3, [0])
    graph = graph_of(sliced(cells, islands), nearest)
    assert track(graph, nearest, SETTINGS).first_orphan == 2
    assert track(graph, nearest, SETTINGS, largest_drawn=9).first_orphan == 10
