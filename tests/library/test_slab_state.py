"""A prediction that is killed goes on where it stopped, with equal bytes; a state of something else is discarded."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from densecell import files, io
from densecell.slab_state import SlabState

SCRIPTS = Path(__file__).resolve().parents[2] / "workflow" / "scripts"
RECORD = {"params": {}, "code": "c", "parents": {}}
SHAPE = (20, 30, 30)  # layers of shards: 0 to 8, 8 to 16, 16 to 20
NAMES = ("labels.ome.zarr", "members/seed1.ome.zarr")


def write(target, restart, kill_after=None, fingerprint="f", slab=None):
    """Write two stores layer by layer as a prediction does; returns the slices that were written in this call."""
    state = SlabState(restart, fingerprint)
    values = np.random.default_rng(0).integers(0, 7, SHAPE, dtype=np.uint8)
    values[8:16, :20] = 0
    options = {"voxel_size_nm": (50, 10, 10), "record": RECORD, "slab": slab}
    volumes = [io.new_volume(target / n, SHAPE, np.uint8, unfinished=state.store(target / n), **options) for n in NAMES]
    written = []
    with volumes[0] as first, volumes[1] as second:
        start = first.slices[0] + state.done
        for start, stop in [s for s in first.slabs() if s[0] >= start]:
            for writer in (first, second):
                writer.write(start, values[start:stop])
                if kill_after == start:  # in the middle of a layer
                    os.kill(os.getpid(), signal.SIGKILL)
            state.save(stop - first.slices[0], (first, second))
            written.append((start, stop))
    state.remove()
    return written


def killed(target, restart, kill_after):
    """`write` in a process of its own that is killed."""
    code = f"import test_slab_state as t; t.write(t.Path({str(target)!r}), {str(restart)!r}, {kill_after})"
    path = os.pathsep.join([str(SCRIPTS), str(Path(__file__).parent)])
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, check=False)
    assert done.returncode == -signal.SIGKILL


def test_a_killed_job_goes_on_at_the_last_finished_layer_with_equal_bytes(tmp_path):
    assert write(tmp_path / "whole", tmp_path / "restart") == [(0, 8), (8, 16), (16, 20)]
    killed(tmp_path / "again", tmp_path / "restart", 8)
    assert SlabState(tmp_path / "restart", "f").done == 8
    assert not any(p.is_dir() for p in (tmp_path / "again").rglob("*.ome.zarr"))
    stray = tmp_path / "restart" / "again" / "labels.ome.zarr" / "0" / "c" / "1" / "0" / "0.ab12.partial"
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_text("half")  # what zarr leaves where it is killed while it writes a shard
    assert write(tmp_path / "again", tmp_path / "restart") == [(8, 16), (16, 20)]
    assert files.hash_store(tmp_path / "whole") == files.hash_store(tmp_path / "again")
    assert not (tmp_path / "restart").exists()


def test_a_job_killed_while_its_stores_are_put_in_place_computes_nothing_again(tmp_path, monkeypatch):
    write(tmp_path / "whole", tmp_path / "restart")
    sidecars = []

    def fail_at_the_second(*arguments):
        sidecars.append(arguments)
        if len(sidecars) == 2:
            raise KeyboardInterrupt
        original(*arguments)

    original = files.write_sidecar
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(files, "write_sidecar", fail_at_the_second)
        write(tmp_path / "again", tmp_path / "restart")
    files.remove(tmp_path / "again")  # Snakemake deletes the outputs of a failed job
    assert write(tmp_path / "again", tmp_path / "restart") == []
    assert files.hash_store(tmp_path / "whole") == files.hash_store(tmp_path / "again")


def test_a_state_of_another_fingerprint_is_discarded_with_its_stores(tmp_path):
    killed(tmp_path / "out", tmp_path / "restart", 8)
    assert SlabState(tmp_path / "restart", "other").done == 0
    assert not (tmp_path / "restart").exists()


def test_stores_without_a_state_are_discarded(tmp_path):
    killed(tmp_path / "out", tmp_path / "restart", 8)
    files.remove(tmp_path / "restart" / "state.json")
    assert SlabState(tmp_path / "restart", "f").done == 0
    assert not (tmp_path / "restart").exists()


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"done": 8, "seal": "x"}'])
def test_a_damaged_state_is_refused(tmp_path, text):
    killed(tmp_path / "out", tmp_path / "restart", 8)
    (tmp_path / "restart" / "state.json").write_text(text)
    with pytest.raises(ValueError, match=r"restart: unreadable restart state, state\.json .*Delete this folder"):
        SlabState(tmp_path / "restart", "f")


def test_a_damaged_shard_of_an_unfinished_store_is_refused(tmp_path):
    killed(tmp_path / "out", tmp_path / "restart", 8)
    shard = tmp_path / "restart" / "out" / "labels.ome.zarr" / "0" / "c" / "0" / "0" / "0"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ValueError, match=r"restart: unreadable .*0/c/0/0/0 is missing or damaged.*Delete this folder"):
        SlabState(tmp_path / "restart", "f")


def test_a_state_whose_stores_are_gone_is_discarded(tmp_path):
    killed(tmp_path / "out", tmp_path / "restart", 8)
    files.remove(tmp_path / "restart" / "members" / "seed1.ome.zarr")
    assert SlabState(tmp_path / "restart", "f").done == 0


def test_an_unfinished_volume_of_another_shape_is_refused(tmp_path):
    options = {"voxel_size_nm": (50, 10, 10), "record": RECORD, "unfinished": tmp_path / "unfinished"}
    with io.new_volume(tmp_path / "a", (8, 8, 8), np.uint8, **options):
        pass
    with pytest.raises(ValueError, match=r"unfinished: an unfinished volume of .*\(8, 8, 8\).*Delete this folder"):
        io.new_volume(tmp_path / "b", (8, 8, 9), np.uint8, **options).__enter__()


def test_two_stores_of_one_name_are_refused(tmp_path):
    state = SlabState(tmp_path / "restart", "f")
    state.store(tmp_path / "a" / "x" / "labels.ome.zarr")
    with pytest.raises(ValueError, match="has the name and folder of"):
        state.store(tmp_path / "b" / "x" / "labels.ome.zarr")


def test_slabs_are_whole_shards_and_cover_the_volume_once():
    assert [io.slab_slices(20, 8, i, 2) for i in (1, 2)] == [(0, 8), (8, 20)]
    assert [io.slab_slices(20, 8, i, 4) for i in (1, 2, 3, 4)] == [(0, 0), (0, 8), (8, 16), (16, 20)]
    for n_slices in range(1, 60):
        for count in range(1, 9):
            ranges = [io.slab_slices(n_slices, 8, i, count) for i in range(1, count + 1)]
            assert all(first % 8 == 0 or first == n_slices for first, _ in ranges)
            assert [0, *(stop for _, stop in ranges)] == [*(first for first, _ in ranges), n_slices]
    for number in (0, 3):
        with pytest.raises(ValueError, match="expected a number from 1 to 2"):
            io.slab_slices(20, 8, number, 2)


def test_a_slab_holds_only_its_slices(tmp_path):
    assert write(tmp_path / "part", tmp_path / "restart", slab=(2, 3)) == [(8, 16)]
    part = tmp_path / "part" / "labels.ome.zarr"
    assert files.read_sidecar(part)["slices"] == [8, 16]
    assert [p.name for p in (part / "0" / "c").iterdir()] == ["1"]
    with io.new_volume(tmp_path / "x", SHAPE, np.uint8, (50, 10, 10), slab=(2, 3)) as writer:
        with pytest.raises(ValueError, match=r"holds the slices \(8, 16\), was given 16 to 17"):
            writer.write(16, np.zeros((1, 30, 30), np.uint8))
        writer.write(8, np.ones((8, 30, 30), np.uint8))
