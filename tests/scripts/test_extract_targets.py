"""Sparse labels from files to targets, class maps and weights: the three states stay apart, and what is unlabelled is never read."""

import filecmp
from pathlib import Path

import label_chain as chain
import numpy as np
import pytest

from densecell import io

BACKGROUND, CELL, NUCLEUS, NUCLEOLUS, VESSEL = range(5)
Z, Y, X = chain.SHAPE


def scene():
    """The true classes, (Z, Y, X): a cell with a nucleus and a nucleolus, and a vessel."""
    truth = np.zeros(chain.SHAPE, np.uint8)
    truth[:, 2:20, 3:18] = CELL
    truth[:, 5:15, 6:15] = NUCLEUS
    truth[:, 8:11, 9:12] = NUCLEOLUS
    truth[:, 4:20, 20:24] = VESSEL
    return truth


def mask(*classes):
    return (np.isin(scene(), classes) * 255).astype(np.uint8)


def write(folder, planes):
    return chain.save_slices(folder, planes)


NUCLEI = {"annotates": ["nucleus"], "slices": "by_name"}


# ---------------------------------------------------------------------------------------------------------- three states
def test_unlabelled_labelled_empty_and_not_annotated_are_three_things(tmp_path):
    empty = np.zeros((Y, X), np.uint8)
    nuclei = write(tmp_path / "nuclei", {1: mask(NUCLEUS, NUCLEOLUS)[1], 4: empty})
    vessels = write(tmp_path / "vessels", {1: mask(VESSEL)[1]})
    sources = {"nuclei": (nuclei, NUCLEI), "vessels": (vessels, {"annotates": ["vessel"], "slices": [1]})}
    region = chain.through(tmp_path / "run", sources)
    found = region.target("nucleus")
    expected = np.full(chain.SHAPE, 255, np.uint8)
    expected[1], expected[4] = mask(NUCLEUS, NUCLEOLUS)[1] // 255, 0
    np.testing.assert_array_equal(found[:], expected)
    yes = int((expected == 1).sum())
    assert found.attributes == {"counts": [2 * Y * X - yes, yes], "labelled_slices": [1, 4], "incomplete_slices": []}
    vessel = region.target("vessel")
    assert vessel.attributes["labelled_slices"] == [1]
    assert (vessel[4] == 255).all()  # labelled, but for nuclei
    nothing = region.target("nucleolus")
    assert (nothing.attributes["counts"], nothing.attributes["labelled_slices"]) == ([0, 0], [])


def test_the_target_of_a_whole_source_holds_what_lies_in_the_class(tmp_path):
    region = chain.through(tmp_path / "run", {"truth": (write(tmp_path / "all", dict(enumerate(scene()))), {})})
    for name, classes in (("cell", (1, 2, 3)), ("nucleus", (2, 3)), ("vessel", (4,)), ("background", (0,))):
        np.testing.assert_array_equal(region.target(name)[:], np.isin(scene(), classes))
    np.testing.assert_array_equal(region.labels()[:], scene())


def test_sources_of_single_classes_make_the_class_map_of_a_whole_one(tmp_path):
    masks = {"cell": mask(1, 2, 3), "nucleus": mask(2, 3), "nucleolus": mask(3), "vessel": mask(4)}
    sources = {
        name: (write(tmp_path / name, {2: planes[2], 3: planes[3]}), {"annotates": [name], "slices": [2, 3]})
        for name, planes in masks.items()
    }
    region = chain.through(tmp_path / "run", sources, role="train")
    found = region.labels()
    np.testing.assert_array_equal(found[2:4], scene()[2:4])
    assert (found[:2] == 255).all()
    assert (found[4:] == 255).all()
    assert found.attributes == {"class_counts": [int((scene()[2:4] == c).sum()) for c in range(5)]}
    weights = region.weights()
    assert (weights[:2] == 0).all()
    assert (weights[2:4] > 0).all()


def test_a_train_region_asks_for_the_annotated_classes_only(tmp_path):
    nuclei = write(tmp_path / "nuclei", {1: mask(NUCLEUS)[1]})
    region = chain.through(tmp_path / "run", {"nuclei": (nuclei, NUCLEI)}, role="train")
    assert region.labels().attributes["class_counts"] == [0, 0, 0, 0, 0]
    none = write(tmp_path / "none", {1: mask()[1]})
    region = chain.through(tmp_path / "other", {"nuclei": (none, NUCLEI)}, role="train")
    with pytest.raises(ValueError, match=r"found none of nucleus\. "):
        region.labels()


