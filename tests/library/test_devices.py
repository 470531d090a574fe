"""Choosing device, precision and memory layout, and computing with them."""

import os
import platform
import resource
import subprocess
import sys

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
    with pytest.raises(
        ValueError, match=r"experiments.training.precision: unknown 'half'; known: auto, float32, bfloat16"
    ):
        devices.choose_precision("half", CPU)
    with pytest.raises(ValueError, match=r"^prediction.precision: unknown 'half'; known: .*, float16\.$"):
        devices.choose_precision("half", CPU, inference=True)


def test_float16_is_for_prediction_only():
    assert devices.choose_precision("float16", CPU, inference=True) == "float16"
    with pytest.raises(ValueError, match=r"experiments.training.precision: unknown 'float16'.* for prediction only"):
        devices.Computation("cpu", "float16")


def test_cudnn_searches_kernels_for_prediction_only(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    devices.Computation("cpu", inference=True)
    assert torch.backends.cudnn.benchmark
    devices.Computation("cpu")
    assert not torch.backends.cudnn.benchmark


TUNED = """
import resource, sys
from densecell.devices import tune_cpu
tuned = sys.argv[1] == "tuned"
assert not tuned or tune_cpu()
bytearray(2**26)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    bytearray(2**26)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be tuned")
def test_a_tuned_process_reuses_freed_memory():
    """Three blocks of 64 MiB: untuned, each gets pages anew; tuned, those of an earlier one are used again."""

    def faults(mode):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", TUNED, mode]
        return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)

    pages = 2**26 // resource.getpagesize()
    assert faults("plain") >= 3 * pages > pages > 10 * faults("tuned")


def test_tuning_without_glibc_changes_nothing(monkeypatch):
    monkeypatch.setattr(devices.ctypes, "CDLL", lambda name: object())
    assert devices.tune_cpu() is False


def test_auto_layout_is_channels_last_on_the_cpu_and_with_bfloat16():
    last, contiguous, gpu = torch.channels_last_3d, torch.contiguous_format, torch.device("cuda")
    assert devices.choose_memory_format("auto", "float32", CPU) is last
    assert devices.choose_memory_format("auto", "bfloat16", gpu) is last
    assert devices.choose_memory_format("auto", "float32", gpu) is contiguous
    assert devices.choose_memory_format(True, "float32", gpu) is last
    assert devices.choose_memory_format(False, "bfloat16", CPU) is contiguous


@pytest.mark.parametrize(("precision", "dtype"), [(p, getattr(torch, p)) for p in ("float32", "bfloat16", "float16")])
@pytest.mark.parametrize("channels_last", [True, False])
def test_computation_runs_in_its_precision_and_keeps_float32_weights(precision, dtype, channels_last):
    torch.manual_seed(0)
    network = nn.Conv3d(2, 4, 3, padding=1)
    x = torch.randn(1, 2, 3, 8, 8)
    with torch.no_grad():
        expected = network(x)
        computation = devices.Computation("cpu", precision, channels_last, inference=True)
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
