import picture_inputs as made_up
import pytest

import compare_annotators
from densecell import io


def test_tells_the_agreement_of_people_and_how_far_networks_are_from_it(tmp_path):
    arguments = ["--metrics", made_up.write_table(tmp_path / "metrics.csv", made_up.metrics())]
    arguments += ["--chosen", *made_up.write_chosen(tmp_path), "--output", str(tmp_path / "agreement.csv")]
    compare_annotators.main(arguments)
    table = io.read_table(tmp_path / "agreement.csv")
    assert set(table["region"]) == {"compare"}
    pairs = table[(table["measure"] == "miou_org") & (table["experiment"] == "annotation")]
    assert len(pairs) == 6, "three sources, each with the two others"
    people = pairs[(pairs["reference"] == "annotator_1") & (pairs["predictor"] == "annotator_2")]["value"].item()
    mean = table.loc[table["measure"] == "human_mean_miou_org", "value"].item()
    assert mean == pytest.approx(people), "the reference is no annotator"
    assert set(table.loc[table["measure"] == "difference_to_human_mean_miou_org", "experiment"]) <= {"hybrid", "unet"}
