"""Which pictures of objects a configuration asks for, and what they are drawn from."""

import re

import pytest
import workflow_runs as runs

FIGURES = ("plot_cells_by_method", "plot_object_features", "plot_objects_per_container", "plot_fenestrations")
CELLS = ("--configfile", "config/fibsem_cells.yaml")


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """{rule/log: its command} of the jobs of config/fibsem_cells.yaml that measure texture or draw objects."""
    folder = runs.copy_project(tmp_path_factory.mktemp("cells"))
    config = runs.read_config("config/fibsem_cells.yaml")
    next(record for record in config["instances"] if record["name"] == "nuclei")["texture"] = True
    runs.write_config(folder / "config/fibsem_cells.yaml", config)
    code, output = runs.dry_run_output(folder, *CELLS, "--printshellcmds")
    assert code == 0, output
    return commands(output)


def commands(output):
    found = re.findall(r"(python \S*?/(?:plot|measure)_\w+\.py .*?logs/(\S+)\.log)", output)
    return {log: command for command, log in found if log.startswith((*FIGURES, "measure_texture"))}


def test_each_record_has_its_pictures(planned):
    drawn = {log for log in planned if not log.startswith("measure_texture")}
    assert drawn == {
        "plot_cells_by_method/tumor_cells",
        *(f"plot_object_features/morphology_{name}" for name in ("cells", "nuclei", "nucleoli")),
        "plot_object_features/texture_nuclei",
        *(f"plot_objects_per_container/{name}" for name in ("nuclei", "nucleoli")),
        *(f"plot_fenestrations/tumor_{name}" for name in ("cells", "nuclei", "nucleoli")),
    }


def test_texture_is_measured_where_it_is_asked_for(planned):
    assert [log for log in planned if log.startswith("measure_texture")] == ["measure_texture/tumor_nuclei"]
    assert '"levels": 32' in planned["measure_texture/tumor_nuclei"]


def test_cells_are_shown_by_every_way_beside_the_reference(planned):
    command = planned["plot_cells_by_method/tumor_cells"]
    ways = re.findall(r"/tracked/(\w+)/labels.ome.zarr", command)
    assert ways == ["mask", "border", "flow", "overlay", "selective", "frames"]
    assert "--ids results/fibsem_cells/aligned/tumor/labels_cell_ids.ome.zarr" in command
    assert "--reference results/fibsem_cells/aligned/tumor/labels_true_cells.ome.zarr" in command


def test_split_cells_are_measured_as_their_main_way_gives_them(planned):
    assert "/cells/tracked/selective/labels.ome.zarr" in planned["plot_fenestrations/tumor_cells"]


def test_without_records_there_are_none(tmp_path):
    folder = runs.copy_project(tmp_path)
    config = {**runs.read_config("tests/workflow/tiny.yaml"), "instances": []}
    runs.write_config(folder / "tests/workflow/tiny.yaml", config)
    code, output = runs.dry_run_output(folder, *runs.TINY, "--printshellcmds")
    assert code == 0, output
    assert not commands(output)
