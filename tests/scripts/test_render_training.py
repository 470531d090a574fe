import imageio.v2 as imageio
import numpy as np
import picture_inputs as made_up
import pytest

pytest.importorskip("imageio_ffmpeg")

import render_training
import rendering_output
from densecell import files, io
from densecell.videos import color_ramp

STEPS = [0, 10, 20]


@pytest.fixture
def arguments(tmp_path):
    """Three snapshots of one slice: first background everywhere, then ever surer of the reference."""
    labels = made_up.labels()
    sure = np.stack([labels[2] == c for c in range(4)])
    for c, name in enumerate(made_up.NAMES):
        flat = np.full(labels.shape[1:], 1.0 if c == 0 else 0.0)
        maps = np.stack([(1 - share) * flat + share * sure[c] for share in (0, 0.6, 1)])
        io.write_volume(
            tmp_path / "snapshots" / f"{name}.ome.zarr", np.rint(255 * maps).astype(np.uint8), (1, 10, 10), record={}
        )
    facts = {"steps": STEPS, "region": "eval", "slice": 2, "every_steps": 10, "voxel_size_nm": [50, 10, 10]}
    files.write_json(tmp_path / "snapshots" / "steps.json", facts, {})
    image = np.random.default_rng(0).normal(size=labels.shape).astype(np.float32)
    given = ["--snapshots", str(tmp_path / "snapshots"), "--title", "hybrid, seed 1"]
    given += ["--image", made_up.write_volume(tmp_path / "image.ome.zarr", image)]
    given += ["--reference", made_up.write_volume(tmp_path / "reference.ome.zarr", labels)]
    given += ["--classes", made_up.CLASSES, "--colors", made_up.COLORS, "--seconds", "0.6", "--frames-per-second", "10"]
    given += ["--probabilities", str(tmp_path / "p.mp4"), "--segmentation", str(tmp_path / "s.mp4")]
    return given


def frames_of(path):
    with imageio.get_reader(path, format="FFMPEG") as video:
        return np.stack(list(video.iter_data())).astype(int)


def test_two_videos_show_each_snapshot_equally_long(arguments, tmp_path):
    render_training.main(arguments)
    contents = [files.hash_file(tmp_path / f"{name}.mp4") for name in "ps"]
    probabilities, segmentation = (frames_of(tmp_path / f"{name}.mp4") for name in "ps")
    assert len(probabilities) == len(segmentation) == 6
    assert probabilities.shape[1] % 2 == probabilities.shape[2] % 2 == 0
    steps = np.abs(np.diff(probabilities, axis=0)).mean(axis=(1, 2, 3))
    assert (steps[[1, 3]] > 2 * steps[[0, 2, 4]].max()).all()  # each snapshot twice
    steps = np.abs(np.diff(segmentation, axis=0)).mean(axis=(1, 2, 3))
    assert steps[1] > 10 * steps[3]  # from 0.6 on, surer changes no class
    cell = color_ramp((0, 100, 0))[-1]  # where the network is sure, the panel has the bright end of the ramp
    near = (np.abs(probabilities[-1] - cell).max(axis=2) < 12).mean()
    assert near > 0.05 and (np.abs(probabilities[0] - cell).max(axis=2) < 12).mean() < near / 4
    render_training.main(arguments)
    assert contents == [files.hash_file(tmp_path / f"{name}.mp4") for name in "ps"]


def test_segmentation_of_the_last_snapshot_equals_the_reference(arguments, tmp_path):
    render_training.main(arguments)
    last = frames_of(tmp_path / "s.mp4")[-1]
    third = last.shape[1] // 3
    reference, predicted = last[60:-40, third + 5 : 2 * third - 5], last[60:-40, 2 * third + 1 : 3 * third - 9]
    assert np.abs(reference - predicted).mean() < 12


def test_refuses_snapshots_that_do_not_fit(arguments, tmp_path):
    maps = np.zeros((2, 30, 40), np.uint8)
    io.write_volume(tmp_path / "snapshots" / "granule.ome.zarr", maps, (1, 10, 10), record={})
    with pytest.raises(ValueError, match=r"granule.ome.zarr: expected uint8 \(T, Y, X\) = \(3, 30, 40\)"):
        render_training.main(arguments)
    facts = {"steps": STEPS, "voxel_size_nm": [50, 10, 10]}
    files.write_json(tmp_path / "snapshots" / "steps.json", facts, {})
    with pytest.raises(ValueError, match=r"steps\.json: expected the key slice"):
        render_training.main(arguments)
    assert not (tmp_path / "p.mp4").exists()


def test_refuses_a_region_that_is_not_the_snapshots(arguments, tmp_path):
    small = made_up.write_volume(tmp_path / "small.ome.zarr", made_up.labels((2, 30, 40)))
    arguments[arguments.index("--reference") + 1] = small
    with pytest.raises(ValueError, match=r"small.ome.zarr: expected slices \(30, 40\).* more than 2 of them"):
        render_training.main(arguments)


def test_video_that_fails_half_way_leaves_nothing(tmp_path):
    path = tmp_path / "x.mp4"
    with pytest.raises(ValueError, match="stop"), rendering_output.new_video(path, 64, 64, 10, {}) as add_frame:
        add_frame(np.zeros((64, 64, 3), np.uint8))
        raise ValueError("stop")
    assert list(tmp_path.iterdir()) == []
