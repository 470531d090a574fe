import json

import paper_inputs
import picture_inputs as made_up

import plot_paper_members
from densecell import files


def test_shows_the_best_networks_and_their_ensemble(tmp_path):
    folder = paper_inputs.write_run(tmp_path)
    arguments = ["--chosen", f"{folder}/hybrid.json", "--ranking", f"{folder}/ranking.csv"]
    arguments += ["--metrics", f"{folder}/metrics.csv", "--region", "test", "--reference-name", "reference"]
    arguments += ["--place", json.dumps(paper_inputs.algorithm(folder, "hybrid", "ensemble", mask=True))]
    made_up.check_picture(plot_paper_members.main, [*arguments, *paper_inputs.LOOK], tmp_path / "x.png")
    parents = files.read_sidecar(tmp_path / "x.png")["parents"]
    shown = [path.rsplit("/", 1)[1] for path in parents if "/hybrid/" in path]
    assert sorted(shown) == ["seed1.ome.zarr", "seed2.ome.zarr", "top2.ome.zarr"]
    fewer = [*arguments, "--n-members", "1", *paper_inputs.LOOK]
    plot_paper_members.main([*fewer, "--output", str(tmp_path / "y.png")])
    parents = files.read_sidecar(tmp_path / "y.png")["parents"]
    assert f"{folder}/hybrid/seed2.ome.zarr" in parents and f"{folder}/hybrid/seed1.ome.zarr" not in parents
