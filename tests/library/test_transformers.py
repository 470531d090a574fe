"""SETR-PUP and TransUNet: counts of their parts, attention, position embeddings, and the tiles they are predicted in."""

import pytest
import torch
from torch import nn

from densecell import prediction
from densecell.devices import Computation
from densecell.networks import build_network, vit

BOTH = ("setr_pup", "transunet")


def count(module):
    return sum(p.numel() for p in module.parameters())


def small(name, **options):
    torch.manual_seed(0)
    return build_network(name, **{"n_classes": 2, "base_width": 4, "size": "small", "side_px": 64, **options})


def picture(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("size", "setr", "transunet"),
    [("small", 24_443_777, 39_584_017), ("base", 89_582_081, 105_901_969), ("large", 307_755_265, 324_861_585)],
)
def test_parameter_counts(size, setr, transunet):
    """One channel, one class, windows of 512 pixels."""
    with torch.device("meta"):
        assert count(build_network("setr_pup", n_classes=1, size=size)) == setr
        assert count(build_network("transunet", n_classes=1, size=size)) == transunet


def test_parameter_counts_of_the_parts():
    """12 layers of 12 width^2 + 13 width, a final norm and 32 x 32 positions; TransUNet's residual network and decoder."""
    width = 768
    with torch.device("meta"):
        setr, transunet = (build_network(name, n_classes=1) for name in BOTH)
    expected = 12 * (12 * width**2 + 13 * width) + 2 * width + 32 * 32 * width
    assert count(setr.encoder) == count(transunet.encoder) == expected
    assert count(transunet.resnet) == 11_884_992
    assert count(transunet.decoder) + count(transunet.predictor) == 7_387_345


def test_a_layer_is_torchs_with_the_norm_first():
    torch.manual_seed(0)
    ours = vit.Layer(24, 6)
    theirs = nn.TransformerEncoderLayer(
        24, 6, 96, dropout=0, activation="gelu", batch_first=True, norm_first=True, layer_norm_eps=1e-6
    )
    assert count(ours) == count(theirs)
    pairs = {"self_attn.in_proj_": "queries_keys_values.", "self_attn.out_proj.": "joined.", "linear1.": "dense.0."}
    pairs |= {"linear2.": "dense.2.", "norm1.": "norm_attention.", "norm2.": "norm_dense."}
    state = ours.state_dict()
    theirs.load_state_dict({a + kind: state[b + kind] for a, b in pairs.items() for kind in ("weight", "bias")})
    x = picture(2, 10, 24)
    assert torch.allclose(ours(x), theirs(x), atol=1e-6)


def test_every_pixel_sees_its_whole_slice_and_no_other():
    for name in BOTH:
        network = small(name, norm="none").eval()
        x = picture(1, 1, 2, 64, 64).requires_grad_()
        network(x)[0][0, 0, 0, 0, 0].backward()
        corners = x.grad[0, 0, :, -8:, -8:]
        assert corners[0].any() and not x.grad[0, 0, 1].any()


def test_positions_are_those_of_the_window_and_interpolated_for_others():
    encoder = small("setr_pup").encoder
    assert encoder.positions_of((4, 4)) is encoder.positions
    other = encoder.positions_of((6, 3))
    expected = nn.functional.interpolate(encoder.positions, size=(6, 3), mode="bicubic", align_corners=False)
    assert torch.equal(other, expected)
    nn.init.constant_(encoder.positions, 2.0)
    assert torch.allclose(encoder.positions_of((9, 5)), torch.tensor(2.0))  # what is the same everywhere stays


@pytest.mark.parametrize("name", BOTH)
def test_without_positions_patches_may_be_exchanged(name):
    """Attention alone knows no place: it is the embedding that tells one patch from another."""
    encoder = small(name).encoder.eval()
    x = picture(1, encoder.positions.shape[1], 4, 4)
    with torch.no_grad():
        assert not torch.allclose(encoder(x).flip(3), encoder(x.flip(3)), atol=1e-3)
        nn.init.zeros_(encoder.positions)
        assert torch.allclose(encoder(x).flip(3), encoder(x.flip(3)), atol=1e-5)


@pytest.mark.parametrize("name", BOTH)
def test_other_sizes_than_the_windows_are_taken(name):
    network = small(name).eval()
    with torch.no_grad():
        for shape in ((1, 64, 64), (2, 16, 96), (3, 128, 80)):
            assert network(picture(1, 1, *shape))[0].shape[2:] == network.output_shape(shape) == shape


@pytest.mark.parametrize("name", BOTH)
def test_halo_tiles_are_as_large_as_the_training_window(name):
    """With memory for more: positions were learned for that size."""
    network, computation = small(name).eval(), Computation("cpu", "float32")
    member = prediction.Member(network, (1, 64, 64))
    for shape, expected in (((3, 200, 150), [1, 64, 64]), ((3, 200, 32), [1, 64, 32])):
        inner = [(0, n) for n in shape]
        plan = prediction.plan_halo([member], shape, inner, {}, computation, 2**40, n_classes=2)
        assert plan.facts["tile"] == [expected], shape  # no larger than a picture that is smaller


@pytest.mark.parametrize("name", BOTH)
def test_the_norm_of_the_decoder_is_an_option(name):
    def kinds(**options):
        return {type(m).__name__ for m in small(name, **options).modules() if "Norm2d" in type(m).__name__}

    assert (kinds(), kinds(norm="instance"), kinds(norm="none")) == ({"BatchNorm2d"}, {"InstanceNorm2d"}, set())
    momenta = {m.momentum for m in small(name, norm_momentum=0.1).modules() if isinstance(m, nn.BatchNorm2d)}
    assert momenta == {0.1}


@pytest.mark.parametrize("name", BOTH)
def test_what_is_refused_says_what_to_do(name):
    with pytest.raises(
        ValueError, match=r"experiments.window.*multiples of 16 in y and x.*\(1, 48, 64\) and \(1, 64, 64\)"
    ):
        small(name)(picture(1, 1, 1, 56, 64))
    with pytest.raises(ValueError, match=r"options\.size: unknown 'huge'; known: small, base, large"):
        small(name, size="huge")
    with pytest.raises(ValueError, match=r"options\.side_px: expected a multiple of 16, found 100"):
        small(name, side_px=100)
