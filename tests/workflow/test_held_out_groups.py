"""Which experiments the figures of contexts and networks compare."""

import held_out_groups

CONFIG = {
    "classes": [{"name": "cell"}, {"name": "nucleus"}],
    "volumes": [{"name": "v1", "binning": [1, 1, 1]}, {"name": "v4", "binning": [1, 4, 4]}],
    "regions": [
        {"name": "r1", "volume": "v1", "role": "train"},
        {"name": "r4", "volume": "v4", "role": "train"},
        {"name": "test", "volume": "v1", "role": "test"},
    ],
}


def experiment(name, network="resunet", region="r4", window=512, n=7, **facts):
    record = {
        "name": name,
        "network": network,
        "regions": [region, "test"],
        "window": [1, window, window],
        "options": {},
    }
    return {**record, "targets": ["nucleus"], "draw": {"n_slices": n, "pick": "even"}, "evaluate": "held_out", **facts}


def groups(*experiments):
    config = {**CONFIG, "experiments": list(experiments)}
    return held_out_groups.by_context(config), held_out_groups.by_network(config)


def test_contexts_are_windows_in_raw_pixels():
    contexts, networks = groups(experiment("near", region="r1"), experiment("far"), experiment("half", window=256))
    assert contexts == {"resunet": {"near": 512, "far": 2048, "half": 1024}} and networks == {}


def test_networks_are_compared_at_equal_contexts():
    contexts, networks = groups(experiment("a"), experiment("b", "unet_2d"), experiment("c", "unet_2d", "r1"))
    assert networks == {2048: {"a": "resunet", "b": "unet_2d"}} and contexts == {"unet_2d": {"b": 2048, "c": 512}}


def test_numbers_of_slices_and_classes_go_into_one_picture():
    given = [experiment(f"{network}{n}", network, n=n) for network in ("resunet", "unet_2d") for n in (7, 10)]
    given.append(experiment("cells", targets=["cell"]))
    assert set(groups(*given)[1][2048]) == {"resunet7", "resunet10", "unet_2d7", "unet_2d10", "cells"}


def test_a_network_with_other_options_is_told_by_its_name():
    code = {"options": {"form": "code"}}
    given = [
        experiment(f"{name}_n{n}", n=n, **facts) for name, facts in (("plain", {}), ("code", code)) for n in (7, 10)
    ]
    expected = {"plain_n7": "plain", "plain_n10": "plain", "code_n7": "code", "code_n10": "code"}
    assert groups(*given) == ({}, {2048: expected})
    near = [experiment("near", region="r1"), experiment("near_code", region="r1", **code)]
    contexts, _ = groups(experiment("far"), experiment("far_code", **code), *near)
    assert contexts == {
        "resunet": {"far": 2048, "near": 512},
        "resunet_2": {"far_code": 2048, "near_code": 512},
    }


def test_a_network_for_each_class_is_one_network():
    assert groups(experiment("nuclei"), experiment("cells", targets=["cell"])) == ({}, {})


def test_of_equal_contexts_the_first_and_of_what_is_not_held_out_none():
    given = [
        experiment("a"),
        experiment("again"),
        experiment("b", region="r1"),
        experiment("c", window=64, evaluate="none"),
    ]
    assert groups(*given)[0] == {"resunet": {"a": 2048, "b": 512}}
    assert groups() == ({}, {})
