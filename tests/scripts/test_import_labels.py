import json

import imagecodecs
import label_chain as chain
import numpy as np
import pytest
import stacks
import tifffile

import import_labels
from densecell import io

LABELS = np.random.default_rng(0).integers(0, 3, (4, 5, 6)).astype(np.uint8)
RED_BLUE = [
    {"class": "background", "colors": [[0, 0, 0]]},
    {"class": "cell", "colors": [[255, 0, 0], [200, 0, 0]]},
    {"class": "granule", "colors": [[0, 0, 255]]},
]


def run(
    tmp_path, paths, values=None, kind="semantic", frame="raw", origin=(0, 0, 0), axes="zyx", image_shape=(4, 5, 6)
):
    image = stacks.save(tmp_path / "image.ome.zarr", stacks.random_image(image_shape), origin_nm=(100, 0, 0))
    output = tmp_path / "labels_truth.ome.zarr"
    arguments = ["--paths", *map(str, paths), "--image", image, "--axes", axes, "--kind", kind, "--frame", frame]
    arguments += [
        "--values",
        json.dumps(values),
        "--origin-voxels",
        json.dumps(origin),
        "--classes",
        stacks.CLASSES_JSON,
    ]
    import_labels.main([*arguments, "--output", str(output)])
    return io.open_volume(output)


def saved(tmp_path, array, name="raw.tif", photometric="minisblack"):
    tifffile.imwrite(tmp_path / name, array, photometric=photometric)
    return [tmp_path / name]


def test_values_are_class_numbers_by_default(tmp_path, capsys):
    stored = LABELS.copy()
    stored[0, 0, 0] = 255
    volume = run(tmp_path, saved(tmp_path, stored))
    np.testing.assert_array_equal(volume[:], stored)
    counts = [int((stored == c).sum()) for c in range(3)]
    assert volume.attributes == {
        "kind": "semantic",
        "frame": "raw",
        "origin_voxels": [0, 0, 0],
        "image_shape": [4, 5, 6],
        "class_counts": counts,
    }
    assert (volume.dtype, volume.fill_value, volume.origin_nm) == (np.uint8, 255, (100, 0, 0))
    out = capsys.readouterr().out
    assert "truth: 120 voxels, 119 labelled" in out
    assert "WARNING" not in out


def test_many_values_map_to_one_class(tmp_path):
    values = [
        {"class": "background", "values": [0, 32]},
        {"class": "granule", "values": [1000]},
        {"class": "unlabelled", "values": [7]},
        {"class": "cell", "values": [5]},
    ]
    stored = np.array([[[0, 32, 1000], [7, 5, 5]]], np.uint16)
    volume = run(tmp_path, saved(tmp_path, stored), values)
    np.testing.assert_array_equal(volume[:], [[[0, 0, 2], [255, 1, 1]]])
    assert volume.attributes["class_counts"] == [2, 2, 1]


@pytest.mark.parametrize("n_samples", [3, 4])
def test_colors_map_to_classes_and_alpha_is_ignored(tmp_path, n_samples):
    stored = np.array([[[0, 0, 0, 9], [255, 0, 0, 8]], [[200, 0, 0, 0], [0, 0, 255, 255]]], np.uint8)[..., :n_samples]
    (tmp_path / "0.png").write_bytes(imagecodecs.png_encode(np.ascontiguousarray(stored)))
    volume = run(tmp_path, [tmp_path / "0.png"], RED_BLUE)
    np.testing.assert_array_equal(volume[:], [[[0, 1], [1, 2]]])


def test_a_color_tiff_of_several_slices(tmp_path):
    table = np.array([[0, 0, 0], [255, 0, 0], [0, 0, 255]], np.uint8)
    volume = run(tmp_path, saved(tmp_path, table[LABELS], photometric="rgb"), RED_BLUE)
    np.testing.assert_array_equal(volume[:], LABELS)


def test_all_unknown_values_are_listed_with_counts_and_first_slice(tmp_path):
    stored = LABELS.copy()
    stored[1, 0, :2] = 9
    stored[3, 0, :3] = 9
    stored[2, 0, 0] = 77
    with pytest.raises(ValueError, match="without one") as caught:
        run(tmp_path, saved(tmp_path, stored))
    text = str(caught.value)
    assert "labels.truth: expected values that have a class, found 2 without one" in text
    assert "9: 5 voxels, first in slice 1\n    77: 1 voxels, first in slice 2" in text
    assert "{class: unlabelled, values: [9]}" in text
    assert not list(tmp_path.glob("labels_truth*"))