def test_a_region_without_a_labelled_slice_is_an_error(tmp_path):
    nuclei = write(tmp_path / "nuclei", {1: mask(NUCLEUS)[1]})
    region = chain.through(tmp_path / "run", {"nuclei": (nuclei, NUCLEI)}, box=[[2, 6], [0, Y], [0, X]])
    with pytest.raises(ValueError, match="expected labelled voxels, found none"):
        region.labels()
    assert region.target("nucleus").attributes["labelled_slices"] == []


def test_contradictions_are_refused_by_slice(tmp_path):
    nuclei = write(tmp_path / "nuclei", {1: mask(NUCLEUS, NUCLEOLUS)[1], 2: mask(VESSEL)[2]})
    nucleoli = write(tmp_path / "nucleoli", {1: mask(NUCLEOLUS)[1], 2: mask(NUCLEOLUS)[2]})
    sources = {"nuclei": (nuclei, NUCLEI), "nucleoli": (nucleoli, {"annotates": ["nucleolus"], "slices": [1, 2]})}
    region = chain.through(tmp_path / "run", sources)
    for ask in (region.labels, lambda: region.target("nucleus")):
        with pytest.raises(ValueError, match="slice 2: 9 voxels, 9 of them other of nuclei and nucleolus of nucleoli"):
            ask()
    assert not list(tmp_path.glob("run/region/nucleus*"))


def test_a_stray_pixel_is_unknown_told_and_kept_as_an_attribute(tmp_path, capsys):
    nuclei, nucleoli = mask(NUCLEUS, NUCLEOLUS), mask(NUCLEOLUS)
    nucleoli[2, 20, 3] = 255  # outside of the nucleus
    sources = {
        "nuclei": (write(tmp_path / "nuclei", {1: nuclei[1], 2: nuclei[2]}), NUCLEI),
        "nucleoli": (write(tmp_path / "nucleoli", {1: nucleoli[1], 2: nucleoli[2]}), {"annotates": ["nucleolus"], "slices": [1, 2]}),
    }  # fmt: skip
    region = chain.through(tmp_path / "run", sources, role="train")
    region.labels()
    for name, truth in (("nucleus", nuclei), ("nucleolus", nucleoli)):
        capsys.readouterr()
        found = region.target(name)
        expected = truth[2] // 255
        expected[20, 3] = 255
        np.testing.assert_array_equal(found[2], expected)
        assert found.attributes["contradictions"] == [[2, 1]]
        assert found.attributes["labelled_slices"] == [1, 2]
        assert sum(found.attributes["counts"]) == 2 * Y * X - 1
        said = capsys.readouterr().out
        assert "WARNING: label sources contradict each other on 1 voxels" in said
        assert "slice 2: 1 voxels, 1 of them other of nuclei and nucleolus of nucleoli" in said
    assert region.labels().attributes["contradictions"] == [[2, 1]]


