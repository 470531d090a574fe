"""What the paragraph on methods tells of objects: from the configuration, with the works that were used and no others."""

import pytest
import workflow_runs as runs

import configuration
import methods_settings
from densecell import citations, methods_objects

PRESETS = configuration.load_presets(runs.REPO / "config/presets.yaml")


def text_of(**changes):
    """The sentences on the objects of the small tumor, after these changes of its records."""
    config = {**runs.read_config("config.yaml"), **runs.read_config("tests/workflow/tiny_tumor.yaml")}
    for path, value in changes.items():
        runs.edit(config, path.replace("__", "."), value)
    told = methods_settings.settings(configuration.resolve(config, PRESETS))
    return " ".join(methods_objects.objects(told))


def test_a_configuration_without_objects_tells_nothing():
    assert text_of(instances=[]) == ""


def test_split_cells_are_told_with_the_settings_of_their_flow():
    text = text_of()
    assert "cells were split in each slice" in text and "where no border is near [@machireddy2023]" in text
    assert "6 levels of scale 0.2, a Gaussian window 30 px, 3 iterations and a neighborhood of 5 px" in text
    assert "IoU above 0.3 in the slice before" in text and "their track overlaps with most" in text
    assert "cut in other ways (mask)" in text


def test_without_flow_nothing_is_told_of_it():
    text = text_of(instances__0__split__main="mask", instances__0__split__combinations=["mask"])
    assert "farneback2003" not in citations.cited(text) and "other ways" not in text


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("instances__1__method", "components", "connected components of the class nucleus in 3D (voxels that share faces, edges or"),
        ("instances__1__watershed", {"from": "probability", "min_depth": 0.2}, "watershed of the probability; parts"),
        ("instances__1__watershed", {"smoothing_nm": 20}, "in nm (smoothed by a Gaussian of 20 nm); parts"),
        ("instances__1__within", "cells", "Of nuclei, each belongs to the one of cells"),
        ("instances__0__track", {"match": "labelled", "vote": "last", "window": 512}, "window of 512 px and became part of the cell that their track meets last"),
        ("texture", {"range": "global"}, "over the range of all objects together"),
    ],
)  # fmt: skip
def test_settings_in_words(key, value, words):
    assert words in text_of(**{key: value})


def test_all_works_are_known():
    assert {"farneback2003", "lorensen1987", "haralick1973", "kirillov2019"} <= set(citations.cited(text_of()))
