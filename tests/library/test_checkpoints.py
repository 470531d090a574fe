"""Checkpoints: what was written comes back, nothing else is accepted, and no file runs code."""

import io
import json
import pickle
import zipfile

import pytest
import safetensors.torch
import torch

from densecell import checkpoints
from densecell.networks import build_network

NETWORK = {"n_channels": 1, "n_classes": 3, "base_width": 2}
SPEC = {
    "network": "hybrid_2d3d_333",
    "options": {"base_width": 2},
    "classes": ["background", "cell", "granule"],
    "targets": ["background", "cell", "granule"],
    "activation": "softmax",
    "decision": "argmax",
    "normalization": [{"method": "zscore", "mean": 120.0, "std": 30.0}],
    "window": [3, 16, 16],
    "seeds": {"seed": 1, "weights": 2, "data": 3},
}
RECORD = {"params": {}, "code": "0", "parents": {}}


def network(seed=0):
    torch.manual_seed(seed)
    return build_network("hybrid_2d3d_333", **NETWORK)


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "best.safetensors"
    checkpoints.write_checkpoint(path, network().state_dict(), SPEC, RECORD)
    return path


class Bomb:
    """A pickle that writes a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_weights_and_specification_come_back(written):
    loaded, spec = checkpoints.load_network(written, SPEC["classes"])
    assert spec == SPEC
    assert not loaded.training
    expected = network().state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    assert all(torch.equal(loaded.state_dict()[name], expected[name]) for name in expected)


def test_weights_are_stored_as_plain_safetensors(written):
    assert safetensors.torch.load_file(written).keys() == network().state_dict().keys()


def test_the_written_file_does_not_share_memory_with_the_network(tmp_path):
    state = network().state_dict()
    checkpoints.write_checkpoint(tmp_path / "a.safetensors", state, SPEC)
    before = safetensors.torch.load_file(tmp_path / "a.safetensors")
    for tensor in state.values():
        tensor.zero_()
    loaded, _ = checkpoints.load_network(tmp_path / "a.safetensors")
    assert all(torch.equal(tensor, before[name]) for name, tensor in loaded.state_dict().items())


def test_equal_states_give_equal_bytes_and_unequal_ones_do_not(tmp_path):
    files = [tmp_path / f"{i}.safetensors" for i in range(3)]
    for path, seed in zip(files, (0, 0, 1)):
        checkpoints.write_checkpoint(path, network(seed).state_dict(), dict(reversed(SPEC.items())), RECORD)
    a, b, c = (path.read_bytes() for path in files)
    assert a == b != c
    assert len({path.with_name(path.name + ".json").read_text() for path in files[:2]}) == 1


def test_other_classes_are_refused_and_named(written):
    with pytest.raises(ValueError, match=r"trained for the classes background, cell, granule; .* background, nucleus"):
        checkpoints.load_network(written, ["background", "nucleus"])
    with pytest.raises(ValueError, match="train again"):
        checkpoints.load_network(written, ["cell", "background", "granule"])


def test_weights_of_another_network_are_refused(tmp_path):
    spec = {**SPEC, "options": {"base_width": 4}}
    checkpoints.write_checkpoint(tmp_path / "a.safetensors", network().state_dict(), spec)
    with pytest.raises(ValueError, match="weights do not fit the network 'hybrid_2d3d_333'"):
        checkpoints.load_network(tmp_path / "a.safetensors")


def test_an_incomplete_specification_is_refused_when_written_and_when_read(tmp_path):
    short = {key: value for key, value in SPEC.items() if key not in ("window", "seeds")}
    with pytest.raises(ValueError, match="lacks window, seeds"):
        checkpoints.write_checkpoint(tmp_path / "a.safetensors", {}, short)
    foreign = tmp_path / "b.safetensors"
    safetensors.torch.save_file({"w": torch.zeros(2)}, foreign, metadata={"densecell": json.dumps(short)})
    with pytest.raises(ValueError, match=r"b\.safetensors: not a densecell checkpoint.*lacks window, seeds"):
        checkpoints.read_specification(foreign)


def foreign_files(tmp_path, fuse):
    """name -> bytes of files that are no checkpoint; two of them would run code if unpickled."""
    zipped, saved, plain = io.BytesIO(), io.BytesIO(), tmp_path / "plain"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Bomb(fuse)))
    torch.save({"w": torch.zeros(2)}, saved)
    safetensors.torch.save_file({"w": torch.zeros(2)}, plain)
    return {
        "pickle": pickle.dumps(Bomb(fuse)),
        "zip": zipped.getvalue(),
        "torch.save": saved.getvalue(),
        "garbage": bytes(range(256)) * 8,
        "empty": b"",
        "text": b"not a checkpoint",
        "safetensors without specification": plain.read_bytes(),
        "huge header": (2**62).to_bytes(8, "little") + b"{}",
    }


def test_foreign_files_are_refused_and_run_nothing(tmp_path):
    fuse, path = tmp_path / "fuse", tmp_path / "best.safetensors"
    for content in foreign_files(tmp_path, fuse).values():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"best\.safetensors: not a densecell checkpoint"):
            checkpoints.load_network(path)
    assert not fuse.exists()
    pickle.loads(pickle.dumps(Bomb(fuse))).close()
    assert fuse.exists(), "the fuse itself works"


@pytest.mark.parametrize("kept", [0.001, 0.5, 0.999])
def test_a_truncated_checkpoint_is_refused(written, kept):
    content = written.read_bytes()
    written.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ValueError, match="differs from what densecell wrote"):
        checkpoints.load_network(written)
    written.with_name(written.name + ".json").unlink()  # a copy without its sidecar
    with pytest.raises(ValueError, match="not a densecell checkpoint"):
        checkpoints.load_network(written)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"gone\.safetensors: no such checkpoint"):
        checkpoints.load_network(tmp_path / "gone.safetensors")


def restart_state(fingerprint="now"):
    return {
        "fingerprint": fingerprint,
        "network": {"w": torch.arange(3.0)},
        "run": {"step": 7, "history": [{"loss": 0.5}]},
    }


def test_restart_state_comes_back_with_its_fingerprint_only(tmp_path):
    path = tmp_path / "restart" / "seed1.pt"
    assert checkpoints.load_restart(path, "now") is None
    checkpoints.save_restart(path, restart_state())
    state = checkpoints.load_restart(path, "now")
    assert state["run"] == {"step": 7, "history": [{"loss": 0.5}]} and torch.equal(
        state["network"]["w"], torch.arange(3.0)
    )
    assert checkpoints.load_restart(path, "other settings") is None


def test_a_restart_state_replaces_the_one_before_or_leaves_it(tmp_path, monkeypatch):
    path = tmp_path / "seed1.pt"
    checkpoints.save_restart(path, restart_state())
    before = path.read_bytes()

    def half_written(*_):
        assert path.with_name("seed1.pt.partial").exists()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.hashlib, "sha256", half_written)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save_restart(path, restart_state())
    assert path.read_bytes() == before
    checkpoints.save_restart(path, restart_state("later"))
    assert checkpoints.load_restart(path, "later")["run"]["step"] == 7


def test_a_damaged_restart_state_says_what_to_do(tmp_path):
    path = tmp_path / "seed1.pt"
    checkpoints.save_restart(path, restart_state())
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"seed1\.pt: unreadable restart state .*delete it"):
        checkpoints.load_restart(path, "now")


def test_any_flipped_bit_of_a_restart_state_is_detected(tmp_path):
    path = tmp_path / "seed1.pt"
    checkpoints.save_restart(path, restart_state())
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(ValueError, match=r"seed1\.pt: unreadable restart state .*delete it"):
            checkpoints.load_restart(path, "now")


def test_a_restart_state_runs_no_code(tmp_path):
    fuse, path = tmp_path / "fuse", tmp_path / "seed1.pt"
    checkpoints.save_restart(path, {"fingerprint": "now", "network": Bomb(fuse)})
    with pytest.raises((ValueError, pickle.UnpicklingError)):
        checkpoints.load_restart(path, "now")
    assert not fuse.exists()
