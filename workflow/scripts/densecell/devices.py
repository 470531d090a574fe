"""Where and how networks are computed: device, precision, memory layout."""

import torch

PRECISIONS = ("auto", "float32", "bfloat16")
CHANNELS_LAST = {5: torch.channels_last_3d, 4: torch.channels_last}  # a kernel's dimensions -> its layout


def choose_device(name="auto"):
    """`auto`: a GPU when there is one. Raises ValueError when a GPU is asked for and missing."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError("device: cuda asked for, but torch finds no GPU. Use auto or cpu.")
    return torch.device(name)


def cpu_has_bfloat16():
    """Whether this CPU multiplies bfloat16 in hardware (elsewhere it is slower than float32)."""
    return torch.cpu._is_avx512_bf16_supported()


def choose_precision(name, device):
    """`auto`: bfloat16 on GPUs and on CPUs that multiply it in hardware, else float32 (docs/benchmarks.md)."""
    if name not in PRECISIONS:
        raise ValueError(f"experiments.training.precision: unknown {name!r}; known: {', '.join(PRECISIONS)}.")
    if name == "auto":
        fast = torch.cuda.is_bf16_supported() if device.type == "cuda" else cpu_has_bfloat16()
        return "bfloat16" if fast else "float32"
    return name


def choose_memory_format(channels_last, precision, device):
    """`auto`: channels last on the CPU and with bfloat16, where it was measured faster (docs/benchmarks.md)."""
    if channels_last == "auto":
        channels_last = device.type == "cpu" or precision == "bfloat16"
    return torch.channels_last_3d if channels_last else torch.contiguous_format


class Computation:
    """Device, precision and memory layout in one, ready to use.

    precision: float32, bfloat16 or auto; channels_last: true, false or auto.
    """

    def __init__(self, device="auto", precision="auto", channels_last="auto"):
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        self.memory_format = choose_memory_format(channels_last, self.precision, self.device)

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
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            return network(x)

    def __str__(self):
        layout = "channels last" if self.memory_format == torch.channels_last_3d else "contiguous"
        return f"{self.device}, {self.precision}, {layout}, {torch.get_num_threads()} threads"
