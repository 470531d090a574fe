"""The paragraph on methods, of networks and their training: sentences from experiments and their settings."""

from densecell.methods_words import DECAYS, NETWORKS, NORMS, OPTIMIZERS, SWITCHES, by_value, listed, sizes
from densecell.passport_words import plural, ranges


def option(key, value):
    """An option of a network in words."""
    if isinstance(value, bool):
        return f"{'with' if value else 'without'} {SWITCHES.get(key, key.replace('_', ' '))}"
    return f"{key} {value}".replace("_", " ")


def networks(config, parameters):
    """One sentence per experiment. parameters: {experiment: number of trained values}."""
    sentences = []
    for e in config["experiments"]:
        norm = NORMS.get(e["options"].get("norm"))
        more = [option(key, value) for key, value in e["options"].items() if key != "norm"]
        more += [f"with {norm}"] if norm else []
        tile = f", evaluated in tiles of {sizes(e['tile'])}" if e.get("tile") else ""
        about = f" ({', '.join(more)})" if more else ""
        seeds = f"seed{'' if len(e['seeds']) == 1 else 's'} {ranges(sorted(e['seeds']))}"
        sentences.append(
            f"Experiment {e['name']}: {NETWORKS.get(e['network'], e['network'])}{about}, {parameters[e['name']]:,} parameters, on windows "
            f"of {sizes(e['window'])} voxels{tile}, {placed(e)}, {weighted(e)}, {plural(len(e['seeds']), 'run')} ({seeds})."
        )
    return sentences


def placed(experiment):
    """Where its training windows lay, in words."""
    t = experiment["training"]
    if t.get("sampler") != "foreground":
        return f"corners drawn anew for each epoch in bins of {sizes(experiment['spacing'])}"
    f = t["foreground"]
    rare = f["target"] or "the rarest target"
    return (
        f"of each batch at least {f['min_windows']} with {f['min_px']} or more pixels of {rare}, counted before binning "
        "[@machireddy2023], the others anywhere in labelled slices"
    )


def weighted(experiment):
    """Its error weights, in words."""
    return "without weights" if experiment["weight_map"] == "none" else f"weight map {experiment['weight_map']}"


def schedule(t):
    """The learning rate in words."""
    warm = f" after a linear warm-up over {t['warmup_steps']} steps" if t["warmup_steps"] else ""
    shapes = {
        "staircase": f"multiplied by {t['decay_factor']:g} every {t['decay_steps']:g} steps",
        "polynomial": f"falling to 0 at the last step by a polynomial of power {t['polynomial_power']:g}",
        "constant": "constant",
    }
    return f"learning rate {t['learning_rate']:g}{warm}, {shapes.get(t['schedule'], t['schedule'])}"


def augmentation(a):
    """What was done to windows, in words."""
    axes = a.get("flip_axes", ["z", "y", "x"])
    words = ["flips" if len(axes) == 3 else f"flips along {listed(axes)}"] * bool(a["flip"] and axes) + [
        "quarter turns"
    ] * a["rot90"]
    words += [f"brightness (up to {a['brightness']:g} of the range)"] * (a["brightness"] > 0)
    words += [f"contrast (up to {a['contrast']:g})"] * (a["contrast"] > 0)
    if a["elastic"]:
        words.append(
            f"elastic deformation (displacements up to {a['elastic_amplitude_px']:g} px before smoothing, one point per "
            f"{a['elastic_grid_px']:g} px, smoothed by {a['elastic_smoothing']:g} grid cells)"
        )
    return f"were augmented by {listed(words)}" if words else "were not augmented"


def one_training(names, t):
    """The sentences on the settings that some experiments share: t as of `settings_of`."""
    budget = f"{t['steps']} steps" if t["steps"] else f"{t['epochs']} epochs"
    decay = f"{DECAYS.get(t['optimizer'], 'weight decay')} of " + listed(
        f"{value:g} ({group.replace('_', '-')})" for group, value in t["l2"].items()
    )
    decay = decay if any(t["l2"].values()) else "no weight decay"
    clip = f", the gradient clipped at norm {t['gradient_clip']:g}" if t["gradient_clip"] else ""
    main = f", that of the main output counting {t['main_weight']:g}" if t["main_weight"] != 1 else ""
    auxiliary = f", that of the 2D output counting {t['auxiliary_weight']:g}" if t["auxiliary_weight"] else ""
    stopped = (
        f" Runs below a mean IoU of {t['stop_below_miou']:g} after {t['stop_after_epochs']} epochs were stopped."
        if t["stop_below_miou"] is not None
        else ""
    )
    return (
        f"{listed(names)} {'was' if len(names) == 1 else 'were'} trained for {budget} in batches of {plural(t['batch_size'], 'window')} with "
        f"{OPTIMIZERS.get(t['optimizer'], t['optimizer'])} (beta {t['betas'][0]:g} and {t['betas'][1]:g}, epsilon {t['epsilon']:g}; {schedule(t)}"
        f"{clip}) on {loss(t)}{main}{auxiliary}; {decay}; computed in {t['precision']}.{stopped}"
    )