def test_unknown_colors_are_listed(tmp_path):
    stored = np.zeros((1, 2, 2, 3), np.uint8)
    stored[0, 0, 0] = (1, 2, 3)
    with pytest.raises(ValueError, match=r"\[1, 2, 3\]: 1 voxels, first in slice 0(.|\n)*colors: \[\[1, 2, 3\]\]"):
        run(tmp_path, saved(tmp_path, stored, photometric="rgb"), RED_BLUE)


def test_colors_need_colors_and_gray_needs_values(tmp_path):
    rgb = saved(tmp_path, np.zeros((1, 2, 2, 3), np.uint8), "rgb.tif", photometric="rgb")
    with pytest.raises(
        ValueError,
        match=r"labels\.truth\.values: expected colors for each class, since the files are color images, found none",
    ):
        run(tmp_path, rgb)
    with pytest.raises(
        ValueError, match="expected values for each class, since the files are gray images, found only colors"
    ):
        run(tmp_path, saved(tmp_path, LABELS), RED_BLUE)


def test_a_value_in_two_classes_is_refused(tmp_path):
    values = [{"class": "cell", "values": [1]}, {"class": "granule", "values": [1]}]
    with pytest.raises(ValueError, match="expected each of the values in one class, found 1 in two"):
        run(tmp_path, saved(tmp_path, LABELS), values)


def test_float_labels_must_be_whole(tmp_path):
    stored = LABELS.astype(np.float32)
    np.testing.assert_array_equal(run(tmp_path, saved(tmp_path, stored))[:], LABELS)
    for bad in (1.5, np.nan):
        stored[2, 0, 0] = bad
        with pytest.raises(
            ValueError, match=rf"raw\.tif, slice 2: expected whole numbers as labels, found 1 voxels such as {bad:g}"
        ):
            run(tmp_path, saved(tmp_path, stored))


def test_a_block_with_an_origin_lies_within_the_stack(tmp_path):
    volume = run(tmp_path, saved(tmp_path, LABELS), origin=(2, 1, 0), image_shape=(6, 6, 6))
    assert volume.shape == (4, 5, 6)
    assert volume.origin_nm == (100 + 2 * 50, 10, 0)
    with pytest.raises(
        ValueError, match=r"within the stack of \(6, 6, 6\) voxels \(z, y, x\), found \(4, 5, 6\) at origin \(3, 1, 0\)"
    ):
        run(tmp_path, saved(tmp_path, LABELS), origin=(3, 1, 0), image_shape=(6, 6, 6))


def test_another_shape_than_the_image_is_refused_except_in_the_aligned_frame(tmp_path):
    paths = saved(tmp_path, LABELS)
    with pytest.raises(ValueError, match=r"within the stack of \(4, 5, 5\) .*found \(4, 5, 6\)"):
        run(tmp_path, paths, image_shape=(4, 5, 5))
    with pytest.raises(ValueError, match=r"found \(6, 4, 5\)"):
        run(tmp_path, paths, axes="yxz")
    assert run(tmp_path, paths, image_shape=(4, 5, 5), frame="aligned").shape == (4, 5, 6)


def test_a_class_without_a_voxel_is_a_warning(tmp_path, capsys):
    volume = run(tmp_path, saved(tmp_path, np.minimum(LABELS, 1)))
    assert volume.attributes["class_counts"][2] == 0
    assert "granule                           0    0.000 %  WARNING: no voxel of this class" in capsys.readouterr().out


def test_instances_keep_their_numbers(tmp_path):
    stored = LABELS.astype(np.uint32) * 70_000
    volume = run(tmp_path, saved(tmp_path, stored), kind="instance")
    assert (volume.dtype, volume.fill_value) == (np.uint32, 2**32 - 1)
    np.testing.assert_array_equal(volume[:], stored)
    with pytest.raises(ValueError, match="slice 0: expected instance numbers from 0 to 4294967294, found -1"):
        run(tmp_path, saved(tmp_path, LABELS.astype(np.int16) - 1), kind="instance")


