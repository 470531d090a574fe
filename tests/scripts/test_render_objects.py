import numpy as np
import object_inputs as made_up
import pytest

pytest.importorskip("pyvista")

import export_meshes
import render_objects
import rendering_output
from densecell import files, raw_formats
from densecell.object_scenes import object_color

NAMES = [record["name"] for record in made_up.RECORDS]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    try:
        rendering_output.use_offscreen_rendering()
    except OSError as error:
        pytest.skip(str(error))
    folder = made_up.write(tmp_path_factory.mktemp("objects"))
    for name in NAMES:
        export_meshes.main(made_up.export_arguments(folder, name))
    return folder


def drawn(inputs, *names, **scene):
    """The picture of a scene, without its legend."""
    path = inputs / "picture.png"
    arguments = made_up.picture_arguments(inputs, *names, scene={**made_up.SCENE, **scene})
    render_objects.main([*arguments, "--output", str(path)])
    picture = raw_formats.read_png(path)
    assert picture.shape == (render_objects.HEIGHT, render_objects.WIDTH, 3)
    return picture[:-60]


def share(picture, condition):
    """Share of pixels for which a condition of (red, green, blue) holds."""
    return condition(*np.moveaxis(picture.astype(int), -1, 0)).mean()


def red(r, g, b):
    return (r > 120) & (g < 90) & (b < 60)


def cyan(r, g, b):
    return (b > r + 40) & (g > r + 20)


def test_what_lies_in_something_translucent_is_seen(inputs):
    picture = drawn(inputs, *NAMES)
    assert picture.std() > 5
    assert share(picture, red) > 0.002  # the nucleolus, behind a nucleus and a cell
    assert share(picture, lambda r, g, b: (r > 150) & (g > 140) & (b < 140)) > 0.02  # nuclei
    assert share(picture, lambda r, g, b: (g > r + 10) & (g > b + 10)) > 0.02  # cells


def test_fenestrations_have_their_own_color_and_may_be_left_out(inputs):
    assert share(drawn(inputs, "nuclei"), cyan) == 0  # hidden in a nucleus that holds nothing that is shown
    with_holes = drawn(inputs, "nuclei", "nucleoli")
    assert share(with_holes, lambda r, g, b: (g > r + 5) & (b > 60)) > 0.0005
    assert not np.array_equal(with_holes, drawn(inputs, "nuclei", "nucleoli", fenestrations=False))


def test_objects_in_colors_of_their_own(inputs):
    picture = drawn(inputs, "cells", color="object")
    for number in (3, 12):
        own = np.array([int(object_color(number)[i : i + 2], 16) for i in (1, 3, 5)])
        hues = picture.reshape(-1, 3) / np.maximum(picture.reshape(-1, 3).max(axis=1, keepdims=True), 1)
        assert (np.abs(hues - own / own.max()).max(axis=1) < 0.12).mean() > 0.02


def test_chosen_objects_are_seen_from_near_with_what_lies_in_them(inputs):
    everything = drawn(inputs, *NAMES)
    near = drawn(inputs, *NAMES, instances=[3])
    assert share(near, red) > 2 * share(everything, red)
    other = drawn(inputs, *NAMES, instances=[12])
    assert share(other, red) == 0  # its nucleus has no nucleolus
    assert drawn(inputs, *NAMES, instances=[99]).std() > 1  # "none found"


def test_equal_inputs_give_equal_bytes(inputs):
    hashes = set()
    for _ in range(2):
        drawn(inputs, *NAMES)
        hashes.add(files.hash_file(inputs / "picture.png"))
    assert len(hashes) == 1
