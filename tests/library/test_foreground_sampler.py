"""The foreground sampler: what it guarantees of each batch, for 1,000 batches; sparse and small regions; a draw without trial."""

import tracemalloc

import numpy as np
import pytest
import test_training as tiny
import torch

from densecell import sampling, windows
from densecell.networks import build_network

PLAIN = {"flip": True, "flip_axes": ["y", "x"], "rot90": False, "brightness": 0, "contrast": 0, "elastic": False}
ELASTIC = {**tiny.ROBUST["augmentation"], "elastic_amplitude_px": 6, "elastic_grid_px": 12}
TARGETS = ["cell", "nucleus", "nucleolus"]


def settings_of(min_windows=4, min_px=20, target=None, batch_size=5, **changes):
    foreground = {"min_windows": min_windows, "min_px": min_px, "target": target}
    return {"augmentation": {**PLAIN, **changes}, "batch_size": batch_size, "foreground": foreground}


def region(seed=0, shape=(6, 50, 70), slices=(1, 4), targets=True, binning=(1, 1, 1), inner=None):
    """Nuclei with nucleoli, two discs in each slice, labelled in `slices` only. The image tells the label: 0 to 2."""
    generator, (depth, height, width) = np.random.default_rng(seed), shape
    y, x = np.mgrid[:height, :width]
    labels = np.zeros(shape, np.uint8)
    for z in range(depth):
        for _ in range(2):
            far = np.hypot(y - generator.integers(height), x - generator.integers(width))
            labels[z][far < 9], labels[z][far < 4] = 1, 2
    image = labels.astype(np.float32)
    known = np.isin(np.arange(depth), slices)
    if targets:
        labels = np.stack([labels >= t for t in range(3)]).astype(np.uint8)
    labels[..., ~known, :, :] = 255
    weights = torch.ones(1).expand(shape)
    inner = inner or [(0, n) for n in shape]
    return sampling.Region(torch.from_numpy(image), torch.from_numpy(labels), weights, inner, binning)


def sampler_of(regions, settings=None, window=(1, 32, 32), network="unet_2d", seed=1, targets=TARGETS):
    options = {"padding": "same"} if network == "unet_2d" else {}
    built = build_network(network, n_classes=3, base_width=2, **options)
    return sampling.ForegroundSampler(
        regions, built, window, (1, 9, 9), settings or settings_of(), data_seed=seed, targets=targets
    )


def batches(sampler, n):
    """The windows of n batches, epoch after epoch, as lists."""
    epoch = 0
    while n:
        sampler.start(epoch)
        for first in range(0, sampler.count(), sampler.batch_size)[:n]:
            yield [sampler[number] for number in range(first, first + sampler.batch_size)]
            n -= 1
        epoch += 1


@pytest.mark.parametrize("targets", [True, False])
def test_of_1000_batches_each_has_at_least_4_of_5_windows_with_enough_of_the_rarest_target(targets):
    data = [region(seed, slices=range(0, 6, seed + 2), targets=targets) for seed in range(3)]
    sampler = sampler_of(data)
    assert sampler.target == 2 and sampler.count() == 5 * (3 + 2 + 2)
    counts = []
    for batch in batches(sampler, 1000):
        labels = torch.stack([labels for _, labels, _ in batch])
        found = (labels[:, 2] == 1) if targets else labels == 2
        counts.append(found.flatten(1).sum(1).tolist())
        assert (labels != 255).flatten(1).any(1).all()
    counts = np.array(counts)
    assert ((counts >= 20).sum(axis=1) >= 4).all()
    assert (counts[:, 4] < 20).any()  # the fifth lies anywhere


@pytest.mark.parametrize("turns", [False, True])
def test_deformation_flips_and_turns_take_no_pixel_out_of_the_guarantee(turns):
    settings = settings_of(min_px=30)
    settings["augmentation"] = {**ELASTIC, "rot90": turns}
    sampler = sampler_of([region(slices=range(6))], settings)
    for batch in batches(sampler, 60):
        assert sum(int((labels[2] == 1).sum()) >= 30 for _, labels, _ in batch) >= 4


def test_an_epoch_is_a_batch_for_each_labelled_slice_and_takes_them_in_turns():
    sampler = sampler_of([region(slices=[0, 2, 5]), region(1, slices=[3])], settings_of(min_windows=0))
    sampler.start(0)
    assert sampler.count() == 4 * 5
    slices = [(i, first[0]) for i, first, _ in sampler.order]
    assert sorted(set(slices)) == [(0, 0), (0, 2), (0, 5), (1, 3)]
    for first in range(0, 20, 4):  # each four in a row are all of them, shuffled
        assert len(set(slices[first : first + 4])) == 4
    assert slices[:4] != slices[4:8] or slices[4:8] != slices[8:12]


