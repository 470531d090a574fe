"""The sampler: image, labels and weights move together, mirrored borders, windows without labels."""

import numpy as np
import pytest
import test_training as tiny
import torch

from densecell import augmentation, sampling, windows
from densecell.networks import build_network

UNCHANGED = {"flip": False, "rot90": False, "brightness": 0, "contrast": 0}


def settings_of(**changes):
    return {"augmentation": {**tiny.ROBUST["augmentation"], **changes}}


def test_image_labels_and_weights_of_a_window_stay_aligned():
    _, sampler = tiny.make(settings_of(brightness=0, contrast=0), regions=[tiny.region(context=1)])
    sampler.start(3)
    assert len(sampler.order) == sampler.count()
    for n in range(sampler.count()):
        image, labels, weights = sampler[n]
        found = torch.from_numpy(np.digitize(image[0].numpy(), [-0.5, 0.5]))
        labelled = labels != 255
        assert labelled.any()
        assert torch.equal(found[labelled], labels[labelled].long())
        assert torch.equal(weights > 0, labelled)


def test_a_window_without_a_label_is_left_out():
    data = tiny.region()
    data.labels[:, :, :36] = 255
    _, sampler = tiny.make(settings_of(elastic=False), regions=[data])
    sampler.start(0)
    found = [sampler[n] for n in range(sampler.count())]
    assert any(w is None for w in found)
    assert all((w[1] != 255).any() for w in found if w is not None)


def test_brightness_takes_its_share_of_the_range_that_the_region_tells():
    data = [tiny.region(), tiny.region(1)]
    own = float(data[0].image.max() - data[0].image.min())
    data[1].intensity_range = 7.5
    _, sampler = tiny.make(settings_of(), regions=data)
    assert sampler.ranges == [own, 7.5] and data[1].widened((99, 99, 99)).intensity_range == 7.5


@pytest.mark.parametrize("elastic", [True, False])
@pytest.mark.parametrize("context", [(0, 0, 0), (1, 5, 90)])
@pytest.mark.parametrize(("name", "window"), [("unet_2d", (1, 204, 204)), ("deepvess", (9, 33, 33))])
def test_windows_are_cut_from_the_deformed_region_and_mirrored_at_its_border(name, window, elastic, context):
    """The 2D U-Net reads 92 px beyond its output on each side, DeepVess 3 slices and 14 px: more than lies around it."""
    shape = (5, 60, 230)
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(shape, dtype=torch.uint8)
    inner = [(c, n - c) for c, n in zip(context, shape)]
    network = build_network(name, n_classes=2, base_width=2)
    settings = settings_of(**UNCHANGED, elastic=elastic)
    data = sampling.Region(image, labels, torch.ones(shape), inner)
    sampler = sampling.Sampler([data], network, window, (1, 20, 20), settings, data_seed=4)
    sampler.start(1)
    if elastic:
        generator = np.random.default_rng([4, 1, 0])
        windows.draw_corners(data.shape, sampler.output, (1, 20, 20), generator)
        displacement = augmentation.elastic_displacement(shape[1:], generator)
        image = augmentation.deform(image, torch.from_numpy(augmentation.elastic_index(displacement)))
    firsts = set()
    for n, (_, first, _) in enumerate(sampler.order):
        expected = windows.cut(image.numpy(), windows.input_start(first, window, sampler.output), window)
        found, labels, _ = sampler[n]
        assert np.array_equal(found[0].numpy(), expected)
        assert labels.shape == sampler.output
        firsts.add(first)
    assert len(firsts) == sampler.count()
    for axis, (a, b) in enumerate(inner):
        assert all(a <= first[axis] <= b - sampler.output[axis] for first in firsts)


def test_labelled_windows_are_found_in_the_deformed_labels_of_each_region():
    sparse, full = tiny.region(1, (6, 40, 60)), tiny.region(2)
    sparse.labels[:] = 255
    sparse.labels[2, 20, 30] = 1
    _, sampler = tiny.make(settings_of(elastic_amplitude_px=6), regions=[sparse, full])
    for epoch in range(3):
        sampler.start(epoch)
        expected = []
        for i, first, _ in sampler.order:
            box = tuple(slice(f, f + n) for f, n in zip(first, sampler.output))
            expected.append(bool((sampler.deformed[i][2][box] != 255).any()))
        assert [sampler[n] is not None for n in range(len(sampler.order))] == expected
        assert False in expected and {i for i, _, _ in sampler.order} == {0, 1}