def test_classes_that_exclude_each_other_may_share_a_block_after_binning(tmp_path):
    """Both fill half of a block, which each wins from other: nobody's fault, and few voxels."""
    left, right = np.zeros((2, Y, X), np.uint8)
    left[:8, :2], right[:8, 2:8] = 255, 255  # blocks of 4 x 4: two of them are half one, half the other
    sources = {
        "nuclei": (write(tmp_path / "nuclei", {1: left}), {"annotates": ["nucleus"], "slices": [1]}),
        "vessels": (write(tmp_path / "vessels", {1: right}), {"annotates": ["vessel"], "slices": [1]}),
    }
    with pytest.raises(ValueError, match="slice 1: 2 voxels, 2 of them nucleus of nuclei and vessel of vessels"):
        chain.through(tmp_path / "small", sources, factors=(1, 4, 4)).target("nucleus")  # 2 of 42 blocks
    scaled = {}
    for name, (_, options) in sources.items():
        plane = np.zeros((Y, X), np.uint8)
        plane[0, 0 if name == "nuclei" else 1] = 255
        scaled[name] = (write(tmp_path / f"few_{name}", {1: plane}), options)
    found = chain.through(tmp_path / "run", scaled, factors=(1, 1, 2)).target("vessel")  # 1 of 312
    assert found.attributes["contradictions"] == [[1, 1]]
    assert (found[1, 0, 0], found.attributes["counts"]) == (255, [Y * X // 2 - 1, 0])


def test_a_train_region_without_a_voxel_of_an_annotated_target_is_an_error(tmp_path, capsys):
    empty = write(tmp_path / "empty", {1: mask()[1]})
    region = chain.through(tmp_path / "run", {"nuclei": (empty, NUCLEI)}, role="train")
    with pytest.raises(
        ValueError, match=r"empty target: expected voxels of nucleus in a train region, found none\. Check values"
    ):
        region.target("nucleus")
    assert not list(tmp_path.glob("run/region/nucleus*"))
    assert region.target("vessel").attributes["counts"] == [0, 0]  # nobody looked for vessels
    assert "WARNING: no voxel of vessel is known here" in capsys.readouterr().out
    scored = chain.through(tmp_path / "scored", {"nuclei": (empty, NUCLEI)}, role="test")
    assert scored.target("nucleus").attributes["counts"] == [Y * X, 0]
    background = chain.through(
        tmp_path / "all", {"truth": (write(tmp_path / "truth", dict(enumerate(scene() * 0))), {})}, role="train"
    )
    with pytest.raises(ValueError, match="empty target: expected voxels of cell"):
        background.target("cell")
    assert background.target("background").attributes["counts"] == [0, Z * Y * X]


# ------------------------------------------------------------------------------------------------------------ incomplete
def test_incomplete_slices_know_their_drawn_objects_only(tmp_path):
    paths = write(tmp_path / "nuclei", {z: mask(NUCLEUS)[z] for z in (0, 2, 5)})
    region = chain.through(tmp_path / "run", {"nuclei": (paths, {**NUCLEI, "incomplete_slices": [2]})})
    found = region.target("nucleus")
    assert (found.attributes["labelled_slices"], found.attributes["incomplete_slices"]) == ([0, 5], [2])
    assert set(np.unique(found[2])) == {1, 255}
    assert set(np.unique(found[0])) == {0, 1}
    region = chain.through(tmp_path / "all", {"nuclei": (paths, {**NUCLEI, "complete": False})})
    assert region.target("nucleus").attributes["incomplete_slices"] == [0, 2, 5]


def test_background_says_nothing_in_an_incomplete_slice_of_all_classes(tmp_path):
    paths = write(tmp_path / "all", dict(enumerate(scene())))
    region = chain.through(tmp_path / "run", {"truth": (paths, {"incomplete_slices": [0, 3]})})
    labels = region.labels()
    assert set(np.unique(labels[3])) == {
        NUCLEOLUS,
        VESSEL,
        255,
    }  # what lies in a drawn cell or nucleus may not be drawn
    assert labels.attributes["incomplete_slices"] == [0, 3]
    np.testing.assert_array_equal(labels[1], scene()[1])


# ------------------------------------------------------------------------------------------------- binning and alignment
def test_single_slices_survive_binning_in_the_plane(tmp_path):
    paths = write(tmp_path / "nuclei", {1: mask(NUCLEUS, NUCLEOLUS)[1], 4: mask()[4]})
    region = chain.through(tmp_path / "run", {"nuclei": (paths, NUCLEI)}, factors=(1, 2, 2))
    found = region.target("nucleus")
    blocks = (mask(NUCLEUS, NUCLEOLUS)[1] / 255).reshape(Y // 2, 2, X // 2, 2).mean(axis=(1, 3))
    np.testing.assert_array_equal(found[1], blocks >= 0.5)
    assert found.attributes["labelled_slices"] == [1, 4]
    assert (found[4] == 0).all()


def test_a_block_of_slices_is_labelled_where_all_of_it_is(tmp_path):
    paths = write(tmp_path / "nuclei", {z: mask(NUCLEUS)[z] for z in (1, 2, 3, 5)})
    region = chain.through(
        tmp_path / "run", {"nuclei": (paths, {**NUCLEI, "incomplete_slices": [5]})}, factors=(2, 1, 1)
    )
    found = region.target("nucleus")
    assert found.attributes["labelled_slices"] == [1]
    assert (found.attributes["incomplete_slices"], (found[0] == 255).all(), (found[2] == 255).all()) == ([], True, True)


@pytest.mark.parametrize("frame", ["raw", "aligned"])
def test_labels_move_with_their_slices_and_come_back(tmp_path, frame):
    """A region of the aligned volume holds each labelled slice at its place, whichever frame it was drawn in."""
    applied = [(0, 0), (1, -2), (-2, 1), (0, 3), (2, 0), (1, 1)]
    nuclei = mask(NUCLEUS, NUCLEOLUS)
    moved = np.stack([np.roll(plane, shift, (0, 1)) for plane, shift in zip(nuclei, applied)])[:, 2:22, 3:24]
    drawn = nuclei if frame == "raw" else moved
    paths = write(tmp_path / "nuclei", {1: drawn[1], 4: drawn[4]})
    region = chain.through(tmp_path / "run", {"nuclei": (paths, {**NUCLEI, "frame": frame})}, applied=applied)
    found = region.target("nucleus")
    assert found.shape == (6, 20, 21)
    np.testing.assert_array_equal(found[1], moved[1] // 255)
    np.testing.assert_array_equal(found[4], moved[4] // 255)
    assert found.attributes["labelled_slices"] == [1, 4]


# -------------------------------------------------------------------------------------------------- unlabelled never counts
def noise(shape, seed):
    return np.random.default_rng(seed).choice([0, 1, 7, 200], shape).astype(np.uint8)


def stores_of(folder, seed):
    """All that follows from sources whose unlabelled voxels hold noise of this seed."""
    nuclei = {z: mask(NUCLEUS, NUCLEOLUS)[z] for z in (0, 2, 5)}
    outside = np.ones((Y, X), bool)
    outside[:20, 2:24] = False
    for plane in nuclei.values():
        plane[outside] = noise(int(outside.sum()), seed)  # outside of the boxes
    nuclei[5] = noise((Y, X), seed)  # the boxes leave this slice out
    scribbled = np.where(noise((Y, X), 5) < 7, np.uint8(9), mask(VESSEL)[2])  # 9 and 8: unlabelled
    scribbled = np.where((scribbled == 9) & (noise((Y, X), seed) > 0), np.uint8(8), scribbled)
    boxes = [{"z": [0, 5], "y": [0, 20], "x": [2, 10]}, {"z": [0, 5], "y": [0, 20], "x": [10, 24]}]
    values = [
        {"class": "vessel", "values": [255]},
        {"class": "other", "values": [0]},
        {"class": "unlabelled", "values": [8, 9]},
    ]
    all_classes = scene()
    all_classes[3][all_classes[3] == BACKGROUND] = 255  # drawn or not: the same in an incomplete slice
    all_classes[3][::2][all_classes[3][::2] == 255] = 255 if seed else BACKGROUND
    sources = {
        "nuclei": (write(folder / "nuclei", nuclei), {**NUCLEI, "boxes": boxes}),
        "vessels": (write(folder / "vessels", {2: scribbled}), {"annotates": ["vessel"], "slices": [2], "values": values}),
        "truth": (write(folder / "truth", {3: all_classes[3], 4: scene()[4]}), {"slices": "by_name", "incomplete_slices": [3]}),
    }  # fmt: skip
    region = chain.through(
        folder / "run", sources, factors=(1, 2, 2), applied=[(0, 0), (1, 0), (0, -1), (0, 0), (0, 1), (0, 0)]
    )
    region.labels(), region.weights()
    for name in chain.NAMES:
        region.target(name)
    return folder / "run"


def files_of(folder):
    """Every file of the stores, without the sidecars, which tell the paths of the inputs and their content."""
    return sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file() and "ome.zarr/" in str(p))


def test_what_lies_under_unlabelled_voxels_changes_no_byte(tmp_path):
    one, two = stores_of(tmp_path / "one", 0), stores_of(tmp_path / "two", 1)
    raw = [Path("nuclei/z0002.tif"), Path("vessels/z0002.tif"), Path("truth/z0003.tif")]
    assert all(not filecmp.cmp(tmp_path / "one" / p, tmp_path / "two" / p, shallow=False) for p in raw)
    assert files_of(one) == files_of(two)
    assert len(files_of(one)) > 30
    differing = [p for p in files_of(one) if (one / p).read_bytes() != (two / p).read_bytes()]
    assert not differing
    known = io.open_volume(one / "region" / "nucleus.ome.zarr")
    assert known.attributes["labelled_slices"] == [0, 2, 4]
    assert known.attributes["incomplete_slices"] == [3]