@pytest.mark.parametrize("augmentation", [PLAIN, ELASTIC])
def test_image_targets_and_weights_of_a_window_stay_aligned(augmentation):
    data = region(slices=range(6))
    settings = settings_of()
    settings["augmentation"] = {
        **augmentation,
        "flip_axes": ["z", "y", "x"],
        "brightness": 0,
        "contrast": 0,
        "rot90": True,
    }
    data.weights = data.image + 1
    for batch in batches(sampler_of([data], settings), 20):
        for image, labels, weights in batch:
            assert torch.equal(labels[1] == 1, image[0] >= 1) and torch.equal(labels[2] == 1, image[0] == 2)
            assert torch.equal(weights, image[0] + 1)


def test_a_seed_repeats_and_another_differs_and_epochs_differ():
    draws = []
    for seed in (1, 1, 2):
        sampler = sampler_of([region()], seed=seed)
        sampler.start(3)
        draws.append([sampler[n] for n in range(sampler.count())])
    same, other = ([all(torch.equal(a, b) for a, b in zip(v, w)) for v, w in zip(draws[0], d)] for d in draws[1:])
    assert all(same) and not any(other[:5])
    sampler.start(4)
    assert not all(torch.equal(a[0], sampler[n][0]) for n, a in enumerate(draws[2]))


def test_a_resumed_run_draws_what_the_whole_one_did():
    whole, resumed = sampler_of([region()]), sampler_of([region()])
    for epoch in range(3):
        whole.start(epoch)
    resumed.start(2)
    assert whole.order == resumed.order


def test_pixels_are_counted_before_binning():
    """100 raw px are 7 px binned by 4 x 4, 25 px binned by 2 x 2, however many slices are binned to one."""
    for binning, least in (((1, 4, 4), 7), ((3, 2, 2), 25), ((1, 1, 1), 100)):
        sampler = sampler_of([region(binning=binning, shape=(6, 80, 90))], settings_of(min_px=100, target="nucleus"))
        counts = [int((labels[1] == 1).sum()) for batch in batches(sampler, 40) for _, labels, _ in batch[:4]]
        assert least <= min(counts) < least + 25


def test_a_target_can_be_named():
    assert sampler_of([region()], settings_of(target="nucleus")).target == 1
    with pytest.raises(
        ValueError, match=r"foreground\.target: expected one of cell, nucleus, nucleolus, found 'nuclei'"
    ):
        sampler_of([region()], settings_of(target="nuclei"))


@pytest.mark.parametrize("targets", [True, False])
def test_too_little_of_the_target_is_refused_by_its_name(targets):
    data = region(targets=targets)
    with pytest.raises(ValueError, match=r"at least 2000 raw pixels of 'nucleolus' in the 2 training slices"):
        sampler_of([data], settings_of(min_px=2000))
    sampler_of([data], settings_of(min_px=2000, min_windows=0))


def test_more_guaranteed_windows_than_a_batch_has_are_refused():
    with pytest.raises(ValueError, match=r"min_windows: expected at most batch_size, 3, found 4"):
        sampler_of([region()], settings_of(batch_size=3))


@pytest.mark.parametrize("shape", [(6, 20, 70), (6, 50, 20), (6, 20, 20), (6, 9, 5)])
def test_regions_smaller_than_the_window_are_mirrored(shape):
    data = region(shape=shape)
    sampler = sampler_of([data], settings_of(min_px=5, target="nucleus", flip=False))
    wide = np.pad(data.image.numpy(), [(0, 0), (40, 40), (40, 40)], mode="reflect")
    patches = np.lib.stride_tricks.sliding_window_view(wide[1:5:3], (32, 32), axis=(1, 2)).reshape(-1, 32, 32)
    for batch in batches(sampler, 10):
        for image, labels, _ in batch:
            assert labels.shape == (3, 1, 32, 32) and (labels != 255).all()
            assert torch.equal(labels[1] == 1, image[0] >= 1)
            assert (patches == image[0, 0].numpy()).all(axis=(1, 2)).any()


def test_a_3d_network_gets_windows_of_which_only_the_drawn_slices_are_labelled():
    data = region(shape=(9, 50, 70), slices=[1, 6])
    sampler = sampler_of([data], window=(5, 32, 32), network="hybrid_2d3d_333")
    seen = set()
    for batch in batches(sampler, 40):
        for n, (_, labels, _) in enumerate(batch):
            assert labels.shape == (3, 5, 32, 32)
            known = (labels != 255).flatten(2).any(2).any(0)
            assert 1 <= known.sum() <= 2
            seen.add(tuple(known.tolist()))
            assert n > 3 or int((labels[2] == 1).sum()) >= 20
    assert len(seen) > 3  # the labelled slice lies anywhere in the window


