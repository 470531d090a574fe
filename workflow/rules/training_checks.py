"""What a configuration says about the loss and the sampler of a training.

Each check takes the resolved configuration, in which None stands for what the schema has already refused, and
yields findings.
"""

from config_checks import names_in, unknown_name
from config_schema import Finding, show

NO_WEIGHTS = "none"  # the word in place of a weight map


def check_trainings(config):
    """Losses take the weights they are given, and batches can hold what the sampler guarantees."""
    for i, record in enumerate(config["weight_maps"]):
        if record["name"] == NO_WEIGHTS:
            expected = "another name: weight_map: none means no weights"
            yield Finding(f"weight_maps[{i}].name", show(NO_WEIGHTS), expected, "Rename the weight map.")
    for i, experiment in enumerate(config["experiments"]):
        where, training = f"experiments[{i}]", experiment["training"]
        if training["loss"] == "dice" and experiment["weight_map"] not in (None, NO_WEIGHTS):
            expected = "none, with training.loss: dice, which has no weights"
            yield Finding(f"{where}.weight_map", show(experiment["weight_map"]), expected, "Set weight_map: none.")
        if training["sampler"] == "foreground":
            yield from _check_foreground(f"{where}.training.foreground", experiment, names_in(config, "classes"))


def _check_foreground(where, experiment, classes):
    settings, batch_size = experiment["training"]["foreground"], experiment["training"]["batch_size"]
    n, target = settings["min_windows"], settings["target"]
    if batch_size is not None and n is not None and n > batch_size:
        expected = f"at most {batch_size}, the batch_size"
        yield Finding(f"{where}.min_windows", show(n), expected, "Use larger batches, or fewer such windows.")
    section = f"targets of {experiment['name']}" if experiment["targets"] else "classes"
    yield from unknown_name(f"{where}.target", target, section, experiment["targets"] or classes)
