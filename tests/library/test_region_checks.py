import numpy as np
import pytest
from scipy import ndimage

from densecell import region_checks
from densecell.findings import accepted, in_order, report, slices_text
from densecell.machine_checks import check_machine
from densecell.slice_statistics import look_of

VOLUME = {"name": "v", "key": "volumes[0]", "binning": [1, 1, 1], "voxel_size_nm": [50, 10, 10]}


def region(name, role, volume="v", frame="aligned", labels=True, **ranges):
    record = {"name": name, "role": role, "volume": volume, "frame": frame, "z": None, "y": None, "x": None}
    return {**record, "labels": {"reference": "truth"} if labels else {}, **ranges}


# ------------------------------------------------------------------------------------------------------------ places
def test_a_region_in_raw_voxels():
    assert region_checks.region_box(region("a", "train", y=[10, 20]), (8, 100, 90), [2, 2, 2]) == [
        (0, 8),
        (20, 40),
        (0, 90),
    ]
    assert region_checks.region_box(region("a", "train", frame="raw", y=[10, 20]), (8, 100, 90), [2, 2, 2])[1] == (
        10,
        20,
    )


@pytest.mark.parametrize(("start", "is_close"), [(40, True), (45, True), (49, True), (50, False)])
def test_regions_closer_than_the_guard_are_told(start, is_close):
    regions = [region("a", "train", y=[0, 40]), region("b", "eval", y=[start, 80])]
    found = list(region_checks.guard_gaps(regions, {"v": VOLUME}, {"v": (8, 100, 100)}, 100, [0, 0, 0]))
    assert len(found) == is_close
    if is_close:
        assert f"{(start - 40) * 10} nm apart" in found[0].found


def test_test_and_compare_may_touch_and_other_volumes_are_far():
    regions = [region("a", "test", y=[0, 40]), region("b", "compare", y=[40, 80]), region("c", "train", volume="w")]
    volumes, shapes = {"v": VOLUME, "w": VOLUME}, {"v": (8, 100, 100), "w": (8, 100, 100)}
    assert list(region_checks.guard_gaps(regions, volumes, shapes, 100, [0, 0, 0])) == []


# ----------------------------------------------------------------------------------------------------------- classes
def presence(**counts):
    """Findings for regions named by their role, of counts (background, cell, granule)."""
    full = {name: np.array([*n, *[0] * 253]) for name, n in counts.items() if n}
    regions = [region(name, name) for name in counts]
    return list(region_checks.class_presence(full, regions, ("background", "cell", "granule"), {n: n for n in counts}))


def test_classes_that_a_role_lacks():
    assert presence(train=(5, 5, 5), eval=(5, 5, 5)) == []
    (found,) = presence(train=(5, 5, 5), eval=(5, 5, 0))
    assert (found.finding, found.found) == ("class_missing", "granule in train, not in eval")
    (found,) = presence(train=(5, 5, 0), eval=(5, 5, 5))
    assert "granule only in scored regions" in found.found
    (found,) = presence(train=(5, 5, 0), eval=(5, 5, 0))
    assert (found.finding, found.found) == ("class_nowhere", "no voxel of granule")


def test_a_region_without_labels_is_an_error_and_one_that_could_not_be_read_says_nothing():
    assert ("region_unlabelled", "error") in {
        (f.finding, f.severity) for f in presence(train=(5, 5, 5), eval=(0, 0, 0))
    }
    assert presence(train=(5, 5, 5), eval=None) == []


def test_a_region_whose_place_in_the_labels_is_known_roughly_is_a_warning():
    counts = {"train": np.array([5, 5, 5]), "eval": np.zeros(3, int)}
    regions = [region(name, name) for name in counts]
    names, keys = ("background", "cell", "granule"), {n: n for n in counts}
    found = [
        list(region_checks.class_presence(counts, regions, names, keys, rough=r)) for r in ((), {"eval"}, {"train"})
    ]
    assert [f[0].severity for f in found] == ["error", "warning", "error"]
    assert {f[0].finding for f in found} == {"region_unlabelled"}


