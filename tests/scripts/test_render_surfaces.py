import json

import numpy as np
import picture_inputs as made_up
import pytest

pytest.importorskip("pyvista")

import render_surfaces
import rendering_output
from densecell import files, raw_formats, surfaces

SUBJECTS = ["organelles", "granule", "dense_core"]


@pytest.fixture(scope="module")
def offscreen():
    try:
        rendering_output.use_offscreen_rendering()
    except OSError as error:
        pytest.skip(str(error))


@pytest.fixture
def render(tmp_path, offscreen):
    """Render labels into a folder; returns {subject: picture}."""

    def run(source, folder="out", title="test, reference"):
        outputs = [str(tmp_path / folder / f"{subject}.png") for subject in SUBJECTS]
        arguments = [*source, "--title", title, "--subjects", json.dumps(SUBJECTS), "--outputs", *outputs]
        render_surfaces.main([*arguments, "--classes", made_up.CLASSES, "--colors", made_up.COLORS])
        return {s: raw_formats.read_png(path) for s, path in zip(SUBJECTS, outputs)}

    return run


def share_of(picture, color):
    """Share of pixels whose hue is the color's, dark or bright."""
    pixels = picture.reshape(-1, 3).astype(int)
    return (pixels[:, color] > pixels[:, [c for c in range(3) if c != color]].max(axis=1) + 60).mean()


def test_pictures_show_their_class_and_say_where_one_is_absent(tmp_path, render, capsys):
    labels = made_up.labels()
    labels[labels == 3] = 2
    path = made_up.write_volume(tmp_path / "labels.ome.zarr", labels)
    pictures = render(["--labels", path])
    assert {picture.shape for picture in pictures.values()} == {(render_surfaces.HEIGHT, render_surfaces.WIDTH, 3)}
    assert share_of(pictures["granule"], 2) > 0.02  # blue
    assert share_of(pictures["organelles"], 2) > 0.01
    assert share_of(pictures["dense_core"], 2) == 0 and pictures["dense_core"].std() > 2  # the box and the note
    assert "dense core: none labelled" in capsys.readouterr().out
    again = render(["--labels", path], "again")
    assert all((pictures[s] == again[s]).all() for s in SUBJECTS)
    for subject in SUBJECTS:
        assert files.hash_file(tmp_path / "out" / f"{subject}.png") == files.hash_file(
            tmp_path / "again" / f"{subject}.png"
        )


def test_ensemble_is_shown_with_its_chosen_k(tmp_path, render, capsys):
    chosen = made_up.write_chosen(tmp_path, k=2)[0]
    (tmp_path / "hybrid").mkdir()
    made_up.write_volume(tmp_path / "hybrid" / "top2.ome.zarr", made_up.labels())
    render(["--chosen", chosen, "--predictions", str(tmp_path / "hybrid")], title="test, hybrid")
    assert "test, hybrid top 2: (6, 30, 40) voxels" in capsys.readouterr().out
    sidecar = files.read_sidecar(tmp_path / "out" / "granule.png")
    assert any(path.endswith("top2.ome.zarr") for path in sidecar["parents"])


def test_refuses_unclear_sources_and_unknown_subjects(tmp_path):
    path = made_up.write_volume(tmp_path / "labels.ome.zarr", made_up.labels())
    rest = [
        "--title",
        "t",
        "--classes",
        made_up.CLASSES,
        "--colors",
        made_up.COLORS,
        "--outputs",
        str(tmp_path / "x.png"),
    ]
    with pytest.raises(ValueError, match="either --labels, or --chosen with --predictions"):
        render_surfaces.main([*rest, "--subjects", '["granule"]'])
    with pytest.raises(ValueError, match="subjects: expected organelles or one of granule, dense_core, found 'cell'"):
        render_surfaces.main([*rest, "--labels", path, "--subjects", '["cell"]'])
    assert not (tmp_path / "x.png").exists()


def test_scale_and_axis_names_hold_from_every_side(offscreen):
    """A full box: its picture is as wide as its outline at that angle, and the names stand just outside."""
    size_um = (0.3, 0.5, 0.8)
    mesh = surfaces.surface(np.ones((6, 50, 80), bool), (50, 10, 10))
    with surfaces.Scene({"granule": mesh}, {"granule": (0, 0, 139)}, size_um, 400, 300) as scene:
        for azimuth in (0, 30, 100, 200, 330):
            drawn = (scene.picture(["granule"], azimuth) < 250).any(axis=2)
            turn, tilt = np.radians((azimuth, surfaces.ELEVATION))
            width_um = 0.8 * abs(np.cos(turn)) + 0.5 * abs(np.sin(turn))
            depth_um = 0.8 * abs(np.sin(turn)) + 0.5 * abs(np.cos(turn))
            height_um = 0.3 * np.cos(tilt) + depth_um * np.sin(tilt)
            for axis, length_um in ((0, width_um), (1, height_um)):
                places = np.flatnonzero(drawn.any(axis=axis))
                assert np.ptp(places) * scene.um_per_px == pytest.approx(length_um, abs=6 * scene.um_per_px)
            for x, y in scene.axis_places(azimuth):
                assert 0 < x < 400 and 0 < y < 300
                assert not drawn[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4].any()


def test_slices_lie_as_in_two_dimensions_and_the_first_is_on_top(offscreen):
    """From the front and above, x runs to the right, y toward the viewer and z down; nothing is mirrored."""
    corner = np.zeros((10, 50, 80), bool)
    places = {}
    for axis, name in enumerate("zyx"):
        for end in (slice(None, 3), slice(-3, None)):
            mask = corner.copy()
            mask[tuple(end if i == axis else slice(None) for i in range(3))] = True
            mesh = surfaces.surface(mask, (50, 10, 10))
            with surfaces.Scene({"granule": mesh}, {"granule": (0, 0, 139)}, (0.5, 0.5, 0.8), 200, 200) as scene:
                blue = scene.picture(["granule"], azimuth=0).astype(int)
            y, x = np.nonzero(blue[..., 2] > blue[..., 0] + 60)
            places.setdefault(name, []).append((x.mean(), y.mean()))
    assert places["x"][0][0] < 70 < 130 < places["x"][1][0]
    assert places["y"][0][1] < 90 < 110 < places["y"][1][1]
    assert places["z"][0][1] < 90 < 110 < places["z"][1][1]


def test_says_what_to_do_where_nothing_can_be_rendered(monkeypatch):
    monkeypatch.setenv("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    monkeypatch.setattr(rendering_output, "PROBE", "raise SystemExit(1)")
    with pytest.raises(OSError, match=r"expected EGL or OSMesa, found neither .* apt-get install"):
        rendering_output.use_offscreen_rendering()
