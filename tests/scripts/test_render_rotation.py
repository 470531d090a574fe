import imageio.v2 as imageio
import numpy as np
import picture_inputs as made_up
import pytest

pytest.importorskip("pyvista")

import render_rotation
import rendering_output
from densecell import files


@pytest.fixture(scope="module", autouse=True)
def offscreen():
    try:
        rendering_output.use_offscreen_rendering()
    except OSError as error:
        pytest.skip(str(error))


def test_one_turn_in_so_many_frames_of_that_size(tmp_path):
    labels = made_up.write_volume(tmp_path / "labels.ome.zarr", made_up.labels())
    output = tmp_path / "turn.mp4"
    arguments = [
        "--labels",
        labels,
        "--title",
        "test, reference",
        "--classes",
        made_up.CLASSES,
        "--colors",
        made_up.COLORS,
    ]
    arguments += ["--seconds", "0.8", "--frames-per-second", "10", "--size-px", "240", "--output", str(output)]
    contents = []
    for _ in range(2):
        render_rotation.main(arguments)
        contents.append(files.hash_file(output))
    assert contents[0] == contents[1] == files.read_sidecar(output)["content"]
    with imageio.get_reader(output, format="FFMPEG") as video:
        about = video.get_meta_data()
        frames = np.stack(list(video.iter_data())).astype(int)
    assert about["size"] == (240, 240) and about["fps"] == 10 and about["pix_fmt"].startswith("yuv420p")
    assert len(frames) == 8 and frames.std() > 5
    steps = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
    assert (steps > 0.5).all()  # it turns in each frame
    assert np.abs(frames[0] - frames[-1]).mean() < 3 * steps.mean()  # and comes back to where it began