def test_values_and_colors_without_a_class():
    (found,) = region_checks.unknown_values("truth", "v", "labels[0]", {77: [20, 3]}, False)
    assert (found.severity, found.key, found.found) == ("error", "labels[0].values", "77 in 20 voxels from slice 3")
    (found,) = region_checks.unknown_values("truth", "v", "labels[0]", {0x0102FF: [1, 0]}, True)
    assert "[1, 2, 255]" in found.found


# -------------------------------------------------------------------------------------------------------- the same data
def looks(seed, n=6):
    return [np.random.default_rng([seed, z]).bytes(32)[:31].hex() + "00" for z in range(n)]


PAIR = {"v": VOLUME, "w": {**VOLUME, "key": "volumes[1]"}}
SHAPES = {"v": (6, 9, 9), "w": (6, 9, 9)}


def same(of_v, of_w, regions, are_equal=True):
    """Findings about v and w with these looks; equal looks come from equal pixels, or from different ones."""
    contents = {"v": of_v, "w": of_w if are_equal else [f"other {i}" for i in range(len(of_w))]}
    return list(region_checks.same_data(PAIR, {"v": of_v, "w": of_w}, contents, regions, SHAPES))


def test_slices_in_two_volumes_are_an_error_where_one_is_trained_on():
    copied = looks(1)[3:] + looks(2)[:3]
    regions = [region("a", "train"), region("b", "test", volume="w", z=[0, 3])]
    (found,) = same(looks(1), copied, regions)
    assert (found.severity, found.volume, found.key) == ("error", "w", "volumes[1].path")
    assert "3 of them have equal pixels (v = w: 3 = 0, 4 = 1, 5 = 2)" in found.found
    (found,) = same(copied, looks(1), [region("a", "test", z=[0, 3]), region("b", "train", volume="w")])
    assert found.severity == "error"
    elsewhere = [region("a", "train"), region("b", "test", volume="w", z=[3, 6])]
    assert [f.severity for f in same(looks(1), copied, elsewhere)] == ["warning"]
    assert same(looks(1), looks(2), regions) == []


def test_slices_that_look_alike_but_have_other_pixels_are_a_warning():
    # so do the slices on both sides of a cut through a stack of cubic voxels
    (found,) = same(looks(1), looks(1), [region("a", "train"), region("b", "test", volume="w")], are_equal=False)
    assert found.severity == "warning" and "none has equal pixels" in found.found


def test_two_records_of_one_file_with_regions_apart_in_the_plane_are_no_error():
    train = region("a", "train", y=[0, 4])
    beside, over = (region("b", "test", volume="w", y=[y, 9]) for y in (4, 3))
    assert [f.severity for f in same(looks(1), looks(1), [train, beside])] == ["warning"]
    assert [f.severity for f in same(looks(1), looks(1), [train, over])] == ["error"]
    beside = region("b", "test", volume="w", x=[0, 4])
    assert [f.severity for f in same(looks(1), looks(1), [region("a", "train", x=[4, 9]), beside])] == ["warning"]


def test_records_of_one_file_are_told_only_where_roles_leak():
    """Several binnings of one stack: remove neither, unless what one trains on is scored in another."""
    volumes = {**PAIR, "w": {**PAIR["w"], "binning": [1, 3, 3], "same_file_as": "v"}}
    stack = [*looks(1)[:5], looks(1)[0]]  # a repeated slice is paired with itself
    seen = dict.fromkeys(volumes, stack)

    def told(*regions):
        return list(region_checks.same_data(volumes, seen, seen, list(regions), SHAPES))

    train, coarse = region("a", "train", z=[0, 3]), region("b", "test", volume="w", z=[2, 6])
    assert told(train, region("b", "train", volume="w")) == []
    assert told(train, {**coarse, "z": [3, 6]}) == []
    (found,) = told(train, coarse)
    assert found.severity == "error" and "(v = w: 2 = 2)" in found.found
    regions = [
        region("a", "train", x=[0, 3]),
        region("b", "test", volume="w", x=[1, 3]),
        region("c", "train", volume="w"),
    ]
    close = list(region_checks.guard_gaps(regions[:2], volumes, SHAPES, 10, [0, 0, 1]))
    assert ["0 nm apart, within the context" in f.found for f in close] == [True]
    assert not list(region_checks.guard_gaps([regions[0], regions[2]], volumes, SHAPES, 10, [0, 0, 1]))


