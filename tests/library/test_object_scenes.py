import numpy as np
import pytest

from densecell import object_scenes

CELLS = {"name": "cells", "class": "cell", "within": None}
NUCLEI = {"name": "nuclei", "class": "nucleus", "within": "cells"}
NUCLEOLI = {"name": "nucleoli", "class": "nucleolus", "within": "nuclei"}
GRANULES = {"name": "granules", "class": "granule", "within": "cells"}


def test_what_contains_others_is_translucent_the_more_the_deeper():
    assert object_scenes.levels([CELLS, NUCLEI, NUCLEOLI, GRANULES]) == {
        "cells": 2,
        "nuclei": 1,
        "nucleoli": 0,
        "granules": 0,
    }
    found = object_scenes.opacities([CELLS, NUCLEI, NUCLEOLI, GRANULES])
    assert found["nucleoli"] == found["granules"] == 1 > found["nuclei"] > found["cells"] > 0


def test_only_what_is_shown_makes_a_container_translucent():
    assert object_scenes.opacities([NUCLEI]) == {"nuclei": 1.0}
    assert object_scenes.levels([NUCLEOLI, NUCLEI]) == {"nucleoli": 0, "nuclei": 1}
    assert object_scenes.levels([CELLS, NUCLEOLI]) == {"cells": 0, "nucleoli": 0}


def test_very_deep_containers_stay_visible():
    chain = [{"name": str(i), "class": "c", "within": str(i - 1) if i else None} for i in range(6)]
    assert min(object_scenes.opacities(chain).values()) == object_scenes.OPACITIES[-1] > 0


def test_an_object_has_one_color_and_neighbors_in_number_differ():
    colors = [object_scenes.object_color(n) for n in range(1, 9)]
    assert len(set(colors)) == 8 and all(len(c) == 7 and c[0] == "#" for c in colors)
    assert object_scenes.object_color(5) == colors[4]
    assert object_scenes.hex_color(np.array([0, 128, 255], np.uint8)) == "#0080ff"


def test_box_goes_from_the_first_voxel_s_outer_corner_to_the_last_s():
    """4 x 5 x 6 voxels of 50 x 10 x 20 nm whose first center is at z 1000, y 0, x 10 nm."""
    low, high = object_scenes.box_um((4, 5, 6), (50, 10, 20), (1000, 0, 10))
    assert low == pytest.approx((0.0, -0.005, 0.975)) and high == pytest.approx((0.12, 0.045, 1.175))
