"""Augmentation: the measured size of the elastic map, one motion for image and labels, the order of intensities."""

import numpy as np
import pytest
import torch

from densecell import augmentation


def test_elastic_map_has_the_published_codes_size():
    """The authors' map has mean 0, standard deviation about 5.9 px and extremes of about 16 px."""
    maps = [augmentation.elastic_displacement((800, 800), np.random.default_rng(s)) for s in range(4)]
    assert abs(np.mean(maps)) < 1
    assert 5.0 < np.std(maps) < 6.8
    assert 12 < np.abs(maps).max() < 21


def test_elastic_moves_image_and_labels_alike_and_stays_inside():
    displacement = augmentation.elastic_displacement((50, 70), np.random.default_rng(1))
    index = torch.from_numpy(augmentation.elastic_index(displacement))
    assert index.min() >= 0
    assert index.max() < 50 * 70
    labels = torch.randint(0, 5, (3, 50, 70), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    moved, moved_image = augmentation.deform(labels, index), augmentation.deform(labels.float(), index)
    assert torch.equal(moved.float(), moved_image)
    assert not torch.equal(moved, labels)
    assert torch.equal(moved[0].flatten(), labels[0].flatten()[index])


def test_no_displacement_is_the_identity():
    index = torch.from_numpy(augmentation.elastic_index(np.zeros((2, 6, 5))))
    volume = torch.arange(60).reshape(2, 6, 5)
    assert torch.equal(augmentation.deform(volume, index), volume)


def test_geometry_is_shared_and_intensity_only_touches_the_image():
    labels = torch.arange(2 * 4 * 4).reshape(2, 4, 4)
    for seed in range(20):
        image, (moved,) = augmentation.augment_window(
            labels.float(), [labels], np.random.default_rng(seed), rot90=True, brightness=0, contrast=0
        )
        assert torch.equal(image.long(), moved)
        assert sorted(moved.flatten().tolist()) == list(range(32))


def test_brightness_is_added_before_contrast_multiplies():
    image = torch.tensor([[[0.0, 1.0], [2.0, 3.0]]])
    for seed in range(10):
        out, _ = augmentation.augment_window(
            image, [], np.random.default_rng(seed), flip=False, brightness=0.5, contrast=0.2, intensity_range=2.0
        )
        gain = float(out[0, 0, 1] - out[0, 0, 0])
        shift = float(out[0, 0, 0]) / gain
        assert 0.8 <= gain <= 1.2
        assert -1.0 <= shift <= 1.0
        assert torch.allclose(out, (image + shift) * gain, atol=1e-5)


def test_rectangular_windows_keep_their_shape_when_turned():
    for seed in range(8):
        image = torch.rand(2, 4, 6)
        out, _ = augmentation.augment_window(image, [], np.random.default_rng(seed), rot90=True)
        assert out.shape == image.shape


@pytest.mark.parametrize("axes", ["zyx", ["y", "x"], ["x"], []])
def test_only_the_named_axes_are_mirrored_for_image_targets_and_validity_alike(axes):
    volume = torch.arange(2 * 3 * 4, dtype=torch.float32).reshape(2, 3, 4)
    targets = torch.stack([volume, volume + 100])  # (n_targets, Z, Y, X)
    seen = set()
    for seed in range(60):
        options = {"flip_axes": axes, "brightness": 0, "contrast": 0}
        moved, (labels, known) = augmentation.augment_window(
            volume, [targets, volume > 5], np.random.default_rng(seed), **options
        )
        assert torch.equal(labels[0], moved) and torch.equal(labels[1], moved + 100)
        assert torch.equal(known, moved > 5)
        seen.add(tuple(moved.flatten().tolist()))
    assert len(seen) == 2 ** len(axes)
    flips = [axis - 3 for axis, name in enumerate("zyx") if name in axes]
    assert tuple(torch.flip(volume, flips).flatten().tolist()) in seen
    assert axes != ["y", "x"] or all(values[0] < 12 for values in seen)  # slices keep their order


def test_flips_along_all_axes_draw_the_same_numbers_as_ever():
    for seed in range(20):
        one, two = (np.random.default_rng(seed) for _ in range(2))
        volume = torch.arange(60.0).reshape(3, 4, 5)
        moved, _ = augmentation.augment_window(volume, [], one, brightness=0, contrast=0)
        axes = [axis for axis in (-3, -2, -1) if two.random() < 0.5]
        assert torch.equal(moved, torch.flip(volume, axes))