def test_different_tissue_in_the_same_round_field_of_view_is_not_the_same():
    yy, xx = np.ogrid[:192, :192]
    is_inside = (yy - 96) ** 2 + (xx - 96) ** 2 < 90**2
    rng = np.random.default_rng(0)
    pictures = ndimage.gaussian_filter(rng.normal(size=(8, 192, 192)), (0, 6, 6)) * 400 + 128
    of_all = [look_of(np.where(is_inside, picture, 0)) for picture in pictures]
    assert region_checks.like_slices(of_all[:4], of_all[4:]) == []
    brighter = [look_of(np.where(is_inside, 2 * picture + 9, 0)) for picture in pictures[:4]]
    assert region_checks.like_slices(of_all[:4], brighter) == [(z, z) for z in range(4)]


# ----------------------------------------------------------------------------------------------------------- intensities
def fingerprint(values):
    return {
        "percentiles": {str(float(p)): float(np.percentile(values, p)) for p in range(1, 100)},
        "mean": float(np.mean(values)),
        "std": float(np.std(values)),
    }


@pytest.mark.parametrize("method", ["zscore", "percentile"])
def test_brightness_and_contrast_do_not_matter_after_normalization_but_a_negative_does(method):
    values = np.random.default_rng(0).gamma(2, 20, 20000)
    prints = {"a": fingerprint(values), "same": fingerprint(3 * values + 40), "negative": fingerprint(255 - values)}
    found = list(region_checks.intensities(prints, ["a"], method, dict.fromkeys(prints, "key")))
    assert [(f.finding, f.volume) for f in found] == [("contrast_inverted", "negative")]


def test_other_gray_values_are_told_and_without_normalization_brightness_too():
    rng = np.random.default_rng(0)
    values = rng.normal(100, 20, 20000)
    two = np.where(rng.random(20000) < 0.5, 50, 200) + rng.normal(0, 5, 20000)
    prints = {"a": fingerprint(values), "two": fingerprint(two), "brighter": fingerprint(values + 40)}
    found = {f.volume for f in region_checks.intensities(prints, ["a"], "zscore", dict.fromkeys(prints, "key"))}
    assert found <= {"two"}
    found = {f.volume for f in region_checks.intensities(prints, ["a"], "none", dict.fromkeys(prints, "key"))}
    assert "brighter" in found
    of_unit = region_checks.intensities(prints, ["a"], "unit", dict.fromkeys(prints, "key"))
    assert {f.volume for f in of_unit} == found, "divided by the range of the type, distances keep their ratios"


# -------------------------------------------------------------------------------------------------- machine and wording
def test_what_the_machine_lacks():
    needs = {
        "disk_bytes": 5e9,
        "results_dir": "results",
        "device": "auto",
        "cpu_hours": 3,
        "memory_gb": "auto",
        "slice_bytes": 1e6,
    }
    machine = {"free_bytes": 6e9, "memory_bytes": 8e9, "has_gpu": False}
    assert list(check_machine(needs, machine)) == []
    assert [f.finding for f in check_machine(needs, {**machine, "free_bytes": 1e9})] == ["disk"]
    assert [(f.finding, f.severity) for f in check_machine({**needs, "device": "cuda"}, machine)] == [("gpu", "error")]
    assert [(f.finding, f.severity) for f in check_machine({**needs, "cpu_hours": 300}, machine)] == [
        ("gpu", "warning")
    ]
    assert [f.finding for f in check_machine({**needs, "memory_gb": 9, "slice_bytes": 1e9}, machine)] == ["memory"] * 2


def test_slices_in_words_and_findings_in_order():
    assert slices_text([3]) == "slice 3"
    assert slices_text([7, 3, 8, 9]) == "slices 3, 7 to 9"
    assert slices_text(range(0, 40, 2)).endswith("and 12 more")
    found = presence(train=(5, 5, 5), eval=(0, 0, 0))
    assert [f.severity for f in in_order(found[::-1])] == ["error", "warning"]
    assert "1 error, 1 warning" in report(found) and "key:" in report(found)
    assert "1 warning, 1 note" in report(accepted(found, ["region_unlabelled"]))
