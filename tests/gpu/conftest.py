"""Devices that these tests compare with the CPU: a GPU, and the CPU itself, so that the tests are run everywhere.

Only torch, numpy and scipy are needed: no volume is read from disk and zarr is not imported.
"""

import pytest
import torch


def pytest_collection_modifyitems(items):
    """Tests marked `gpu` are skipped, with a reason, where torch finds no CUDA device."""
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device; torch finds none"))


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    """The device that is compared with the CPU in float32."""
    return request.param


@pytest.fixture(autouse=True)
def exact_float32():
    """Float32 products in float32 on the GPU: TF32 has 10 bits of mantissa and would hide an error of 1e-3."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
