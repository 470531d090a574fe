"""Choosing device, precision and memory layout, and computing with them."""

import pytest
import torch
from torch import nn

from densecell import devices

CPU = torch.device("cpu")


def without_gpu(monkeypatch, available=False):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)


def test_auto_takes_a_gpu_only_where_there_is_one(monkeypatch):
    without_gpu(monkeypatch)
    assert devices.choose_device("auto") == CPU
    without_gpu(monkeypatch, available=True)
    assert devices.choose_device("auto") == torch.device("cuda")
    assert devices.choose_device("cpu") == CPU


def test_a_missing_gpu_is_an_error_only_when_asked_for(monkeypatch):
    without_gpu(monkeypatch)
    with pytest.raises(ValueError, match="no GPU"):
        devices.choose_device("cuda")


@pytest.mark.parametrize(("hardware", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_auto_precision_follows_the_hardware(monkeypatch, hardware, expected):
    monkeypatch.setattr(devices, "cpu_has_bfloat16", lambda: hardware)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: hardware)
    assert devices.choose_precision("auto", CPU) == expected
    assert devices.choose_precision("auto", torch.device("cuda")) == expected
    assert devices.choose_precision("float32", CPU) == "float32"
    assert devices.choose_precision("bfloat16", CPU) == "bfloat16"


def test_unknown_precision_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"precision: unknown 'float16'; known: auto, float32, bfloat16"):
        devices.choose_precision("float16", CPU)


def test_auto_layout_is_channels_last_on_the_cpu_and_with_bfloat16():
    last, contiguous, gpu = torch.channels_last_3d, torch.contiguous_format, torch.device("cuda")
    assert devices.choose_memory_format("auto", "float32", CPU) is last
    assert devices.choose_memory_format("auto", "bfloat16", gpu) is last
    assert devices.choose_memory_format("auto", "float32", gpu) is contiguous
    assert devices.choose_memory_format(True, "float32", gpu) is last
    assert devices.choose_memory_format(False, "bfloat16", CPU) is contiguous


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
@pytest.mark.parametrize("channels_last", [True, False])
def test_computation_runs_in_its_precision_and_keeps_float32_weights(precision, dtype, channels_last):
    torch.manual_seed(0)
    network = nn.Conv3d(2, 4, 3, padding=1)
    x = torch.randn(1, 2, 3, 8, 8)
    with torch.no_grad():
        expected = network(x)
        computation = devices.Computation("cpu", precision, channels_last)
        found = computation.forward(computation.place(network), x)
    assert found.dtype == dtype and network.weight.dtype == torch.float32
    assert torch.allclose(found.float(), expected, atol=1e-6 if precision == "float32" else 0.05)
    assert network.weight.is_contiguous(memory_format=computation.memory_format)


@pytest.mark.parametrize("channels_last", [True, False])
def test_kernels_of_pictures_and_of_volumes_share_a_network(channels_last):
    """`Module.to(memory_format=channels_last_3d)` raises at the first 2D kernel."""
    network = nn.ModuleList([nn.Conv2d(2, 4, 3), nn.Conv3d(2, 4, 3), nn.Linear(2, 4), nn.BatchNorm2d(4)])
    placed = devices.Computation("cpu", "float32", channels_last).place(network)
    assert placed is network
    for kernel, last in ((network[0].weight, torch.channels_last), (network[1].weight, torch.channels_last_3d)):
        assert kernel.is_contiguous(memory_format=last) == channels_last
        assert kernel.is_contiguous() != channels_last
        assert kernel.is_leaf and kernel.requires_grad


def test_a_computation_says_what_it_is():
    threads = torch.get_num_threads()
    assert str(devices.Computation("cpu", "float32", False)) == f"cpu, float32, contiguous, {threads} threads"
    assert str(devices.Computation("cpu", "bfloat16", "auto")) == f"cpu, bfloat16, channels last, {threads} threads"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_agrees_with_the_cpu():
    torch.manual_seed(0)
    network, x = nn.Conv3d(2, 4, 3, padding=1), torch.randn(1, 2, 3, 8, 8)
    with torch.no_grad():
        expected = network(x)
        computation = devices.Computation("cuda", "float32", False)
        found = computation.forward(computation.place(network), x)
    assert found.device.type == "cuda"
    assert torch.allclose(found.cpu(), expected, atol=1e-2)  # convolutions may use TF32
