"""Where and how networks are computed: device, precision, memory layout."""

import ctypes

import torch

TRAINING_PRECISIONS = ("auto", "float32", "bfloat16")
PRECISIONS = (*TRAINING_PRECISIONS, "float16")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # numbers of glibc's malloc.h
KEPT_BLOCK, KEPT_TOP = 2**30, 2**31 - 1  # bytes
CHANNELS_LAST = {5: torch.channels_last_3d, 4: torch.channels_last}  # a kernel's dimensions -> its layout


def choose_device(name="auto"):
    """`auto`: a GPU when there is one. Raises ValueError when a GPU is asked for and missing."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(
            "device: cuda asked for (in the configuration or in the profile of a cluster), but torch finds no GPU. Use auto "
            "or cpu; on a cluster, also a partition and a driver that torch can work with (docs/cluster.md)."
        )
    return torch.device(name)


def cpu_has_bfloat16():
    """Whether this CPU multiplies bfloat16 in hardware (elsewhere it is slower than float32)."""
    return torch.cpu._is_avx512_bf16_supported()


def tune_cpu():
    """Let this process keep the memory that tensors free, for the next ones; whether this could be done.

    glibc maps large blocks anew for each tensor and the system then clears them page by page. With that memory kept, a
    forward pass of the hybrid at base width 8 over (5, 1000, 1000) took 39 to 48 % less time, at base width 64 over
    (5, 208, 208) 4 %; the peak of the former's memory rose by 25 to 47 % (docs/benchmarks.md). Only glibc can do it.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(set_option(M_MMAP_THRESHOLD, KEPT_BLOCK) and set_option(M_TRIM_THRESHOLD, KEPT_TOP))


def choose_precision(name, device, inference=False):
    """`auto`: bfloat16 on GPUs and on CPUs that multiply it in hardware, else float32 (docs/benchmarks.md).

    inference: for prediction, where float16 is known as well. Its small gradients would become zero, so training refuses it.
    """
    key, known = ("prediction", PRECISIONS) if inference else ("experiments.training", TRAINING_PRECISIONS)
    if name not in known:
        hint = " float16 is for prediction only: its small gradients become zero." if name == "float16" else ""
        raise ValueError(f"{key}.precision: unknown {name!r}; known: {', '.join(known)}.{hint}")
    if name == "auto":
        fast = torch.cuda.is_bf16_supported() if device.type == "cuda" else cpu_has_bfloat16()
        return "bfloat16" if fast else "float32"
    return name


def choose_memory_format(channels_last, precision, device):
    """`auto`: channels last on the CPU and with 16 bits, where it was measured faster (docs/benchmarks.md)."""
    if channels_last == "auto":
        channels_last = device.type == "cpu" or precision != "float32"
    return torch.channels_last_3d if channels_last else torch.contiguous_format


class Computation:
    """Device, precision and memory layout in one, ready to use.

    precision: float32, bfloat16, auto, for inference also float16; channels_last: true, false or auto; inference: no
    gradients will be asked for.
    """

    def __init__(self, device="auto", precision="auto", channels_last="auto", inference=False):
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device, inference)
        self.memory_format = choose_memory_format(channels_last, self.precision, self.device)
        # cuDNN times its kernels on the first tile of a shape and takes the fastest; training stays reproducible without
        torch.backends.cudnn.benchmark = inference

    def place(self, network):
        """The network on the device in the chosen memory layout: 3D kernels in that of volumes, 2D ones in that of pictures."""
        network.to(self.device)
        last = self.memory_format == torch.channels_last_3d
        for kernel in network.parameters():
            if kernel.dim() in CHANNELS_LAST:
                layout = CHANNELS_LAST[kernel.dim()] if last else torch.contiguous_format
                kernel.data = kernel.data.contiguous(memory_format=layout)
        return network

    def forward(self, network, x):
        """Run the network on x (N, C, Z, Y, X); outputs in the precision's type."""
        x = x.to(self.device).contiguous(memory_format=self.memory_format)
        if self.precision == "float32":
            return network(x)
        with torch.autocast(self.device.type, getattr(torch, self.precision)):
            return network(x)

    def facts(self):
        """{device, precision}: cpu, or the kind of the GPU as its maker names it; and the precision that was chosen."""
        device = self.device.type
        if device == "cuda":
            device = f"cuda ({torch.cuda.get_device_name(self.device)})"
        return {"device": device, "precision": self.precision}

    def __str__(self):
        layout = "channels last" if self.memory_format == torch.channels_last_3d else "contiguous"
        return f"{self.device.type}, {self.precision}, {layout}, {torch.get_num_threads()} threads"
