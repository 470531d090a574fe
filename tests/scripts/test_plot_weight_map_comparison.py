import json

import numpy as np
import pandas as pd
import picture_inputs as made_up

import compare_weight_maps
import plot_weight_map_comparison


def test_draws(tmp_path):
    labels = made_up.labels()
    labels[:, :6, :6] = 255
    computed = np.where(labels == 255, 0, 0.1 + labels).astype(np.float32)
    keys = {
        "volume": "v",
        "region": "train",
        "reference": "reference",
        "experiment": "",
        "predictor": "",
        "class": "all",
    }
    keys |= {"weight_map": "released", "compared_with": "paper", "unit": "1"}
    rows = [
        {**keys, "z": z, "measure": m, "value": v} for z in (0, "") for m, v in (("pearson", 0.9), ("edge_scale", 2))
    ]
    table = pd.DataFrame(rows)[compare_weight_maps.COLUMNS]
    given = ["--labels", made_up.write_volume(tmp_path / "labels.ome.zarr", labels)]
    given += ["--computed", made_up.write_volume(tmp_path / "computed.ome.zarr", computed)]
    given += ["--imported", made_up.write_volume(tmp_path / "imported.ome.zarr", computed * np.float32(1.5))]
    given += ["--table", made_up.write_table(tmp_path / "table.csv", table), "--region", "train"]
    given += ["--names", json.dumps(["paper", "released"]), "--colors", made_up.COLORS, "--classes", made_up.CLASSES]
    made_up.check_picture(plot_weight_map_comparison.main, given, tmp_path / "x.png")
