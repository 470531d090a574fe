"""Which tiles are chosen: the cheapest cut within the memory, margins from the receptive field, the words of the settings."""

import math

import pytest
import torch

from densecell import prediction, tile_choice
from densecell.devices import Computation
from densecell.networks import build_network
from densecell.tile_choice import Layout, choose_core, cuts

CPU = Computation("cpu", "float32", False)


def member(name="hybrid_2d3d_333", window=(5, 96, 96), **options):
    torch.manual_seed(0)
    return prediction.Member(build_network(name, n_classes=3, **({"base_width": 2} | options)).eval(), window)


def test_cuts_are_equal_parts_in_steps():
    assert cuts(100, 8, 0) == [104, 56, 40, 32, 24, 16, 8]  # 1, 2, 3, 4, 5, 7 and 13 parts
    assert cuts(5, 1, 0) == [5, 3, 2, 1]
    assert cuts(96, 8, 4) == [104, 56, 40, 32, 24, 16, 8]  # the first core begins 4 before


def test_margins_follow_the_receptive_field_in_steps_of_the_pools():
    axes = Layout(member(), (40, 400, 400), [None] * 3).axes
    field = member().network.receptive_field()
    assert [a.halo for a in axes] == [9, 80, 80]
    assert all(a.halo >= (f - 1) // 2 and a.halo % a.step == 0 for a, f in zip(axes, field))
    assert [a.halo for a in Layout(member(), (40, 400, 400), [1, 3, 17]).axes] == [1, 8, 24]


def test_a_margin_is_never_larger_than_what_the_network_sees():
    assert [a.halo for a in Layout(member(), (40, 400, 400), [50, 400, 400]).axes] == [9, 80, 80]
    layout = Layout(member("unet_2d", (1, 192, 192), padding="same"), (40, 400, 400), [1, None, None])
    assert layout.axes[0].halo == 0  # slice by slice


def test_a_network_that_sees_the_whole_slice_gets_the_papers_overlap():
    layout = Layout(member("deeplab_drn", (1, 96, 96), base_width=4), (4, 400, 400), [None] * 3)
    assert [a.halo for a in layout.axes] == [0, 16, 16]


def test_with_enough_memory_the_whole_is_one_tile():
    plan = prediction.make_plan([member()], (20, 250, 240), {"stitch": "halo", "halo": "auto"}, CPU, budget=2**40)
    assert len(plan.tiling) == 1
    assert plan.placements[0].input_shape == (20, 256, 240)  # 250 is mirrored up to a multiple of 8
    assert plan.computed_voxels() == 20 * 256 * 240


@pytest.mark.parametrize("share", [0.7, 0.4, 0.25])
def test_tiles_shrink_with_the_memory_and_keep_within_it(share):
    """No cut that fits computes fewer voxels: checked against all of them."""
    layouts, inner = [Layout(member(), (30, 600, 400), [None] * 3)], [(0, 30), (0, 600), (0, 400)]
    budget = share * 30 * 600 * 400 * 100
    core, n_bytes = choose_core(layouts, inner, [None] * 3, budget, [100.0], 10, (0, 0))
    assert n_bytes <= budget

    def cost(core):
        n_tiles = math.prod(-(-(b - a) // c) for (a, b), c in zip(inner, core))
        tile = math.prod(layouts[0].input_size(axis, c) for axis, c in enumerate(core))
        return n_tiles * tile, 100 * tile + 10 * math.prod(core)

    found, memory = cost(core)
    assert memory == n_bytes
    for z in cuts(30, 1, 0):
        for y in cuts(600, 8, 0):
            for x in cuts(400, 8, 0):
                voxels, memory = cost((z, y, x))
                assert memory > budget or voxels >= found


def test_a_budget_that_is_too_small_still_gives_a_tile():
    plan = prediction.make_plan([member()], (6, 300, 300), {"stitch": "halo", "halo": "auto"}, CPU, budget=1)
    assert plan.n_bytes > 1
    assert len(plan.tiling) > 1


def test_words_and_numbers_of_the_settings():
    def tile(*words, halo="auto"):
        settings = {"stitch": "halo", "tile": list(words), "halo": halo}
        return prediction.make_plan([member()], (40, 400, 400), settings, CPU).placements[0].input_shape

    assert tile("window", "auto", "auto", halo=[0, "auto", "auto"]) == (5, 400, 400)
    assert tile("window", "auto", "auto", halo=[1, "auto", "auto"]) == (5, 400, 400)  # a core of three slices
    assert tile(21, 184, 400) == (21, 184, 400)
    assert tile(21, 190, 400) == (21, 184, 400)  # in steps of eight
    assert tile(100, 1000, 1000) == (40, 400, 400)


def test_without_tile_and_halo_it_is_the_depth_of_the_training_and_a_slice_of_margin():
    plan = prediction.make_plan([member()], (40, 400, 400), {"stitch": "halo"}, CPU)
    assert (plan.placements[0].input_shape, plan.tiling.core) == ((5, 400, 400), (3, 400, 400))
    single = member("unet_2d", (1, 188, 188))
    assert prediction.make_plan([single], (40, 400, 400), {"stitch": "halo"}, CPU).tiling.core[0] == 1
    shallow = member("unet_3d_thick", (8, 60, 60))  # pools z by four: a margin of four would leave nothing of eight
    assert prediction.make_plan([shallow], (40, 60, 60), {"stitch": "halo"}, CPU).tiling.core[0] == 8
    thick = member("unet_3d_thick", (16, 60, 60))
    assert prediction.make_plan([thick], (40, 60, 60), {"stitch": "halo"}, CPU).tiling.core[0] == 8  # in steps of four


def test_a_halo_that_eats_the_tile_is_refused():
    settings = {"stitch": "halo", "tile": ["window", "auto", "auto"], "halo": "auto"}
    with pytest.raises(ValueError, match=r"prediction.tile: window leaves nothing on the z axis inside a halo of 9"):
        prediction.make_plan([member()], (40, 400, 400), settings, CPU)
    with pytest.raises(ValueError, match="known: depth, halo"):
        prediction.make_plan([member()], (40, 400, 400), {"stitch": "deep"}, CPU)


def test_tiles_of_networks_with_window_statistics_do_not_depend_on_the_memory():
    """With instance norm the answer depends on the tile, so a larger machine must not give another one."""
    plans = [
        prediction.make_plan(
            [member(norm="instance")], (64, 1200, 1200), {"stitch": "halo", "halo": "auto"}, CPU, budget=budget
        )
        for budget in (2**34, 2**40)
    ]
    assert plans[0].facts == plans[1].facts
    assert math.prod(plans[0].placements[0].input_shape) <= tile_choice.LARGEST_STATISTICS_VOXELS
    free = prediction.make_plan([member()], (64, 1200, 1200), {"stitch": "halo", "halo": "auto"}, CPU, budget=2**40)
    assert math.prod(free.placements[0].input_shape) > tile_choice.LARGEST_STATISTICS_VOXELS


def test_depth_tiles_are_the_papers_whatever_the_memory():
    plan = prediction.make_plan([member()], (24, 200, 200), {"stitch": "depth"}, CPU, budget=1)
    assert plan.placements[0].input_shape == (5, 96, 96)
    assert plan.tiling.corners[0] == [0, 4, 8, 12, 16, 19]
    assert plan.facts == {"stitch": "depth", "tile": [[5, 96, 96]], "halo": None}
    assert prediction.peak_memory(plan, [member()], CPU) > 5 * 96 * 96 * 4


def test_every_network_of_the_ready_configurations_is_planned_by_default():
    """At the windows of config/phantom_paper.yaml and the tiny runs; what is unset must never be refused."""
    windows = {
        "hybrid_2d3d_333": [(1, 32, 32), (2, 32, 32), (3, 48, 48), (5, 96, 96)],
        "unet_2d": [(1, 188, 188)],
        "unet_3d_thin": [(2, 48, 48), (5, 60, 60)],
        "unet_3d_thick": [(4, 48, 48), (8, 48, 48)],
        "deepvess": [(7, 33, 33)],
        "medicalnet": [(8, 32, 32), (16, 32, 32)],
        "deeplab_drn": [(1, 48, 48)],
    }
    for name, shapes in windows.items():
        for window in shapes:
            options = {"base_width": 4} if name == "deeplab_drn" else {}
            network = member(name, window, **options)
            plan = prediction.make_plan([network], (20, 70, 70), {"stitch": "halo"}, CPU)
            (placement,) = plan.placements
            assert network.network.output_shape(placement.input_shape) == tuple(placement.output_shape), (name, window)
            assert all(core <= out for core, out in zip(plan.tiling.core, placement.output_shape)), (name, window)


def test_where_buffers_take_more_than_the_budget_tiles_are_still_large():
    layouts, inner = [Layout(member(), (30, 600, 400), [None] * 3)], [(0, 30), (0, 600), (0, 400)]
    core, n_bytes = choose_core(layouts, inner, [5, None, None], 10**9, [100.0], 10, (10**9, 0))
    assert core == (5, 600, 400)
    assert n_bytes > 10**9
