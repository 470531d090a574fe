import json

import contents_inputs as made_up
import picture_inputs

import plot_contents

KEYS = json.dumps({"volume": "v", "objects": "cells", "class": "cell"})


def arguments(tmp_path, table):
    given = ["--contents", picture_inputs.write_table(tmp_path / "contents.csv", table), "--keys", KEYS]
    return [*given, "--colors", made_up.COLORS, "--classes", made_up.CLASSES]


def test_draws(tmp_path):
    picture_inputs.check_picture(plot_contents.main, arguments(tmp_path, made_up.contents()), tmp_path / "x.png")


def test_draws_without_members_objects_and_bias(tmp_path):
    table = made_up.contents(bias=False)
    for column in ("fraction_sd", "n_objects", "n_confirmed"):
        table[column] = float("nan")
    picture_inputs.check_picture(plot_contents.main, arguments(tmp_path, table), tmp_path / "x.png")


def test_draws_where_no_cell_was_found(tmp_path):
    table = made_up.contents()
    picture_inputs.check_picture(
        plot_contents.main, arguments(tmp_path, table[table["instance"] == 0]), tmp_path / "x.png"
    )
