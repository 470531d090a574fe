import numpy as np
import pandas as pd
import pytest
from solids import Stored

from densecell.block_cache import BlockCache, reading_order

ARRAY = np.random.default_rng(0).integers(0, 99, (20, 300, 270)).astype(np.uint32)


@pytest.mark.parametrize("held_bytes", [10**5, 3 * 10**6, 10**9])
def test_boxes_are_those_of_the_volume(held_bytes):
    cache = BlockCache(Stored(ARRAY), held_bytes)
    rng = np.random.default_rng(1)
    for _ in range(40):
        start = [int(rng.integers(n)) for n in ARRAY.shape]
        box = tuple(slice(a, int(rng.integers(a, n + 1))) for a, n in zip(start, ARRAY.shape))
        assert (cache[box] == ARRAY[box]).all() and cache[box].shape == ARRAY[box].shape


def test_blocks_are_read_once_while_they_are_held():
    volume = Stored(ARRAY)
    cache = BlockCache(volume)
    for x in range(0, 40, 10):
        cache[0:5, 0:10, x : x + 10]
    assert len(volume.boxes) == 1 and volume.boxes[0] == np.s_[0:8, 0:256, 0:256]


def test_large_boxes_go_past_the_cache():
    volume = Stored(ARRAY)
    BlockCache(volume, held_bytes=4000)[0:10, 0:10, 0:11]
    assert volume.boxes == [np.s_[0:10, 0:10, 0:11]]


def test_what_is_held_is_bounded():
    cache = BlockCache(Stored(ARRAY), held_bytes=3 * 8 * 256 * 256 * 4)
    for z in range(0, 20, 4):
        for y in range(0, 300, 50):
            cache[z : z + 2, y : y + 5, 0:5]
    assert cache._bytes == sum(block.nbytes for block in cache._blocks.values()) <= cache.held_bytes


def test_objects_of_one_place_follow_each_other():
    table = pd.DataFrame({"instance": [1, 2, 3, 4], "z0": [0, 0, 3, 70], "y0": [0, 9, 5, 0], "x0": [5000, 1, 0, 0]})
    assert reading_order(table).tolist() == [1, 2, 0, 3]