def loss(t):
    """The loss in words; t as of `settings_of`."""
    if t.get("loss") == "dice":
        return f"the soft Dice loss of each batch, smoothed by {t['dice_smooth']:g} [@machireddy2023]"
    entropy = "binary cross-entropy of each target" if t["activation"] == "sigmoid" else "cross-entropy"
    return f"the {t['loss_reduction']} of the {'weighted ' * t['is_weighted']}{entropy}"


def settings_of(experiment, facts):
    """Its training settings as far as its network has use for them, and the number format."""
    t, name = experiment["training"], experiment["name"]
    return {
        **{key: t[key] for key in t if key not in ("augmentation", "evaluate_every_steps")},
        "l2": {group: value for group, value in t["l2"].items() if group in facts["groups"][name]},
        "auxiliary_weight": t["auxiliary_weight"] if facts["outputs"][name] > 1 else 0,
        "stop_below_miou": t["stop_below_miou"] if is_evaluated(experiment) else None,
        "activation": experiment.get("activation", "softmax"),
        "is_weighted": experiment["weight_map"] != "none",
        "precision": facts["precisions"][name],
    }


def training(config, facts):
    """facts: {"groups", "outputs", "precisions"}, as of `sections`."""
    experiments = config["experiments"]
    told = {e["name"]: settings_of(e, facts) for e in experiments}
    groups = by_value(experiments, lambda e: repr(told[e["name"]]))
    sentences = [one_training(names, told[names[0]]) for names in groups.values()]
    for text, names in by_value(experiments, lambda e: augmentation(e["training"]["augmentation"])).items():
        sentences.append(f"Windows{of_some(names, experiments)} {text}.")
    evaluated = [e for e in experiments if is_evaluated(e)]
    for steps, names in by_value(evaluated, lambda e: e["training"]["evaluate_every_steps"]).items():
        every = f"every {steps} steps" if steps else "at most once per epoch"
        sentences.append(f"The eval regions were scored {every}{of_some(names, experiments, 'in the training')}.")
    if evaluated:
        names = of_some([e["name"] for e in evaluated], experiments)
        kept = "the state with the highest mean IoU over all classes on the eval regions was kept."
        sentences.append(f"Of each run{names} {kept}")
    others = [e["name"] for e in experiments if not is_evaluated(e)]
    if others:
        sentences.append(f"Of each run{of_some(others, experiments)} the state after the last step was kept.")
    return sentences


def is_evaluated(experiment):
    """Whether eval regions choose the state of a run that is kept."""
    return experiment.get("evaluate", "eval") == "eval"


def of_some(names, experiments, what=""):
    """ "of hybrid and unet", or nothing where these are all experiments."""
    return "" if len(names) == len(experiments) else f"{what and ' ' + what} of {listed(names)}"


def draws(config):
    """What is trained on where slices are drawn from the labelled ones, and what the others are for."""
    drawn, sentences = [e for e in config["experiments"] if e.get("draw")], []
    for (n, pick), names in by_value(drawn, lambda e: (e["draw"]["n_slices"], e["draw"]["pick"])).items():
        number = "all labelled slices" if n == "all" else f"{plural(n, 'labelled slice')}"
        how = {"even": "evenly distributed", "random": "at random without replacement"}[pick]
        text = f", {how}, another draw for each seed [@machireddy2023]" if n != "all" else ""
        sentences.append(f"Each run of {listed(names)} was trained on {number}{text}.")
    held_out = [e["name"] for e in drawn if e.get("evaluate") == "held_out"]
    if held_out:
        sentences.append(
            f"The labelled slices that were not drawn scored the runs of {listed(held_out)} after the training, and chose nothing."
        )
    return sentences
