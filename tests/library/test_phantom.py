"""The phantom: same seed, same bits; known truth for classes, instances, drift and damage; annotators who disagree."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from densecell.phantom import SubjectSettings, make_subject, two_subjects
from densecell.phantom_geometry import CANALICULAR, DENSE_CORE, DENSE_GRANULE

SMALL = (12, 128, 128)
# realistic shares in percent at (40, 448, 448); small volumes hold a few organelles, so their bounds are wide
SHARES = {0: (20, 40), 1: (50, 70), 2: (0.5, 2), 3: (3, 7), 4: (2, 6), 5: (0.1, 1), 6: (0.02, 0.3)}


@pytest.fixture(scope="module")
def subjects():
    return [make_subject(settings) for settings in two_subjects(SMALL, seed=2)]


def test_settings_refuse_what_can_not_be_rendered():
    with pytest.raises(ValueError, match=r"shape.*at least 500 x 1200 x 1200 nm.*found"):
        SubjectSettings(shape=(40, 64, 64))
    with pytest.raises(ValueError, match=r"bad_slices and jump: expected slices 1 to 39, found \[0\]"):
        SubjectSettings(bad_slices=(0,))
    with pytest.raises(ValueError, match="contrast: expected a value above 0, found 0"):
        SubjectSettings(contrast=0)
    with pytest.raises(ValueError, match="drift_sd_px: expected 0 or more, found -1"):
        SubjectSettings(drift_sd_px=-1)


def test_equal_settings_give_equal_bits(subjects):
    again = make_subject(two_subjects(SMALL, seed=2)[1])
    for name in ("image", "labels", "cells", "organelles", "annotator_1", "annotator_2"):
        assert np.array_equal(getattr(subjects[1], name), getattr(again, name)), name
    for name, values in subjects[1].truth.items():
        assert np.array_equal(values, again.truth[name]), name


def test_subjects_differ_in_tissue_and_in_recording(subjects):
    first, second = subjects
    assert np.mean(first.labels != second.labels) > 0.2
    good = second.truth["flag"] == ""
    contrast = [np.subtract(*np.percentile(s.image[good], [95, 5])) for s in subjects]
    assert contrast[1] < 0.93 * contrast[0]


def test_volumes_have_the_declared_types(subjects):
    for subject in subjects:
        for name in ("image", "labels", "annotator_1", "annotator_2"):
            assert getattr(subject, name).dtype == np.uint8 and getattr(subject, name).shape == SMALL
        for name in ("cells", "organelles"):
            assert getattr(subject, name).dtype == np.uint32 and getattr(subject, name).shape == SMALL
        assert {k: len(v) for k, v in subject.truth.items()} == dict.fromkeys(
            ("z", "dy_px", "dx_px", "gain", "offset", "flag"), SMALL[0]
        )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_every_class_is_in_both_halves(subjects, axis):
    for subject in subjects:
        for half in np.array_split(subject.labels, 2, axis=axis):
            assert np.unique(half).tolist() == list(range(7))


def test_shares_of_a_small_volume_are_in_the_range_of_platelets(subjects):
    for subject in subjects:
        share = 100 * np.bincount(subject.labels.ravel(), minlength=7) / subject.labels.size
        assert 20 < share[0] < 40 and 50 < share[1] < 75
        assert (share[2:] < [3, 9, 9, 2, 0.5]).all()


@pytest.mark.slow
def test_shares_of_the_full_phantom_match_platelets():
    labels = make_subject(two_subjects((40, 448, 448), seed=3)[0]).labels
    share = 100 * np.bincount(labels.ravel(), minlength=7) / labels.size
    for k, (low, high) in SHARES.items():
        assert low < share[k] < high, (k, share[k])


def test_drift_moves_content_down_and_right_by_the_stated_pixels():
    still = SubjectSettings(shape=(10, 128, 128), seed=4, drift_sd_px=0)
    moved = replace(still, jump=(6, 5, -3))
    a, b = make_subject(still), make_subject(moved)
    assert b.truth["dy_px"].tolist() == [0] * 6 + [5] * 4 and b.truth["dx_px"].tolist() == [0] * 6 + [-3] * 4
    for name in ("labels", "cells", "organelles"):
        before, after = getattr(a, name), getattr(b, name)
        assert np.array_equal(before[:6], after[:6])
        assert np.array_equal(before[6:, :-5, 3:], after[6:, 5:, :-3])


def test_drift_starts_at_zero_and_wanders_by_the_stated_step(subjects):
    truth = subjects[0].truth
    assert truth["dy_px"][0] == truth["dx_px"][0] == 0
    steps = np.diff(np.stack([truth["dy_px"], truth["dx_px"]]), axis=1)
    assert 0.7 < steps.std() < 1.9  # 22 steps of standard deviation 1.2


def test_image_follows_gain_and_offset_of_its_slice():
    """Without noise and charging, two recordings of one tissue differ by the line that truth gives."""
    quiet = SubjectSettings(shape=(10, 120, 120), seed=2, shot_electrons=1e9, readout_sd=0, charging=0)
    plain, other = make_subject(quiet), make_subject(replace(quiet, contrast=0.7, brightness=20, flicker_sd=0.06))
    painted = (plain.image - plain.truth["offset"][:, None, None]) / plain.truth["gain"][:, None, None]
    expected = other.truth["gain"][:, None, None] * painted + other.truth["offset"][:, None, None]
    inside = (plain.image > 0) & (plain.image < 255) & (other.image > 0) & (other.image < 255)
    assert np.abs(other.image - expected)[inside].max() < 1.5  # two roundings


def test_destroyed_slice_is_flagged_and_unlike_its_neighbors(subjects):
    subject = subjects[1]
    (bad,) = np.flatnonzero(subject.truth["flag"] == "destroyed")
    assert bad == 4 and (subjects[0].truth["flag"] == "").all()

    def likeness(i, j):
        return np.corrcoef(subject.image[i].ravel(), subject.image[j].ravel())[0, 1]

    assert abs(likeness(bad, bad + 1)) < 0.3 < 0.5 < likeness(bad + 3, bad + 4)
    assert np.any(subject.labels[bad] > 1)  # the tissue is still there


def test_ids_agree_with_labels(subjects):
    for subject in subjects:
        assert np.array_equal(subject.cells > 0, subject.labels > 0)  # channels count with their cell
        assert np.array_equal(subject.organelles > 0, subject.labels > 1)
        pairs = np.unique(np.stack([subject.organelles.ravel(), subject.labels.ravel()]), axis=1)
        ids = pairs[0][pairs[0] > 0]
        assert len(ids) == len(np.unique(ids))  # one class an organelle
        homes = np.unique(np.stack([subject.organelles.ravel(), subject.cells.ravel()]), axis=1)
        homes = homes[0][homes[0] > 0]
        assert len(homes) == len(np.unique(homes))  # one cell an organelle


def test_cores_lie_inside_dense_granules(subjects):
    for subject in subjects:
        core = subject.labels == DENSE_CORE
        ring = ndimage.binary_dilation(core, np.ones((1, 3, 3))) & ~core
        assert np.mean(subject.labels[ring] == DENSE_GRANULE) > 0.9


def test_some_cells_touch(subjects):
    for subject in subjects:
        left, right = subject.cells[:, :, :-1], subject.cells[:, :, 1:]
        assert np.sum((left > 0) & (right > 0) & (left != right)) > 20


def test_channels_open_to_the_outside(subjects):
    for subject in subjects:
        beside = ndimage.binary_dilation(subject.labels == 0, np.ones((1, 3, 3)))
        assert len(np.unique(subject.organelles[beside & (subject.labels == CANALICULAR)])) >= 2


def test_gray_alone_does_not_tell_classes_apart(subjects):
    """The best class per gray value, learned on the very same voxels, leaves most organelle voxels wrong."""
    image, labels = subjects[0].image.ravel(), subjects[0].labels.ravel()
    table = np.zeros((256, 7))
    np.add.at(table, (image, labels), 1)
    guess = table.argmax(axis=1)[image]
    organelle = (labels > 1) | (guess > 1)
    assert np.mean((guess == labels)[organelle]) < 0.4


def test_annotators_disagree_like_people(subjects):
    for subject in subjects:
        drawn = [subject.annotator_1, subject.annotator_2]
        both, either = (drawn[0] > 1) & (drawn[1] > 1), (drawn[0] > 1) | (drawn[1] > 1)
        assert 0.4 < np.mean(drawn[0][both] == drawn[1][both]) * both.sum() / either.sum() < 0.95
        for labels in drawn:
            assert 0.9 < np.mean(labels == subject.labels) < 0.995
            assert set(np.unique(labels)) <= set(range(7))


def test_annotators_stray_at_borders_and_not_in_the_open(subjects):
    subject = subjects[0]
    deep = np.stack([ndimage.distance_transform_edt(s == 0) > 8 for s in subject.labels])
    assert deep.sum() > 1000
    assert (subject.annotator_1[deep] == 0).all() and (subject.annotator_2[deep] == 0).all()
