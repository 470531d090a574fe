"""Checkpoints, member lists and restart states from strangers: used, or refused by name before memory is taken."""

import json
import os
import struct

import limits
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_checkpoints import SPEC, Bomb, network
from test_fuzz_raw_formats import MUTATIONS, json_places, mutated

from densecell import checkpoints, ensembling, specifications
from densecell.networks import NETWORKS, build_network

TEXTS = ["", "../../x", "a/b", "os.system", "unet_2d", "\n", "é", "a" * 10**4]
NUMBERS = [None, True, -1, 0, 2**31, 10**9, 2**63, 1e300, float("nan")]
ODD = st.sampled_from([*TEXTS, *NUMBERS, [], {}, [[]], ["a"] * 300, {"a": {"b": 1}}, [2**40] * 3])


def content_of(tmp_path, spec=SPEC, state=None):
    """The bytes of a checkpoint with any specification."""
    metadata = {"densecell": json.dumps(spec)}
    safetensors.torch.save_file(state or network().state_dict(), tmp_path / "written", metadata=metadata)
    return (tmp_path / "written").read_bytes()


def assert_loaded_or_refused(path):
    with limits.bounded(seconds=20, n_bytes=2**29):
        try:
            checkpoints.load_network(path)
        except ValueError as error:
            assert path.name in str(error), error
            assert len(str(error)) < 2000


@limits.FUZZ
@given(mutations=MUTATIONS)
def test_a_mutated_checkpoint_is_loaded_or_refused_by_name(tmp_path, mutations):
    path = tmp_path / "stranger.safetensors"
    path.write_bytes(mutated(content_of(tmp_path), mutations, head=1500))
    assert_loaded_or_refused(path)


@limits.FUZZ
@given(place=st.integers(0, 10**6), odd=ODD)
def test_any_value_in_a_specification_is_used_or_refused_by_name(tmp_path, place, odd):
    spec = json.loads(json.dumps(SPEC))
    places = list(json_places(spec))
    *parents, last = places[place % len(places)]
    target = spec
    for key in parents:
        target = target[key]
    target[last] = odd
    path = tmp_path / "stranger.safetensors"
    path.write_bytes(content_of(tmp_path, spec))
    assert_loaded_or_refused(path)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("width", [2**15, 2**16, 10**9, 2**62])
def test_a_network_too_wide_for_its_weights_is_refused_before_memory_is_taken(tmp_path, name, width):
    path = tmp_path / "stranger.safetensors"
    path.write_bytes(content_of(tmp_path, {**SPEC, "network": name, "options": {"base_width": width}}))
    with limits.bounded(seconds=20, n_bytes=2**28), pytest.raises(ValueError, match=r"stranger\.safetensors"):
        checkpoints.load_network(path)


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_of_every_network_pass_the_check(tmp_path, name):
    made = build_network(name, n_channels=1, n_classes=3, base_width=4)
    path = tmp_path / "own.safetensors"
    path.write_bytes(content_of(tmp_path, {**SPEC, "network": name, "options": {"base_width": 4}}, made.state_dict()))
    checkpoints.check_weights(path, checkpoints.read_specification(path))


@pytest.mark.parametrize("key, value", [("path", "/etc"), ("__class__", "x"), ("network\n", "unet_2d")])
def test_an_unknown_key_of_a_specification_is_refused(tmp_path, key, value):
    path = tmp_path / "stranger.safetensors"
    path.write_bytes(content_of(tmp_path, {**SPEC, key: value}))
    with pytest.raises(ValueError, match=r"stranger\.safetensors.*unknown keys"):
        checkpoints.load_network(path)


SIGMOID = {
    **SPEC,
    "options": {"base_width": 2, "norm_momentum": 0.1},
    "activation": "sigmoid",
    "decision": "compose",
    "threshold": 0.5,
    "compose": {"order": ["cell", "granule"], "nested": "within", "ties": "order", "outside": "background"},
}


def test_what_a_network_of_targets_says_is_sound_and_so_is_the_old_way():
    assert specifications.problem(SIGMOID) == specifications.problem(SPEC) == ""
    assert specifications.problem({**SIGMOID, "compose": {}}) == ""


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("threshold", value) for value in (0, True, None, "0.5", -0.1, 1.5, float("nan"))),
        *(("options", {"norm_momentum": value}) for value in (1.5, -0.5, float("inf"), float("nan"), [0.5])),
        *(("compose", value) for value in (None, [], {"paint": []}, {"order": []}, {"order": ["a", "a"]})),
        *(("compose", {key: value}) for key in ("nested", "ties", "outside") for value in (1, "a" * 300, ["order"])),
        ("compose", {"outside": "../x"}),
    ],
)
def test_odd_thresholds_fractions_and_compositions_are_refused(key, value):
    assert f"has {key} " in specifications.problem({**SIGMOID, key: value})


