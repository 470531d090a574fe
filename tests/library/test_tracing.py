"""One pass tells a network's steps: kinds, shapes, levels, connections, outputs; for every network in the table."""

import math

import pytest
import torch

from densecell.networks import NETWORKS, build_network, tracing

WINDOWS = {
    "unet_2d": (1, 572, 572),
    "unet_3d_thick": (16, 180, 180),
    "deepvess": (7, 33, 33),
    "medicalnet": (16, 96, 96),
    "deeplab_drn": (1, 300, 300),
    "deeplab_resnet101": (1, 300, 300),
    "resunet": (1, 512, 512),
    "setr_pup": (1, 512, 512),
    "transunet": (1, 512, 512),
}


def traced(name, window=None, **options):
    return tracing.trace(name, options, window or WINDOWS.get(name, (5, 300, 300)), 7)


def of_kind(trace, kind):
    return [step for step in trace.steps if step.kind == kind]


def test_steps_of_the_main_network_are_those_of_the_paper():
    """Fig. 2a: three pools, (5, 37, 37) at the bottom, widths 32-64-64, 64-128-128, 256, 512, the pyramid of two scales."""
    trace = traced("hybrid_2d3d_333")
    convolutions = of_kind(trace, "convolution")
    widths = [c.channels for c in convolutions]
    encoder, decoder = [32, 64, 64, 64, 128, 128, 256, 256, 512, 512], [256, 256, 64, 128, 128, 32, 64, 64]
    assert widths == [*encoder, *decoder, 7, 64, 64, 64, 128, 128, 128, 128, 128, 64, 7]
    assert [p.space for p in of_kind(trace, "pool")] == [(5, 150, 150), (5, 75, 75), (5, 37, 37), (5, 148, 148)]
    assert [(u.channels, u.space[1]) for u in of_kind(trace, "transposed")] == [
        (256, 74),
        (64, 148),
        (32, 296),
        (64, 296),
    ]
    assert [c.channels for c in of_kind(trace, "concatenation")] == [512, 192, 96, 71]
    (softmax,), (joined,) = of_kind(trace, "softmax"), of_kind(trace, "sum")
    assert trace.steps[softmax.sources[0]].predictor and len(joined.sources) == 2
    assert [c.kernel for c in convolutions[:3]] == [(3, 3, 3), (1, 3, 3), (1, 3, 3)]
    assert trace.outputs == [(len(trace.steps) - 1, (1, 7, 5, 296, 296)), (28, (1, 7, 5, 296, 296))]
    assert [step.predictor for step in trace.steps].count(True) == 2


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_told_in_full(name):
    trace = traced(name)
    window = WINDOWS.get(name, (5, 300, 300))
    with torch.device("meta"):
        network = build_network(name)
    assert trace.n_parameters == sum(p.numel() for p in network.parameters())
    assert trace.outputs[0][1] == (1, 7, *network.output_shape(window))
    assert trace.steps[0].kind == "input" and trace.steps[0].shape == (1, 1, *window)
    read = {s for step in trace.steps for s in step.sources} | {position for position, _ in trace.outputs}
    assert read == set(range(len(trace.steps)))  # no step leads nowhere
    for i, step in enumerate(trace.steps):
        assert all(s < i for s in step.sources) and bool(step.sources) == (step.kind != "input")
    assert any(step.predictor for step in trace.steps)
    # levels are how often y was halved, but for borders that valid convolutions lose
    for step in trace.steps:
        if network.same_padding and len(step.space) > 1 and step.space[-1] > 1:
            assert step.level == round(math.log2(window[1] / step.space[-2]))


def test_every_kernel_is_one_step_or_in_a_row_of_residual_blocks():
    trace = traced("unet_2d")
    with torch.device("meta"):
        kernels = [p for p in build_network("unet_2d").parameters() if p.dim() > 1]
    assert len(of_kind(trace, "convolution")) + len(of_kind(trace, "transposed")) == len(kernels)
    assert trace.steps[1].kernel == (1, 3, 3) and trace.steps[1].space == (1, 570, 570)  # a slice, convolved in 2D


def test_residual_blocks_in_a_row_are_one_step():
    drn, resnet = traced("deeplab_drn"), traced("deeplab_resnet101")
    assert [(s.repeats, s.channels) for s in of_kind(drn, "residual")] == [(3, 256), (4, 512), (6, 1024), (3, 2048)]
    assert [(s.repeats, s.level) for s in of_kind(resnet, "residual")] == [(3, 2), (4, 3), (23, 4), (3, 4)]
    assert [c.dilation[0] for c in drn.steps if c.kind == "convolution" and c.dilation[0] > 4] == [12, 24, 36]
    (pyramid,) = (c for c in of_kind(drn, "concatenation") if len(c.sources) == 5)
    assert pyramid.channels == 5 * 256


def test_layers_of_a_transformer_in_a_row_are_one_step_on_the_map_of_its_tokens():
    (layers,) = of_kind(traced("setr_pup"), "transformer")
    assert (layers.repeats, layers.shape, layers.level) == (12, (1, 768, 32, 32), 4)
    steps = traced("transunet", size="small").steps
    (layers,) = (s for s in steps if s.kind == "transformer")
    assert layers.repeats == 12 and steps[layers.sources[0]].channels == layers.channels == 384
    assert [(s.repeats, s.channels) for s in steps if s.kind == "residual"] == [(3, 256), (4, 512), (9, 1024)]


def test_steps_of_the_residual_unet_are_those_of_the_paper():
    """Four encoder blocks and the bridge, the first at full size; a 2 x 2 convolution behind each upsampling."""
    trace = traced("resunet")
    widths = [(s.channels, s.space[-1]) for s in of_kind(trace, "residual")]
    down, up = [(64, 512), (128, 256), (256, 128), (512, 64)], [(512, 64), (256, 128), (128, 256), (64, 512)]
    assert widths == [*down, (1024, 32), *up]
    assert [c.kernel for c in of_kind(trace, "convolution")] == [(2, 2)] * 4 + [(1, 1)]
    code = traced("resunet", form="code")
    assert [s.channels for s in of_kind(code, "residual")][:6] == [64, 128, 256, 512, 512, 1024]
    assert [s.channels for s in of_kind(code, "transposed")] == [512, 256, 128, 64]


def test_layers_that_run_slice_by_slice_are_told_once():
    one, many = traced("deepvess"), traced("deepvess", (9, 38, 33))
    assert [s.kind for s in one.steps] == [s.kind for s in many.steps]
    assert [s.channels for s in of_kind(one, "dense")] == [1024, 175]
    assert many.outputs[0][1] == (1, 7, 3, 10, 5)


def test_norms_are_told():
    assert traced("hybrid_2d3d_333").norm == ""
    assert traced("hybrid_2d3d_333", norm="instance").norm == "instance"
    assert traced("deeplab_drn").norm == "batch"
    assert len(traced("hybrid_2d3d_333", norm="instance").steps) == len(traced("hybrid_2d3d_333").steps)


def test_a_window_the_network_cannot_take_is_an_error():
    with pytest.raises(ValueError, match=r"experiments.window: .*found 580, nearest are 572 and 588"):
        traced("unet_2d", (1, 580, 572))
