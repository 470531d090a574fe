"""From the members' probabilities of a tile to small integers, and slab by slab into stores."""

import numpy as np
import pytest
import torch

from densecell.outputs import Rolling, StoreSink, Wanted, labels_of


def test_the_largest_value_wins_and_the_lower_class_on_ties():
    values = torch.tensor([[0.5, 0.2, 0.3], [0.5, 0.7, 0.3], [0.0, 0.1, 0.4]]).reshape(3, 1, 1, 3)
    assert labels_of(values).flatten().tolist() == [0, 1, 2]


@pytest.mark.parametrize("n_classes", [2, 7, 20])
def test_labels_are_those_of_argmax(n_classes):
    values = torch.randint(0, 4, (n_classes, 3, 20, 20), generator=torch.Generator().manual_seed(0)).float()
    found = labels_of(values)
    assert found.dtype == torch.uint8
    assert np.array_equal(found.numpy(), values.numpy().argmax(axis=0))


def test_results_of_three_members_worked_by_hand():
    """One voxel, two classes; members give class 1 with 0.9, 0.2 and 0.3."""
    members = [torch.tensor([1 - p, p]).reshape(2, 1, 1, 1) for p in (0.9, 0.2, 0.3)]
    wanted = Wanted(ensembles=(1, 2, 3), members=(0, 2), subsets=((1, 2), (0, 1)), classes=(0, 1), mean=True)
    found = {key: value.flatten().tolist() for key, value in wanted.compute(iter(members)).items()}
    assert found["top", 1] == [1]
    assert found["top", 2] == [1]  # 0.55
    assert found["top", 3] == [0]  # 0.467
    assert (found["member", 0], found["member", 2]) == ([1], [0])
    assert (found["set", (1, 2)], found["set", (0, 1)]) == ([0], [1])
    assert (found["probability", 0], found["probability", 1]) == ([136], [119])
    assert found["mean",] == pytest.approx([1 - 1.4 / 3, 1.4 / 3])
    assert members[0].flatten().tolist() == pytest.approx([0.1, 0.9])  # kept for the sets, not summed into


def test_a_tile_that_is_not_predicted_is_background_with_certainty():
    wanted = Wanted(ensembles=(2,), members=(1,), subsets=((0, 1),), classes=(0, 1))
    found = wanted.outside((1, 2, 2), background=1)
    assert set(found) == {("top", 2), ("member", 1), ("set", (0, 1)), ("probability", 0), ("probability", 1)}
    assert (found["top", 2] == 1).all()
    assert (found["probability", 0] == 0).all()
    assert (found["probability", 1] == 255).all()


class Store:
    """Remembers what is written, as io.StoreWriter would write it."""

    def __init__(self, shape, slab_depth):
        self.shape, self.slab_depth, self.array, self.writes = shape, slab_depth, np.full(shape, 9, np.uint8), []

    def write(self, start, slab):
        assert start % self.slab_depth == 0
        assert slab.shape[0] == min(self.slab_depth, self.shape[0] - start)
        self.array[start : start + slab.shape[0]] = slab
        self.writes.append(start)


@pytest.mark.parametrize("depth", [1, 3, 5, 11])
@pytest.mark.parametrize("slab_depth", [1, 4, 8])
def test_slabs_are_written_once_in_order_whatever_the_depths(depth, slab_depth):
    truth = np.random.default_rng(0).integers(0, 7, (19, 4, 5), dtype=np.uint8)
    store = Store(truth.shape, slab_depth)
    rolling = Rolling(store, depth, (0, 19))
    for start in range(0, 19, depth):
        stop = min(start + depth, 19)
        for y in (slice(0, 2), slice(2, 4)):
            box = (slice(start, stop), y, slice(0, 5))
            rolling.put(box, None, truth[box])
        rolling.flush(stop)
    assert np.array_equal(store.array, truth)
    assert store.writes == list(range(0, 19, slab_depth))


def test_masked_values_leave_the_others_alone():
    store = Store((2, 1, 3), 2)
    rolling = Rolling(store, 2, (0, 2))
    box = (slice(0, 2), slice(0, 1), slice(0, 3))
    rolling.put(box, None, np.ones((2, 1, 3), np.uint8))
    rolling.put(box, np.array([[[True, False, False]], [[False, False, True]]]), np.full((2, 1, 3), 5, np.uint8))
    rolling.flush(2)
    assert store.array.tolist() == [[[5, 1, 1]], [[1, 1, 5]]]


def test_only_the_slices_asked_for_are_written_and_told_of():
    stores = {("top", 1): Store((12, 1, 1), 4), ("probability", 3): Store((12, 1, 1), 4)}
    told = []
    sink = StoreSink(stores, 3, (4, 12), told.append)
    assert sink.wanted == Wanted(ensembles=(1,), classes=(3,))
    for start in (3, 6, 9):
        box = (slice(start, start + 3), slice(0, 1), slice(0, 1))
        sink.put(box, None, {key: np.full((3, 1, 1), start, np.uint8) for key in stores})
        sink.flush(start + 3)
    assert told == [8, 12]
    for store in stores.values():
        assert store.array.flatten().tolist() == [9, 9, 9, 9, 3, 3, 6, 6, 6, 9, 9, 9]
