"""Where boxes stand: in rows by size, never on each other, after what they read; and what the picture says."""

import itertools

import pytest
from matplotlib.figure import Figure
from test_tracing import traced

from densecell import network_diagram
from densecell.networks import NETWORKS
from densecell.networks.tracing import Step, Trace


def chain():
    """input, convolution, pool, convolution, up, concatenation of the first and the last, predictor."""
    steps = [
        Step("input", (1, 1, 4, 8, 8)),
        Step("convolution", (1, 16, 4, 8, 8), 0, [0], kernel=(3, 3, 3), stride=(1, 1, 1), dilation=(1, 1, 1)),
        Step("pool", (1, 16, 4, 4, 4), 1, [1]),
        Step("convolution", (1, 32, 4, 4, 4), 1, [2], kernel=(1, 3, 3), stride=(1, 1, 1), dilation=(1, 2, 2)),
        Step("transposed", (1, 8, 4, 8, 8), 0, [3], kernel=(1, 2, 2)),
        Step("concatenation", (1, 24, 4, 8, 8), 0, [1, 4]),
        Step("convolution", (1, 3, 4, 8, 8), 0, [5], kernel=(1, 1, 1), stride=(1, 1, 1), predictor=True),
    ]
    return Trace(steps, [(6, (1, 3, 4, 8, 8))], 1234)


def texts(trace):
    axes = Figure().add_subplot()
    network_diagram.draw(axes, trace, network_diagram.plan(trace))
    return [t.get_text() for t in axes.texts]


def test_kinds_follow_from_kernels():
    kinds = [network_diagram.kind_of(step) for step in chain().steps]
    assert kinds == ["input", "3d", "pool", "2d", "transposed", "concatenation", "predictor"]
    assert network_diagram.kind_of(Step("convolution", (1, 1, 4, 4), kernel=(1, 1))) == "1x1"
    assert network_diagram.kind_of(Step("residual", (1, 1, 4, 4), kernel=(3, 3))) == "residual_2d"


def test_upsampled_features_touch_the_copied_ones_and_each_tells_its_channels():
    trace = chain()
    assert network_diagram.glued_pairs(trace.steps) == {5: 4}
    boxes = network_diagram.arrange(trace.steps)
    assert boxes[5].right == boxes[4].left and boxes[5].exit == boxes[4].right < boxes[6].left
    shown = texts(trace)
    assert shown.count("8") == 1 and shown.count("16") == 3 and "24" not in shown


def test_shapes_stand_where_they_change():
    trace = chain()
    labels = network_diagram.shape_labels(trace.steps, network_diagram.arrange(trace.steps))
    assert [text for *_, text in labels] == ["4×8×8", "4×8×8", "4×4×4"]


def test_notes_tell_what_is_unusual():
    steps = chain().steps
    assert network_diagram.note(steps[1]) == "" and network_diagram.note(steps[3]) == "d 2"
    stem = Step("convolution", (1, 1, 4, 4), kernel=(7, 7), stride=(2, 2), dilation=(1, 1))
    assert network_diagram.note(stem) == "7×7\n/ 2"
    assert network_diagram.note(Step("residual", (1, 1, 4, 4), kernel=(3, 3), repeats=6, dilation=(2, 2))) == "6 ×\nd 2"
    assert network_diagram.note(Step("residual", (1, 1, 4, 4), kernel=(3, 3))) == ""  # a single one
    assert network_diagram.note(Step("transformer", (1, 1, 4, 4), repeats=12)) == "12 ×"
    patches = Step("convolution", (1, 1, 4, 4), kernel=(16, 16), stride=(16, 16), dilation=(1, 1))
    assert network_diagram.note(patches) == "/ 16"


def test_a_label_that_stands_upright_makes_room_for_an_arrow_that_rises_from_its_box():
    trace = traced("resunet")
    boxes, labels, arrow_y, width, height = network_diagram.plan(trace)
    axes = Figure().add_subplot()
    network_diagram.draw(axes, trace, (boxes, labels, arrow_y, width, height))
    (label,) = (t for t in axes.texts if t.get_text() == "64×64" and t.get_rotation() == 90)
    assert label.get_position()[0] == pytest.approx(boxes[4].center - network_diagram.BESIDE)


@pytest.mark.parametrize("name", NETWORKS)
def test_boxes_of_every_network_are_apart_and_in_order(name):
    trace = traced(name)
    boxes, labels, _, width, height = network_diagram.plan(trace)
    assert all(0 <= b.left < b.right < width and b.height > 0 and -height <= b.bottom < b.top <= 0 for b in boxes)
    for a, b in itertools.combinations(boxes, 2):
        apart = a.right <= b.left or b.right <= a.left or a.top <= b.bottom or b.top <= a.bottom
        assert apart, (a, b)
    for source, target in network_diagram.edges(trace.steps, network_diagram.glued_pairs(trace.steps)):
        assert boxes[source].exit <= boxes[target].left
    assert all(boxes[i].y > boxes[j].y for i, j in itertools.permutations(range(len(boxes)), 2)
               if boxes[i].level < boxes[j].level)  # fmt: skip
    shown = texts(trace)
    assert f"output\n{network_diagram.shape_text(trace.outputs[0][1][2:])}\n7 classes" in shown
    assert shown.count("auxiliary\noutput") == len(trace.outputs) - 1
    assert {text for *_, text in labels} <= set(shown)


def test_the_legend_names_what_is_there_and_the_norm():
    plain = [patch.get_label() for patch in network_diagram.legend_patches(traced("unet_2d"))]
    assert plain[:2] == ["input", "2D convolution, ReLU"] and "3D convolution, ReLU" not in plain
    assert "transformer layers" in [p.get_label() for p in network_diagram.legend_patches(traced("setr_pup"))]
    normed = [patch.get_label() for patch in network_diagram.legend_patches(traced("unet_3d_thick", norm="instance"))]
    assert "3D convolution, instance norm, ReLU" in normed and "transposed convolution" in normed
