import imageio_ffmpeg
import numpy as np
import object_inputs as made_up
import pytest

pytest.importorskip("pyvista")

import export_meshes
import film_objects
import rendering_output
from densecell import files

NAMES = [record["name"] for record in made_up.RECORDS]


def frames(path):
    """(n, height, width, 3) uint8 of a video."""
    reader = imageio_ffmpeg.read_frames(str(path))
    width, height = next(reader)["size"]
    return np.stack([np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in reader])


def test_objects_turn_and_equal_inputs_give_equal_bytes(tmp_path):
    try:
        rendering_output.use_offscreen_rendering()
    except OSError as error:
        pytest.skip(str(error))
    folder = made_up.write(tmp_path)
    for name in NAMES:
        export_meshes.main(made_up.export_arguments(folder, name))
    settings = ["--seconds", "1", "--frames-per-second", "4", "--size-px", "240"]
    for name in ("a", "b"):
        film_objects.main(
            [*made_up.picture_arguments(folder, *NAMES), *settings, "--output", str(tmp_path / f"{name}.mp4")]
        )
    film = frames(tmp_path / "a.mp4").astype(int)
    assert film.shape == (4, 240, 240, 3)
    assert all(abs(film[i] - film[(i + 1) % 4]).mean() > 0.5 for i in range(4))
    assert files.hash_file(tmp_path / "a.mp4") == files.hash_file(tmp_path / "b.mp4")