@pytest.mark.parametrize("network_name", ["../unet_2d", "densecell.files", "os", "unet_2d.__init__", ""])
def test_a_network_is_a_name_in_the_table_and_nothing_else(tmp_path, network_name):
    path = tmp_path / "stranger.safetensors"
    path.write_bytes(content_of(tmp_path, {**SPEC, "network": network_name}))
    with pytest.raises(ValueError, match=r"stranger\.safetensors"):
        checkpoints.load_network(path)


def test_a_header_of_absurd_length_or_shape_is_refused_before_memory_is_taken(tmp_path):
    path = tmp_path / "stranger.safetensors"
    header = {"w": {"dtype": "F32", "shape": [2**40, 2**20], "data_offsets": [0, 2**62]}}
    for text in (json.dumps(header).encode(), b'{"__metadata__": ' + b"[" * 10**5, b"{" * 10**6):
        path.write_bytes(struct.pack("<Q", len(text)) + text)
        with limits.bounded(seconds=10, n_bytes=2**28), pytest.raises(ValueError, match=r"stranger\.safetensors"):
            checkpoints.load_network(path)
    deep = {"densecell": "[" * 10**5}
    safetensors.torch.save_file({"w": torch.zeros(1)}, path, metadata=deep)
    with pytest.raises(ValueError, match=r"stranger\.safetensors"):
        checkpoints.load_network(path)


def test_a_pipe_in_place_of_a_checkpoint_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "stranger.safetensors")
    with limits.bounded(seconds=2, n_bytes=2**28), pytest.raises(ValueError, match=r"stranger\.safetensors"):
        checkpoints.load_network(tmp_path / "stranger.safetensors")


# ---------------------------------------------------------------------------------------------------------- member lists
MEMBER = {"experiment": "unet", "seed": 1, "checkpoint": "../../models/unet/seed1/best.safetensors", "eval_miou": 0.5}


def test_a_member_list_is_what_densecell_writes():
    assert ensembling.checked_members({"members": [MEMBER]}, "top1.json") == [MEMBER]


@pytest.mark.parametrize(
    "change",
    [
        {"checkpoint": "/etc/passwd"},
        {"checkpoint": "/etc/x.safetensors"},
        {"checkpoint": "../../../../etc/passwd"},
        {"checkpoint": None},
        {"checkpoint": "a\n.safetensors"},
        {"experiment": "../../../home/x"},
        {"experiment": "a/b"},
        {"experiment": ""},
        {"seed": "../1"},
        {"seed": -1},
        {"seed": 1.5},
        {"seed": True},
    ],
)
def test_a_member_that_would_lead_elsewhere_is_refused(change):
    """Stores of single members are named after experiment and seed: neither may hold a path."""
    with pytest.raises(ValueError, match=r"top1\.json: members\[0\]"):
        ensembling.checked_members({"members": [{**MEMBER, **change}]}, "top1.json")


@limits.FUZZ
@given(
    st.recursive(
        ODD, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["members", *MEMBER]), inner)
    )
)
def test_any_member_list_is_used_or_refused_by_name(record):
    for value in (record, {"members": record}, {"members": [record]}):
        try:
            members = ensembling.checked_members(value, "top1.json")
        except ValueError as error:
            assert "top1.json" in str(error)
        else:
            assert all(specifications.is_name(m["experiment"]) and type(m["seed"]) is int for m in members)


# --------------------------------------------------------------------------------------------------------- restart states
@limits.FUZZ
@given(mutations=MUTATIONS)
def test_a_mutated_restart_state_is_refused_by_name(tmp_path, mutations):
    path = tmp_path / "seed1.pt"
    checkpoints.save_restart(path, {"fingerprint": "now", "network": {"w": torch.arange(3.0)}, "run": {"step": 7}})
    whole = path.read_bytes()
    path.write_bytes(mutated(whole, mutations))
    with limits.bounded(seconds=5, n_bytes=2**28):
        try:
            state = checkpoints.load_restart(path, "now")
        except ValueError as error:
            assert "seed1.pt" in str(error)
        else:
            assert path.read_bytes() == whole and state["run"] == {"step": 7}


def test_a_restart_state_with_a_right_hash_still_runs_no_code(tmp_path):
    fuse, path = tmp_path / "fuse", tmp_path / "seed1.pt"
    checkpoints.save_restart(path, {"fingerprint": "now", "network": Bomb(fuse)})
    with pytest.raises(ValueError, match=r"seed1\.pt: unreadable restart state"):
        checkpoints.load_restart(path, "now")
    assert not fuse.exists()