def test_labels_only_in_a_part_of_a_slice_draw_the_windows_there():
    data = region(shape=(4, 100, 100), slices=[2])
    data.labels[:, :, :, 30:] = 255
    for batch in batches(sampler_of([data], settings_of(min_windows=0)), 30):
        assert all((labels != 255).any() for _, labels, _ in batch)


def test_context_around_the_region_is_seen_and_never_labelled():
    data = region(shape=(6, 80, 90), inner=[(1, 5), (20, 60), (20, 70)])
    data.labels[:, :, :20] = data.labels[:, :, 60:] = data.labels[..., :20] = data.labels[..., 70:] = 255
    sampler = sampler_of([data], settings_of(min_px=5))
    for batch in batches(sampler, 20):
        assert all((labels != 255).all() for _, labels, _ in batch)


class Counting:
    """A generator that counts its random numbers."""

    def __init__(self):
        self.generator, self.n = np.random.default_rng(0), 0

    def integers(self, *bounds):
        self.n += 1
        return self.generator.integers(*bounds)


def test_a_draw_never_tries():
    """A window takes two random numbers, the voxel and the place around it, however rare the target is."""
    mask = np.zeros((3, 400, 400), bool)
    mask[1, 200, 300:305] = True
    index, generator = windows.ForegroundIndex(mask, (1, 32, 32), 5), Counting()
    for n in range(1, 51):
        z, y, x = index.draw(1, generator)
        assert mask[z : z + 1, y : y + 32, x : x + 32].sum() == 5 and generator.n == 2 * n
    assert not index.has(0) and index.has(1)


def test_a_voxel_without_enough_others_around_it_is_never_drawn():
    mask = np.zeros((1, 60, 60), bool)
    mask[0, 5, 5:15] = mask[0, 50, 50] = True
    index = windows.ForegroundIndex(mask, (1, 16, 16), 4)
    assert set(index.voxels.tolist()) == {5 * 60 + x for x in range(5, 15)}


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 7), (3, 4, 4), (4, 9, 8)])
def test_window_sums_and_covered_voxels_by_the_plain_way(shape):
    mask = np.random.default_rng(0).random((4, 9, 8)) < 0.2
    sums = np.lib.stride_tricks.sliding_window_view(mask, shape).sum((3, 4, 5))
    assert np.array_equal(windows.window_sums(mask, shape), sums)
    reached = np.zeros(mask.shape, bool)
    for start in zip(*np.nonzero(sums >= 2)):
        reached[tuple(slice(s, s + n) for s, n in zip(start, shape))] = True
    assert np.array_equal(windows.covered(sums >= 2, shape), reached)


def test_each_window_around_a_voxel_is_equally_likely():
    mask = np.zeros((1, 12, 12), bool)
    mask[0, 5, 5] = True
    index, generator = windows.ForegroundIndex(mask, (1, 3, 3)), np.random.default_rng(0)
    starts = [index.draw(0, generator) for _ in range(900)]
    _, counts = np.unique(starts, axis=0, return_counts=True)
    assert len(counts) == 9 and counts.min() > 60


@pytest.mark.parametrize("elastic", [PLAIN, ELASTIC])
def test_no_two_draws_of_an_epoch_share_a_generator(monkeypatch, elastic):
    """Zeros at the end of a key change nothing: default_rng([1, 2]) and default_rng([1, 2, 0]) draw the same numbers."""
    settings, keys, made = settings_of(), [], np.random.default_rng
    settings["augmentation"] = elastic
    sampler = sampler_of([region(), region(2)], settings)
    monkeypatch.setattr(np.random, "default_rng", lambda key: keys.append(tuple(np.trim_zeros(key, "b"))) or made(key))
    sampler.start(3)
    for number in range(sampler.count()):
        sampler[number]
    assert len(keys) == len(set(keys)) > 2 * sampler.count()


@pytest.mark.parametrize("shape", [(1, 64, 64), (5, 64, 64)])
def test_the_peak_of_memory_is_as_told(shape):
    mask = np.random.default_rng(0).random((20, 200, 200)) < 0.5
    tracemalloc.start()
    windows.ForegroundIndex(mask, shape, 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 12 < peak / mask.size <= 34


def test_runs_of_numbers():
    assert windows.runs([]) == [] and windows.runs([3]) == [(3, 4)]
    assert windows.runs([0, 1, 2, 5, 7, 8]) == [(0, 3), (5, 6), (7, 9)]


def test_unknown_samplers_list_the_known_ones():
    with pytest.raises(ValueError, match=r"training\.sampler: unknown 'random'; known: grid, foreground"):
        sampling.make_sampler([], None, (1, 1, 1), (1, 1, 1), {"sampler": "random"}, 1, [])