def test_instance_colors_become_numbers(tmp_path):
    stored = np.zeros((1, 1, 2, 3), np.uint8)
    stored[0, 0, 1] = (1, 2, 3)
    volume = run(tmp_path, saved(tmp_path, stored, photometric="rgb"), kind="instance")
    np.testing.assert_array_equal(volume[:], [[[0, 65536 + 2 * 256 + 3]]])


def test_colors_of_16_bits_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected colors of 8 bits, found uint16"):
        run(tmp_path, saved(tmp_path, np.zeros((1, 2, 2, 3), np.uint16), photometric="rgb"), RED_BLUE)


# ------------------------------------------------------------------------------------------------------- sparse labels
PLANES = {z: np.full((24, 26), v, np.uint8) for z, v in ((1, 0), (4, 9))}


def sparse(tmp_path, planes=PLANES, **options):
    paths = chain.save_slices(tmp_path / "slices", planes)
    return io.open_volume(chain.import_source(tmp_path, "nuclei", paths, **options))


def test_single_slices_lie_at_their_z(tmp_path, capsys):
    volume = sparse(tmp_path, annotates=["nucleus"], slices="by_name")
    assert [np.unique(plane).tolist() for plane in volume[:]] == [[255], [254], [255], [255], [2]]
    assert volume.attributes["annotates"] == ["nucleus"]
    assert volume.attributes["slices"] == [1, 4]
    assert volume.attributes["class_counts"] == [0, 0, 624, 0, 0]
    assert "incomplete_slices" not in volume.attributes
    out = capsys.readouterr().out
    assert "1,248 labelled" in out
    assert "WARNING" not in out  # of classes that nobody looked for


def test_a_multipage_file_takes_a_list_in_any_order(tmp_path):
    stored = np.stack([np.full((24, 26), v, np.uint8) for v in (3, 1, 0)])
    volume = io.open_volume(chain.import_source(tmp_path, "all", saved(tmp_path, stored), slices=[5, 0, 2]))
    assert [np.unique(plane).tolist() for plane in volume[:]] == [[1], [255], [0], [255], [255], [3]]


def test_several_classes_without_values_are_their_numbers_and_the_innermost_that_was_looked_for(tmp_path):
    stored = np.zeros((24, 26), np.uint8)
    stored[0, :7] = [0, 1, 2, 3, 4, 254, 255]
    volume = sparse(tmp_path, {0: stored}, annotates=["cell", "vessel"], slices=[0])
    assert volume[0][0, :8].tolist() == [254, 1, 1, 1, 4, 254, 255, 254]


def test_what_lies_outside_of_the_boxes_is_unlabelled_and_may_be_anything(tmp_path):
    stored = np.zeros((24, 26), np.uint8)
    stored[:2] = 77
    volume = sparse(tmp_path, {0: stored, 3: stored}, slices="by_name", boxes=[{"z": [0, 3], "y": [2, 5]}, {"z": [0, 1], "x": [9, 10], "y": [9, 11]}])  # fmt: skip
    known = np.zeros((24, 26), bool)
    known[2:5] = known[9:11, 9] = True
    np.testing.assert_array_equal(volume[0] == 0, known)
    assert (volume[1:] == 255).all()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"slices": [1]}, r"labels.nuclei: slices: expected a z for each of the 2 slices of the source, found 1"),
        ({"slices": [1, 1]}, "expected each z once, found 1 more than once"),
        ({"slices": [1, 9]}, "expected labels within the stack of"),
        ({"slices": [1, 4], "origin_voxels": [1, 0, 0]}, "expected 0 in z where slices are given, found 1"),
        ({"slices": [1, 4], "incomplete_slices": [2]}, "expected slices that the source has, found 2"),
        ({"annotates": ["nucleus"], "values": [{"class": "cell", "values": [0]}]}, "found 'cell'. Add it to"),
        ({"values": [{"class": "other", "values": [0]}]}, "or call it unlabelled"),
        ({"slices": [1, 4], "values": [{"class": "cell", "values": [0]}]}, "9: 624 voxels, first in slice 4"),
    ],
)
def test_sparse_labels_that_do_not_fit_are_refused(tmp_path, options, text):
    with pytest.raises(ValueError, match=text):
        sparse(tmp_path, **options)
