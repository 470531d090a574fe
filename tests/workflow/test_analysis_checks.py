"""Names, sizes and masks under `analysis` are checked before anything runs."""

import numpy as np
import pytest
import tifffile
from test_configuration import PRESETS, config, edit, text_of  # noqa: F401 (config is a fixture)

import configuration

FOREGROUND = "analysis.foreground"


def found(config, path):  # noqa: F811
    return text_of(configuration.check(config, PRESETS), path)


@pytest.fixture
def compared(config, tmp_path):  # noqa: F811
    """The default with a foreground comparison on eval, against a volume of the region's size where that is known."""
    edit(config, "volumes[0].alignment", {"method": "none"})
    edit(config, "regions[1].x", [0, 40])
    tifffile.imwrite(tmp_path / "p.tif", np.zeros((20, 160, 40), np.uint8), photometric="minisblack")
    external = [{"name": "other", "region": "eval", "path": str(tmp_path / "p.tif"), "axes": "zyx"}]
    edit(config, FOREGROUND, {"regions": ["eval"], "ensembles": ["hybrid"], "external": external})
    edit(config, "analysis.small_regions", {"ensembles": ["hybrid"]})
    return config


def test_a_sound_comparison_is_accepted_and_everything_is_off_by_default(config, compared):  # noqa: F811
    assert configuration.check(compared, PRESETS) == []
    analysis = configuration.resolve({key: v for key, v in config.items() if key != "analysis"}, PRESETS)["analysis"]
    assert analysis["foreground"]["regions"] == analysis["small_regions"]["ensembles"] == []
    assert analysis["foreground"]["thresholds"] == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]


@pytest.mark.parametrize(
    "path, value, at, words",
    [
        ("regions", ["evl"], "regions[0]", "Did you mean 'eval'?"),
        ("regions", ["train"], "regions[0]", "of role train"),
        ("ensembles", ["hybird"], "ensembles[0]", "Did you mean 'hybrid'?"),
        ("external[0].region", "evaluation", "external[0].region", "one of analysis.foreground.regions: eval"),
        ("external[0].region", "test", "external[0].region", "Add 'test' to analysis.foreground.regions"),
        ("external[0].name", "hybrid", "external[0].name", "an ensemble's name"),
        ("external[0].path", "/nowhere/p.tif", "external[0].path", "no file at /nowhere/p.tif"),
        ("external[0].axes", "xyz", "external[0].path", "z 40 instead of 20, x 20 instead of 40"),
        ("external[0].kind", "mask", "external[0].kind", "probability"),
        ("thresholds", [1.5], "thresholds[0]", "1"),
    ],
)
def test_tells_what_does_not_fit(compared, path, value, at, words):
    edit(compared, f"{FOREGROUND}.{path}", value)
    assert words in found(compared, f"{FOREGROUND}.{at}")


def test_a_masked_region_has_no_scored_background(compared):
    edit(compared, "regions[1].mask", "reference")
    assert "with mask: reference" in found(compared, f"{FOREGROUND}.regions[0]")


def test_a_region_needs_a_source_and_a_name_serves_once_in_a_region(compared):
    edit(compared, f"{FOREGROUND}.regions", ["eval", "test"])
    assert configuration.check(compared, PRESETS) == []
    edit(compared, f"{FOREGROUND}.ensembles", [])
    assert "'test' without a source" in found(compared, f"{FOREGROUND}.regions[1]")
    edit(compared, f"{FOREGROUND}.external[1]", dict(compared["analysis"]["foreground"]["external"][0]))
    assert "a second time" in found(compared, f"{FOREGROUND}.external[1].name")


def test_small_regions_name_ensembles(compared):
    edit(compared, "analysis.small_regions.ensembles", ["unett"])
    assert "Did you mean 'unet'?" in found(compared, "analysis.small_regions.ensembles[0]")


def test_folders_are_replaced_in_the_paths_of_external_volumes(compared):
    edit(compared, "data_root", "/my/data")
    edit(compared, f"{FOREGROUND}.external[0].path", "{data_root}/p.tif")
    external = configuration.resolve(compared, PRESETS)["analysis"]["foreground"]["external"]
    assert external[0]["path"] == "/my/data/p.tif"
